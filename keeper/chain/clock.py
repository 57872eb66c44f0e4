"""Time: the wall's for ages of blocks, a steady one for waits and deadlines."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


class SystemClock:
    """`keeper.ports.Clock` of this machine."""

    def now_s(self) -> int:
        """Unix seconds."""
        return int(time.time())


def wall_s() -> float:
    """Unix seconds of this machine.  It may be set back."""
    return time.time()


def steady_s() -> float:
    """Seconds since some moment; never goes back."""
    return time.monotonic()


def wait_s(seconds: float) -> None:
    """Let time pass."""
    threading.Event().wait(seconds)


@dataclass(frozen=True, kw_only=True)
class Timekeeper:
    """What tells the time and lets it pass, handed in so that tests own both."""

    wall_s: Callable[[], float] = wall_s
    """Unix seconds: what a block's timestamp is compared with."""
    steady_s: Callable[[], float] = steady_s
    """Seconds that never go back: latencies, cool-downs, deadlines."""
    wait_s: Callable[[float], None] = wait_s
    """Returns after so many seconds, or earlier if nobody needs the wait any more."""
