"""What evidence is made of: the question, what was recorded, and the forms an answer may have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from keeper.domain.knobs import RiskKnobs
from keeper.domain.prices import Floats, PriceHistory
from keeper.domain.raw_units import field_key
from keeper.domain.vols import VolHistory
from keeper.governance.chain import ChainView
from keeper.governance.kinds import RANGES
from keeper.risk.backtest.coverage import breaches, kupiec
from keeper.risk.backtest.overlap import non_overlapping
from keeper.risk.calibration.calibrate import Calibration, calibrate
from keeper.risk.calibration.rolling import Rolling, roll
from keeper.risk.timeseries.volatility import Unestimated
from keeper.risk.timeseries.windows import Windows, windows_of_history

#: Of the bootstrap; one seed, one answer.
_SEED, _REPLICATES = 1, 100


@dataclass(frozen=True, kw_only=True)
class Held:
    """One number, held still over a whole record."""

    of: str
    """As in the differences: `fence of scan range of ETH`, `collateral WETH`."""
    name: str
    asked: str
    """What was counted, in words that go with "now" and "then"."""
    history: str
    """What was recorded."""
    first_s: int
    last_s: int
    windows: int
    """How many were looked at; where p-values are told, they do not overlap."""
    old_shown: str
    new_shown: str
    old_breaches: int
    """−1 where there was no such number."""
    new_breaches: int
    expected: float | None
    """Breaches that the level behind the calibration admits; None where it says nothing about them."""
    p_old: float | None
    """Exact two-sided probability of a count as far off if that level held (Kupiec); None likewise."""
    p_new: float | None
    worst: str
    """The largest that was recorded, with its unit."""
    said: str
    """What the calibration asks for, and why; empty where it says nothing."""


@dataclass(frozen=True, kw_only=True)
class Used:
    """One limit, and how much of it is in use at the block."""

    of: str
    name: str
    in_use: str
    old_share: str
    """Percent of the limit now; `–` where there was none."""
    new_share: str


@dataclass(frozen=True, kw_only=True)
class Missing:
    """One number about which no record says anything, and why."""

    of: str
    name: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything that can be said from what was recorded: each number that moves is in exactly one of these."""

    held: tuple[Held, ...]
    used: tuple[Used, ...]
    missing: tuple[Missing, ...]


Answer = Held | Used | str


@dataclass(frozen=True, kw_only=True)
class Question:
    """One number that is to move."""

    of: str
    key: str
    path: tuple[str, ...]
    """Of its table in CHANGES.toml: `underlying`, `ETH`, `fence`, `psr`."""
    old: int | None
    """None where there was none, or where it is no number."""
    new: int | None
    old_shown: str
    new_shown: str


@dataclass(frozen=True, kw_only=True)
class Records:
    """What is at hand, and what was estimated from it so far."""

    prices: Mapping[str, PriceHistory]
    """By ticker; of a collateral under its own or its feed's."""
    rounds: Mapping[str, PriceHistory]
    """The oracle's own rounds by ticker, as far as they are stored."""
    vols: Mapping[str, VolHistory]
    chain: ChainView
    knobs: RiskKnobs
    wanted: Mapping[tuple[str, ...], Mapping[str, int]]
    """Numbers after the proposal, by table and key."""
    _cache: dict[tuple[str, int], object] = field(default_factory=dict)
    """By what was made of which history: a token and its feed share one."""

    @property
    def horizon_s(self) -> float:
        """Time to close out."""
        return self.knobs.horizon_hours * 3_600.0

    def windows(self, name: str) -> Windows:
        """Moves of a price over the horizon, overlapping ones included."""
        key = ("windows", id(self.prices[name]))
        if key not in self._cache:
            history = self.prices[name]
            self._cache[key] = windows_of_history(
                history, horizon_s=self.horizon_s, decay_per_day=self.knobs.ewma_lambda
            )
        found = self._cache[key]
        assert isinstance(found, Windows)
        return found

    def apart(self, name: str) -> Windows:
        """Those that do not overlap."""
        every = self.windows(name)
        return every.some(non_overlapping(every.start_s, self.horizon_s))

    def calibrated(self, name: str) -> Calibration | Unestimated:
        """What the calibration makes of a price."""
        key = ("calibrated", id(self.prices[name]))
        if key not in self._cache:
            rng = np.random.default_rng(_SEED)
            self._cache[key] = calibrate(self.prices[name], self.knobs, rng=rng, replicates=_REPLICATES)
        found = self._cache[key]
        assert isinstance(found, Calibration | Unestimated)
        return found

    def rolled(self, name: str) -> Rolling | Unestimated:
        """The scan range as it would have been published day by day."""
        key = ("rolled", id(self.prices[name]))
        if key not in self._cache:
            self._cache[key] = roll(self.windows(name), self.knobs)
        found = self._cache[key]
        assert isinstance(found, Rolling | Unestimated)
        return found

    def fence(self, asset: str, name: str) -> tuple[dict[str, int], dict[str, int]]:
        """A scan range's fence on the chain, and after the proposal; keys as in CHANGES.toml."""
        args = (self.chain.underlyings[asset], RANGES[name].encode().ljust(32, b"\0"))
        return self._changed("fence", args, ("underlying", asset, "fence", name))

    def rules(self, asset: str, view: str, table: str) -> tuple[dict[str, int], dict[str, int]]:
        """An underlying's rules or other fences, likewise."""
        return self._changed(view, (self.chain.underlyings[asset],), ("underlying", asset, table))

    def _changed(
        self, view: str, args: tuple[object, ...], path: tuple[str, ...]
    ) -> tuple[dict[str, int], dict[str, int]]:
        told = self.chain.one("RiskParameters", view, *args)
        now = {field_key(key): int(one) for key, one in told.items() if isinstance(one, int)}
        return now, now | dict(self.wanted.get(path, {}))

    def in_force(self, asset: str, name: str) -> int | None:
        """A scan range as it was set last, ppm; None for an underlying that is not listed yet."""
        if asset not in self.chain.underlyings:
            return None
        what = RANGES[name].encode().ljust(32, b"\0")
        return int(self.chain.view("RiskParameters", "inForce", self.chain.underlyings[asset], 0, what)["value"])


def held_still(
    q: Question,
    sizes: Floats,
    *,
    asked: str,
    history: PriceHistory | VolHistory,
    old: float | None,
    new: float | None,
    worst: str,
    rate: float | None = None,
    said: str = "",
) -> Held:
    """Count what was larger than a number, now and then.

    Args:
        q: what is asked.
        sizes: what was recorded, in order of time, shape (n,), at least one.
        asked: what is counted.
        history: where it is from.
        old: the number now; None if there is none.
        new: the number then.
        worst: the largest of them, in words.
        rate: share of breaches that the level behind the calibration admits; None where it says nothing.
        said: what the calibration asks for.
    """
    then = sizes > (np.inf if new is None else new)
    now = None if old is None else sizes > old
    return Held(
        of=q.of,
        name=q.key,
        asked=asked,
        history=f"{history.name}, every {history.step_s} s",
        first_s=int(history.time_s[0]),
        last_s=int(history.time_s[-1]),
        windows=len(sizes),
        old_shown=q.old_shown,
        new_shown=q.new_shown,
        old_breaches=-1 if now is None else int(now.sum()),
        new_breaches=int(then.sum()),
        expected=None if rate is None else rate * len(sizes),
        p_old=None if rate is None or now is None else kupiec(breaches(now), rate).p_exact,
        p_new=None if rate is None else kupiec(breaches(then), rate).p_exact,
        worst=worst,
        said=said,
    )


def percent(share: float) -> str:
    """A share for people."""
    return f"{share * 100:.4g} %"
