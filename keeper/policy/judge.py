"""What the contract would say to a publication: the mirror of `preview`, verdict by verdict and number by number.

Whole refusals first (who may speak, and when), then items one by one: each scan range, the three together, each expiry
and its rows, expiries against each other.  A refused item keeps what is in force and the others apply; a strike that
never was in force, and one whose volatility is 0, stays out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from keeper.domain.market import ExpiryTarget, UnderlyingTarget
from keeper.domain.riskfile import ExpiryParams
from keeper.domain.snapshot import ExpiryFence, FileState, PublicationState, Rules
from keeper.policy.calendar import clashes, has_strikes, variance
from keeper.policy.expiry_fence import judged_expiry
from keeper.policy.range_fence import judged_ranges
from keeper.policy.verdict import Judgement, Refusal, Verdict
from keeper.risk.exact.rowfence import Bank, breach
from keeper.risk.exact.slew import begun_ranges

#: A reference spot has so many bits.  Source: `Header` of contracts/src/interfaces/IRiskFile.sol.
SPOT_BITS: Final = 96


@dataclass(frozen=True, kw_only=True)
class Update:
    """A publication as it is sent."""

    id: int
    valid_until_s: int
    expected_old: str
    """Digest of the last set target, as the sender saw it."""
    target: UnderlyingTarget
    """The numbers."""


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
    ranges, verdicts = judged_ranges(update.target.ranges, state, rules, now)
    bank = Bank(
        ref_spot=spot,
        time=now,
        ranges=begun_ranges(live, state.slew, ranges, now=now),
        vol_floor_ppm=rules.vol_floor_ppm,
    )
    alone = [
        judged_expiry(w, f, state, now) or _rows(w, f, bank)
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


def _rows(wanted: ExpiryTarget, fence: ExpiryFence, bank: Bank) -> Refusal | None:
    if not _priced(bank.ref_spot):
        return None
    found = breach(bank, [one.strike for one in fence.smile], wanted.params, wanted.sigmas_ppm)
    return None if found is None else Refusal(error=found.error, what="rows", numbers=found.numbers)


def _priced(spot: int) -> bool:
    """Whether a file can be computed at a spot."""
    return 0 < spot < 1 << SPOT_BITS


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
