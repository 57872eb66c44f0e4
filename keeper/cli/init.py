"""`keeper init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keeper.cli.options import DEFAULT_CONFIG, Json
from keeper.cli.show.answer import answer, console
from keeper.ops.settings_file import write_settings

EXAMPLE = "keeper init\nkeeper init mainnet.toml && KEEPER_CONFIG=mainnet.toml keeper check"


def init(
    path: Annotated[Path, typer.Argument(help="Where to write it.")] = DEFAULT_CONFIG,
    *,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
    as_json: Json = False,
) -> None:
    """Write a settings file with every key, its meaning and its default.

    Nothing in it is secret: keys are named by file or environment variable. An existing file is left alone unless
    --force is given.
    """
    write_settings(path, overwrite=force)
    if as_json:
        answer({"written": str(path)})
        return
    out = console()
    out.print(f"[green]✓[/green] wrote [bold]{path}[/bold]")
    out.print("  set chain.rpc_urls, chain.chain_id and protocol.deployment_file in it, then run")
    out.print(f"  keeper check -c {path}", soft_wrap=True)
