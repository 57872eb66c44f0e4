"""Worst row and tail of many accounts: sums, selection and reduction of one account while its row is in the L1 cache.

An account's P&L is one row of sums, Σ size·pnl[instrument], added in the order of its positions, so that every account
has the same bits whoever else is swept and however many threads run.  The accounts x scenarios matrix never exists.

The tail needs the `count` lowest sums.  Sorting 1,000 of them would cost more than summing them, so:

1. The row is folded into lanes, and each lane keeps its minimum: one pass, no branches.
2. A bar that at least `count` lane minima do not exceed is not exceeded by `count` sums either.
3. The sums up to the bar, a few more than `count`, are collected from the lanes that have one; only they are ranked.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from keeper.risk.compiled import kernel, parallel_kernel, prange

#: Accounts of one parcel of work: enough to forget the cost of handing it out.
PARCEL: Final = 512
#: Lanes of a row, unless the tail asks for more.
LANES: Final = 128
#: Halvings that bring the bar close; it is right after any number of them.
_HALVINGS: Final = 8
#: Up to this many candidates are ranked by counting, which has no branch to guess.
_COUNTED: Final = 64


@parallel_kernel
def sweep(book: Any, pnl: Any, tail: Any, probability: Any, out: Any) -> None:
    """Fill the worst loss, its row and the expected shortfall of every account; arguments as for `sweep_some`."""
    accounts = len(book[0]) - 1
    for parcel in prange((accounts + PARCEL - 1) // PARCEL):
        first = parcel * PARCEL
        sweep_some((first, min(accounts, first + PARCEL)), book, pnl, (tail, probability), out)


@kernel
def sweep_some(span: Any, book: Any, pnl: Any, rule: Any, out: Any) -> None:
    """Do a run of accounts one after the other.

    Args:
        span: (first account, one beyond the last).
        book: (start, index, size): positions of account a are start[a] … start[a + 1] − 1; int64, int64, float64.
        pnl: per unit of an instrument under a scenario, shape (instruments, scenarios); float64, finite.
        rule: (tail, probability): tail is (its share, the share of one scenario, scenarios in it), where all scenarios
            are alike; probability is of each scenario where they are not, else empty.
        out: (worst loss, lowest scenario that attains it, expected shortfall) of each account; written.
    """
    (first, last), (start, index, size), (tail, probability), (worst, worst_row, es) = span, book, rule, out
    scenarios = pnl.shape[1]
    row, kept, weight = np.empty(scenarios), np.empty(scenarios + 1), np.empty(scenarios + 1)
    lanes = np.empty(min(scenarios, max(LANES, 2 * int(tail[2]))))
    picked = np.empty(len(lanes) + 1, dtype=np.int64)
    for a in range(first, last):
        _sum(row, index[start[a] : start[a + 1]], size[start[a] : start[a + 1]], pnl)
        low = _fold(row, lanes)
        worst[a] = -low
        worst_row[a] = _where(row, lanes, low)
        if len(probability):
            es[a] = -_weighted_tail(row, probability, tail[0], kept, weight)
        else:
            es[a] = -_equal_tail(row, lanes, low, tail, (kept, picked))


@kernel
def _sum(row: Any, index: Any, size: Any, pnl: Any) -> None:
    """Σ size·pnl in the order of the positions.  Five at a time: the row is then read and written a fifth as often."""
    row[:] = 0.0
    k = 0
    while k + 5 <= len(index):
        s0, s1, s2, s3, s4 = size[k], size[k + 1], size[k + 2], size[k + 3], size[k + 4]
        p0, p1, p2 = pnl[index[k]], pnl[index[k + 1]], pnl[index[k + 2]]
        p3, p4 = pnl[index[k + 3]], pnl[index[k + 4]]
        for j in range(len(row)):
            row[j] = ((((row[j] + s0 * p0[j]) + s1 * p1[j]) + s2 * p2[j]) + s3 * p3[j]) + s4 * p4[j]
        k += 5
    while k < len(index):
        one, p = size[k], pnl[index[k]]
        for j in range(len(row)):
            row[j] += one * p[j]
        k += 1


@kernel
def _fold(row: Any, lanes: Any) -> Any:
    """Minimum of each lane: lane i holds the scenarios i, i + width, i + 2·width, …  Returns the lowest of all."""
    width = len(lanes)
    lanes[:] = row[:width]
    first = width
    while first + width <= len(row):
        for i in range(width):
            value = row[first + i]
            lanes[i] = min(lanes[i], value)
        first += width
    for i in range(len(row) - first):
        value = row[first + i]
        lanes[i] = min(lanes[i], value)
    low = lanes[0]
    for i in range(width):
        low = min(low, lanes[i])
    return low


@kernel
def _where(row: Any, lanes: Any, low: Any) -> Any:
    """Lowest scenario whose sum is `low`."""
    at = len(row)
    for i in range(len(lanes)):
        if lanes[i] == low:
            j = i
            while row[j] != low:
                j += len(lanes)
            at = min(at, j)
    return at


@kernel
def _equal_tail(row: Any, lanes: Any, low: Any, tail: Any, scratch: Any) -> Any:
    """Mean of the lowest `count` sums, each with weight `each` and the last with what is left of `share`."""
    (kept, picked), share, each, count = scratch, tail[0], tail[1], int(tail[2])
    bar = _bar(lanes, low, count)
    m, p = 0, 0
    for i in range(len(lanes)):
        picked[p] = i
        p += int(lanes[i] <= bar)
    for k in range(p):
        for j in range(picked[k], len(row), len(lanes)):
            kept[m] = row[j]
            m += int(row[j] <= bar)
    last = _rank(kept, m, count)
    total, below = 0.0, 0
    for i in range(m):
        if kept[i] < last:
            total += kept[i]
            below += 1
    total += (count - 1 - below) * last
    return (each * total + (share - each * (count - 1)) * last) / share


@kernel
def _bar(lanes: Any, low: Any, count: Any) -> Any:
    """A value that at least `count` of the lanes do not exceed, and hardly more."""
    bar = lanes[0]
    for i in range(len(lanes)):
        bar = max(bar, lanes[i])
    under = low
    for _ in range(_HALVINGS):
        middle = 0.5 * under + 0.5 * bar
        found = 0
        for i in range(len(lanes)):
            found += int(lanes[i] <= middle)
        if found < count:
            under = middle
        else:
            bar = middle
            if found <= count + 1:
                break
    return bar


@kernel
def _rank(values: Any, m: Any, count: Any) -> Any:
    """The `count`-th lowest of the first `m` values; reorders them where they are many."""
    if m > _COUNTED:
        return _quickselect(values, m, count)
    found = values[0]
    for i in range(m):
        less, upto = 0, 0
        for j in range(m):
            less += int(values[j] < values[i])
            upto += int(values[j] <= values[i])
        if less < count <= upto:
            found = values[i]
    return found


@kernel
def _quickselect(values: Any, m: Any, count: Any) -> Any:
    """Hoare's selection; equal values are swapped, so that ties split evenly."""
    low, high, at = 0, m - 1, count - 1
    while low < high:
        pivot, i, j = values[at], low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i, j = i + 1, j - 1
        if j < at:
            low = i
        if at < i:
            high = j
    return values[at]


@kernel
def _weighted_tail(row: Any, probability: Any, share: Any, kept: Any, weight: Any) -> Any:
    """Mean of the lowest sums up to probability `share`, the last of them with what is left of it."""
    under, bar = row.min(), row.max()
    for _ in range(_HALVINGS):
        middle, reached = 0.5 * under + 0.5 * bar, 0.0
        for j in range(len(row)):
            reached += probability[j] if row[j] <= middle else 0.0
        if reached < share:
            under = middle
        else:
            bar = middle
    m = 0
    for j in range(len(row)):
        kept[m], weight[m] = row[j], probability[j]
        if row[j] <= bar:
            m += 1
    order = np.argsort(kept[:m], kind="mergesort")
    total, reached = 0.0, 0.0
    for i in order:
        # A cumulative weight this close has reached the tail; source: keeper.risk.tail.
        if reached + weight[i] >= share - 1e-12:
            return (total + (share - reached) * kept[i]) / share
        reached += weight[i]
        total += weight[i] * kept[i]
    return (total + (share - reached) * kept[order[m - 1]]) / share
