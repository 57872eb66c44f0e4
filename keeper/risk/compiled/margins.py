"""Every account's margin put together in 128-bit integers: `keeper.risk.one_by_one`, account by account.

Same integers, same order of roundings.  A number of 2**95 or more on the way marks the account as left alone: the slow
twin judges it.  Below that nothing here can overflow: factors in ppm are below 2**24 (`keeper.risk.swept` checks), an
account has at most 2**6 underlyings and collaterals, and 95 + 24 + 6 bits fit 127.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from keeper.domain.margin import Band
from keeper.domain.margin_table import CODES
from keeper.risk.compiled import inlined_kernel, kernel, parallel_kernel, prange
from keeper.risk.compiled.grid import add, less, mask, scale, subtract, times
from keeper.risk.compiled.wide import exceeds, is_wide, scale_down

#: Accounts of one parcel of work.
PARCEL: Final = 512
_0: Final = np.uint64(0)
_HEALTHY: Final = CODES[Band.HEALTHY]
_WARNING: Final = CODES[Band.WARNING]
_LIQUIDATABLE: Final = CODES[Band.LIQUIDATABLE]
_INSOLVENT: Final = CODES[Band.INSOLVENT]
_UNKNOWN: Final = CODES[Band.UNKNOWN]
#: Columns of the money that `put_together` writes.
EQUITY: Final = 0
MM: Final = 1
IM: Final = 2
CASH: Final = 3
COLLATERAL: Final = 4
HAIRCUT: Final = 5
LOSS: Final = 6
#: Columns of the parts.
MARK: Final = 0
EXPIRED: Final = 1
PERP: Final = 2
GRID: Final = 3
SHORT: Final = 4


@parallel_kernel
def look(positions: Any, collateral: Any, table: Any, markets: Any, out: Any) -> None:
    """Find each account's runs, and why it cannot be priced, if so.

    Args:
        positions: (start, instrument, size).
        collateral: (start, index into the collaterals, −1 where there is none such).
        table: (bounds, settled, lacking, strange) of the instruments: bounds has four borders for each underlying that
            is held, the last shared with the next: perps, expired options, live options, end; `lacking` from the live
            file; an account with a `strange` one is left to the slow twin.
        markets: (without a price, without a file) of each underlying that is held; which collaterals have no price.
        out: (runs, code, parts, left alone); code is −1 for an account that can be priced, else 3·underlying + 0, 1, 2
            (no price, no file, an option is not in the file) or 3·underlyings + collateral.
    """
    accounts = len(out[1])
    for parcel in prange((accounts + PARCEL - 1) // PARCEL):
        span = parcel * PARCEL, min(accounts, (parcel + 1) * PARCEL)
        _look_at_some(span, (positions, collateral, table, markets, out))


@kernel
def _look_at_some(span: Any, world: Any) -> None:
    positions, collateral, table, markets, out = world
    for a in range(span[0], span[1]):
        _find_runs(a, positions, table, out)
        _judge(a, (positions, table, markets, out))
        if out[1][a] < 0 and not out[3][a]:
            _judge_collateral(a, collateral, markets, out)


@inlined_kernel
def _find_runs(a: Any, positions: Any, table: Any, out: Any) -> None:
    start, instrument, _ = positions
    bounds, _, _, strange = table
    runs, _, _, alone = out
    k, end = start[a], start[a + 1]
    for j in range(len(bounds)):
        while k < end and instrument[k] < bounds[j]:
            k += 1
        runs[a, j] = k
    alone[a] = _any(strange, instrument, start[a], end)


@inlined_kernel
def _any(flags: Any, instrument: Any, first: Any, last: Any) -> Any:
    """Whether an instrument of a run is flagged."""
    found = False
    for k in range(first, last):
        found = found or flags[instrument[k]]
    return found


@inlined_kernel
def _all(flags: Any, instrument: Any, first: Any, last: Any) -> Any:
    """Whether all instruments of a run are flagged."""
    found = True
    for k in range(first, last):
        found = found and flags[instrument[k]]
    return found


@inlined_kernel
def _judge(a: Any, world: Any) -> None:
    """Why an account cannot be priced: the first reason in the order of its underlyings."""
    (_, instrument, size), (_, settled, lacking, _), (blind, fileless, _), (runs, code, parts, _) = world
    code[a], parts[a] = -1, 0
    for u in range(len(blind)):
        perp, expired, live, stop = runs[a, 3 * u], runs[a, 3 * u + 1], runs[a, 3 * u + 2], runs[a, 3 * u + 3]
        if perp == stop:
            continue
        parts[a] += 1
        needs = stop > live
        for k in range(perp, expired):
            needs = needs or (size[k, 0] | size[k, 1]) != _0
        if code[a] >= 0:
            continue
        if blind[u] and (needs or not _all(settled, instrument, expired, live)):
            code[a] = 3 * u
        elif fileless[u] and needs:
            code[a] = 3 * u + 1
        elif _any(lacking, instrument, live, stop):
            code[a] = 3 * u + 2


@inlined_kernel
def _judge_collateral(a: Any, collateral: Any, markets: Any, out: Any) -> None:
    start, index = collateral
    blind, _, unusable = markets
    for k in range(start[a], start[a + 1]):
        c = index[k]
        if c < 0:
            out[3][a] = True
        elif unusable[c] and out[1][a] < 0:
            out[1][a] = 3 * len(blind) + c


@parallel_kernel
def put_together(roster: Any, found: Any, required: Any, rules: Any, out: Any) -> None:
    """Fill money, parts and band of every account that can be priced.

    Args:
        roster: (cash, interest entry, keep entry; start, index and units of the collateral; instrument and size of the
            positions; start, underlying's place, open notional and funding entry of the perps).
        found: (runs, code, left alone, first part of each account) after `look`; `left alone` is added to.
        required: (marks, grids, shorts, worst rows, whether the other file judged) by underlying and account.
        rules: (borrow index, survival index, ppm in one, the same with the buffer, wad in one; row of the fund; minus
            one millionth), then `by_underlying`, `by_instrument` and `by_collateral` of `keeper.risk.layout`.
        out: (band, stale, unsettled, money, part underlying's place, parts, worst row); written.
    """
    accounts = len(out[0])
    for parcel in prange((accounts + PARCEL - 1) // PARCEL):
        span = parcel * PARCEL, min(accounts, (parcel + 1) * PARCEL)
        _put_some_together(span, (roster, found, required, rules, out))


@kernel
def _put_some_together(span: Any, world: Any) -> None:
    _, (_, code, alone, _), _, _, out = world
    for a in range(span[0], span[1]):
        if code[a] >= 0 or alone[a]:
            out[0][a] = _UNKNOWN
        elif not _account(a, world):
            alone[a] = True


@inlined_kernel
def _account(a: Any, world: Any) -> Any:
    """One account; returns False if a number is too wide."""
    _, _, _, rules, out = world
    money = out[3]
    fits, mm1, mm0, im1, im0, e1, e0 = _parts(a, world)
    cash_fits, c1, c0 = _cash(a, world)
    collateral_fits, v1, v0, h1, h0 = _collateral(a, world)
    e1, e0 = add(e1, e0, c1, c0)
    e1, e0 = add(e1, e0, v1, v0)
    if not (fits and cash_fits and collateral_fits) or is_wide(e1) or is_wide(mm1) or is_wide(im1):
        return False
    fits, l1, l0 = _loss(a, e1, e0, world)
    e1, e0 = subtract(e1, e0, l1, l0)
    money[EQUITY, a, 0], money[EQUITY, a, 1] = e1, e0
    money[MM, a, 0], money[MM, a, 1] = mm1, mm0
    money[IM, a, 0], money[IM, a, 1] = im1, im0
    money[CASH, a, 0], money[CASH, a, 1] = c1, c0
    money[COLLATERAL, a, 0], money[COLLATERAL, a, 1] = v1, v0
    money[HAIRCUT, a, 0], money[HAIRCUT, a, 1] = h1, h0
    money[LOSS, a, 0], money[LOSS, a, 1] = l1, l0
    out[0][a] = _band((e1, e0), (mm1, mm0), rules[0])
    return fits


@inlined_kernel
def _cash(a: Any, world: Any) -> Any:
    """(fits, cash after the interest that negative cash owes)."""
    cash, interest_entry = world[0][0], world[0][1]
    numbers, fund = world[3][0], world[3][1]
    c1, c0 = cash[a, 0], cash[a, 1]
    if is_wide(c1):
        return False, c1, c0
    if a == fund or mask(c1) == _0:
        return True, c1, c0
    entry1, entry0 = interest_entry[a, 0], interest_entry[a, 1]
    d1, d0 = subtract(numbers[0, 0], numbers[0, 1], entry1, entry0)
    if is_wide(entry1) or is_wide(d1) or mask(entry1) != _0 or entry1 | entry0 == _0:
        return False, c1, c0
    # What is owed rounds up: −⌊cash·(index − entry) / entry⌋.
    q1, q0, fits = scale_down((c1, c0), (d1, d0), (entry1, entry0))
    c1, c0 = add(c1, c0, q1, q0)
    return fits, c1, c0


@inlined_kernel
def _loss(a: Any, e1: Any, e0: Any, world: Any) -> Any:
    """(fits, socialised loss not yet pulled)."""
    keep_entry = world[0][2]
    numbers, fund = world[3][0], world[3][1]
    keep1, keep0 = keep_entry[a, 0], keep_entry[a, 1]
    touched = not less(numbers[1, 0], numbers[1, 1], keep1, keep0)
    if a == fund or mask(e1) != _0 or e1 | e0 == _0 or touched:
        return True, _0, _0
    d1, d0 = subtract(keep1, keep0, numbers[1, 0], numbers[1, 1])
    n1, n0 = subtract(_0, _0, e1, e0)
    if is_wide(keep1) or is_wide(d1):
        return False, _0, _0
    # Rounded up: −⌊−equity·(entry − index) / entry⌋.
    q1, q0, fits = scale_down((n1, n0), (d1, d0), (keep1, keep0))
    q1, q0 = subtract(_0, _0, q1, q0)
    return fits, q1, q0


@inlined_kernel
def _band(equity: Any, mm: Any, numbers: Any) -> Any:
    """Compared without division, so that no rounding decides."""
    (e1, e0), (mm1, mm0) = equity, mm
    if mask(e1) != _0:
        return _INSOLVENT
    if less(e1, e0, mm1, mm0):
        return _LIQUIDATABLE
    if mm1 | mm0 != _0:
        a1, a0 = times(e1, e0, numbers[2, 1])  # ppm in one
        b1, b0 = times(mm1, mm0, numbers[3, 1])  # and with the buffer
        if less(a1, a0, b1, b0):
            return _WARNING
    return _HEALTHY


@inlined_kernel
def _parts(a: Any, world: Any) -> Any:
    """Requirements and values of each underlying: (fits, MM, IM, value), each of two words."""
    _, (runs, _, _, part_start), (marks, grids, shorts, worst_rows, by_other), rules, out = world
    factor, old_file, initial = rules[3], rules[4], rules[5]
    _, stale, unsettled, _, place, parts, worst_row = out
    fits, no = True, False
    mm1, mm0, im1, im0, e1, e0 = _0, _0, _0, _0, _0, _0
    stale[a], unsettled[a] = no, no
    p = part_start[a]
    for u in range(len(factor)):
        expired, live, stop = runs[a, 3 * u + 1], runs[a, 3 * u + 2], runs[a, 3 * u + 3]
        if runs[a, 3 * u] == stop:
            continue
        old = old_file[u] and stop > live
        stale[a] = stale[a] or old
        g1, g0 = grids[u, a, 0], grids[u, a, 1]
        s1, s0 = shorts[u, a, 0], shorts[u, a, 1]
        k1, k0 = marks[u, a, 0], marks[u, a, 1]
        fits = fits and not (is_wide(g1) or is_wide(s1) or is_wide(k1))
        r1, r0 = add(g1, g0, s1, s0)
        t1, t0 = times(r1, r0, factor[u])
        mm1, mm0 = add(mm1, mm0, t1, t0)
        # Rounded up: the fraction is negative, and so is the answer that was rounded down.
        t1, t0 = scale(r1, r0, initial, 4 * u + 2 * int(by_other[u, a]) + int(old))
        im1, im0 = subtract(im1, im0, t1, t0)
        paid, x1, x0, is_open = _expired((expired, live), world)
        unsettled[a] = unsettled[a] or is_open
        priced, f1, f0 = _perps(a, u, world)
        fits = fits and paid and priced
        place[p], worst_row[p] = u, worst_rows[u, a]
        parts[MARK, p, 0], parts[MARK, p, 1] = k1, k0
        parts[EXPIRED, p, 0], parts[EXPIRED, p, 1] = x1, x0
        parts[PERP, p, 0], parts[PERP, p, 1] = f1, f0
        parts[GRID, p, 0], parts[GRID, p, 1] = g1, g0
        parts[SHORT, p, 0], parts[SHORT, p, 1] = s1, s0
        p += 1
        e1, e0 = add(e1, e0, k1, k0)
        e1, e0 = add(e1, e0, x1, x0)
        e1, e0 = add(e1, e0, f1, f0)
    # In ppm so far: divided once, rounded up.
    t1, t0 = scale(mm1, mm0, rules[2], 0)
    mm1, mm0 = subtract(_0, _0, t1, t0)
    return fits, mm1, mm0, im1, im0, e1, e0


@inlined_kernel
def _expired(run: Any, world: Any) -> Any:
    """(fits, what a run of expired options pays, whether one of them is not settled)."""
    instrument, size = world[0][6], world[0][7]
    payoff, room, settled = world[3][9], world[3][10], world[3][11]
    fits, is_open = True, False
    x1, x0 = _0, _0
    for k in range(run[0], run[1]):
        i = instrument[k]
        fits = fits and not exceeds(size[k, 0], size[k, 1], room[i])
        t1, t0 = scale(size[k, 0], size[k, 1], payoff, i)
        x1, x0 = add(x1, x0, t1, t0)
        is_open = is_open or not settled[i]
    return fits and not is_wide(x1), x1, x0, is_open


@inlined_kernel
def _perps(a: Any, u: Any, world: Any) -> Any:
    """(fits, value of the perp)."""
    size, runs = world[0][7], world[1][0]
    fits, f1, f0 = True, _0, _0
    for k in range(runs[a, 3 * u], runs[a, 3 * u + 1]):
        if size[k, 0] | size[k, 1] != _0:
            fits, f1, f0 = _perp((a, u), (size[k, 0], size[k, 1]), world)
    return fits and not is_wide(f1), f1, f0


@inlined_kernel
def _perp(whose: Any, held: Any, world: Any) -> Any:
    """⌊size·spot⌋ − open notional − ⌈size·(index − entry)⌉, and whether it fits; 0 without a state."""
    (a, u), (s1, s0) = whose, held
    start, place, notional, entry = world[0][8], world[0][9], world[0][10], world[0][11]
    numbers, spot, room, funding = world[3][0], world[3][6], world[3][7], world[3][8]
    for k in range(start[a], start[a + 1]):
        if place[k] == u:
            n1, n0 = notional[k, 0], notional[k, 1]
            d1, d0 = subtract(entry[k, 0], entry[k, 1], funding[u, 0], funding[u, 1])
            if exceeds(s1, s0, room[u]) or is_wide(n1) or is_wide(entry[k, 0]) or is_wide(d1) or is_wide(s1):
                return False, _0, _0
            v1, v0 = scale(s1, s0, spot, u)
            v1, v0 = subtract(v1, v0, n1, n0)
            # What is owed rounds up: −⌊size·(entry − index)⌋.
            q1, q0, fits = scale_down((s1, s0), (d1, d0), (numbers[4, 0], numbers[4, 1]))
            v1, v0 = add(v1, v0, q1, q0)
            return fits, v1, v0
    return True, _0, _0


@inlined_kernel
def _collateral(a: Any, world: Any) -> Any:
    """(fits, counted value, what haircut and cap leave out)."""
    start, index, units = world[0][3], world[0][4], world[0][5]
    price, room, keep, cap = world[3][12], world[3][13], world[3][14], world[3][15]
    fits = True
    v1, v0, h1, h0 = _0, _0, _0, _0
    for k in range(start[a], start[a + 1]):
        c, u1, u0 = index[k], units[k, 0], units[k, 1]
        fits = fits and mask(u1) == _0 and not exceeds(u1, u0, room[c])
        w1, w0 = scale(u1, u0, price, c)
        if less(cap[c, 0], cap[c, 1], u1, u0):
            u1, u0 = cap[c, 0], cap[c, 1]
        t1, t0 = scale(u1, u0, price, c)
        t1, t0 = scale(t1, t0, keep, c)
        v1, v0 = add(v1, v0, t1, t0)
        w1, w0 = subtract(w1, w0, t1, t0)
        h1, h0 = add(h1, h0, w1, w0)
    return fits and not (is_wide(v1) or is_wide(h1)), v1, v0, h1, h0
