"""One account's margin against what its own positions would have lost on every day of a recorded history.

The positions stay what they are today; each past move of spot and volatility is applied to them as it happened, through
the revaluation that margin itself reads.  The margin is today's: how often, and by how much, would it have been short?
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keeper.risk.backtest.judge import Judgement, judge
from keeper.risk.backtest.shortfall import static_forecast
from keeper.risk.generate.history import history
from keeper.risk.kernel.legs import NONE, lay_out
from keeper.risk.kernel.margin import margin
from keeper.risk.kernel.market import Market
from keeper.risk.kernel.numeraire import numeraire
from keeper.risk.kernel.portfolio import Portfolio
from keeper.risk.kernel.preset import Preset
from keeper.risk.kernel.requirement import Unpriced
from keeper.risk.kernel.revalue import revalue

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class AccountBacktest:
    """A margin, the losses it would have met, and what is to be said of them."""

    margin: float
    """Initial requirement today, in the preset's currency."""
    losses: Floats
    """Of the account over each period, positive is bad, oldest first, shape (T,)."""
    tags: tuple[str, ...]
    """When each period was."""
    judgement: Judgement | None
    """None where the account loses in no period: there is no tail to judge."""


def account_backtest(
    market: Market, portfolio: Portfolio, preset: Preset, *, level: float, rng: np.random.Generator
) -> AccountBacktest | Unpriced:
    """Hold an account's initial requirement against its losses over the market's history.

    Args:
        market: with a history of every underlying that the account holds; its periods do not overlap.
        portfolio: the account.
        preset: whose initial requirement is judged.
        level: α that the requirement should cover.
        rng: for the shortfall test; seeded by the caller.

    Raises: `LawBroken` if a number on the way is not finite.
    """
    required = margin(market, portfolio, preset)
    if isinstance(required, Unpriced):
        return required
    legs = lay_out(market, portfolio)
    if isinstance(legs, Unpriced):
        return legs
    money = numeraire(preset.currency, market, legs)
    if isinstance(money, Unpriced):
        return money
    past, names = market.history, tuple(one.symbol for one in market.underlyings)
    held = {names[i] for i in legs.underlying if i != NONE}
    if past is None or held - set(past.underlyings):
        missing = ", ".join(sorted(held - set(past.underlyings if past else ())))
        return Unpriced(reason=f"no history of {missing or 'anything'} to test against")
    where = [past.underlyings.index(name) if name in past.underlyings else None for name in names]
    still = np.zeros(len(past.tags))
    rows = history(
        np.column_stack([still if k is None else past.returns[:, k] for k in where]),
        symbols=names,
        tags=past.tags,
        underlyings=names,
        collaterals=tuple(one.symbol for one in market.collaterals),
        vol_returns=(
            None
            if past.vol_returns is None
            else np.column_stack([still if k is None else past.vol_returns[:, k] for k in where])
        ),
    )
    values = revalue(legs, rows, vol_term=preset.vol_term, skew=preset.skew, money=money)
    losses = -(legs.size[:, None] * (values.moved - values.base[:, None])).sum(axis=0)
    tail = bool((losses > 0.0).any()) and required.im > 0.0
    return AccountBacktest(
        margin=required.im,
        losses=losses,
        tags=past.tags,
        judgement=(
            judge(losses, required.im, static_forecast(losses, level, es=required.im, windows=losses.size), rng=rng)
            if tail
            else None
        ),
    )
