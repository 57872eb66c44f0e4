"""The end of the process: what was said must have left it, or its exit code says that it has not."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from typing import NoReturn

from keeper.cli.output import FULL, drain, unwritten
from keeper.cli.root import UNREACHABLE, say


@contextlib.contextmanager
def watched() -> Iterator[None]:
    """What is said before or after any command runs, such as help, meets a full disk here."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        drain()
        _give_up(error)
    finally:
        end()


def end() -> None:
    """At the end of the process: what could not be written is an error, unless whoever read it has gone."""
    error = drain()
    if error is not None and error.errno != errno.EPIPE:
        _give_up(error)


def _give_up(error: OSError) -> NoReturn:
    say(unwritten(error), as_json=False)
    raise SystemExit(UNREACHABLE)
