"""One published parameter, by the name a person gives it: its value, its target, and the room that fences left it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from keeper.domain.inputs import InputsFile
from keeper.domain.landed import Landed
from keeper.domain.market import ExpiryTarget, UnderlyingTarget
from keeper.domain.riskfile import Ranges
from keeper.domain.snapshot import ExpiryFence, PublicationState
from keeper.policy.reach import df_reach, phi_reach, reach, sigma_reach, strike_reach, within
from keeper.risk.exact import q64
from keeper.risk.exact.riskfile import PPM, term_factor


class What(StrEnum):
    """Which number."""

    SCAN_RANGE = "scan_range"
    VOL_UP = "vol_up"
    VOL_DOWN = "vol_down"
    SIGMA = "sigma"
    """Volatility at the money of an expiry, or of one strike."""
    FORWARD = "forward"
    """Forward over spot of an expiry."""
    DISCOUNT = "discount"
    """Discount factor of an expiry."""

    @property
    def ranged(self) -> bool:
        """Whether it belongs to the underlying and not to one of its expiries."""
        return self in _RANGES


_RANGES = {What.SCAN_RANGE: "psr", What.VOL_UP: "vsr_up", What.VOL_DOWN: "vsr_down"}
_OF_EXPIRY = {What.SIGMA: "sigma_atm_ppm", What.FORWARD: "phi_ppb", What.DISCOUNT: "df_ppb"}


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A parameter of one underlying."""

    what: What
    expiry: int = 0
    """Unix seconds; 0 for a range."""
    strike: int = 0
    """1e-8 USD; 0 for the volatility at the money."""

    @property
    def in_ppb(self) -> bool:
        """Whether its unit is parts per billion; ppm otherwise."""
        return self.what in (What.FORWARD, What.DISCOUNT)


@dataclass(frozen=True, kw_only=True)
class Room:
    """Where a number stood inside its fences when a publication was decided.  Unit: the number's own."""

    current: int
    """Last set before it."""
    anchor: int
    """In force a day before, from which the budget counts."""
    low: int
    """Lowest value that step, budget and bounds let it take then."""
    high: int
    budget_low: int
    """Lowest value that the budget alone let it take."""
    budget_high: int

    @property
    def left_down(self) -> int:
        """What was left of the budget downwards."""
        return self.current - self.budget_low

    @property
    def left_up(self) -> int:
        """What was left of the budget upwards."""
        return self.budget_high - self.current


def published(parameter: Parameter, landed: Landed, strikes: tuple[int, ...]) -> int | None:
    """The value that went live; None if the publication left it alone.

    Args:
        parameter: which.
        landed: a publication.
        strikes: of the parameter's expiry, ascending; only for a strike's volatility.
    """
    if parameter.what.ranged:
        return _range(landed.ranges, parameter.what)
    return _in(landed.expiries, parameter, strikes)


def published_in(parameter: Parameter, ranges: Ranges) -> int | None:
    """A range's value among the three; None for a number of an expiry."""
    return _range(ranges, parameter.what) if parameter.what.ranged else None


def fence_of(what: What) -> str:
    """Name of the fence around a range, as in `FenceState.name`."""
    return _RANGES[what]


def aimed(parameter: Parameter, target: UnderlyingTarget, strikes: tuple[int, ...]) -> int | None:
    """The target's value; None if it has none."""
    if parameter.what.ranged:
        return _range(target.ranges, parameter.what)
    return _in(target.expiries, parameter, strikes)


def kept_by(parameter: Parameter, landed: Landed) -> str:
    """Why the fences refused this part of a publication; empty if they took it."""
    ours = (_RANGES[parameter.what], "joint") if parameter.what.ranged else ()
    for item in landed.refused:
        if item.expiry == parameter.expiry and (item.expiry or item.what in ours):
            return item.reason
    return ""


def strikes_of(file: InputsFile, expiry: int) -> tuple[int, ...]:
    """Listed strikes of an expiry when it was decided, ascending."""
    return next((one.strikes for one in file.state.listings if one.expiry == expiry), ())


def room(parameter: Parameter, file: InputsFile, pushed: UnderlyingTarget) -> Room | None:
    """The fences around a number when a publication was decided; None if it had none then.

    Args:
        parameter: which.
        file: inputs of the publication.
        pushed: what was published, whose level at the money a strike's volatility follows.
    """
    fences = file.state.publication
    if fences is None:
        return None
    if parameter.what.ranged:
        one = next(f for f in fences.fences if f.name == _RANGES[parameter.what])
        budget = min(one.anchor * one.budget_rel_ppm // PPM, one.budget_abs)
        return _room(one.current, one.anchor, reach(one), within(one.anchor, one.current, budget))
    fence = next((f for f in fences.expiries if f.expiry == parameter.expiry), None)
    return None if fence is None else _expiry_room(parameter, fence, fences, file, pushed)


def _expiry_room(
    parameter: Parameter, fence: ExpiryFence, fences: PublicationState, file: InputsFile, pushed: UnderlyingTarget
) -> Room | None:
    vol, at_s = fences.vol, file.block.timestamp
    seconds = fence.expiry - at_s
    if parameter.what is What.FORWARD:
        budget = within(fence.phi_anchor_ppb, fence.phi_ppb, vol.phi_budget_ppb)
        return _room(fence.phi_ppb, fence.phi_anchor_ppb, phi_reach(fence, fences, at_s), budget)
    if parameter.what is What.DISCOUNT:
        budget = within(fence.df_anchor_ppb, fence.df_ppb, vol.df_budget_ppb)
        return _room(fence.df_ppb, fence.df_anchor_ppb, df_reach(fence, fences, at_s), budget)
    if not parameter.strike:
        factor = q64.exp(vol.atm_budget_ppm * term_factor(seconds) // PPM)
        now, anchor = fence.sigma_ppm, fence.sigma_anchor_ppm
        limits = min((anchor << 64) // factor, now), max(anchor * factor >> 64, now)
        return _room(now, anchor, sigma_reach(fence, vol, seconds), limits)
    smile = next((one for one in fence.smile if one.strike == parameter.strike), None)
    level = next((e.params.sigma_atm_ppm for e in pushed.expiries if e.params.expiry == fence.expiry), 0)
    if smile is None or not smile.ratio_ppm or not level:
        return None
    low, high = within(smile.anchor_ppm, smile.ratio_ppm, vol.smile_budget_ppm)

    def at(ratio_ppm: int) -> int:
        return ratio_ppm * level // PPM

    return _room(at(smile.ratio_ppm), at(smile.anchor_ppm), strike_reach(smile, vol, level), (at(low), at(high)))


def _room(current: int, anchor: int, legal: tuple[int, int], budget: tuple[int, int]) -> Room:
    return Room(
        current=current, anchor=anchor, low=legal[0], high=legal[1], budget_low=budget[0], budget_high=budget[1]
    )


def _range(ranges: Ranges, what: What) -> int:
    value: int = getattr(ranges, f"{_RANGES[what]}_ppm")
    return value


def _in(expiries: tuple[ExpiryTarget, ...], parameter: Parameter, strikes: tuple[int, ...]) -> int | None:
    for one in expiries:
        if one.params.expiry != parameter.expiry:
            continue
        if parameter.strike:
            known = dict(zip(strikes, one.sigmas_ppm, strict=False))
            return known.get(parameter.strike) or None  # 0: it was left out
        value: int = getattr(one.params, _OF_EXPIRY[parameter.what])
        return value
    return None
