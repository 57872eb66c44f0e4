"""What a run came to: the object that `--json` prints, and its table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from keeper.demo.frames import Frame
from keeper.demo.gauges import as_columns


@dataclass(frozen=True, kw_only=True)
class ParityCheck:
    """Python against the contract at one block, over every account."""

    index: int
    """Block of the run."""
    block: int
    accounts: int
    max_wei: int
    """Largest difference of equity, MM and IM."""
    worst_account: str
    """Name of the account that differs most; empty if none does."""


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """One life of one path.  Money in USD, rounded to cents."""

    name: str
    """`no keeper`, `static` or `recalibrating`."""
    seed: int
    path: str
    blocks: int
    accounts: int
    updates_pushed: int
    margin_calls: int
    liquidations: int
    bad_debt: float
    """Losses beyond an account's own money: what the fund and the others paid, and what is still owed at the end."""
    fund_before: float
    fund_after: float
    socialised: float
    """Part of the bad debt that the other accounts paid."""
    settled: int
    """Expiries settled."""
    transactions: int
    """Sent by the keeper."""
    mean_margin: float
    """IM per account with positions, mean over accounts and blocks."""
    parity_max_wei: int | None
    """None where it was not compared (nobody ran a keeper)."""
    cycle_ms_p50: float
    cycle_ms_p99: float
    took_s: float
    parity: tuple[ParityCheck, ...] = field(default=())
    breaker_openings: int = 0
    """Times that a flash-crash breaker opened."""
    flags_deferred: int = 0
    """Accounts whose flag waited for one."""

    def as_json(self) -> dict[str, object]:
        """The figures of `--json`."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Life:
    """One run, whole."""

    summary: RunSummary
    frames: tuple[Frame, ...]

    def as_json(self) -> dict[str, object]:
        """The object that `--json` prints: the summary, where every parameter stood at every block, and openings."""
        return self.summary.as_json() | {
            "parameters": as_columns(self.frames),
            "breaker": [asdict(one) for f in self.frames for one in f.openings],
        }


def percentile(values: Sequence[float], q: float) -> float:
    """The smallest value with at least the part `q` of all values at or below it; 0.0 if there are none."""
    if not values:
        return 0.0
    return sorted(values)[max(0, math.ceil(q * len(values)) - 1)]


def mean_margin(frames: Sequence[Frame]) -> float:
    """Mean over blocks of the mean margin held."""
    return sum(f.mean_margin for f in frames) / len(frames) if frames else 0.0
