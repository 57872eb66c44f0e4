"""The fences of `RiskParameters` at one block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from keeper.domain.block import BlockRef
from keeper.domain.riskfile import Ranges
from keeper.domain.snapshot import (
    ExpiryFence,
    FenceState,
    JointFence,
    PublicationState,
    SlewState,
    SmileFence,
    VolFences,
)
from keeper.protocols.clearinghouse.views import View, Views

#: Of rings, and in which a step of a forward is earned.  Source: `HOUR` of contracts/src/libraries/ExpiryFence.sol.
HOUR_S = 3_600
#: Until a value is its own anchor.
HOURS = 25
#: Our names of the fenced ranges, and the contract's.
RANGES = {"psr": "psr", "vsr_up": "vsrUp", "vsr_down": "vsrDown"}
SIGMA, PHI, DF = (name.ljust(32, b"\0") for name in (b"sigmaAtm", b"phi", b"df"))


def publication_asks(underlying: int, expiries: Iterable[int]) -> Iterator[View]:
    """Everything `publication_state` will ask, if the contract lists what we think it does."""
    for function in (
        "lastPublication",
        "frozen",
        "volFences",
        "listedExpiries",
        "jointFence",
        "targetDigest",
        "controls",
    ):
        yield View("RiskParameters", function, (underlying,))
    for function in ("noticeUntil", "slew"):
        yield View("RiskFile", function, (underlying,))
    for theirs in RANGES.values():
        yield View("RiskParameters", "fence", (underlying, _name(theirs)))
        yield View("RiskParameters", "standing", (underlying, 0, _name(theirs)))
    for expiry in expiries:
        for name in (SIGMA, PHI, DF):
            yield View("RiskParameters", "standing", (underlying, expiry, name))
        for function in ("listedStrikes", "smileRings"):
            yield View("RiskParameters", function, (underlying, expiry))


def publication_state(views: Views, block: BlockRef, underlying: int) -> PublicationState:
    """Read where every fenced number of one underlying stands."""
    last = views.at(block, "RiskParameters", "lastPublication", underlying)
    vol = views.one(block, "RiskParameters", "volFences", underlying)
    expiries = views.one(block, "RiskParameters", "listedExpiries", underlying)
    joint = views.one(block, "RiskParameters", "jointFence", underlying)
    controls = views.one(block, "RiskParameters", "controls", underlying)
    return PublicationState(
        last_id=last["id"],
        last_time=last["time"],
        next_allowed_s=last["time"] + vol["minDelayS"] if last["id"] else 0,
        frozen=bool(views.one(block, "RiskParameters", "frozen", underlying)),
        in_notice=block.number < views.one(block, "RiskFile", "noticeUntil", underlying),
        fences=tuple(_fence(views, block, underlying, ours, theirs) for ours, theirs in RANGES.items()),
        expiries=tuple(_expiry(views, block, underlying, e) for e in expiries),
        slew=_slew(views, block, underlying),
        vol=VolFences(
            sigma_min_ppm=vol["sigmaMinPpm"],
            sigma_max_ppm=vol["sigmaMaxPpm"],
            atm_step_ppm=vol["atmStepPpm"],
            atm_budget_ppm=vol["atmBudgetPpm"],
            smile_min_ppm=vol["smileMinPpm"],
            smile_max_ppm=vol["smileMaxPpm"],
            phi_min_ppb=vol["phiMinPpb"],
            phi_max_ppb=vol["phiMaxPpb"],
            phi_step_ppb=vol["phiStepPpb"],
            phi_budget_ppb=vol["phiBudgetPpb"],
            carry_max_ppm=vol["carryMaxPpm"],
            df_min_ppb=vol["dfMinPpb"],
            smile_step_ppm=vol["smileStepPpm"],
            smile_budget_ppm=vol["smileBudgetPpm"],
            df_step_ppb=vol["dfStepPpb"],
            df_budget_ppb=vol["dfBudgetPpb"],
            min_delay_s=vol["minDelayS"],
            forward_step_s=HOUR_S,
        ),
        joint=JointFence(step_ppm=joint["stepPpm"], budget_ppm=joint["budgetPpm"]),
        paused_until_s=controls["pausedUntil"],
        no_loosening_until_s=controls["noLooseningUntil"],
        state_add_on_ppm=controls["stateAddOnPpm"],
        state_until_s=controls["stateUntil"],
        digest="0x" + views.one(block, "RiskParameters", "targetDigest", underlying).hex(),
    )


def _slew(views: Views, block: BlockRef, underlying: int) -> SlewState:
    raw = views.at(block, "RiskFile", "slew", underlying)
    target = raw["target"]
    return SlewState(
        target=Ranges(psr_ppm=target["psrPpm"], vsr_up_ppm=target["vsrUpPpm"], vsr_down_ppm=target["vsrDownPpm"]),
        rate_ppm_per_hour=raw["ratePpmPerHour"],
        time_s=raw["time"],
        held_until_s=raw["heldUntil"],
    )


def _fence(views: Views, block: BlockRef, underlying: int, ours: str, theirs: str) -> FenceState:
    name = _name(theirs)
    fence = views.one(block, "RiskParameters", "fence", underlying, name)
    value, anchor, later = _standing(views, block, underlying, 0, name)
    return FenceState(
        name=ours,
        current=value,
        anchor=anchor,
        later=later,
        min=fence["min"],
        max=fence["max"],
        step_rel_ppm=fence["stepRelPpm"],
        step_abs=fence["stepAbs"],
        budget_rel_ppm=fence["budgetRelPpm"],
        budget_abs=fence["budgetAbs"],
    )


def _standing(
    views: Views, block: BlockRef, underlying: int, expiry: int, name: bytes
) -> tuple[int, int, tuple[int, ...]]:
    """Value, anchor now, anchors of the next 25 hours."""
    stands = views.at(block, "RiskParameters", "standing", underlying, expiry, name)
    anchor, *later = stands["anchors"]
    return stands["value"], anchor, tuple(later)


def _name(theirs: str) -> bytes:
    return theirs.encode().ljust(32, b"\0")


def _expiry(views: Views, block: BlockRef, underlying: int, expiry: int) -> ExpiryFence:
    sigma, sigma_anchor, sigma_later = _standing(views, block, underlying, expiry, SIGMA)
    phi, phi_anchor, phi_later = _standing(views, block, underlying, expiry, PHI)
    df, df_anchor, df_later = _standing(views, block, underlying, expiry, DF)
    strikes = views.one(block, "RiskParameters", "listedStrikes", underlying, expiry)
    slots = views.one(block, "RiskParameters", "smileRings", underlying, expiry)
    return ExpiryFence(
        expiry=expiry,
        sigma_ppm=sigma,
        sigma_anchor_ppm=sigma_anchor,
        sigma_later=sigma_later,
        phi_ppb=phi,
        phi_anchor_ppb=phi_anchor,
        phi_later=phi_later,
        df_ppb=df,
        df_anchor_ppb=df_anchor,
        df_later=df_later,
        smile=tuple(
            smile_fence(strike, slot, block.timestamp // HOUR_S) for strike, slot in zip(strikes, slots, strict=True)
        ),
    )


def smile_fence(strike: int, slot: int, hour: int) -> SmileFence:
    """A strike's slot as contracts/src/libraries/SmileRing.sol reads it.

    Args:
        strike: 1e-8 USD.
        slot: 25 codes from bit 0, the hour of the last publication from bit 200, the ratio in force from bit 224.
        hour: hours since 1970, not before that of the last publication.
    """
    last, ratio = slot >> 200 & 0xFFFFFF, slot >> 224

    def anchor(then: int) -> int:
        wanted = max(0, then - HOURS)
        return ratio if wanted >= last else ((slot >> 8 * (last - 1 - wanted) & 0xFF) << 13) + 4_096

    now, *later = (anchor(hour + k) for k in range(HOURS + 1))
    return SmileFence(strike=strike, ratio_ppm=ratio, anchor_ppm=now, later=tuple(later))
