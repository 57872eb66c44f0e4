"""`keeper quorum` for a person and for a script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from keeper.cli.show import words
from keeper.cli.show.actions import DRY, tx_state
from keeper.cli.show.impact import effect_tree
from keeper.cli.show.numbers import number, when
from keeper.cli.show.push import preview_view
from keeper.cli.show.tables import table as plain_table
from keeper.cli.show.updates import untold
from keeper.control.quorum import Review, wanting
from keeper.control.rederive import NOTHING, Derived
from keeper.domain.council import Order
from keeper.domain.previews import Previewed
from keeper.domain.tx import TxRecord
from keeper.offline import account_name
from keeper.policy.cosign import CHOSEN, GATE
from keeper.policy.effect import Effect
from keeper.policy.verify import Check
from keeper.wiring.quorum import Shown, ToSign


def shown_view(found: Shown) -> RenderableType:
    """Keepers, quorums, nonces, roles."""
    council = found.council
    head = Text(
        f"{council.to_publish} of {len(council.keepers)} keepers publish, {council.to_tighten} call an emergency; "
        f"KeeperQuorum {council.address}, list {council.list_}"
    )
    keepers = plain_table("keeper", "", numbers=0)
    for address in council.keepers:
        keepers.add_row(address, "this keeper's" if address in found.own else "")
    nonces = plain_table("landed", *dict.fromkeys(one.lane.replace("_", "-") for one in found.nonces))
    for symbol in dict.fromkeys(one.symbol for one in found.nonces):
        nonces.add_row(symbol, *(f"{one.calls:,}" for one in found.nonces if one.symbol == symbol))
    roles = plain_table("role", "held by", "", numbers=0)
    for one in found.roles:
        roles.add_row(one.role, one.holder, one.name)
    return Group(head, Text(), keepers, Text(), nonces, Text(), roles)


def shown_tree(found: Shown) -> dict[str, Any]:
    """The same as one object."""
    return {
        **vars(found.council),
        "list": found.council.list_,
        "keepers": [{"address": one, "own": one in found.own} for one in found.council.keepers],
        "nonces": [vars(one) | {"list": one.list_} for one in found.nonces],
        "roles": [vars(one) for one in found.roles],
    }


#: Accounts that an emergency's effect names.
NAMED = 10


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What was found out about a paper, besides what it says."""

    derived: Derived = NOTHING
    previewed: Previewed | None = None
    tried: str = ""
    effect: Effect | str = ""
    """Whom it brings down, or why nobody can tell; empty of a publication."""
    waits: ToSign | None = None
    files: Sequence[Path] = ()


def paper_view(found: Review, beside: Beside) -> RenderableType:
    """What a paper has the quorum do, and all that speaks for and against it."""
    order, now = found.order, found.block.timestamp
    parts: list[RenderableType] = [Text(f"{order.what} {order.symbol}: {found.paper.why}", style="bold")]
    table = plain_table("", "", numbers=0)
    table.show_header = False
    for name, value in told(order):
        table.add_row(name, value)
    table.add_row(
        "good until", when(order.valid_until, now) if order.valid_until > now else words.utc(order.valid_until)
    )
    table.add_row("signatures", f"{len(found.good)} of the {found.needed} it takes")
    for keeper in found.good:
        table.add_row("", keeper)
    parts.append(Padding(table, (0, 0, 0, 2)))
    if beside.derived.checks:
        parts.append(Padding(_checks(beside.derived.checks), (0, 0, 0, 2)))
        parts.append(Padding(Group(*untold(beside.derived.unattested)), (0, 0, 0, 2)))
    if beside.previewed is not None:
        parts.append(Padding(preview_view(beside.previewed, now), (0, 0, 0, 2)))
    if beside.tried:
        parts.append(Padding(Text(f"tried as the quorum: {beside.tried}"), (0, 0, 0, 2)))
    if beside.effect:
        parts.append(Padding(_effect(beside.effect), (0, 0, 0, 2)))
    if beside.waits is not None:
        parts.append(Padding(Text(_to_sign(beside.waits)), (0, 0, 0, 2)))
    parts += [Text(f"✗ {line}", style="bold red") for line in (*found.objections, *found.bad)]
    parts += [Text(f"written: {file}", style="green") for file in beside.files]
    return Group(*parts)


def told(order: Order) -> Iterator[tuple[str, str]]:
    """An order in words: what a person compares."""
    if order.target is not None:
        ranges = order.target.ranges
        yield "scan range", number("psr", ranges.psr_ppm)
        yield "volatility up, down", f"{number('', ranges.vsr_up_ppm)}, {number('', ranges.vsr_down_ppm)}"
    for one in order.rows:
        priced = [sigma for sigma in one.sigmas_ppm if sigma]
        low, high = min(priced, default=0), max(priced, default=0)
        said = f"volatility {number('', one.params.sigma_atm_ppm)}, smile {number('', low)} … {number('', high)}"
        if len(priced) < len(one.sigmas_ppm):
            said += f", {len(one.sigmas_ppm) - len(priced)} of {len(one.sigmas_ppm)} strikes left out"
        carry = f"carry {number('phi', one.params.phi_ppb)}, discount {number('df', one.params.df_ppb)}"
        yield words.day(one.params.expiry), f"{said}, {carry}"
    if order.target is not None:
        yield "inputs", order.inputs_hash
        return
    for name, value in order.arguments.items():
        if name == "ratePpmPerDay":
            yield "rate a day", f"{value / 10_000:.4f} %, {'longs' if value > 0 else 'shorts'} pay" if value else "0 %"
        elif name.endswith("Ppm"):
            yield name.removesuffix("Ppm"), number("", value)
        elif name.endswith("Until"):
            yield name, words.utc(value)
        elif isinstance(value, int | str):
            yield name, order.symbol if name == "underlying" else str(value)


def _effect(found: Effect | str) -> Text:
    """Whom an emergency or an add-on brings down when it binds in full."""
    if isinstance(found, str):
        return Text(found, "yellow")
    lines = Text.assemble(
        f"at its peak, of {found.accounts:,} accounts: ",
        (f"{found.below_mm:,} newly below maintenance", "bold red" if found.below_mm else "green"),
        f" with {found.requirement_ppm / 10_000:.2f} % of it, {found.below_im:,} newly below initial margin; "
        f"maintenance {words.usd(found.mm_before)} → {words.usd(found.mm_after)}, "
        f"initial {words.usd(found.im_before)} → {words.usd(found.im_after)}, "
        f"bad debt at risk {words.usd(found.at_risk_before)} → {words.usd(found.at_risk_after)}",
    )
    if found.unknown:
        lines.append(f"; {found.unknown:,} cannot be priced")
    for moved in found.named_mm[:NAMED]:
        maintenance = f"maintenance {words.usd(moved.mm_before)} → {words.usd(moved.mm_after)}"
        lines.append(f"\n  {account_name(moved.account)}: equity {words.usd(moved.equity_after)}, {maintenance}")
    if found.below_mm > NAMED:
        lines.append(f"\n  and {found.below_mm - NAMED:,} more")
    return lines


def _to_sign(waits: ToSign) -> str:
    said = f"{waits.member} signs the paper's typed_data, whose hash is\n0x{waits.digest.hex()}"
    if waits.by_owners is None:
        return said
    return f"{said}\nit is a contract: the owners of a Safe there sign\n0x{waits.by_owners.hex()}"


def _checks(checks: Sequence[Check]) -> RenderableType:
    lines = Text()
    for one in checks:
        lines.append("✓ " if one.difference is None else "✗ ", style="green" if one.difference is None else "bold red")
        lines.append(f"{one.what}: ")
        if one.difference is None:
            lines.append(f"{one.said}\n")
        elif one.what == GATE:
            lines.append(f"{one.difference.ours}\n", "red")
        elif one.what in CHOSEN:
            lines.append(
                f"{one.difference.name}: here {one.difference.ours}, its author's {one.difference.theirs}\n", "red"
            )
        else:
            lines.append(f"{one.difference.name}: derived {one.difference.ours}, not {one.difference.theirs}\n", "red")
    lines.rstrip()
    return lines


def paper_tree(found: Review, beside: Beside) -> dict[str, Any]:
    """The same as one object."""
    order = found.order
    return {
        "what": order.what,
        "symbol": order.symbol,
        "why": found.paper.why,
        "decoded": dict(found.paper.decoded),
        "says": dict(told(order)),
        "valid_until": order.valid_until,
        "inputs_hash": order.inputs_hash or None,
        "signed_by": list(found.good),
        "needed": found.needed,
        "complete": found.complete,
        "objections": [*found.objections, *found.bad],
        "checks": [
            {"what": one.what, "said": one.said, "difference": None if one.difference is None else vars(one.difference)}
            for one in beside.derived.checks
        ],
        "unattested": [vars(one) for one in beside.derived.unattested],
        "preview_refuses": None if beside.previewed is None else beside.previewed.refusal or None,
        "tried": beside.tried or None,
        "effect": effect_tree(beside.effect) if isinstance(beside.effect, Effect) else None,
        "effect_unknown": beside.effect if isinstance(beside.effect, str) and beside.effect else None,
        "to_sign": None
        if beside.waits is None
        else {
            "member": beside.waits.member,
            "wallet": beside.waits.wallet,
            "digest": "0x" + beside.waits.digest.hex(),
            "safe_message_hash": None if beside.waits.by_owners is None else "0x" + beside.waits.by_owners.hex(),
        },
        "files": [str(one) for one in beside.files],
    }


def sent_view(found: Review, record: TxRecord | None, previewed: Previewed | None) -> RenderableType:
    """A paper and what became of it."""
    return Group(paper_view(found, Beside(previewed=previewed)), _became(found, record))


def _became(found: Review, record: TxRecord | None) -> Text:
    if record is None:
        return Text(f"not sent: {'; '.join(wanting(found))}", style="bold red")
    if record.reason.startswith(DRY):
        return Text(f"{record.reason}; --send does it", style="bright_black")
    sent = f" as {record.attempts[-1].tx_hash}, nonce {record.nonce}" if record.attempts else ""
    return Text.assemble(tx_state(record), sent, f": {record.reason}" if record.reason else "")


def sent_tree(found: Review, record: TxRecord | None, previewed: Previewed | None) -> dict[str, Any]:
    """The same as one object."""
    return paper_tree(found, Beside(previewed=previewed)) | {
        "state": None if record is None else str(record.state),
        "reason": "; ".join(wanting(found)) if record is None else record.reason,
        "hash": record.attempts[-1].tx_hash if record and record.attempts else None,
    }
