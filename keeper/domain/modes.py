"""What a running keeper does, which is what its heartbeat is called in the store."""

from __future__ import annotations

from typing import Final

#: It signs and broadcasts.
SENDING: Final = "sending"
#: It decides and sends nothing.
DRY: Final = "dry"
#: Of versions that had one name for both.
BEFORE_MODES: Final = "loop"
