"""What the contract would say to a publication: the mirror of `preview`, verdict by verdict and number by number.

Whole refusals first (who may speak, and when), then items one by one: each scan range, the three together, each expiry
and its rows, expiries against each other.  A refused item keeps what is in force and the others apply; a strike that
never was in force, and one whose volatility is 0, stays out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from keeper.domain.market import ExpiryTarget, UnderlyingTarget
from keeper.domain.riskfile import ExpiryParams, Ranges
from keeper.domain.snapshot import (
    ExpiryFence,
    FenceState,
    FileState,
    PublicationState,
    Rules,
    SmileFence,
    VolFences,
)
from keeper.policy.calendar import clashes, has_strikes, variance
from keeper.policy.guard import anchored, current
from keeper.policy.joint import too_far
from keeper.policy.reach import carry_ppb, earned
from keeper.policy.ring import HOUR_S, HOURS, Anchors, anchors, ratio_ppm
from keeper.risk.exact import q64
from keeper.risk.exact.riskfile import PPB, PPM, term_factor
from keeper.risk.exact.rowfence import Bank, breach
from keeper.risk.exact.slew import begun_ranges

#: Waiting does not help.  Source: `type(uint64).max` of contracts/src/libraries/FenceMath.sol.
NEVER: Final = (1 << 64) - 1
#: A reference spot has so many bits.  Source: `Header` of contracts/src/interfaces/IRiskFile.sol.
SPOT_BITS: Final = 96
#: The contract's names of our ranges.
THEIRS: Final = {"psr": "psr", "vsr_up": "vsrUp", "vsr_down": "vsrDown"}


@dataclass(frozen=True, kw_only=True)
class Update:
    """A publication as it is sent."""

    id: int
    valid_until_s: int
    expected_old: str
    """Digest of the last set target, as the sender saw it."""
    target: UnderlyingTarget
    """The numbers."""


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


def judge(
    update: Update, state: PublicationState, rules: Rules, now: int, live: FileState | None = None, *, spot: int
) -> Judgement:
    """Say what the contract would say to `update` at `now`, outside the notice window.

    Args:
        update: covers expiries and strikes in the contract's order; another set is refused whole.
        state: the fences, as they stand at `now`.
        rules: what governance fixed: probes are measured under it and rows computed.
        now: unix seconds.
        live: the file in force, which refused items keep; None: there is none yet.
        spot: the oracle's, wad USD, from which rows would be computed; 0: it has no price, and nothing passes.
    """
    whole = _whole(update, state, now)
    if whole is not None:
        return Judgement(refusal=whole, items=(), applied=None)
    ranges, verdicts = _ranges(update.target.ranges, state, rules, now)
    bank = Bank(
        ref_spot=spot,
        time=now,
        ranges=begun_ranges(live, state.slew, ranges, now=now),
        vol_floor_ppm=rules.vol_floor_ppm,
    )
    alone = [
        _expiry(w, f, state, now) or _rows(w, f, bank)
        for w, f in zip(update.target.expiries, state.expiries, strict=True)
    ]
    settled = _calendar(update.target.expiries, state.expiries, alone, now)
    for fence, refusal in zip(state.expiries, settled, strict=True):
        verdicts.append(Verdict(expiry=fence.expiry, what="expiry", refusal=refusal))
    if not _priced(spot):
        unpriced = Refusal(error="BadSpot", what="", numbers=(spot,))
        return Judgement(refusal=unpriced, items=tuple(verdicts), applied=None)
    refused = [v.refusal for v in verdicts if v.refusal is not None]
    if all(v.refusal is not None for v in verdicts if v.what != "joint"):
        return Judgement(refusal=refused[0], items=tuple(verdicts), applied=None)
    expiries = tuple(
        wanted if refusal is None else in_force(fence, live)
        for wanted, fence, refusal in zip(update.target.expiries, state.expiries, settled, strict=True)
    )
    applied = replace(update.target, ranges=ranges, expiries=expiries)
    return Judgement(refusal=None, items=tuple(verdicts), applied=applied)


def in_force(fence: ExpiryFence, live: FileState | None) -> ExpiryTarget:
    """What an expiry keeps if its item is refused: σ 0 for a strike that was never published.

    Args:
        fence: of the expiry, with its listed strikes.
        live: the file in force; None if nothing was published yet.
    """
    vols = dict(live.strikes).get(fence.expiry, ()) if live is not None else ()
    sigmas = {v.strike: v.sigma_ppm for v in vols}
    params = ExpiryParams(
        expiry=fence.expiry, phi_ppb=fence.phi_ppb, df_ppb=fence.df_ppb, sigma_atm_ppm=fence.sigma_ppm
    )
    return ExpiryTarget(params=params, sigmas_ppm=tuple(sigmas.get(one.strike, 0) for one in fence.smile))


def _whole(update: Update, state: PublicationState, now: int) -> Refusal | None:
    if state.frozen:
        return Refusal(error="Frozen", what="")
    if now < state.paused_until_s:
        return Refusal(error="Paused", what="", numbers=(state.paused_until_s,), next_allowed_s=state.paused_until_s)
    if update.id != state.last_id + 1:
        return Refusal(error="WrongId", what="", numbers=(update.id, state.last_id + 1))
    if now > update.valid_until_s:
        return Refusal(error="Expired", what="", numbers=(update.valid_until_s, now))
    if state.last_id and now < state.next_allowed_s:
        numbers = (state.next_allowed_s, now)
        return Refusal(error="TooEarly", what="", numbers=numbers, next_allowed_s=state.next_allowed_s)
    if update.expected_old != state.digest:
        return Refusal(error="UnexpectedOld", what="", numbers=(int(update.expected_old, 16), int(state.digest, 16)))
    return _expiries(update, state)


def _expiries(update: Update, state: PublicationState) -> Refusal | None:
    given, listed = len(update.target.expiries), len(state.expiries)
    if given != listed:
        return Refusal(error="WrongExpiries", what="", numbers=(given, listed))
    for ours, theirs in zip(update.target.expiries, state.expiries, strict=True):
        if ours.params.expiry != theirs.expiry:
            return Refusal(error="WrongExpiries", what="", numbers=(ours.params.expiry, theirs.expiry))
        if len(ours.sigmas_ppm) != len(theirs.smile):
            numbers = (ours.params.expiry, len(ours.sigmas_ppm), len(theirs.smile))
            return Refusal(error="WrongStrikes", what="", numbers=numbers)
    return None


def _ranges(wanted: Ranges, state: PublicationState, rules: Rules, now: int) -> tuple[Ranges, list[Verdict]]:
    values = {"psr": wanted.psr_ppm, "vsr_up": wanted.vsr_up_ppm, "vsr_down": wanted.vsr_down_ppm}
    verdicts = []
    for fence in state.fences:
        refusal = _range(fence, values[fence.name], state.no_loosening_until_s, now)
        verdicts.append(Verdict(expiry=0, what=THEIRS[fence.name], refusal=refusal))
        if refusal is not None:
            values[fence.name] = fence.current
    new = Ranges(psr_ppm=values["psr"], vsr_up_ppm=values["vsr_up"], vsr_down_ppm=values["vsr_down"])
    joint = _joint(new, state, rules, now)
    verdicts.append(Verdict(expiry=0, what="joint", refusal=joint))
    return (current(state) if joint is not None else new), verdicts


def _range(fence: FenceState, value: int, no_loosening_until_s: int, now: int) -> Refusal | None:
    what = THEIRS[fence.name]
    old = fence.current
    if _off(value, old, fence.min, fence.max):
        return Refusal(error="OutOfRange", what=what, numbers=(value, fence.min, fence.max))
    step = min(old * fence.step_rel_ppm // PPM, fence.step_abs)
    if abs(value - old) > step:
        return Refusal(error="StepTooLarge", what=what, numbers=(old, value, step))

    def budget(anchor: int) -> int:
        return min(anchor * fence.budget_rel_ppm // PPM, fence.budget_abs)

    known = anchors(fence.anchor, fence.later)
    opens = no_loosening_until_s if value < old else 0
    free = _first_hour(known, lambda a: _allowed(a, old, value, budget(a)), now, opens)
    if now < opens:
        return Refusal(error="Vetoed", what=what, numbers=(opens,), next_allowed_s=free)
    if not _allowed(known[0], old, value, budget(known[0])):
        numbers = (known[0], value, budget(known[0]))
        return Refusal(error="BudgetExceeded", what=what, numbers=numbers, next_allowed_s=free)
    return None


def _joint(new: Ranges, state: PublicationState, rules: Rules, now: int) -> Refusal | None:
    if state.joint is None:
        return None
    fence, old = state.joint, current(state)
    tail, floor = rules.tail_ppm, rules.vol_floor_ppm

    def move(since: Ranges) -> object:
        return too_far(new, old, since, fence, tail_ppm=tail, vol_floor_ppm=floor)

    found = too_far(new, old, anchored(state), fence, tail_ppm=tail, vol_floor_ppm=floor)
    if found is None:
        return None
    free = NEVER
    if found.budget:
        paths = [anchors(f.anchor, f.later) for f in state.fences]
        hour = now // HOUR_S
        for k in range(1, HOURS + 1):
            since = Ranges(psr_ppm=paths[0][k], vsr_up_ppm=paths[1][k], vsr_down_ppm=paths[2][k])
            if move(since) is None:
                free = (hour + k) * HOUR_S
                break
    numbers = (found.probe, found.since, found.new, found.limit_ppm)
    return Refusal(error="JointMove", what="joint", numbers=numbers, next_allowed_s=free)


def _expiry(wanted: ExpiryTarget, fence: ExpiryFence, state: PublicationState, now: int) -> Refusal | None:
    p, vol, seconds = wanted.params, state.vol, fence.expiry - now
    carry = carry_ppb(vol, seconds)
    for what, value, old, least, most in (
        ("sigmaAtm", p.sigma_atm_ppm, fence.sigma_ppm, vol.sigma_min_ppm, vol.sigma_max_ppm),
        ("phi", p.phi_ppb, fence.phi_ppb, vol.phi_min_ppb, vol.phi_max_ppb),
        ("df", p.df_ppb, fence.df_ppb, vol.df_min_ppb, PPB),
        ("carry", p.phi_ppb, fence.phi_ppb, max(0, PPB - carry), PPB + carry),
    ):
        if _off(value, old, least, most):
            return Refusal(error="OutOfRange", what=what, numbers=(value, least, most))
    return (
        _sigma(p.sigma_atm_ppm, fence, state, now)
        or _forward(
            "phi",
            p.phi_ppb,
            fence.phi_ppb,
            anchors(fence.phi_anchor_ppb, fence.phi_later),
            step=vol.phi_step_ppb,
            budget=vol.phi_budget_ppb,
            state=state,
            now=now,
        )
        or _forward(
            "df",
            p.df_ppb,
            fence.df_ppb,
            anchors(fence.df_anchor_ppb, fence.df_later),
            step=vol.df_step_ppb,
            budget=vol.df_budget_ppb,
            state=state,
            now=now,
        )
        or _smile(wanted, fence, state, now)
    )


def _rows(wanted: ExpiryTarget, fence: ExpiryFence, bank: Bank) -> Refusal | None:
    if not _priced(bank.ref_spot):
        return None
    found = breach(bank, [one.strike for one in fence.smile], wanted.params, wanted.sigmas_ppm)
    return None if found is None else Refusal(error=found.error, what="rows", numbers=found.numbers)


def _priced(spot: int) -> bool:
    """Whether a file can be computed at a spot."""
    return 0 < spot < 1 << SPOT_BITS


def _sigma(value: int, fence: ExpiryFence, state: PublicationState, now: int) -> Refusal | None:
    m = term_factor(fence.expiry - now)
    step, budget = state.vol.atm_step_ppm * m // PPM, state.vol.atm_budget_ppm * m // PPM
    old = fence.sigma_ppm
    if _log_distance(old, value) > step:
        return Refusal(error="StepTooLarge", what="sigmaAtm", numbers=(old, value, step * PPM >> 64))

    def passes(anchor: int) -> bool:
        return _log_distance(anchor, value) <= budget or _allowed(anchor, old, value, 0)

    known = anchors(fence.sigma_anchor_ppm, fence.sigma_later)
    if passes(known[0]):
        return None
    return Refusal(
        error="BudgetExceeded",
        what="sigmaAtm",
        numbers=(known[0], value, budget * PPM >> 64),
        next_allowed_s=_first_hour(known, passes, now, 0),
    )


def _forward(
    what: str,
    value: int,
    old: int,
    known: Anchors,
    *,
    step: int,
    budget: int,
    state: PublicationState,
    now: int,
) -> Refusal | None:
    """Of the step what was earned since the last publication, and the day's budget."""
    move, now_earned = abs(value - old), earned(step, state, now)
    if move > step or move <= now_earned:
        return _absolute(what, value, old, known, step=now_earned, budget=budget, now=now)
    opens = state.last_time + -(-move * state.vol.forward_step_s // step)
    free = _first_hour(known, lambda a: _allowed(a, old, value, budget), now, opens)
    return Refusal(error="StepTooLarge", what=what, numbers=(old, value, now_earned), next_allowed_s=free)


def _absolute(what: str, value: int, old: int, known: Anchors, *, step: int, budget: int, now: int) -> Refusal | None:
    if abs(value - old) > step:
        return Refusal(error="StepTooLarge", what=what, numbers=(old, value, step))
    if _allowed(known[0], old, value, budget):
        return None
    free = _first_hour(known, lambda a: _allowed(a, old, value, budget), now, 0)
    return Refusal(error="BudgetExceeded", what=what, numbers=(known[0], value, budget), next_allowed_s=free)


def _smile(wanted: ExpiryTarget, fence: ExpiryFence, state: PublicationState, now: int) -> Refusal | None:
    vol, atm = state.vol, wanted.params.sigma_atm_ppm
    for sigma, one in zip(wanted.sigmas_ppm, fence.smile, strict=True):
        if not sigma and not one.ratio_ppm:  # left out
            continue
        if _out_of_band(sigma, atm, one, fence, vol):
            return Refusal(error="SmileOutOfBand", what="smile", numbers=(fence.expiry, one.strike, sigma, atm))
        if not one.ratio_ppm:
            continue
        known = anchors(one.anchor_ppm, one.later)
        ratio = ratio_ppm(sigma, atm)
        refusal = _absolute(
            "smile",
            ratio,
            one.ratio_ppm,
            known,
            step=vol.smile_step_ppm,
            budget=vol.smile_budget_ppm,
            now=now,
        )
        if refusal is not None:
            return refusal
    return None


def _out_of_band(sigma: int, atm: int, one: SmileFence, fence: ExpiryFence, vol: VolFences) -> bool:
    """Outside the band, and not on the way back to it; a strike never published may go as far as the others are."""
    known = [one.ratio_ppm] if one.ratio_ppm else [s.ratio_ppm for s in fence.smile if s.ratio_ppm]
    if sigma * PPM > atm * vol.smile_max_ppm:
        return ratio_ppm(sigma, atm) > max(known, default=0)
    return sigma * PPM < atm * vol.smile_min_ppm and (not known or ratio_ppm(sigma, atm) < min(known))


def _off(value: int, old: int, least: int, most: int) -> bool:
    """Whether a number is outside its bounds and not on its way to them; twin of `FenceLimits.level`."""
    return (value < least and (not old or value < old)) or (value > most and value > old)


def _calendar(
    wanted: Sequence[ExpiryTarget], fences: Sequence[ExpiryFence], alone: Sequence[Refusal | None], now: int
) -> list[Refusal | None]:
    """The verdicts of expiries once they are in calendar order too; `alone` is what each one's own fences say."""
    verdicts = list(alone)
    kept = [variance(f.sigma_ppm, f.expiry - now) if has_strikes(f) else 0 for f in fences]
    fresh = [
        variance(e.params.sigma_atm_ppm, e.params.expiry - now) if refusal is None and any(e.sigmas_ppm) else 0
        for e, refusal in zip(wanted, alone, strict=True)
    ]
    for clash in clashes(kept, fresh):
        numbers = (fences[clash.first].expiry, fences[clash.second].expiry)
        verdicts[clash.out] = Refusal(error="CalendarArbitrage", what="calendar", numbers=numbers)
    return verdicts


def _allowed(anchor: int, old: int, new: int, budget: int) -> bool:
    """Twin of `HourlyRing.allowed`."""
    if abs(new - anchor) <= budget:
        return True
    return old > anchor and new <= old if new > anchor else old < anchor and new >= old


def _first_hour(known: Anchors, passes: Callable[[int], bool], now: int, opens: int) -> int:
    """Earliest second, not before `opens`, at which the anchor of that hour admits a number."""
    start = max(now, opens)
    hour = start // HOUR_S - now // HOUR_S
    if passes(known[min(hour, HOURS)]):
        return start if start > now else 0
    for k in range(hour + 1, HOURS + 1):
        if passes(known[k]):
            return (now // HOUR_S + k) * HOUR_S
    return NEVER


def _log_distance(a: int, b: int) -> int:
    """|ln(b / a)|, Q64."""
    return abs(q64.ln(b << 64) - q64.ln(a << 64))
