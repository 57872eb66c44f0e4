"""`keeper inputs`."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from keeper.cli.options import DEFAULT_CONFIG, Config, Json, settings_of
from keeper.cli.show.answer import answer, console
from keeper.domain.inputs import hash_of
from keeper.errors import BadInput, Retry
from keeper.offline import recall
from keeper.ops.updates import fates, kept, landed_one, parse_update

EXAMPLE = """keeper inputs list
keeper inputs export ETH:17 --out eth-17.json
keeper inputs export ETH:17 | sha256sum"""


class Step(StrEnum):
    """What to do with stored inputs."""

    LIST = "list"
    EXPORT = "export"


def inputs(
    step: Annotated[
        Step, typer.Argument(help="list: tell what is stored. export: write one file out.", show_default=False)
    ],
    update: Annotated[
        str,
        typer.Argument(metavar="UPDATE_ID", help="TICKER:ID as in ETH:17, or an inputs hash.", show_default=False),
    ] = "",
    *,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Where to write it; stdout if left out.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="For list: how many, newest first.")] = 20,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Show and export the canonical inputs files of publications.

    A file holds everything that the numbers of one publication follow from: block, prices, oracle rounds, quotes,
    knobs, fences, floors set by hand, the model's version, and the fitted numbers on their lattice. The sha-256 of its
    bytes is the inputs hash that stands on the chain. Files are stored before a publication is sent, and never pruned;
    list tells of each whether it landed, was sent, failed, or is dry: decided, and nothing signed from this store.

    Exit codes: 0 when done; 2 when there is no such file.
    """
    store = recall(settings_of(config))
    try:
        if step is Step.LIST:
            from keeper.cli.show.updates import kept_tree, kept_view  # noqa: PLC0415 - brings numpy along

            files = store.kept_inputs(limit=limit)
            became = fates(store, files)
            if as_json:
                answer(kept_tree(files, became))
            else:
                console().print(kept_view(files, became))
            return
        if not update:
            raise BadInput("which update is to be exported?", hint="name it: keeper inputs export ETH:17")
        found = kept(store, parse_update(update))
        index, data = landed_one(store, found)
    finally:
        store.close()
    if out is None:
        sys.stdout.buffer.write(data)
        return
    try:
        out.write_bytes(data)
    except OSError as error:
        raise Retry(f"{out} cannot be written: {error.strerror}", hint="choose another --out") from error
    told = {
        "update": index.name if index else update,
        "file": str(out),
        "bytes": len(data),
        "inputs_hash": hash_of(data),
    }
    if as_json:
        answer(told)
    else:
        others = f" ({len(found)} were decided with this id)" if len(found) > 1 else ""
        console().print(
            f"{told['update']}: {len(data):,} bytes to {out}{others}\n{told['inputs_hash']}", soft_wrap=True
        )
