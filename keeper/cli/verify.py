"""`keeper verify`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from keeper.cli.options import DEFAULT_CONFIG, Config, Json, bare_settings, settings_of
from keeper.cli.root import LAW, OK, UNSEEN
from keeper.cli.show.answer import answer, console
from keeper.domain.inputs import load
from keeper.errors import BadInput, Retry
from keeper.offline import recall
from keeper.ops.updates import kept, parse_update

EXAMPLE = """keeper verify ETH:17
keeper verify ETH:17 --state
keeper verify ETH:17 --inputs eth-17.json --rpc https://node.example
keeper verify ETH:17 --inputs eth-17.json --rpc https://node.example --deployment deployment.json --state
keeper verify 0x6b1f… --json | jq '{verified, state_seen, first_difference}'"""


def verify(
    update: Annotated[str, typer.Argument(metavar="UPDATE_ID", help="TICKER:ID as in ETH:17, or an inputs hash.")],
    config: Config = DEFAULT_CONFIG,
    *,
    rpc: Annotated[
        str,
        typer.Option("--rpc", metavar="URL", envvar="KEEPER_VERIFY_RPC", help="A node, in place of the settings'."),
    ] = "",
    inputs: Annotated[
        Path | None, typer.Option("--inputs", metavar="FILE", help="Inputs file, in place of the store's.")
    ] = None,
    deployment: Annotated[
        Path | None, typer.Option("--deployment", metavar="FILE", help="Deployment file, in place of the settings'.")
    ] = None,
    state: Annotated[
        bool, typer.Option("--state", help="Read the logs and replay every account at that block too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Derive a publication again from its inputs file, and compare it with what stands on the chain.

    Anyone can, on any machine: with --inputs and --rpc it needs no settings file, key or store. Then chain and
    contracts are those that the file names; --deployment names them instead. The file's hash must be the one on-chain;
    price, oracle rounds, listings, fences and numbers in force must be the contracts' own at the block it was decided
    at, if the node still has that state; the fit is run again from the raw rounds and quotes, and each number must lie
    within one unit of its stated lattice; the target must follow from the fitted numbers exactly, and the pushed
    integers from the target, fences and policy exactly. The first difference is named.

    Whoever publishes chooses the block it is decided at, and an inputs file says how long it may take to land: that
    block is shown with the seconds until it landed, and listed as not borne out beyond 15 minutes. Where the node does
    not have the state of that block (any more), the update follows from its file and no more: this is said, with --json
    as state_seen, and it is not verified.

    What no chain can bear out, quotes first, is listed with its digest and where to check it. What the impact gate kept
    of a step follows from all accounts: with --state they are read from the logs and replayed, and so is all the rest
    that only logs tell.

    Exit codes: 0 when everything matches, raw inputs held against the chain's state at the block, with --json as
    verified; 5 when the numbers follow from the file, but no node had that state to hold it against: ask an archive
    node; 4 when something differs; 2 when the update or its file cannot be found or read, is of another deployment, or
    another model made it; 3 when no node answers.
    """
    # Heavy, and only this command needs them.
    from keeper.cli.show.updates import verdict_tree, verdict_view  # noqa: PLC0415 - numpy and scipy are slow to import
    from keeper.ops.verify import verify as derive_again  # noqa: PLC0415 - the same
    from keeper.wiring.publications import attested, chain_memory, state_again  # noqa: PLC0415 - web3 is

    name = parse_update(update)
    alone = inputs is not None and bool(rpc) and not config.exists()
    settings = bare_settings() if alone else settings_of(config)
    original = None
    named = None
    if inputs is None:
        store = recall(settings)
        try:
            files = [data for _, data in kept(store, name)]
        finally:
            store.close()
    else:
        files = [_read(inputs)]
        named = load(files[0]) if alone else None
        original = None if alone else _stored(config, str(name))
    try:
        memory = chain_memory(settings, rpc_url=rpc, deployment_file=deployment, named=named)
    except BadInput as error:
        if not rpc:
            raise
        raise BadInput(error.message, hint=error.hint.replace("chain.rpc_urls", "--rpc"), **error.fields) from error
    try:
        verdict = derive_again(
            name,
            files,
            memory.publications,
            original=original,
            attest=partial(attested, settings, memory),
            state=partial(state_again, settings, memory) if state else None,
            alone=memory.named_by_file,
        )
    except Retry as error:
        if not rpc:
            raise
        raise Retry(error.message, hint=error.hint.replace("chain.rpc_urls", "--rpc"), **error.fields) from error
    finally:
        memory.close()
    if as_json:
        answer(verdict_tree(verdict))
    else:
        console().print(verdict_view(verdict))
    raise typer.Exit(OK if verdict.verified else UNSEEN if verdict.matches else LAW)


def _read(path: Path) -> bytes:
    hint = "it is written by: keeper inputs export"
    try:
        data = path.read_bytes()
        load(data)
    except OSError as error:
        raise BadInput(f"inputs file {path} cannot be read: {error.strerror}", hint=hint) from error
    except BadInput as error:
        raise BadInput(f"inputs file {path}: {error.message}", hint=f"{error.hint}; {hint}", **error.fields) from error
    return data


def _stored(config: Path, name: str) -> bytes | None:
    """The store's own file of the update, if there is a store and it has one."""
    try:
        store = recall(settings_of(config))
    except BadInput:
        return None
    try:
        return kept(store, parse_update(name))[0][1]
    except BadInput:
        return None
    finally:
        store.close()
