"""Random fences and publications, as Python's records and as the contract's structs.

Most numbers lie exactly at a limit or one beside it, since that is where two roundings differ.  Scan ranges come from a
small pool, so that a hundred thousand pairs do not need a hundred thousand sets of probes.
"""

from dataclasses import dataclass, replace
from math import isqrt
from typing import Any

import numpy as np

from keeper.domain.market import ExpiryTarget, UnderlyingTarget
from keeper.domain.riskfile import ExpiryParams, Ranges
from keeper.domain.snapshot import (
    ExpiryFence,
    FenceState,
    FileState,
    JointFence,
    PublicationState,
    Rules,
    SmileFence,
    StrikeVol,
    VolFences,
)  # fmt: skip
from keeper.policy.judge import Update
from keeper.policy.reach import carry_ppb
from keeper.testing.builders import a_file, an_underlying
from tests.parity.guard_ground import a_ground, a_slew, a_spot, tightened

HOUR = 3_600
BACK = 25
PSRS = (50_000, 80_000, 96_000, 97_000, 115_200, 150_000, 180_000, 180_001, 216_000, 300_000)
UPS = (200_000, 300_000, 360_000, 450_000, 540_000, 540_001, 648_000)
DOWNS = (150_000, 240_000, 300_000, 360_000)
UNDERLYING = 3


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One question to both."""

    state: PublicationState
    rules: Rules
    live: FileState | None
    spot: int
    """The oracle's, wad USD; 0: it has no price."""
    update: Update
    now: int
    ask: tuple[Any, ...]
    """State, ground and publication as the contract's tuples."""


class Chance:
    """Numbers near limits."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def to(self, low: int, high: int) -> int:
        """Any of low … high."""
        return int(self.rng.integers(low, high + 1))

    def one(self, *choices: Any) -> Any:
        return choices[self.to(0, len(choices) - 1)]

    def is_so(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def beside(self, value: int) -> int:
        """It, or one off."""
        return max(0, value + self.to(-1, 1))

    def path(self, value: int, near: Any) -> tuple[int, ...]:
        """26 anchors with a few changes, the last of them the value."""
        if self.is_so(0.3):
            return (value,) * (BACK + 1)
        at = sorted({self.to(1, BACK) for _ in range(self.to(1, 3))})
        known: list[int] = []
        for end in (*at, BACK):
            known += [near()] * (end - len(known))
        return (*known[:BACK], value)


def a_pair(c: Chance) -> Pair:
    """A state and a publication of every kind of fate."""
    now = 1_790_000_000 + c.to(0, 10**7)
    vol = _vols(c)
    fences, ranges = _ranges(c)
    since = c.one(vol.min_delay_s, c.to(vol.min_delay_s, 3_700), c.to(3_500, 90_000))
    given, spot = _expiries(c, vol, now, since), a_spot(c)
    if c.is_so(0.35):
        given = [tightened(c, g, spot, now) for g in given]
    digest = "0x" + bytes([c.to(0, 255) for _ in range(32)]).hex()
    last_time = now - since if c.is_so(0.95) else now - vol.min_delay_s + c.to(-2, 50)
    state = PublicationState(
        last_id=c.to(1, 9), last_time=last_time, next_allowed_s=last_time + vol.min_delay_s, in_notice=False,
        fences=fences, expiries=tuple(g[0] for g in given), vol=vol, frozen=c.is_so(0.01), digest=digest,
        paused_until_s=now + c.to(-5, 2) if c.is_so(0.03) else 0,
        no_loosening_until_s=now + c.to(-5, 90_000) if c.is_so(0.1) else 0,
        joint=JointFence(step_ppm=c.one(220_000, 300_000, 100_000), budget_ppm=c.one(1_000_000, 250_000, 60_000)),
        slew=a_slew(c, ranges, now),
    )  # fmt: skip
    rules = an_underlying().rules
    target = UnderlyingTarget(
        underlying=UNDERLYING, ranges=ranges, expiries=tuple(g[1] for g in given), realised_vol=0.5, reasons=()
    )
    odd = c.is_so(0.03)
    update = Update(
        id=c.one(c.to(0, state.last_id), state.last_id + c.to(2, 20), 2**64 - 1) if odd else state.last_id + 1,
        valid_until_s=now + c.to(0, 60) if c.is_so(0.98) else now + c.to(-3, 0),
        expected_old=digest if c.is_so(0.98) else "0x" + "22" * 32,
        target=target,
    )
    slots = [g[2] for g in given]
    live = None if c.is_so(0.03) else replace(_live(state, given), ranges=_some_ranges(c))
    assert state.slew is not None
    return Pair(
        state=state, rules=rules, live=live, spot=spot, update=update, now=now,
        ask=(_state(state, rules, slots, now), a_ground(live, state.slew, spot), _publication(update)),
    )  # fmt: skip


def _vols(c: Chance) -> VolFences:
    return VolFences(
        sigma_min_ppm=500_000 if c.is_so(0.05) else 100_000, sigma_max_ppm=900_000 if c.is_so(0.05) else 5_000_000,
        atm_step_ppm=200_000, atm_budget_ppm=450_000,
        smile_min_ppm=700_000, smile_max_ppm=c.one(2_000_000, 1_500_000),
        phi_min_ppb=700_000_000, phi_max_ppb=1_500_000_000, phi_step_ppb=20_000_000, phi_budget_ppb=60_000_000,
        carry_max_ppm=50_000 if c.is_so(0.1) else 2_000_000, df_min_ppb=980_000_000 if c.is_so(0.05) else 500_000_000,
        smile_step_ppm=150_000, smile_budget_ppm=350_000, df_step_ppb=5_000_000, df_budget_ppb=20_000_000,
        min_delay_s=c.one(600, 60), forward_step_s=3_600,
    )  # fmt: skip


def _ranges(c: Chance) -> tuple[tuple[FenceState, ...], Ranges]:
    """Fences whose limits lie where the pool's differences are."""
    stay = c.is_so(0.6)
    fences, wanted = [], []
    for name, pool in (("psr", PSRS), ("vsr_up", UPS), ("vsr_down", DOWNS)):
        value = c.one(*pool)
        new = value if stay or c.is_so(0.3) else c.one(*pool)
        known = c.path(value, lambda pool=pool: c.one(*pool))
        step = c.beside(abs(new - value)) if c.is_so(0.4) else 10**6
        budget = c.beside(abs(new - known[c.to(0, BACK)])) if c.is_so(0.4) else 10**6
        edges = new, min(new, value), max(new, value), (new + value) // 2  # bounds may have left what is in force
        fences.append(
            FenceState(
                name=name, current=value, anchor=known[0], later=known[1:],
                min=c.one(*edges, new + 1) if c.is_so(0.07) else 1,
                max=c.one(*edges, new - 1) if c.is_so(0.07) else 10**6,
                step_rel_ppm=c.one(16_000_000, 200_000), step_abs=step,
                budget_rel_ppm=c.one(16_000_000, 500_000), budget_abs=budget,
            )
        )  # fmt: skip
        wanted.append(new)
    return tuple(fences), Ranges(psr_ppm=wanted[0], vsr_up_ppm=wanted[1], vsr_down_ppm=wanted[2])


def _some_ranges(c: Chance) -> Ranges:
    return Ranges(psr_ppm=c.one(*PSRS), vsr_up_ppm=c.one(*UPS), vsr_down_ppm=c.one(*DOWNS))


Given = tuple[ExpiryFence, ExpiryTarget, tuple[int, ...]]


def _expiries(c: Chance, vol: VolFences, now: int, since: int) -> list[Given]:
    """One to four expiries; as a rule what is in force is in calendar order, and often just so."""
    if c.is_so(0.4):  # close together
        first, apart = c.to(60, 30 * 86_400), c.to(1, 3 * 86_400)
        lives = [first + k * apart for k in range(c.to(2, 4))]
    else:
        lives = sorted({c.one(c.to(60, 86_400), c.to(86_400, 40 * 86_400), c.to(40, 400) * 86_400) for _ in range(2)})
    given: list[Given] = []
    least, orderly, shy, calm = 0, c.is_so(0.9), c.is_so(0.3), c.is_so(0.4)
    for seconds in lives:
        sigma = c.to(300_000, 1_500_000)
        fresh = c.is_so(0.4) if shy else False
        if orderly and not (fresh and c.is_so(0.5)):
            tight = isqrt(least // seconds) + 1
            sigma = max(sigma, tight) if c.is_so(0.3) else max(300_000, tight + c.one(0, 1, tight // 20))
        if not fresh:
            least = max(least, sigma * sigma * seconds)
        one = _expiry(
            c, vol, now, since=since, seconds=seconds, sigma=sigma, share_new=1.0 if fresh else 0.15 if shy else 0.02
        )
        given.append(_calmer(c, one) if calm else one)
    return given


def _calmer(c: Chance, given: Given) -> Given:
    """The same with nothing moved but the level, and that within a step of a rested number."""
    fence, wanted, slots = given
    fence = replace(fence, sigma_anchor_ppm=fence.sigma_ppm, sigma_later=(fence.sigma_ppm,) * BACK)
    sigma = int(fence.sigma_ppm * c.rng.uniform(0.85, 1.18))
    sigmas = tuple(  # the ratio in force or a part above it
        0 if not s else sigma if not f.ratio_ppm else -(-f.ratio_ppm * sigma // 10**6)
        for s, f in zip(wanted.sigmas_ppm, fence.smile, strict=False)
    )
    params = replace(wanted.params, phi_ppb=fence.phi_ppb, df_ppb=fence.df_ppb, sigma_atm_ppm=sigma)
    return fence, ExpiryTarget(params=params, sigmas_ppm=sigmas), slots


def _expiry(c: Chance, vol: VolFences, now: int, *, since: int, seconds: int, sigma: int, share_new: float) -> Given:
    expiry = now + seconds
    phi = 10**9 + c.to(-9_000_000, 9_000_000) * c.one(1, 1, 1, 6)
    df = c.to(950_000_000, 10**9)
    known = {
        "sigma": c.path(sigma, lambda: int(sigma * c.rng.uniform(0.6, 1.6))),
        "phi": c.path(phi, lambda: phi + c.to(-70_000_000, 70_000_000)),
        "df": c.path(df, lambda: min(10**9, df + c.to(-25_000_000, 25_000_000))),
    }
    hour = c.one(3_600, min(since, 3_600))
    new_phi = _near(c, phi, vol.phi_step_ppb * hour // 3_600, known["phi"], vol.phi_budget_ppb)
    if c.is_so(0.1):
        new_phi = max(1, 10**9 + c.one(-1, 1) * c.beside(carry_ppb(vol, seconds)))
    new_df = _near(c, df, vol.df_step_ppb * hour // 3_600, known["df"], vol.df_budget_ppb)
    new_sigma = c.one(sigma, sigma, int(sigma * c.rng.uniform(0.8, 1.25)), int(sigma * c.rng.uniform(0.3, 3.0)))
    slots, smile, sigmas = [], [], []
    for k in range(c.to(1, 3)):
        slot, fence = _strike(c, (k + 1) * 10**11, now, share_new)
        old = fence.ratio_ppm or 10**6
        ratio = _near(c, old, vol.smile_step_ppm, (fence.anchor_ppm, *fence.later), vol.smile_budget_ppm)
        if c.is_so(0.1):
            ratio = c.one(vol.smile_min_ppm, vol.smile_max_ppm)
        slots.append(slot)
        smile.append(fence)
        left_out = c.is_so(0.4 if not fence.ratio_ppm else 0.01)
        sigmas.append(0 if left_out else c.beside(max(1, ratio * new_sigma // 10**6)))
    if share_new == 1 and c.is_so(0.5):
        sigmas = [0] * len(sigmas)
    if c.is_so(0.02):  # a strike too many, or one short
        sigmas = sigmas[:-1] if c.is_so(0.5) else [*sigmas, sigmas[0]]
    fence = ExpiryFence(
        expiry=expiry, sigma_ppm=sigma, sigma_anchor_ppm=known["sigma"][0], sigma_later=known["sigma"][1:],
        phi_ppb=phi, phi_anchor_ppb=known["phi"][0], phi_later=known["phi"][1:],
        df_ppb=df, df_anchor_ppb=known["df"][0], df_later=known["df"][1:], smile=tuple(smile),
    )  # fmt: skip
    params = ExpiryParams(expiry=expiry, phi_ppb=new_phi, df_ppb=new_df, sigma_atm_ppm=new_sigma)
    return fence, ExpiryTarget(params=params, sigmas_ppm=tuple(sigmas)), tuple(slots)


def _near(c: Chance, value: int, step: int, known: tuple[int, ...], budget: int) -> int:
    """The value, or one at the edge of its step, or of the budget around some anchor."""
    if c.is_so(0.6):
        return value
    edge = value + c.one(-1, 1) * step if c.is_so(0.5) else known[c.to(0, len(known) - 1)] + c.one(-1, 1) * budget
    return max(1, c.beside(edge))


def _strike(c: Chance, strike: int, now: int, share_new: float) -> tuple[int, SmileFence]:
    """A slot, and what it says now and later: decoded here once more, by the words of SmileRing.sol."""
    if c.is_so(share_new):
        return 0, SmileFence(strike=strike, ratio_ppm=0, anchor_ppm=0)
    hour, ratio = now // HOUR, c.to(750_000, 1_900_000)
    last = hour - c.one(0, 1, c.to(0, 30))
    codes = [max(0, min(255, (ratio + c.to(-400_000, 400_000)) >> 13)) for _ in range(BACK)]
    if c.is_so(0.5):
        codes = [ratio >> 13] * BACK

    def anchor(at: int) -> int:
        wanted = at - BACK
        return ratio if wanted >= last else (codes[last - 1 - wanted] << 13) + 4_096

    slot = ratio << 224 | last << 200 | sum(code << (8 * i) for i, code in enumerate(codes))
    later = tuple(anchor(hour + k) for k in range(1, BACK + 1))
    return slot, SmileFence(strike=strike, ratio_ppm=ratio, anchor_ppm=anchor(hour), later=later)


def _live(state: PublicationState, given: list[Any]) -> FileState:
    """A file that has every strike but those never published, and no expiry without one."""
    params = tuple(
        ExpiryParams(expiry=e.expiry, phi_ppb=e.phi_ppb, df_ppb=e.df_ppb, sigma_atm_ppm=e.sigma_ppm)
        for e in state.expiries
        if any(s.ratio_ppm for s in e.smile)
    )
    strikes = tuple(
        (g[0].expiry, tuple(StrikeVol(strike=s.strike, sigma_ppm=700_000) for s in g[0].smile if s.ratio_ppm))
        for g in given
        if any(s.ratio_ppm for s in g[0].smile)
    )
    base = a_file()
    return FileState(
        epoch=base.epoch, ref_spot=base.ref_spot, time=base.time, ranges=base.ranges, expiries=params, strikes=strikes
    )


def _number(value: int, anchor: int, later: tuple[int, ...]) -> tuple[int, list[int]]:
    return value, [anchor, *later]


def _state(s: PublicationState, rules: Rules, slots: list[tuple[int, ...]], now: int) -> tuple[Any, ...]:
    v, joint = s.vol, s.joint
    assert joint is not None
    vols = (
        v.sigma_min_ppm, v.sigma_max_ppm, v.atm_step_ppm, v.atm_budget_ppm, v.smile_min_ppm, v.smile_max_ppm,
        v.phi_min_ppb, v.phi_max_ppb, v.phi_step_ppb, v.phi_budget_ppb, v.carry_max_ppm, v.df_min_ppb, v.min_delay_s,
        v.smile_step_ppm, v.smile_budget_ppm, v.df_step_ppb, v.df_budget_ppb,
    )  # fmt: skip
    return (
        UNDERLYING, now, s.frozen, s.paused_until_s, s.no_loosening_until_s, s.last_id, s.last_time,
        bytes.fromhex(s.digest[2:]), rules.tail_ppm, rules.vol_floor_ppm,
        [(f.min, f.max, f.step_rel_ppm, f.step_abs, f.budget_rel_ppm, f.budget_abs) for f in s.fences],
        (joint.step_ppm, joint.budget_ppm), vols,
        [_number(f.current, f.anchor, f.later) for f in s.fences],
        [
            (
                e.expiry,
                _number(e.sigma_ppm, e.sigma_anchor_ppm, e.sigma_later),
                _number(e.phi_ppb, e.phi_anchor_ppb, e.phi_later),
                _number(e.df_ppb, e.df_anchor_ppb, e.df_later),
                [one.strike for one in e.smile],
                list(of),
            )
            for e, of in zip(s.expiries, slots, strict=True)
        ],
    )  # fmt: skip


def _publication(update: Update) -> tuple[Any, ...]:
    r = update.target.ranges
    expiries = [
        (e.params.expiry, e.params.phi_ppb, e.params.df_ppb, e.params.sigma_atm_ppm, list(e.sigmas_ppm))
        for e in update.target.expiries
    ]
    return (
        update.id, update.valid_until_s, bytes(32), bytes.fromhex(update.expected_old[2:]),
        r.psr_ppm, r.vsr_up_ppm, r.vsr_down_ppm, expiries,
    )  # fmt: skip
