"""What the contracts themselves say of what somebody wrote down."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.domain.deployed import Deployed
from keeper.domain.snapshot import UnderlyingState


@dataclass(frozen=True, kw_only=True)
class Attested:
    """What contracts say of one underlying at one block, beside what somebody wrote down of it."""

    deployed: Deployed
    """The contracts, as the house itself names them at that block."""
    state: UnderlyingState
    """As the contracts have it; what they cannot tell is as it was written down."""
    older_rounds: int
    """Rounds at the beginning of the written history that are older than what the feed still has."""
    left_out: int = 0
    """Rounds of the feed before the first written one that the fit would have looked at."""
    untold: tuple[str, ...]
    """Parts of the state that no view tells, in words."""
