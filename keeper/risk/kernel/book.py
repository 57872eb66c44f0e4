"""Many accounts of one market: each instrument is priced once, and an account is a sparse row of sizes.

Where a block takes one worst row or one expected shortfall of the plain sum of an account, all such accounts go through
one sweep.  Under static discounts, per-expiry rows or partial offsets the same values are read account by account.
Only rules whose very rows depend on what an account holds are priced for it alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from keeper.risk.kernel.legs import NONE, Legs, lay_out
from keeper.risk.kernel.losses import block_loss
from keeper.risk.kernel.market import Market
from keeper.risk.kernel.numeraire import Numeraire, numeraire
from keeper.risk.kernel.portfolio import FuturePosition, Holding, OptionPosition, PerpPosition, Portfolio, Position
from keeper.risk.kernel.preset import Block, Netting, Preset, Reading
from keeper.risk.kernel.requirement import Unpriced
from keeper.risk.kernel.revalue import Values, revalue
from keeper.risk.kernel.rows import Linear
from keeper.risk.kernel.scenarios import Scenarios
from keeper.risk.kernel.sweep import PnlTable, Positions, sweep
from keeper.risk.kernel.tables import table

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

#: At which a worst row is swept: its expected shortfall is not read.
_ANY_LEVEL = 0.5


@dataclass(frozen=True, kw_only=True)
class BookLosses:
    """What one block would require of each account, before factors and add-ons."""

    name: str
    """The block's."""
    loss: Floats
    """Never negative, shape (A,); NaN for an account of which the block cannot be made."""


@dataclass(frozen=True, kw_only=True)
class _Book:
    """Accounts over the instruments that any of them holds."""

    market: Market
    preset: Preset
    accounts: Sequence[Legs | Unpriced]
    index: Sequence[Indices]
    """Instrument of each leg of each account."""
    units: Legs
    """One unit of each instrument"""


@np.errstate(all="ignore")  # each stage refuses what is not finite, by name
def book_losses(market: Market, portfolios: Sequence[Portfolio], preset: Preset) -> tuple[BookLosses, ...]:
    """Every block's loss of every account: those of `margin`, account by account, but for the order of sums."""
    book = _book(market, portfolios, preset)
    return tuple(BookLosses(name=block.name, loss=_losses(block, book)) for block in preset.blocks)


def _book(market: Market, portfolios: Sequence[Portfolio], preset: Preset) -> _Book:
    accounts = [lay_out(market, one) for one in portfolios]
    known: dict[Position, None] = {}
    for legs in accounts:
        if isinstance(legs, Legs):
            known |= dict.fromkeys(map(_unit, legs.positions))
    every = tuple(known)
    units = lay_out(
        market,
        Portfolio(
            perps=tuple(one for one in every if isinstance(one, PerpPosition)),
            futures=tuple(one for one in every if isinstance(one, FuturePosition)),
            options=tuple(one for one in every if isinstance(one, OptionPosition)),
            collateral=tuple(one for one in every if isinstance(one, Holding)),
        ),
    )
    assert isinstance(units, Legs), "each instrument was laid out before"
    at = {one: i for i, one in enumerate(units.positions)}
    index = [
        np.array([at[_unit(one)] for one in legs.positions] if isinstance(legs, Legs) else [], dtype=np.int64)
        for legs in accounts
    ]
    return _Book(market=market, preset=preset, accounts=accounts, index=index, units=units)


def _unit(position: Position) -> Position:
    """One unit of what is held, the same for every lot of it; a debt in a token is another thing than a balance."""
    match position:
        case PerpPosition():
            return PerpPosition(underlying=position.underlying, size=1.0)
        case FuturePosition():
            return FuturePosition(underlying=position.underlying, expiry=position.expiry, size=1.0)
        case OptionPosition():
            return replace(position, size=1.0)
        case Holding():
            return Holding(symbol=position.symbol, amount=1.0 if position.amount > 0.0 else -1.0)


def _losses(block: Block, book: _Book) -> Floats:
    loss = np.full(len(book.accounts), np.nan)
    held = {a: legs for a, legs in enumerate(book.accounts) if isinstance(legs, Legs)}
    rows = table(block.rows, book.market, book.units)
    money = numeraire(book.preset.currency, book.market, book.units)
    if not isinstance(rows, Scenarios) or not isinstance(money, Numeraire) or isinstance(block.rows, Linear):
        for a, legs in held.items():
            loss[a] = _alone(block, legs, book)
        return loss
    preset = book.preset
    values = revalue(book.units, rows, vol_term=preset.vol_term, skew=preset.skew, money=money)
    together = [a for a, legs in held.items() if len(rows) and _is_plain_sum(block, legs)]
    if together:
        loss[together] = _swept(block, rows, values, book, together)
    for a in held.keys() - set(together):
        own = Values(base=values.base[book.index[a]], moved=values.moved[book.index[a]])
        loss[a] = block_loss(block, rows, held[a], own).loss
    return loss


def _is_plain_sum(block: Block, legs: Legs) -> bool:
    """Whether the block reads nothing of this account but the sum of its legs."""
    plain = block.discount is None and block.term is None and block.reading is Reading.SIGNED
    whole = block.offset == 1.0 or np.unique(legs.underlying).size <= 1
    return plain and whole and block.netting is Netting.ACCOUNT


def _swept(block: Block, rows: Scenarios, values: Values, book: _Book, accounts: Sequence[int]) -> Floats:
    weight = np.broadcast_to(rows.weight, values.moved.shape)
    follows = book.units.underlying != NONE
    if rows.own_weight is not None:
        weight = weight.copy()
        weight[follows] *= rows.own_weight.T[book.units.underlying[follows]]
    runs = [book.index[a] for a in accounts]
    sizes = [legs.size for legs in (book.accounts[a] for a in accounts) if isinstance(legs, Legs)]
    positions = Positions(
        start=np.concatenate(([0], np.cumsum([len(run) for run in runs]))).astype(np.int64),
        index=np.concatenate(runs),
        size=np.concatenate(sizes),
        instruments=len(book.units),
    )
    level = block.expected_shortfall
    found = sweep(
        positions,
        PnlTable((values.moved - values.base[:, None]) * weight),
        level=_ANY_LEVEL if level is None else level,
        probability=rows.probability if level is not None else None,
    )
    return np.maximum(found.worst if level is None else found.es, 0.0)


def _alone(block: Block, legs: Legs, book: _Book) -> float:
    """One account whose rows are its own; 0 where it has none, NaN where it needs them and there are none."""
    rows, preset = table(block.rows, book.market, legs), book.preset
    money = numeraire(preset.currency, book.market, legs)
    if isinstance(rows, Unpriced) or isinstance(money, Unpriced):
        return float("nan")
    if not isinstance(rows, Scenarios):
        return 0.0
    values = revalue(legs, rows, vol_term=preset.vol_term, skew=preset.skew, money=money)
    return block_loss(block, rows, legs, values).loss
