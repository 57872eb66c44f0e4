"""`keeper guardian` for a person and for a script."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from keeper.cli.show import words
from keeper.errors import BadInput
from keeper.governance.guardian import REST_S, Brake, Orders, builder_json, changes_toml
from keeper.wiring.guardian import Standing


def standing_view(found: Standing) -> RenderableType:
    """Who holds which brake, and how each market stands."""
    parts: list[RenderableType] = [Text(f"block {found.block:,}, {words.utc(found.time_s)}", "bold")]
    by: dict[str, list[str]] = {}
    for act, who in found.guardians.items():
        by.setdefault(who, []).append(act)
    for who, acts in by.items():
        style = "" if who else "bold red"
        parts.append(Text.assemble((f"{', '.join(acts)}: ", "bold"), (who or "nobody", style), overflow="fold"))
    parts.append(_timed("the house", "halted", found.halted_until_s, found.time_s))
    for one in found.brakes:
        parts += _brake(one, found.time_s)
    return Group(*parts)


def _brake(one: Brake, now_s: int) -> Iterator[Text]:
    if one.frozen:
        yield Text(f"{one.symbol}  frozen, until governance thaws it", "yellow")
    yield _timed(one.symbol, "paused", one.paused_until_s, now_s)
    yield _timed(one.symbol, "vetoed", one.vetoed_until_s, now_s)
    for name, old, new in one.falling:
        said = f"{one.symbol}  {name} {old / 1e4:g} % is on its way down to {new / 1e4:g} %: a veto stops it"
        yield Text(said, overflow="fold")


def _timed(of: str, word: str, until_s: int, now_s: int) -> Text:
    if now_s < until_s:
        return Text(f"{of}  {word} until {words.utc(until_s)}", "yellow")
    if until_s and now_s < until_s + REST_S:
        return Text(f"{of}  not {word}; may be again from {words.utc(until_s + REST_S)}", "yellow")
    return Text(f"{of}  not {word}", "bright_black")


def standing_tree(found: Standing) -> dict[str, Any]:
    """The same as one object; times in Unix seconds, ranges in ppm."""
    return {
        "block": found.block,
        "time_s": found.time_s,
        "guardians": {act: who or None for act, who in found.guardians.items()},
        "halted_until_s": found.halted_until_s,
        "underlyings": [
            {
                "underlying": one.symbol,
                "frozen": one.frozen,
                "paused_until_s": one.paused_until_s,
                "vetoed_until_s": one.vetoed_until_s,
                "falling": [{"name": n, "in_force_ppm": a, "target_ppm": b} for n, a, b in one.falling],
            }
            for one in found.brakes
        ],
    }


def orders_view(found: Orders, out: Path | None) -> RenderableType:
    """Each call in words and in bytes, by whom, and what the contract says to it."""
    parts: list[RenderableType] = []
    for one in found.orders:
        shown = f"{one.call.contract}.{one.call.signature.partition('(')[0]}({', '.join(one.call.arguments)})"
        parts += [
            Text(one.says, "bold", overflow="fold"),
            Text(f"  call  {shown}", overflow="fold"),
            Text(f"  from  {found.by or 'nobody'}"),
            Text(f"  to    {one.call.target}"),
            Text(f"  data  0x{one.call.data.hex()}", overflow="fold"),
            Text(f"  would be refused now: {one.refused}", "bold red", overflow="fold")
            if one.refused
            else Text(f"  goes through on block {found.block:,}", "green"),
        ]
    parts.append(Text.assemble(("→ ", "cyan"), _next(found, out), overflow="fold"))
    if found.safe_tx_hash:
        said = f"  owners sign {found.safe_tx_hash} at the Safe's nonce {found.safe_nonce}"
        parts.append(Text(said, overflow="fold"))
    return Group(*parts)


def _next(found: Orders, out: Path | None) -> str:
    """What a person does with it."""
    file = out or "FILE"
    if found.by_timelock:
        verb = "written" if out else "--out CHANGES.toml writes what to propose"
        return f"the timelock decides: {verb}; then keeper propose {out or 'CHANGES.toml'}"
    if found.by_safe:
        return f"import {file} in the Safe's transaction builder" + ("" if out else "; --out FILE writes it")
    return "nothing was sent: send to and data, value 0, from that wallet"


def orders_tree(found: Orders) -> dict[str, Any]:
    """The same as one object."""
    return {
        "act": str(found.act),
        "by": found.by or None,
        "by_timelock": found.by_timelock,
        "block": found.block,
        "holds": found.holds,
        "safe_nonce": found.safe_nonce if found.by_safe else None,
        "safe_tx_hash": found.safe_tx_hash or None,
        "calls": [
            {
                "says": one.says,
                "contract": one.call.contract,
                "function": one.call.signature,
                "arguments": list(one.call.arguments),
                "to": one.call.target,
                "value": str(one.call.value),
                "data": "0x" + one.call.data.hex(),
                "refused": one.refused or None,
            }
            for one in found.orders
        ],
    }


def write_orders(found: Orders, path: Path) -> None:
    """The transaction builder's file, or CHANGES.toml where a timelock decides.  Raises: `BadInput`."""
    text = changes_toml(found) if found.by_timelock else json.dumps(builder_json(found), indent=2) + "\n"
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}", hint="name another file") from error
