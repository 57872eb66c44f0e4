"""Option quotes as they cross into the pure half: what a venue said, in integers, and when it said it.

An adapter cuts a venue's chain down to what the listed expiries need; the pure half judges age and sanity, fits a
surface and reads volatilities off it.  Quotes are part of a cycle's stored inputs, so a replay sees the same ones.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class OptionQuote:
    """One option of a venue."""

    strike: int
    """1e-8 USD."""
    is_call: bool
    vol_ppm: int
    """The venue's own mark as an implied volatility, annual, ppm; 0 if it publishes none."""
    bid_ppb: int
    """Premium over forward, parts per billion; 0 if nobody bids."""
    ask_ppb: int
    """Premium over forward, parts per billion; 0 if nobody offers."""


@dataclass(frozen=True, kw_only=True)
class ExpiryQuotes:
    """One expiry of a venue."""

    expiry: int
    """Unix seconds."""
    phi_ppb: int
    """The venue's forward over the venue's own index, parts per billion."""
    quotes: tuple[OptionQuote, ...]
    """Out of the money, ascending by strike; at most one per strike."""


@dataclass(frozen=True, kw_only=True)
class QuoteSheet:
    """What is kept of a venue's chain for one underlying."""

    underlying: int
    """Underlying id."""
    source: str
    """Who quoted, for reasons and alerts."""
    taken_s: int
    """When the venue says it quoted, unix seconds: the oldest of the quotes kept."""
    index: int
    """The venue's own spot index, wad USD."""
    trouble: str
    """What the newest attempt to get fresher quotes ran into; empty if it worked."""
    expiries: tuple[ExpiryQuotes, ...]
    """Ascending."""


@dataclass(frozen=True, kw_only=True)
class Unquoted:
    """A source is configured and has nothing for this underlying, and why."""

    underlying: int
    reason: str


Quoted = QuoteSheet | Unquoted
