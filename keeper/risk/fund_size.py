"""How large the insurance fund should be: the worst two accounts of one stress day, beyond what each had put up.

    risk arrays of every account under the stress rows ─less its resources→ shortfalls ─Cover-n→ size ─split→ shares

The rows are the named days at their full size: a margin may weigh a day down, the fund is there for the day itself.
An account's resources are its initial requirement, or its equity where that is less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from keeper.errors import BadInput
from keeper.risk import fund
from keeper.risk.generate.stress import PROXY
from keeper.risk.generate.stress_days import STRESS_DAYS
from keeper.risk.kernel.arrays import risk_arrays
from keeper.risk.kernel.margin import margin
from keeper.risk.kernel.market import Market, ScanRange
from keeper.risk.kernel.portfolio import Portfolio
from keeper.risk.kernel.preset import Block, Currency, Preset
from keeper.risk.kernel.requirement import Unpriced
from keeper.risk.kernel.rows import Stressed

Floats = npt.NDArray[np.float64]

#: So large a weight of the tail law that every row counts in full.
_FULL: Final = 1e9

#: The days a fund is measured by.
STRESS: Final = Preset(
    name="fund stress",
    source="keeper.risk.generate.stress_days; extreme but plausible conditions, CPMI-IOSCO principle 4",
    blocks=(
        Block(
            name="stress",
            rows=Stressed(
                days=STRESS_DAYS,
                proxy=PROXY,
                unrecorded_vol=0.3,
                tail_weight=_FULL,
                fallback=ScanRange(price=1.0, vol_up=0.0, vol_down=0.0),
            ),
        ),
    ),
)


@dataclass(frozen=True, kw_only=True)
class FundSize:
    """What a fund must hold, and who would have called on it."""

    amount: float
    """Cover-n: the n largest shortfalls of the worst row."""
    row: str
    """Tag of that row; empty where no account falls short in any."""
    accounts: tuple[int, ...]
    """Who falls short in it, by place in the list given, largest first."""
    contributions: Floats
    """Of each account, by share of its mean shortfall over the rows, shape (accounts,)."""
    unknown: tuple[tuple[int, str], ...]
    """(place, reason) of accounts that cannot be priced: they are not in the figure."""


def size_fund(
    market: Market,
    portfolios: Sequence[Portfolio],
    preset: Preset,
    *,
    stress: Preset = STRESS,
    members: int = 2,
    floor: float = 0.0,
) -> FundSize:
    """Size a fund that covers the `members` worst accounts of any one row, above their margins.

    Args:
        market: for all accounts.
        portfolios: the accounts.
        preset: whose initial requirement they hold.
        stress: rows by which they are measured.
        members: n of Cover-n.
        floor: least contribution.

    Raises:
        BadInput: there are no accounts, or the preset does not count in USD.
        LawBroken: a number on the way is not finite.
    """
    if not portfolios:
        raise BadInput("no accounts to size a fund for", hint="give at least one portfolio")
    if preset.currency is not Currency.USD:
        raise BadInput(f"{preset.name} counts in coin, a fund in USD", hint="size it by a preset that counts in USD")
    tags = tuple(day.tag for day in STRESS_DAYS) if stress is STRESS else ()
    columns, unknown = [], []
    for place, portfolio in enumerate(portfolios):
        required = margin(market, portfolio, preset)
        arrays = risk_arrays(market, portfolio, stress)
        if isinstance(required, Unpriced) or isinstance(arrays, Unpriced):
            reason = next(one.reason for one in (required, arrays) if isinstance(one, Unpriced))
            unknown.append((place, reason))
            columns.append(np.zeros(0))
            continue
        tags = tags or tuple(tag for one in arrays for tag in one.tags)
        losses = -np.concatenate([one.pnl for one in arrays]) if arrays else np.zeros(0)
        columns.append(fund.shortfalls(losses, np.array(min(required.im, required.equity))))
    rows = max((len(one) for one in columns), default=0)
    if rows == 0:
        return FundSize(
            amount=0.0, row="", accounts=(), contributions=np.zeros(len(portfolios)), unknown=tuple(unknown)
        )
    # An account that holds nothing the rows move has none of them: it never falls short.
    short = np.stack([one if len(one) else np.zeros(rows) for one in columns], axis=1)
    found = fund.cover(fund.largest(short, members=members))
    return FundSize(
        amount=found.amount,
        row=tags[found.row] if found.amount > 0.0 else "",
        accounts=found.accounts,
        contributions=fund.contributions(found.amount, short.mean(axis=0), floor=floor),
        unknown=tuple(unknown),
    )
