"""What the contract says to the numbers of one expiry: levels, steps, budgets, and the band of its smile.

Twin of `ExpiryFence.sol`.
"""

from __future__ import annotations

from keeper.domain.market import ExpiryTarget
from keeper.domain.snapshot import ExpiryFence, PublicationState, SmileFence, VolFences
from keeper.policy.limits import allowed, first_hour, off
from keeper.policy.reach import carry_ppb, earned
from keeper.policy.ring import Anchors, anchors, ratio_ppm
from keeper.policy.verdict import Refusal
from keeper.risk.exact import q64
from keeper.risk.exact.riskfile import PPB, PPM, term_factor


def judged_expiry(wanted: ExpiryTarget, fence: ExpiryFence, state: PublicationState, now: int) -> Refusal | None:
    """Why the numbers of one expiry do not pass at `now`, by themselves; None if they do."""
    p, vol, seconds = wanted.params, state.vol, fence.expiry - now
    carry = carry_ppb(vol, seconds)
    for what, value, old, least, most in (
        ("sigmaAtm", p.sigma_atm_ppm, fence.sigma_ppm, vol.sigma_min_ppm, vol.sigma_max_ppm),
        ("phi", p.phi_ppb, fence.phi_ppb, vol.phi_min_ppb, vol.phi_max_ppb),
        ("df", p.df_ppb, fence.df_ppb, vol.df_min_ppb, PPB),
        ("carry", p.phi_ppb, fence.phi_ppb, max(0, PPB - carry), PPB + carry),
    ):
        if off(value, old, least, most):
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


def _sigma(value: int, fence: ExpiryFence, state: PublicationState, now: int) -> Refusal | None:
    m = term_factor(fence.expiry - now)
    step, budget = state.vol.atm_step_ppm * m // PPM, state.vol.atm_budget_ppm * m // PPM
    old = fence.sigma_ppm
    if _log_distance(old, value) > step:
        return Refusal(error="StepTooLarge", what="sigmaAtm", numbers=(old, value, step * PPM >> 64))

    def passes(anchor: int) -> bool:
        return _log_distance(anchor, value) <= budget or allowed(anchor, old, value, 0)

    known = anchors(fence.sigma_anchor_ppm, fence.sigma_later)
    if passes(known[0]):
        return None
    return Refusal(
        error="BudgetExceeded",
        what="sigmaAtm",
        numbers=(known[0], value, budget * PPM >> 64),
        next_allowed_s=first_hour(known, passes, now, 0),
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
    free = first_hour(known, lambda a: allowed(a, old, value, budget), now, opens)
    return Refusal(error="StepTooLarge", what=what, numbers=(old, value, now_earned), next_allowed_s=free)


def _absolute(what: str, value: int, old: int, known: Anchors, *, step: int, budget: int, now: int) -> Refusal | None:
    if abs(value - old) > step:
        return Refusal(error="StepTooLarge", what=what, numbers=(old, value, step))
    if allowed(known[0], old, value, budget):
        return None
    free = first_hour(known, lambda a: allowed(a, old, value, budget), now, 0)
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


def _log_distance(a: int, b: int) -> int:
    """|ln(b / a)|, Q64."""
    return abs(q64.ln(b << 64) - q64.ln(a << 64))
