"""One mistake in a spec."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Complaint:
    """Where it is and what is wrong."""

    path: str
    """In the spec: `underlyings[0].psr_ppm`."""
    said: str
    """With the value, its bounds and its unit."""

    def __str__(self) -> str:
        return f"{self.path}: {self.said}"
