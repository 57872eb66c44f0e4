"""The one process that sends from a store."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Sender:
    """Who holds the right to send, at the moment of asking."""

    pid: int
    host: str
    since_s: int
    """Unix seconds since when."""
