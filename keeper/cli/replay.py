"""`keeper replay`."""

from __future__ import annotations

import typer

from keeper.cli.options import DEFAULT_CONFIG, Block, Config, Json, settings_of
from keeper.cli.root import LAW, OK
from keeper.cli.show.answer import answer, console
from keeper.offline import recall
from keeper.ops.stored import stored_cycle
from keeper.replay import replay as live_again

EXAMPLE = "keeper replay\nkeeper replay --block 19000001"


def replay(config: Config = DEFAULT_CONFIG, *, block: Block = None, as_json: Json = False) -> None:
    """Live a stored block again and compare the bytes.

    The same inputs must give the same decision, byte by byte, on any machine. Ends with 4 if they do not: either the
    store was changed, or this is another version of the keeper than the one that decided.
    """
    store = recall(settings_of(config))
    try:
        lived = stored_cycle(store, block).block
        again = live_again(store, lived.hash)
    finally:
        store.close()
    if as_json:
        answer({"block": {"number": lived.number, "hash": lived.hash}, "replay_agrees": again.same})
    else:
        accounts, actions = len(again.decision.report.accounts), len(again.decision.actions)
        said = "[green]✓[/green] the bytes agree" if again.same else "[bold red]✗ the bytes differ[/bold red]"
        console().print(f"block {lived.number:,}: {accounts} accounts, {actions} actions, {said}")
    raise typer.Exit(OK if again.same else LAW)
