"""`keeper explain`."""

from __future__ import annotations

from typing import Annotated

import typer

from keeper.cli.options import DEFAULT_CONFIG, Block, Config, Json, settings_of
from keeper.cli.show.account import account_tree, account_view
from keeper.cli.show.answer import answer, console
from keeper.offline import parse_account, recall
from keeper.ops.account import account_story

EXAMPLE = (
    "keeper explain 0x70997970C51812dc3A010C7d01b50e0d17dc79C8\n"
    "keeper explain 0x70997970C51812dc3A010C7d01b50e0d17dc79C8:1 --block 19000001"
)


def explain(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="OWNER, OWNER:SUB, or an id, decimal or 0x.")],
    config: Config = DEFAULT_CONFIG,
    *,
    block: Block = None,
    as_json: Json = False,
) -> None:
    """Take one account apart: equity, requirement, and why it was or was not liquidated.

    The stored block is lived again by the functions that the daemon trusts, and every figure is shown as lines that add
    up to it: equity; per underlying the worst row and what each position loses under it; each add-on; what was decided
    about the account at that block, and what became of it. It asks no node.
    """
    store = recall(settings_of(config))
    try:
        story = account_story(store, parse_account(account), which=block)
    finally:
        store.close()
    if as_json:
        answer(account_tree(story))
    else:
        console().print(account_view(story))
