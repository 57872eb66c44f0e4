"""What logs are followed, and how far a reorg may reach."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True, kw_only=True)
class SyncPlan:
    """What to follow and how."""

    addresses: tuple[str, ...]
    """Contracts whose logs matter."""

    topics: tuple[bytes, ...] = ()
    """Hashes of their events that matter; none: all do."""

    deployed_at: int
    """Height of the first block that can have such a log."""

    depth: int = 32
    """Blocks below the target that a reorg may still replace."""

    checkpoint_blocks: int = 64
    """A state is kept every so many blocks above the base, to become the next base."""

    widest_range: int = 10_000
    """Most blocks asked for in one query; less where the endpoint refuses."""

    @property
    def fingerprint(self) -> bytes:
        """What the state follows from; one made from other contracts or events cannot be continued.  32 bytes."""
        what = (sorted(self.addresses), sorted(topic.hex() for topic in self.topics), self.deployed_at)
        return sha256(repr(what).encode()).digest()
