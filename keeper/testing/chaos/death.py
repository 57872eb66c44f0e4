"""A process that is forked, and ends as if the kernel had ended it."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable


def die() -> None:
    """End this process as the kernel would when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def forked(work: Callable[[], int | None]) -> int:
    """Run `work` in a forked process, which ends with what it returns, None being 0.  Returns: its wait status."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of forks beside threads
        pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = work() or 0
        finally:
            os._exit(status)
    return os.waitpid(pid, 0)[1]
