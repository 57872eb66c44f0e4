"""What recorded prices say about a proposal: how old and new bounds would have done, what the calibration asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from keeper.domain.knobs import RiskKnobs
from keeper.domain.prices import PriceHistory
from keeper.domain.snapshot import Observation
from keeper.governance.items import Difference
from keeper.risk.backtest.overlap import non_overlapping
from keeper.risk.calibration.calibrate import Calibration, calibrate
from keeper.risk.calibration.haircuts import Haircut
from keeper.risk.timeseries.volatility import Unestimated
from keeper.risk.timeseries.windows import windows_of_history

#: Of the bootstrap; one seed, one answer.
_SEED, _REPLICATES = 1, 100


@dataclass(frozen=True, kw_only=True)
class Held:
    """One bound, held still over a whole recorded history."""

    of: str
    """As in the differences: `fence of psr of ETH`, `collateral WETH`."""
    name: str
    history: str
    """What was recorded, and from when to when."""
    first_s: int
    last_s: int
    windows: int
    """Moves over one horizon that do not overlap."""
    horizon_hours: float
    old_ppm: int
    """−1 where there was none."""
    new_ppm: int
    old_breaches: int
    """Moves that were larger, of either side; of a haircut, falls."""
    new_breaches: int
    worst_ppm: int
    """The largest move."""
    target_ppm: int
    """What the calibration asks for; −1 if it could not be estimated."""
    said: str
    """Why, in the calibration's words."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything that can be said from recorded prices."""

    held: tuple[Held, ...]
    missing: tuple[str, ...]
    """What nothing can be said about, and why."""


def evidence_of(differences: Sequence[Difference], histories: Mapping[str, PriceHistory], knobs: RiskKnobs) -> Evidence:
    """Judge every difference that prices can judge.

    Args:
        differences: of a proposal.
        histories: recorded prices by ticker; of a collateral under its own or its feed's.
        knobs: horizon, level and floors of the calibration.
    """
    held: list[Held] = []
    missing: list[str] = []
    calibrated: dict[str, Calibration | Unestimated] = {}
    for one in differences:
        if not one.risk:
            continue
        words = one.risk.split()
        asset = words[1]
        history = histories.get(asset)
        if words[0] not in ("psr", "haircut"):
            missing.append(f"{one.of}: {one.name}: no history of volatilities is judged here; see keeper calibrate")
        elif history is None:
            missing.append(f"{one.of}: {one.name}: no prices of {asset} are at hand; give them with --prices")
        else:
            if asset not in calibrated:
                rng = np.random.default_rng(_SEED)
                calibrated[asset] = calibrate(history, knobs, rng=rng, replicates=_REPLICATES)
            found = calibrated[asset]
            if isinstance(found, Unestimated):
                missing.append(f"{one.of}: {one.name}: {found.reason}")
            else:
                held.append(_held(one, history, found, knobs, falls=words[0] == "haircut"))
    return Evidence(held=tuple(held), missing=tuple(missing))


def _held(one: Difference, history: PriceHistory, found: Calibration, knobs: RiskKnobs, *, falls: bool) -> Held:
    horizon_s = knobs.horizon_hours * 3600.0
    windows = windows_of_history(history, horizon_s=horizon_s, decay_per_day=knobs.ewma_lambda)
    moves = np.expm1(windows.some(non_overlapping(windows.start_s, horizon_s)).log_return)
    sizes = np.maximum(-moves, 0.0) if falls else np.abs(moves)
    old, new = (int(raw) if raw.lstrip("-").isdigit() else -1 for raw in (one.old, one.new))
    target, said = found.scan.psr_ppm, f"{found.scan.binding} binds"
    if falls:
        cut = found.haircut
        target, said = (cut.haircut_ppm, cut.reason) if isinstance(cut, Haircut) else (-1, cut.reason)
    return Held(
        of=one.of,
        name=one.name,
        history=f"{history.name}, every {history.step_s} s",
        first_s=int(history.time_s[0]),
        last_s=int(history.time_s[-1]),
        windows=len(sizes),
        horizon_hours=knobs.horizon_hours,
        old_ppm=old,
        new_ppm=new,
        old_breaches=int((sizes > old / 1e6).sum()) if old >= 0 else -1,
        new_breaches=int((sizes > new / 1e6).sum()),
        worst_ppm=int(np.ceil(sizes.max() * 1e6)) if len(sizes) else 0,
        target_ppm=target,
        said=said,
    )


def histories_of(observed: Mapping[str, Sequence[Observation]]) -> Iterator[tuple[str, PriceHistory]]:
    """Oracle rounds as price histories; those of one round say nothing and are left out.

    Args:
        observed: rounds by ticker, ascending.
    """
    for symbol, rounds in observed.items():
        if len(rounds) > 1:
            yield (
                symbol,
                PriceHistory(
                    name=symbol,
                    time_s=np.array([one.time for one in rounds], dtype=np.int64),
                    close=np.array([one.price / 1e18 for one in rounds], dtype=np.float64),
                ),
            )
