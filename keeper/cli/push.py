"""`keeper push`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from keeper.cli.options import DEFAULT_CONFIG, Config, Json, settings_of
from keeper.cli.root import INPUT, OK, UNREACHABLE
from keeper.cli.show.answer import answer, console
from keeper.cli.show.push import pushes_tree, pushes_view
from keeper.cli.waiting import waiting
from keeper.control.push import pushes
from keeper.control.sight import at_head
from keeper.domain.cycle import DRY, REHEARSED

EXAMPLE = """keeper push
keeper push --underlying ETH --now "a fork is announced"
keeper push --send --json | jq '.pushes[] | {symbol, state, hash, reason}'"""


def push(
    config: Config = DEFAULT_CONFIG,
    *,
    underlying: Annotated[
        str | None, typer.Option("--underlying", "-u", metavar="TICKER", help="One underlying; all if left out.")
    ] = None,
    now: Annotated[
        str,
        typer.Option(
            "--now", metavar="REASON", help="Push although nothing is due: speeds, fences and gate still hold."
        ),
    ] = "",
    send: Annotated[
        bool, typer.Option("--send", help="Let the publication leave this machine. Needs both keys.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Publish the parameters that are due: dry unless told to send.

    What the running keeper would push at the head, by its own functions and through its own outbox: the reason, the
    transaction taken apart, what the contract's preview says to it at that block, and what became of it. The impact
    gate shortens or holds it just the same. After --send the running keeper, or keeper nonce, follows the
    transaction; two processes never send from one store.

    Exit codes: 0 when everything due went out, or would have; 2 when the gate, the preview or the contract refuses;
    3 when no node answers.
    """
    # Heavy, and only now needed.
    from keeper.wiring import build  # noqa: PLC0415 - web3 is slow to import
    from keeper.wiring.looking import looking, preview_of  # noqa: PLC0415 - the same

    settings = settings_of(config)
    keeper = build(settings, environ=os.environ, send=True) if send else looking(settings, environ=os.environ)
    try:
        with waiting(settings):
            if send:
                keeper.ports.sender.recover(keeper.heads.head())
            sight = at_head(keeper.heads, keeper.ports, keeper.risk, keeper.policy)
            asked = f"by hand: {now.strip()}" if now.strip() else ""
            found = list(pushes(sight, keeper.ports, preview_of(keeper), symbol=underlying, asked=asked))
    finally:
        keeper.ports.store.close()
    if as_json:
        answer(pushes_tree(found, sends=send))
    else:
        console().print(pushes_view(found, now_s=sight.now))
    if any(one.refused or (one.proposal.gated is not None and one.intent is None) for one in found):
        raise typer.Exit(INPUT)
    reasons = [one.record.reason for one in found if one.record is not None]
    bad = [reason for reason in reasons if reason and reason != REHEARSED]
    raise typer.Exit(OK if not bad else INPUT if any(r.startswith(f"{DRY}would revert") for r in bad) else UNREACHABLE)
