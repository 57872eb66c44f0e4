"""When a publication is due: out of the hysteresis band, past the heartbeat, or in a regime of high volatility.

A number is out of its band when its target is; the step that fences allow must go a fifth of the band at least, so that
a spent budget is not pushed against block after block.  In a stormy market the band is a fifth as wide for whatever
tightens, and for levels.

A regime is told from the oracle's rounds: realised volatility of the last hours over that of the last days, in
integers, so that every machine finds the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import isqrt
from typing import Final, Literal

from keeper.domain.knobs import PolicyKnobs
from keeper.domain.market import UnderlyingTarget
from keeper.domain.riskfile import Ranges
from keeper.domain.snapshot import Observation, UnderlyingState
from keeper.domain.text import percent
from keeper.policy.speeds import RANGES, value
from keeper.risk.exact import q64
from keeper.risk.exact.riskfile import PPB, PPM

#: Parts of the hysteresis band: a step is at least one of them, and a stormy market's band is one of them.
PARTS: Final = 5
#: A long window shorter than so many short ones says nothing about what is usual.
LEAST_LONG: Final = 4


@dataclass(frozen=True, kw_only=True)
class Regime:
    """How wild the market is against what it has been."""

    ratio_ppm: int | None
    """Realised volatility of the short window over that of the long one, ppm; None if the rounds do not reach back."""
    stormy: bool
    said: str


def regime(rounds: Sequence[Observation], now: int, knobs: PolicyKnobs) -> Regime:
    """The regime of one underlying at a block.

    Args:
        rounds: of the oracle, ascending.
        now: block time.
        knobs: windows, and the ratio beyond which it is stormy.
    """
    short, long = knobs.regime_short_s, knobs.regime_long_s
    seen = [o for o in rounds if now - long <= o.time <= now and o.price > 0]
    span = now - seen[0].time if seen else 0
    if span < LEAST_LONG * short:
        return Regime(ratio_ppm=None, stormy=False, said="too few rounds to tell a regime")
    squares = lately = 0
    for earlier, later in pairwise(seen):
        square = _square(earlier.price, later.price)
        squares += square
        lately += square if later.time > now - short else 0
    if squares == 0:
        return Regime(ratio_ppm=None, stormy=False, said="the price did not move")
    ratio = isqrt(lately * span * PPM * PPM // (squares * short))
    stormy = ratio > knobs.regime_ratio_ppm
    said = (
        f"volatility of the last {short / 3_600:g} h is {ratio / PPM:.2f} times that of the last {span / 86_400:.1f} "
        f"days, {'above' if stormy else 'within'} {knobs.regime_ratio_ppm / PPM:g}"
    )
    return Regime(ratio_ppm=ratio, stormy=stormy, said=said)


@lru_cache(maxsize=65_536)  # each block looks at the same rounds as the last
def _square(earlier: int, later: int) -> int:
    """Squared log return, Q64."""
    move = q64.ln((later << 64) // earlier)
    return move * move >> 64


@dataclass(frozen=True, kw_only=True)
class Move:
    """One published number: where it is, where it is to go, and how far it can go now.  Unit: the number's own."""

    name: str
    set_: int
    wanted: int
    legal: int
    band: int
    """Distance of the target from which on it is pushed."""
    of: Literal["share", "forward", "discount"] = "share"
    """What it is: a share in ppm, a forward over spot or a discount factor in ppb."""

    @property
    def out(self) -> bool:
        """Whether the target lies beyond the band, and the step is worth a transaction."""
        return abs(self.wanted - self.set_) > self.band and abs(self.legal - self.set_) * PARTS > self.band

    @property
    def said(self) -> str:
        """In words."""
        if self.of == "forward":
            return (
                f"{self.name} {percent(self.set_ / PPB - 1, '+.2')} → {percent(self.legal / PPB - 1, '+.2')} from spot"
            )
        if self.of == "discount":
            return f"{self.name} {self.set_ / PPB:.4f} → {self.legal / PPB:.4f}"
        return f"{self.name} {self.set_ / 10_000:.2f} % → {self.legal / 10_000:.2f} %"


def due(
    u: UnderlyingState,
    *,
    set_: Ranges,
    wanted: UnderlyingTarget,
    legal: UnderlyingTarget,
    age_s: int,
    stormy: bool,
    knobs: PolicyKnobs,
) -> str:
    """Why a publication is worth a transaction; empty if it is not.

    Args:
        u: with the file in force.
        set_: scan ranges published last.
        wanted: what is aimed at.
        legal: what fences and speeds let it be now.
        age_s: since the last publication.
        stormy: whether the regime is one of high volatility.
        knobs: the operator's choices.
    """
    if u.live is None:
        return "has no file yet"
    published = {e.expiry for e in u.live.expiries}
    missing = [e.params.expiry for e in legal.expiries if e.params.expiry not in published]
    if missing:
        return f"{len(missing)} expiries are not in the file"
    if entering := _entering(u, legal):
        return f"{entering} listed strikes come into the file"
    for move in moves(u, set_=set_, wanted=wanted, legal=legal, stormy=False, knobs=knobs):
        if move.out:
            return move.said
    if stormy:
        for move in moves(u, set_=set_, wanted=wanted, legal=legal, stormy=True, knobs=knobs):
            if move.out:
                return f"{move.said}, within the band, in a stormy market"
    if age_s >= knobs.heartbeat_s:
        return f"heartbeat after {age_s} s"
    return ""


def _entering(u: UnderlyingState, legal: UnderlyingTarget) -> int:
    """How many strikes a publication brings in that the file does not have."""
    assert u.live is not None, "there is a file"
    known = {(expiry, vol.strike) for expiry, vols in u.live.strikes for vol in vols}
    listed = {one.expiry: one.strikes for one in u.listings}
    return sum(
        sigma > 0 and (e.params.expiry, strike) not in known
        for e in legal.expiries
        for strike, sigma in zip(listed[e.params.expiry], e.sigmas_ppm, strict=True)
    )


def moves(
    u: UnderlyingState,
    *,
    set_: Ranges,
    wanted: UnderlyingTarget,
    legal: UnderlyingTarget,
    stormy: bool,
    knobs: PolicyKnobs,
) -> Iterator[Move]:
    """Every number of the file in force, in the order of the file."""
    parts = PARTS if stormy else 1

    def band(value_: int) -> int:
        return knobs.hysteresis_ppm * value_ // PPM // parts

    names = {"psr": "scan range", "vsr_up": "volatility range up", "vsr_down": "volatility range down"}
    for name in RANGES:
        old, aim, now = value(set_, name), value(wanted.ranges, name), value(legal.ranges, name)
        # A stormy market narrows the band for what tightens.
        yield Move(
            name=names[name], set_=old, wanted=aim, legal=now, band=band(old) if aim > old else band(old) * parts
        )
    live = u.live
    if live is None:
        return
    published = {e.expiry: e for e in live.expiries}
    pairs = [(w, now) for w, now in zip(wanted.expiries, legal.expiries, strict=True) if w.params.expiry in published]
    for aim_, now_ in pairs:
        old = published[aim_.params.expiry].sigma_atm_ppm
        yield Move(
            name="sigma", set_=old, wanted=aim_.params.sigma_atm_ppm, legal=now_.params.sigma_atm_ppm, band=band(old)
        )
    yield from _strike_moves(u, wanted, legal, band)
    width = knobs.forward_hysteresis_ppm * (PPB // PPM) // parts
    for aim_, now_ in pairs:
        old_, to, may = published[aim_.params.expiry], aim_.params, now_.params
        yield Move(name="forward", set_=old_.phi_ppb, wanted=to.phi_ppb, legal=may.phi_ppb, band=width, of="forward")
        yield Move(
            name="discount factor", set_=old_.df_ppb, wanted=to.df_ppb, legal=may.df_ppb, band=width, of="discount"
        )


def _strike_moves(
    u: UnderlyingState, wanted: UnderlyingTarget, legal: UnderlyingTarget, band: Callable[[int], int]
) -> Iterator[Move]:
    """Each strike that the file has."""
    strikes = {one.expiry: one.strikes for one in u.listings}
    assert u.live is not None
    published = {(expiry, vol.strike): vol.sigma_ppm for expiry, vols in u.live.strikes for vol in vols}
    for aim, now in zip(wanted.expiries, legal.expiries, strict=True):
        expiry = aim.params.expiry
        for strike, to, may in zip(strikes[expiry], aim.sigmas_ppm, now.sigmas_ppm, strict=True):
            old = published.get((expiry, strike))
            if old is not None:
                yield Move(name=f"sigma at {strike / 10**8:g}", set_=old, wanted=to, legal=may, band=band(old))
