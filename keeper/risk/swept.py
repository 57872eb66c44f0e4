"""Everybody's margin in columns: the fast twin of `keeper.risk.one_by_one`, equal to the wei.

1. One pass finds each account's runs of perps, expired and live options, and who cannot be priced, with the reason.
2. The compiled grid sweeps each underlying; it reads the roster's positions where they lie.
3. A second kernel puts the margins together.

Accounts with numbers beyond 95 bits, or of a shape the columns do not have, are left to the slow twin and set in their
places.  Needs `keeper.risk.compiled.COMPILED`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from keeper.domain.columns import find, id_column, starts
from keeper.domain.margin_table import MarginTable
from keeper.domain.market import MarketModel, UnderlyingMarket
from keeper.domain.riskfile import File
from keeper.domain.roster import Roster
from keeper.domain.snapshot import Snapshot
from keeper.domain.words import Words
from keeper.risk import one_by_one
from keeper.risk.exact.grid import NO_ROW
from keeper.risk.exact.limbs import Ints
from keeper.risk.exact.machine import Held, assess_held
from keeper.risk.exact.riskfile import PPM, WAD
from keeper.risk.exact.rule import Fraction, packed
from keeper.risk.layout import Layout
from keeper.risk.one_by_one import Under

Bools = npt.NDArray[np.bool_]
_MONEY: Final = ("equity", "mm", "im", "cash", "collateral_value", "haircut", "pending_loss")
_PARTS: Final = ("option_mark", "expired_value", "perp_value", "grid", "short_minimum")


@dataclass(frozen=True, kw_only=True, eq=False)
class Swept:
    """The worst row of every account in every underlying it holds, in columns."""

    layout: Layout
    under: Under
    runs: Ints
    """Where each account's perps, expired and live options of each underlying lie; shape (accounts, borders)."""
    code: npt.NDArray[np.int32]
    """Why an account cannot be priced, as `Layout.reason` reads it; −1 if it can."""
    parts: Ints
    """Underlyings that each account holds."""
    alone: Bools
    """Accounts left to the slow twin."""
    required: tuple[Any, Any, Any, Any, Any]
    """Marks, grids, short minimums, worst rows, and whether the other file judged, by underlying and account."""
    other: Sequence[File | None]
    """The file of each underlying that judged some accounts beside the live one."""

    def margins(self, *, buffer_ppm: int) -> MarginTable:
        """See `ScenarioPnl.margins`."""
        from keeper.risk.compiled import margins as kernels  # noqa: PLC0415 - numba takes half a second to import

        layout, roster = self.layout, self.layout.roster
        accounts, alone = len(roster), self.alone.copy()
        part_start = starts(np.where((self.code >= 0) | alone, 0, self.parts))
        band = np.zeros(accounts, dtype=np.uint8)
        stale, unsettled = np.zeros(accounts, dtype=np.bool_), np.zeros(accounts, dtype=np.bool_)
        money = np.zeros((len(_MONEY), accounts, 2), dtype=np.uint64)
        place = np.zeros(part_start[-1], dtype=np.int32)
        parts = np.zeros((len(_PARTS), part_start[-1], 2), dtype=np.uint64)
        worst_row = np.zeros(part_start[-1], dtype=np.uint8)
        kernels.put_together(
            _columns(layout),
            (self.runs, self.code, alone, part_start),
            self.required,
            (
                *self._everywhere(buffer_ppm),
                *layout.by_underlying(self.other),
                *layout.by_instrument(),
                *layout.by_collateral(),
            ),
            (band, stale, unsettled, money, place, parts, worst_row),
        )
        reasons, reason = _reasons(layout, np.where(alone, -1, self.code))
        wide: dict[str, Any] = {name: Words(money[i]) for i, name in enumerate(_MONEY)}
        wide |= {name: Words(parts[i]) for i, name in enumerate(_PARTS)}
        table = MarginTable(
            ids=roster.ids,
            band=band,
            in_auction=roster.in_auction,
            stale=stale,
            unsettled=unsettled,
            reason=reason,
            part_start=part_start,
            part_underlying=np.array(layout.underlyings or (0,), dtype=np.int32)[place],
            worst_row=worst_row,
            reasons=reasons,
            **wide,
        )
        left = roster.only(np.flatnonzero(alone).astype(np.int64))
        return table.spliced(MarginTable.of(self._slowly(left, buffer_ppm)))

    def _slowly(self, left: Roster, buffer_ppm: int) -> list[Any]:
        snapshot, market = self.layout.snapshot, self.layout.market
        return list(one_by_one.margins(left, snapshot, market, self.under, buffer_ppm=buffer_ppm))

    def _everywhere(self, buffer_ppm: int) -> tuple[Any, int, Any]:
        """Indices and factors for everybody, the row of the fund, and what divides by a million, rounded up."""
        snapshot, roster = self.layout.snapshot, self.layout.roster
        fund = roster.row(snapshot.fund.account) if snapshot.fund is not None else None
        numbers = Words.of([snapshot.interest_index, snapshot.keep_ray, PPM, PPM + buffer_ppm, WAD]).pairs
        return numbers, -1 if fund is None else fund, packed([Fraction(-1, PPM)])


def sweep(roster: Roster, snapshot: Snapshot, market: MarketModel, under: Under) -> Swept | None:
    """Assess every account of a roster in every underlying it holds; None where the block is out of all proportion."""
    from keeper.risk.compiled import margins as kernels  # noqa: PLC0415 - numba takes half a second to import

    layout = Layout(roster=roster, snapshot=snapshot, market=market)
    if not layout.is_ordinary:
        return None
    accounts = len(roster)
    runs = np.zeros((len(layout.bounds), accounts), dtype=np.int64).T  # each border is read as a column
    code, parts = np.zeros(accounts, dtype=np.int32), np.zeros(accounts, dtype=np.int64)
    alone = np.zeros(accounts, dtype=np.bool_)
    live = [known[0].file if known is not None else None for known in layout.listed]
    lacking = layout.lacking(live)
    kernels.look(
        (roster.position_start, roster.position_instrument, roster.position_size.pairs),
        (roster.collateral_start, layout.collateral_place),
        (layout.bounds, layout.settled, lacking, layout.strange),
        (
            np.array([known is not None and known[0].spot is None for known in layout.listed], dtype=np.bool_),
            np.array([known is not None and known[0].file is None for known in layout.listed], dtype=np.bool_),
            layout.unusable,
        ),
        (runs, code, parts, alone),
    )
    if roster.whole:
        alone[find(roster.ids, id_column(sorted(roster.whole)))[0]] = True
    other = [None if known is None else _other(known[0], under) for known in layout.listed]
    required = _required(layout, runs, alone, other, under)
    if required is None:
        return None
    return Swept(
        layout=layout, under=under, runs=runs, code=code, parts=parts, alone=alone, required=required, other=other
    )


def _other(market: UnderlyingMarket, under: Under) -> File | None:
    """The file that judges some accounts beside the live one."""
    if under is Under.REFRESHED:
        return market.refreshed
    return market.previous if under is Under.PREVIOUS else None


def _required(
    layout: Layout, runs: Ints, alone: Bools, other: Sequence[File | None], under: Under
) -> tuple[Any, Any, Any, Any, Any] | None:
    """As `Swept.required`; `alone` is added to."""
    count, accounts = len(layout.underlyings), len(layout.roster)
    marks, grids, shorts = (np.zeros((count, accounts, 2), dtype=np.uint64) for _ in range(3))
    worst = np.full((count, accounts), NO_ROW, dtype=np.uint8)
    by_other = np.zeros((count, accounts), dtype=np.bool_)
    for place, known in enumerate(layout.listed):
        if known is None:
            continue
        held = _held(layout.roster, runs, place)
        market, everybody = known[0], np.ones(accounts, dtype=np.bool_)
        judged: list[tuple[File | None, Bools]] = [(market.file, everybody)]
        second = other[place]
        if second is not None:
            by_other[place] = (
                held.last > held.first if under is Under.REFRESHED else _covered(layout, second, place, held)
            )
            judged.append((second, by_other[place]))
        for file, whom in judged:
            if file is None or market.spot is None:
                continue
            options = layout.options(place, file)
            found = assess_held(file, options, layout.strike, held, spot=market.spot, now=layout.market.now)
            if found is None:
                return None
            for column, values in (
                (marks, found.mark.pairs),
                (grids, found.grid.pairs),
                (shorts, found.short.pairs),
                (worst, found.worst_row),
            ):
                if whom is everybody:
                    column[place] = values
                else:
                    column[place][whom] = values[whom]
            alone |= found.too_large & whom
    return marks, grids, shorts, worst, by_other


def _held(roster: Roster, runs: Ints, place: int) -> Held:
    first, stop = runs[:, 3 * place], runs[:, 3 * place + 1]
    perps = np.zeros((len(roster), 2), dtype=np.uint64)
    has = np.flatnonzero(first < stop)
    perps[has] = roster.position_size.pairs.take(first.take(has), axis=0)
    return Held(
        first=np.ascontiguousarray(runs[:, 3 * place + 2]),
        last=np.ascontiguousarray(runs[:, 3 * place + 3]),
        option=roster.position_instrument,
        words=roster.position_size,
        perps=Words(perps),
    )


def _covered(layout: Layout, file: File, place: int, held: Held) -> Bools:
    """Accounts all of whose live options a file has."""
    files: Sequence[File | None] = [file if i == place else None for i in range(len(layout.underlyings))]
    lacking = starts(layout.lacking(files)[held.option].astype(np.int64))
    return np.asarray(lacking[held.first] == lacking[held.last])


def _columns(layout: Layout) -> tuple[Any, ...]:
    roster = layout.roster
    return (
        roster.cash.pairs,
        roster.interest_entry.pairs,
        roster.keep_entry.pairs,
        roster.collateral_start,
        layout.collateral_place,
        roster.collateral_units.pairs,
        roster.position_instrument,
        roster.position_size.pairs,
        roster.perp_start,
        layout.perp_place,
        roster.perp_notional.pairs,
        roster.perp_entry.pairs,
    )


def _reasons(layout: Layout, code: npt.NDArray[Any]) -> tuple[tuple[str, ...], npt.NDArray[np.int32]]:
    """The distinct reasons, ascending, and which of them each account has."""
    met = np.unique(code[code >= 0]).tolist()
    said = [layout.reason(one) for one in met]
    reasons = tuple(sorted(set(said)))
    table = np.full(max(met, default=0) + 2, -1, dtype=np.int32)
    for one, words in zip(met, said, strict=True):
        table[one] = reasons.index(words)
    return reasons, table[code]  # −1 reads the last, which is −1
