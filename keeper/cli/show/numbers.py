"""Published numbers as a person reads them, each in its own unit."""

from __future__ import annotations

from keeper.cli.show import words
from keeper.policy.binding import FENCES, NAMES, Bound

PPB = 10**9


def number(name: str, value: int | None) -> str:
    """One number; a dash if there is none."""
    if value is None:
        return "–"
    if name == "phi":
        return words.signed(f"{(value / PPB - 1) * 100:+.3f} %")
    if name == "df":
        return f"{value / PPB:.6f}"
    return words.signed(f"{value / 10_000:.2f} %")


def bound(one: Bound) -> str:
    """Which fence holds a number, in words."""
    where = f" {words.day(one.expiry)}" if one.expiry else ""
    return f"{NAMES[one.name]}{where}: {FENCES[one.by]}"


def bound_tree(one: Bound) -> dict[str, object]:
    """The same as an object."""
    return {
        "number": one.name,
        "expiry": one.expiry or None,
        "wanted": one.wanted,
        "legal": one.legal,
        "held_by": one.by,
    }


def when(at_s: int | None, now_s: int) -> str:
    """A moment, and how far away it is."""
    if at_s is None:
        return "never as things stand"
    return "now" if at_s <= now_s else f"{words.utc(at_s)}, in {span(at_s - now_s)}"


def span(seconds: int) -> str:
    """A length of time in the unit that matters."""
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7_200:
        return f"{seconds // 60} min"
    return f"{seconds / 3_600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"
