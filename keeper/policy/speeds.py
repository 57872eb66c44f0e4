"""How fast each direction may be: a table of whom it endangers, and the pace that follows.

Raising a margin liquidates people, lowering it exposes the fund.  Ranges are the one kind of number where the two fall
apart by direction: raised they take from whoever holds a position, lowered from the fund alone.  So they tighten as far
as fences let them, at once (initial margin; maintenance follows at the contract's slew rate), and loosen slowly: after
the target has stayed lower for a while, by part of the way at a time, and not at all while the market is in a regime of
high volatility.  Levels, smiles, forwards and discounts mark positions: either direction takes from one side what it
gives to the other, and what it gives is the fund's risk.  They follow their targets both ways at the fences' speed.

Source: "IM may tighten at once, loosens slowly; MM ramps both ways", as EMIR RTS 153/2013 Art. 28 asks against
procyclicality.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from keeper.domain.riskfile import Ranges

PPM: Final = 1_000_000
#: A scan range is lowered by at least this, or by all that is left: the lattice that targets lie on.
LEAST_STEP_PPM: Final = 2_500


class Hurt(StrEnum):
    """Who may be worse off."""

    PERPS = "perps"
    LONG_OPTIONS = "long options"
    SHORT_OPTIONS = "short options"
    LONG_FORWARD = "long calls and short puts"
    SHORT_FORWARD = "short calls and long puts"
    COLLATERAL = "coins as collateral"
    FUND = "the fund"
    """Somebody must hold less than before, or is credited more: what is missing in a crash is its loss."""


@dataclass(frozen=True, kw_only=True)
class Danger:
    """Whom the two directions of one parameter endanger."""

    parameter: str
    raised: frozenset[Hurt]
    lowered: frozenset[Hurt]
    published: bool
    """Whether the keeper publishes it; the others are governance's."""

    @property
    def one_sided(self) -> bool:
        """Whether raising it protects the fund and lowering it endangers nobody else."""
        return Hurt.FUND not in self.raised and self.lowered == {Hurt.FUND}


_EVERYBODY: Final = frozenset({Hurt.PERPS, Hurt.LONG_OPTIONS, Hurt.SHORT_OPTIONS})
_FUND: Final = frozenset({Hurt.FUND})


def _row(name: str, raised: frozenset[Hurt], lowered: frozenset[Hurt] = _FUND, *, published: bool) -> Danger:
    return Danger(parameter=name, raised=raised, lowered=lowered, published=published)


_LONGS, _SHORTS = frozenset({Hurt.LONG_OPTIONS}), frozenset({Hurt.SHORT_OPTIONS})

#: Every parameter a requirement or a mark follows from.  tests/unit/test_policy_speeds.py holds it against the grid.
DANGERS: Final = (
    _row("psr", _EVERYBODY, published=True),
    _row("vsr_up", _SHORTS, published=True),
    _row("vsr_down", _LONGS, published=True),
    _row("sigma", _SHORTS | _FUND, _LONGS | _FUND, published=True),
    _row("smile", _SHORTS | _FUND, _LONGS | _FUND, published=True),
    _row("phi", frozenset({Hurt.SHORT_FORWARD}) | _FUND, frozenset({Hurt.LONG_FORWARD}) | _FUND, published=True),
    _row("df", _SHORTS | _FUND, _LONGS | _FUND, published=True),
    _row("tail", _SHORTS, published=False),
    _row("short_min", _SHORTS, published=False),
    _row("kappa", _EVERYBODY, published=False),
    _row("flag_fee", _EVERYBODY, published=False),
    _row("im_add_on", _EVERYBODY, published=False),
    _row("vol_floor", _SHORTS, published=False),
    _row("haircut", frozenset({Hurt.COLLATERAL}), published=False),
)

#: Our names of the scan ranges, all of which are one-sided.
RANGES: Final = tuple(one.parameter for one in DANGERS if one.published and one.one_sided)
_SAID: Final = {"psr": "scan range", "vsr_up": "volatility range up", "vsr_down": "volatility range down"}


@dataclass(frozen=True, kw_only=True)
class Paced:
    """Scan ranges at the speed that their direction may have."""

    ranges: Ranges
    held: tuple[str, ...]
    """What is held back, a sentence each."""


def loosens(wanted: Ranges, set_: Ranges) -> bool:
    """Whether some range is to be lowered."""
    return any(value(wanted, name) < value(set_, name) for name in RANGES)


def paced(
    wanted: Ranges, set_: Ranges, *, lately: Ranges | None, stormy: str, loosen_after_s: int, loosen_step_ppm: int
) -> Paced:
    """Where scan ranges may go in one publication, as far as their speed is concerned.

    Args:
        wanted: the target.
        set_: the target that was published last.
        lately: the highest targets of the last `loosen_after_s`; None if nothing is known of then.
        stormy: why nothing loosens at this block; empty if something may.
        loosen_after_s: how long a target must have been lower.
        loosen_step_ppm: part of the way down that one publication goes.
    """
    found: dict[str, int] = {}
    held: list[str] = []
    for name in RANGES:
        want, now = value(wanted, name), value(set_, name)
        if want >= now:
            found[name] = want
            continue
        if stormy or lately is None:
            why = stormy or "nothing is known of the hours before"
            held.append(f"{_SAID[name]} stays at {now / 10_000:.2f} %: {why}")
            found[name] = now
            continue
        lowest = max(want, value(lately, name))
        if lowest >= now:
            held.append(
                f"{_SAID[name]} stays at {now / 10_000:.2f} %: a target of {lowest / 10_000:.2f} % is less than "
                f"{loosen_after_s / 3_600:g} h old"
            )
            found[name] = now
            continue
        # The last of the way at once, or it would take for ever.
        down = max(-(-(now - lowest) * loosen_step_ppm // PPM), min(now - lowest, LEAST_STEP_PPM))
        found[name] = now - down
        if found[name] > want:
            held.append(f"{_SAID[name]} goes to {found[name] / 10_000:.2f} % on its way down to {want / 10_000:.2f} %")
    return Paced(
        ranges=Ranges(psr_ppm=found["psr"], vsr_up_ppm=found["vsr_up"], vsr_down_ppm=found["vsr_down"]),
        held=tuple(held),
    )


def value(ranges: Ranges, name: str) -> int:
    """One range by our name of it."""
    return int(getattr(ranges, f"{name}_ppm"))


def table() -> Iterator[tuple[str, str, str]]:
    """Parameter, whom raising it endangers, whom lowering it endangers; in words."""
    for one in DANGERS:
        yield one.parameter, ", ".join(sorted(one.raised)), ", ".join(sorted(one.lowered))
