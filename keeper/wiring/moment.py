"""What time it is where floors, signatures and deadlines are judged: on the chain."""

from __future__ import annotations

from keeper.settings import Settings
from keeper.wiring.nodes import rpc_of


def head_time_s(settings: Settings) -> int:
    """Time of the newest block, unix seconds.  Raises: `Retry` if no node answers; `BadInput` if none can be asked."""
    rpc = rpc_of(settings)
    try:
        return rpc.block().timestamp
    finally:
        rpc.close()
