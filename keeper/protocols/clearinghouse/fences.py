"""The fences of `RiskParameters` at one block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from keeper.domain.block import BlockRef
from keeper.domain.riskfile import Ranges
from keeper.domain.snapshot import ExpiryFence, FenceState, PublicationState, SlewState, VolFences
from keeper.protocols.clearinghouse.views import View, Views

#: Our names of the fenced ranges, and the contract's.
RANGES = {"psr": "psr", "vsr_up": "vsrUp", "vsr_down": "vsrDown"}
SIGMA, PHI = b"sigmaAtm".ljust(32, b"\0"), b"phi".ljust(32, b"\0")


def publication_asks(underlying: int, expiries: Iterable[int]) -> Iterator[View]:
    """Everything `publication_state` will ask, if the contract lists what we think it does."""
    for function in ("lastPublication", "frozen", "volFences", "listedExpiries"):
        yield View("RiskParameters", function, (underlying,))
    for function in ("noticeUntil", "slew"):
        yield View("RiskFile", function, (underlying,))
    for theirs in RANGES.values():
        yield View("RiskParameters", "fence", (underlying, _name(theirs)))
        yield View("RiskParameters", "inForce", (underlying, 0, _name(theirs)))
    for expiry in expiries:
        for name in (SIGMA, PHI):
            yield View("RiskParameters", "inForce", (underlying, expiry, name))


def publication_state(views: Views, block: BlockRef, underlying: int) -> PublicationState:
    """Read where every fenced number of one underlying stands."""
    last = views.at(block, "RiskParameters", "lastPublication", underlying)
    vol = views.one(block, "RiskParameters", "volFences", underlying)
    expiries = views.one(block, "RiskParameters", "listedExpiries", underlying)
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
            min_delay_s=vol["minDelayS"],
        ),
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
    stands = views.at(block, "RiskParameters", "inForce", underlying, 0, name)
    return FenceState(
        name=ours,
        current=stands["value"],
        anchor=stands["anchor"],
        min=fence["min"],
        max=fence["max"],
        step_rel_ppm=fence["stepRelPpm"],
        step_abs=fence["stepAbs"],
        budget_rel_ppm=fence["budgetRelPpm"],
        budget_abs=fence["budgetAbs"],
    )


def _name(theirs: str) -> bytes:
    return theirs.encode().ljust(32, b"\0")


def _expiry(views: Views, block: BlockRef, underlying: int, expiry: int) -> ExpiryFence:
    sigma = views.at(block, "RiskParameters", "inForce", underlying, expiry, SIGMA)
    phi = views.at(block, "RiskParameters", "inForce", underlying, expiry, PHI)
    return ExpiryFence(
        expiry=expiry,
        sigma_ppm=sigma["value"],
        sigma_anchor_ppm=sigma["anchor"],
        phi_ppb=phi["value"],
        phi_anchor_ppb=phi["anchor"],
    )
