"""`keeper keys`."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated

import typer

from keeper.cli.options import DEFAULT_CONFIG, Config, Json, settings_of
from keeper.cli.root import INPUT, OK, UNREACHABLE
from keeper.cli.show.answer import answer, console, working
from keeper.cli.show.keys import keys_tree, keys_view
from keeper.domain.tx import SignerRole
from keeper.ops.keys import KeyVerdict, try_keys

EXAMPLE = """keeper keys test
keeper keys test --role liquidator
keeper keys test -c mainnet.toml --json | jq '.keys[] | {name, address, verdict}'"""


class Step(StrEnum):
    """What to do with the keys."""

    TEST = "test"


def keys(
    step: Annotated[Step, typer.Argument(help="test: let each key sign once.", show_default=False)],
    *,
    role: Annotated[SignerRole | None, typer.Option(help="Only the keys of this role; all if left out.")] = None,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Let each configured key sign once and prove what came back: address, low s, recovery id, latency.

    What is signed is a transaction that no chain can take: its nonce is beyond what EIP-2681 allows, its gas limit is
    0, and nobody is known to use its chain id. It would move nothing. Nothing is broadcast.

    If a node answers, each key's balance and role are shown too, and for how many of its usual transactions the balance
    lasts at the fee ceiling. Addresses are shown, keys never.

    Exit codes: 0 when every key signs (a warning is no failure), 2 when one cannot or must not in its role, or none is
    configured, 3 when nothing is wrong but a service that holds a key was silent.
    """
    # Heavy, and only this command needs it.
    from keeper.wiring.rehearsal import ConfiguredKeysOnChain, keys_on_trial  # noqa: PLC0415 - web3 is slow to import

    assert step is Step.TEST
    settings = settings_of(config)
    chosen = keys_on_trial(settings, os.environ, role)
    with working("signing"):
        # Fresh from the system on purpose: a challenge that could be foreseen could be answered from memory.
        found = tuple(try_keys(chosen, ConfiguredKeysOnChain(settings), challenge=lambda: os.urandom(32)))
    if as_json:
        answer(keys_tree(found))
    else:
        console().print(keys_view(found))
    verdicts = {one.verdict for one in found}
    if KeyVerdict.UNUSABLE in verdicts:
        raise typer.Exit(INPUT)
    raise typer.Exit(UNREACHABLE if KeyVerdict.UNREACHABLE in verdicts else OK)
