"""`keeper bidders`."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated

import typer

from keeper.cli.options import DEFAULT_CONFIG, Config, Json, settings_of
from keeper.cli.root import INPUT, OK
from keeper.cli.show.answer import answer, console
from keeper.cli.show.bidders import bidders_tree, bidders_view, changes_tree, changes_view
from keeper.cli.waiting import waiting
from keeper.ops.bidders import Right, carried_out, changes
from keeper.ops.bidders import bidders as configured

EXAMPLE = """keeper bidders show
keeper bidders approve
keeper bidders approve --send
keeper bidders revoke 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 --send
keeper bidders approve --json | jq '.changes[] | {by, to, data}'"""


class Step(StrEnum):
    """What to do about the keys that bid."""

    SHOW = "show"
    APPROVE = "approve"
    REVOKE = "revoke"


def bidders(
    step: Annotated[
        Step,
        typer.Argument(
            help="show: tell who may bid, our keys and whoever else was approved. "
            "approve [ADDRESS]: let it, or every configured key, bid. "
            "revoke ADDRESS: take that back.",
            show_default=False,
        ),
    ],
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="A key's address.")] = "",
    *,
    send: Annotated[bool, typer.Option("--send", help="Do it. Without it the calls are only shown.")] = False,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Show which liquidator keys may bid, approve them or revoke one: dry unless told to send.

    An auction takes bids from the account's owner and from keys that the owner approved. With several of them a stuck
    key costs its share of the bids and no more. An approved key can bid for this account and nothing else; at worst it
    buys what is up for auction until the account stands at its initial margin. Approve only keys of your own.

    The call goes out from the owner's key if that is one of the configured liquidator keys; else it is shown for
    whoever holds the owner, a cold key or a contract. A revoked key that is configured gives its approval up by itself
    where the owner is not. A running keeper heeds either with its next block; it holds the store's lock, so stop it
    before --send, or send the call yourself.

    Exit codes: 0 when every configured key may bid and nobody else, or every call was sent or would be; 2 when a key
    may not bid, an address that is not configured may, or a call is for somebody else to send; 3 when no node answers.
    """
    # Heavy, and only this command needs it.
    from keeper.wiring.bidders import BidderDesk  # noqa: PLC0415 - web3 is slow to import

    settings = settings_of(config)
    with waiting(settings):
        desk = BidderDesk(settings, os.environ, send=send and step is not Step.SHOW)
    try:
        if step is Step.SHOW:
            keys = configured(desk)
            if as_json:
                answer(bidders_tree(desk.account, desk.owner, keys))
            else:
                console().print(bidders_view(desk.account, desk.owner, keys))
            raise typer.Exit(INPUT if any(one.right is Right.NONE or not one.configured for one in keys) else OK)
        wanted = tuple(changes(desk, key=address, approved=step is Step.APPROVE))
        if send:
            wanted = tuple(carried_out(desk, one) for one in wanted)
    finally:
        desk.close()
    if as_json:
        answer(changes_tree(wanted, sent=send))
    else:
        console().print(changes_view(wanted, sent=send))
    dropped = [one for one in wanted if one.record is not None and not one.record.attempts]
    foreign = [one for one in wanted if one.refused or not one.ours]
    raise typer.Exit(INPUT if dropped or foreign else OK)
