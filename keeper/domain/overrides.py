"""Floors under a parameter that an operator sets by hand, for a while and with a reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: What may be given a floor: the name a person uses, and ours.
PARAMETERS: Final = {"scan_range": "psr", "vol_up": "vsr_up", "vol_down": "vsr_down", "volatility": "sigma"}


@dataclass(frozen=True, kw_only=True)
class Override:
    """One floor.  While it stands no lower value is aimed at."""

    number: int
    """Given by the store, ascending; 0 before it is stored."""
    underlying: int
    parameter: str
    """`psr`, `vsr_up`, `vsr_down`, or `sigma`: the volatility at the money of every expiry."""
    floor_ppm: int
    reason: str
    operator: str
    """Who set it, as they named themselves."""
    set_at_s: int
    """Unix seconds."""
    expires_at_s: int
    """Unix seconds from which it counts no more."""
    cleared_at_s: int | None = None
    """Unix seconds at which somebody took it back; None while nobody did."""
    cleared_by: str = ""

    @property
    def ends_at_s(self) -> int:
        """Unix seconds from which it counts no more, taken back or lapsed."""
        return self.expires_at_s if self.cleared_at_s is None else min(self.expires_at_s, self.cleared_at_s)

    def stood(self, since_s: int, until_s: int) -> bool:
        """Whether it counted at some moment between two, both included."""
        return max(self.set_at_s, since_s) <= until_s and max(self.set_at_s, since_s) < self.ends_at_s

    def stands(self, now_s: int) -> bool:
        """Whether it counts at a moment."""
        return self.set_at_s <= now_s < self.expires_at_s and (self.cleared_at_s is None or now_s < self.cleared_at_s)
