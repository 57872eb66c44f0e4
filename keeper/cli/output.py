"""The process's own stdout: what it cannot write must not look like a defect of ours."""

from __future__ import annotations

import errno
import io
import os
import sys
from pathlib import Path
from typing import Final, TextIO

from keeper.errors import Retry

#: The world's own reasons for which nothing can be written; anything else is a defect.
FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, errno.EROFS})


def ready() -> None:
    """A terminal that has no letter for something shows a question mark, instead of ending the command.

    Where stdout or stderr is closed what is written there goes nowhere.
    """
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


def unwritten(error: OSError) -> Retry:
    """The sentence for output that could not be written."""
    return Retry(f"the output cannot be written: {error.strerror}", hint="make room, or write to another place")


def drain() -> OSError | None:
    """Write what waits in stdout; if that fails drop it, so that the interpreter does not stumble over it again."""
    try:
        sys.stdout.flush()
    except OSError as error:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        return error
    return None
