"""Wall time."""

from __future__ import annotations

import time


class SystemClock:
    """`keeper.ports.Clock` of this machine."""

    def now_s(self) -> int:
        """Unix seconds."""
        return int(time.time())
