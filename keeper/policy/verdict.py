"""What the contract says to a publication: whole, and item by item."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from keeper.domain.market import UnderlyingTarget

#: Waiting does not help.  Source: `type(uint64).max` of contracts/src/libraries/FenceMath.sol.
NEVER: Final = (1 << 64) - 1


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why something does not pass."""

    error: str
    """Name of the contract's error."""
    what: str
    """The number it is about, in the contract's word; empty for the whole publication."""
    numbers: tuple[int, ...] = ()
    """The error's numbers, in its order."""
    next_allowed_s: int = NEVER
    """Unix seconds from which it would pass if nothing else is published; `NEVER` if waiting does not help."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """On one item."""

    expiry: int
    """0 for the ranges."""
    what: str
    """`psr`, `vsrUp`, `vsrDown`, `joint` or `expiry`."""
    refusal: Refusal | None


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """On a whole publication."""

    refusal: Refusal | None
    """Why nothing of it passes; None if something does."""
    items: tuple[Verdict, ...]
    applied: UnderlyingTarget | None
    """What would be in force: refused items keep what is; σ 0 for a strike that is not.  None if nothing passes."""

    @property
    def ok(self) -> bool:
        """Whether it passes whole."""
        return self.refusal is None and all(v.refusal is None for v in self.items)

    @property
    def next_allowed_s(self) -> int:
        """Unix seconds from which all of it would pass, as far as time alone decides; 0 if it does now."""
        reasons = [r for r in (self.refusal, *(v.refusal for v in self.items)) if r is not None]
        return max((r.next_allowed_s for r in reasons), default=0)
