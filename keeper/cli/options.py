"""The options that commands share."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated

import typer

from keeper import logs
from keeper.settings import Settings, load_settings

Config = Annotated[
    Path, typer.Option("--config", "-c", envvar="KEEPER_CONFIG", metavar="FILE", help="Settings file; see keeper init.")
]
Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON object on stdout.")]
Send = Annotated[bool, typer.Option("--send", help="Let transactions leave this machine. Needs both keys.")]
Block = Annotated[
    str | None,
    typer.Option("--block", "-b", metavar="N|HASH", help="A stored block, by height or hash; the newest if left out."),
]

DEFAULT_CONFIG = Path("keeper.toml")


def settings_of(config: Path) -> Settings:
    """The settings with the environment on top; logging is set up as they say.

    Raises: `BadInput` naming line or variable, and what to do.
    """
    return _with_logs(load_settings(config, os.environ))


def bare_settings() -> Settings:
    """The defaults with the environment on top, for a command that needs no settings file.  Raises: `BadInput`."""
    return _with_logs(load_settings(None, os.environ))


def _with_logs(settings: Settings) -> Settings:
    logs.configure(level=settings.log.level, style=settings.log.format)
    # Their every-day news is that a schema was looked at, jobs were added and credentials found, and at debug whole
    # requests; what goes wrong is an error of ours.
    for library in ("alembic", "apscheduler", "botocore", "google"):
        logging.getLogger(library).setLevel(logging.WARNING)
    return settings
