"""What one account must hold under one preset: the whole computation on one screen.

market, portfolio ─lay_out→ legs ─table→ rows ─revalue→ values ─block_loss→ losses ─level→ IM, MM
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keeper.risk.kernel.account import Account, Charged
from keeper.risk.kernel.charging import charge
from keeper.risk.kernel.deltas import deltas, vegas
from keeper.risk.kernel.floors import floor_loss
from keeper.risk.kernel.legs import Legs, lay_out
from keeper.risk.kernel.losses import BlockLoss, block_loss
from keeper.risk.kernel.market import Market
from keeper.risk.kernel.marks import debt, equity, notionals, summed
from keeper.risk.kernel.numeraire import Numeraire, numeraire
from keeper.risk.kernel.portfolio import Portfolio
from keeper.risk.kernel.preset import Applies, Preset
from keeper.risk.kernel.requirement import Level, Line, LineKind, Requirement, Unpriced, WorstRow
from keeper.risk.kernel.revalue import revalue
from keeper.risk.kernel.rows import Thresholds
from keeper.risk.kernel.scenarios import Generator, NoRows
from keeper.risk.kernel.size_charges import scan_edges
from keeper.risk.kernel.tables import still, table


@dataclass(frozen=True, kw_only=True)
class _Found:
    """One block's loss, or the floor's."""

    name: str
    generator: Generator
    applies: Applies
    loss: BlockLoss


@np.errstate(all="ignore")  # each stage refuses what is not finite, by name
def margin(market: Market, portfolio: Portfolio, preset: Preset) -> Requirement | Unpriced:
    """IM and MM of one account, every line of them; or why it cannot be priced.

    Raises: `LawBroken` if a number on the way is NaN or infinite.
    """
    legs = lay_out(market, portfolio)
    if isinstance(legs, Unpriced):
        return legs
    money = numeraire(preset.currency, market, legs)
    if isinstance(money, Unpriced):
        return money
    scenarios = _scenario_losses(market, legs, preset, money)
    if isinstance(scenarios, Unpriced):
        return scenarios
    found, notes = scenarios
    account = _account(market, legs, money, preset)
    found += _floor(preset, account)

    for_im = [one for one in found if one.applies is not Applies.MAINTENANCE]
    for_mm = [one for one in found if one.applies is not Applies.INITIAL]
    account = account.losing(max((one.loss.loss for one in for_im), default=0.0))
    charged = [line for one in preset.charges for line in charge(one, account)]
    base = revalue(legs, still(market), vol_term=preset.vol_term, skew=preset.skew, money=money).base
    return Requirement(
        preset=preset.name,
        currency=money.name,
        equity=equity(portfolio, legs, base),
        debt=debt(portfolio, legs, base),
        initial=_level(legs, for_im, preset.initial_factor, [(line, line.initial) for line in charged]),
        maintenance=_level(legs, for_mm, preset.maintenance_factor, [(line, line.maintenance) for line in charged]),
        is_loan=any(isinstance(block.rows, Thresholds) for block in preset.blocks),
        notes=tuple(notes),
    )


def _scenario_losses(
    market: Market, legs: Legs, preset: Preset, money: Numeraire
) -> tuple[list[_Found], list[str]] | Unpriced:
    """Every block's loss, in the preset's order, and what is to be said of how they were made.

    Blocks that the market names nothing for are left out; those that it does, in vain, are left out and noted.
    """
    found, notes = [], []
    for block in preset.blocks:
        rows = table(block.rows, market, legs)
        if isinstance(rows, Unpriced):
            return rows
        if isinstance(rows, NoRows):
            notes.append(f"without {block.name}: {rows.reason}")
        elif rows is not None:
            notes += [f"{block.name}: {note}" for note in rows.notes]
            values = revalue(legs, rows, vol_term=preset.vol_term, skew=preset.skew, money=money)
            loss = block_loss(block, rows, legs, values)
            found.append(_Found(name=block.name, generator=rows.generator, applies=block.applies, loss=loss))
    return found, notes


def _account(market: Market, legs: Legs, money: Numeraire, preset: Preset) -> Account:
    """What add-ons read; its scenario part is not known yet."""
    spots = np.array([one.spot for one in market.underlyings])
    return Account(
        market=market,
        legs=legs,
        deltas=deltas(legs, spots),
        vegas=vegas(legs),
        notionals=notionals(legs, spots, money),
        units=spots / money.price,
        numeraire=money.price,
        edges=scan_edges(preset.blocks, market),
        scenario=0.0,
    )


def _floor(preset: Preset, account: Account) -> list[_Found]:
    if preset.floor is None:
        return []
    least = floor_loss(preset.floor, account.legs, deltas=account.deltas, units=account.units)
    return [_Found(name="delta minimum", generator=Generator.GRID, applies=Applies.BOTH, loss=least)]


def _level(legs: Legs, found: Sequence[_Found], factor: float, charged: Sequence[tuple[Charged, float]]) -> Level:
    """Factor · the largest loss, the first on ties, and the add-ons; the requirement is the sum of its lines."""
    decides = max(found, key=lambda one: one.loss.loss, default=None)
    lines = []
    if decides is not None and decides.loss.loss > 0.0:
        row = ", ".join(dict.fromkeys(decides.loss.rows))
        lines = [
            Line(kind=LineKind.LEG, what=position.name, amount=factor * float(part), detail=row)
            for position, part in zip(legs.positions, decides.loss.parts, strict=True)
            if part
        ]
    scenario = summed("a scenario part", (line.amount for line in lines))
    lines += [
        Line(kind=LineKind.ADD_ON, what=one.what, amount=amount, detail=one.detail) for one, amount in charged if amount
    ]
    return Level(
        requirement=summed("a requirement", (line.amount for line in lines)),
        scenario=scenario,
        binding=decides.name if decides is not None and decides.loss.loss > 0.0 else "",
        worst=tuple(
            WorstRow(
                generator=one.generator,
                name=one.name,
                loss=one.loss.loss,
                gain=one.loss.gain,
                rows=one.loss.rows,
            )
            for one in found
        ),
        lines=tuple(lines),
    )
