"""What the contract remembers of a number's last day, as far as fences will ask: anchors by the hour.

Twin of contracts/src/libraries/HourlyRing.sol and of the smile ring, seen from the present: `anchors[k]` is
the anchor that binds during the k-th hour from now if nothing is published, k = 0 … 25.  After 25 hours a value is its
own anchor, so the last entry is the value in force.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from keeper.domain.market import UnderlyingTarget
from keeper.domain.snapshot import ExpiryFence, FenceState, PublicationState, SmileFence
from keeper.errors import LawBroken
from keeper.risk.exact.slew import clock_after

#: Hours until a value is its own anchor.
HOURS: Final = 25
HOUR_S: Final = 3_600
#: A remembered smile is kept in steps of this many ppm of the volatility at the money; its anchor is the middle of one.
SMILE_LATTICE_PPM: Final = 1 << 13

Anchors = tuple[int, ...]


def anchors(anchor: int, later: tuple[int, ...]) -> Anchors:
    """Anchors of this hour and the next 25, from how a snapshot keeps them; an empty `later` never moves."""
    return (anchor, *(later or (anchor,) * HOURS))


def waited(known: Anchors, hours: int) -> Anchors:
    """The anchors as they will be `hours` hours from now, if nothing is published until then."""
    return (*known[hours:], *(known[-1],) * min(hours, HOURS + 1))[: HOURS + 1]


def moved(known: Anchors, value: int) -> Anchors:
    """The anchors once `value` is in force from this hour on."""
    return (*known[:HOURS], value)


def smile_moved(known: Anchors, ratio_ppm: int) -> Anchors:
    """The same for a smile, whose past is remembered on a lattice."""
    return (*(on_lattice(a) for a in known[:HOURS]), ratio_ppm)


def on_lattice(ratio_ppm: int) -> int:
    """A smile ratio as the contract remembers it."""
    return (ratio_ppm // SMILE_LATTICE_PPM) * SMILE_LATTICE_PPM + SMILE_LATTICE_PPM // 2


def ratio_ppm(sigma_ppm: int, sigma_atm_ppm: int) -> int:
    """σ_K / σ_ATM, rounded down: the number that the smile's fences are about."""
    return sigma_ppm * 1_000_000 // sigma_atm_ppm


def seen_at(state: PublicationState, *, then: int, now: int) -> PublicationState:
    """The fences as they will stand later, if nothing is published between.

    Args:
        state: read at `then`.
        then: unix seconds.
        now: unix seconds, not before `then`.
    """
    hours = now // HOUR_S - then // HOUR_S
    if hours < 0:
        raise LawBroken(f"fences cannot be seen {then - now} s back in time")
    if not hours:
        return state
    return replace(
        state,
        fences=tuple(_fence(f, waited(anchors(f.anchor, f.later), hours)) for f in state.fences),
        expiries=tuple(_waited_expiry(e, hours) for e in state.expiries if e.expiry > now),
    )


def advanced(state: PublicationState, applied: UnderlyingTarget, now: int) -> PublicationState:
    """The fences once `applied` is in force; `digest` is left as it was, since only the chain can tell the new one.

    Args:
        state: as it stands at `now`.
        applied: what is published: every live expiry, and every strike of it.
        now: unix seconds of the publication.
    """
    values = {
        "psr": applied.ranges.psr_ppm,
        "vsr_up": applied.ranges.vsr_up_ppm,
        "vsr_down": applied.ranges.vsr_down_ppm,
    }
    targets = {e.params.expiry: e for e in applied.expiries}
    fences = []
    for f in state.fences:
        value = values[f.name]
        fences.append(_fence(replace(f, current=value), moved(anchors(f.anchor, f.later), value)))
    expiries = []
    for e in state.expiries:
        p = targets[e.expiry].params
        sigma = moved(anchors(e.sigma_anchor_ppm, e.sigma_later), p.sigma_atm_ppm)
        phi = moved(anchors(e.phi_anchor_ppb, e.phi_later), p.phi_ppb)
        df = moved(anchors(e.df_anchor_ppb, e.df_later), p.df_ppb)
        smile = tuple(
            _smile_after(s, ratio_ppm(sigma_k, p.sigma_atm_ppm))
            for s, sigma_k in zip(e.smile, targets[e.expiry].sigmas_ppm, strict=bool(e.smile))
        )
        expiries.append(
            replace(
                e,
                sigma_ppm=p.sigma_atm_ppm,
                phi_ppb=p.phi_ppb,
                df_ppb=p.df_ppb,
                sigma_anchor_ppm=sigma[0],
                sigma_later=sigma[1:],
                phi_anchor_ppb=phi[0],
                phi_later=phi[1:],
                df_anchor_ppb=df[0],
                df_later=df[1:],
                smile=smile,
            )
        )
    return replace(
        state,
        last_id=state.last_id + 1,
        last_time=now,
        next_allowed_s=now + state.vol.min_delay_s,
        fences=tuple(fences),
        expiries=tuple(expiries),
        slew=None
        if state.slew is None
        else replace(state.slew, target=applied.ranges, time_s=clock_after(state.slew, now, now)),
    )


def _fence(f: FenceState, known: Anchors) -> FenceState:
    return replace(f, anchor=known[0], later=known[1:])


def _smile_after(s: SmileFence, ratio: int) -> SmileFence:
    if not ratio and not s.ratio_ppm:  # left out
        return s
    known = smile_moved(anchors(s.anchor_ppm, s.later), ratio)
    if not s.ratio_ppm:  # published for the first time: remembered as if it had always been so
        known = (*(on_lattice(ratio),) * HOURS, ratio)
    return replace(s, ratio_ppm=ratio, anchor_ppm=known[0], later=known[1:])


def _waited_expiry(e: ExpiryFence, hours: int) -> ExpiryFence:
    sigma = waited(anchors(e.sigma_anchor_ppm, e.sigma_later), hours)
    phi = waited(anchors(e.phi_anchor_ppb, e.phi_later), hours)
    df = waited(anchors(e.df_anchor_ppb, e.df_later), hours)
    smile = []
    for s in e.smile:
        known = waited(anchors(s.anchor_ppm, s.later), hours)
        smile.append(replace(s, anchor_ppm=known[0], later=known[1:]))
    return replace(
        e,
        sigma_anchor_ppm=sigma[0],
        sigma_later=sigma[1:],
        phi_anchor_ppb=phi[0],
        phi_later=phi[1:],
        df_anchor_ppb=df[0],
        df_later=df[1:],
        smile=tuple(smile),
    )
