"""Contract, slow twin and fast twin assess random portfolios alike, to the wei (PAR-2)."""

from collections import Counter
from dataclasses import replace
from itertools import product

import hypothesis
import numpy as np
import pytest

from keeper.risk.exact.book import Book
from keeper.risk.exact.grid import NO_ROW, Leg, assess
from keeper.risk.exact.riskfile import INNER, PPM, WAD, levels
from keeper.risk.exact.sweep import assess_book
from keeper.testing import portfolios
from keeper.testing.portfolios import MAX_POSITIONS, NOW, PSRS, Portfolio, Style, a_file, a_portfolio, an_extreme_file

pytestmark = [pytest.mark.chain, pytest.mark.timeout(1_800)]

#: The portfolios of one file, but for three odd ones and, on every other file, a full book.
STYLES = (
    *(Style.MIXED, Style.WEI, Style.HUGE, Style.SHORT, Style.BOX, Style.BUTTERFLY, Style.PERP) * 2,
    *(Style.BOX, Style.BUTTERFLY, Style.PERP) * 2,
)
#: Scan ranges beside the named ones: the least and the most that governance can fence in, and some between.
OTHER_PSRS = (1, 166_667, 316_667, 500_000)
#: Portfolios come in independent parts, so that they share out over the workers of a run.  Twice as many in CI, twenty
#: times at night.
PARTS = 4
ROUNDS = max(1, hypothesis.settings.default.max_examples // 250)
#: Everything that must have occurred, and how often at least; a quarter of it in each part.
WANTED = {
    "portfolios": 1_000,
    "true tie of the worst row": 100,
    "tie between rows of different price": 20,
    "worst row is a tail": 20,
    "worst row is an extreme": 20,
    "worst row has volatility down": 20,
    "no row loses": 20,
    "rows at the ends of int32": 200,
    "rows beyond int32": 200,
    "a sum of rows beyond 127 bits": 20,
    "expiry inside an hour": 200,
    "expiry in the next second": 50,
    "64 positions": 24,
    "call and put at one strike": 50,
    "puts": 500,
    "naked shorts": 300,
    "shorts covered at their strike": 30,
    "perp alone": 50,
    "perp beside options": 200,
    "one wei": 20,
    "a single contract's dust": 50,
    "sizes beyond int64": 50,
    "total just under the bound": 10,
    "spot at reference": 100,
    "spot a wei off": 30,
    "spot above, within the limit": 100,
    "spot below, within the limit": 100,
    "spot beyond the limit above": 50,
    "spot beyond the limit below": 50,
    "spot where a row meets a node": 30,
    "levels coincide at 11 %": 50,
    "levels coincide at 22 %": 50,
    "the −3 row is floored": 50,
}


def a_spot(rng, file, kind):
    """Live spot in one of the ways it can stand to the file's."""
    ref, psr = file.ref_spot, file.ranges.psr_ppm
    limit = ref * psr // (3 * PPM)
    match kind:
        case 0:
            return ref
        case 1:
            return ref + int(rng.choice([-1, 1]))
        case 2 | 3:
            return ref + (1 if kind == 2 else -1) * int(rng.integers(0, 10**6)) * limit // 10**6
        case 4:
            return ref + limit + int(rng.integers(1, 10**6)) * 2 * ref // 10**6
        case 5:
            return ref - limit - int(rng.integers(1, 9 * 10**5)) * (ref - limit) // 10**6
        case _:
            # One row's level, at live spot, lies exactly on (or a hair beside) another row's node.
            of = levels(psr)
            i, j = rng.choice(len(of), 2)
            return ref * of[i] // of[j] + int(rng.integers(-1, 2))


def an_odd_portfolio(rng, file):
    """What no style draws: single wei, every strike straddled, and totals just under the contract's bound."""
    keys = sorted(file.arrays)
    expiry, strike = keys[int(rng.integers(0, len(keys)))]
    both = [Leg(expiry=expiry, strike=strike, is_call=is_call, size=0) for is_call in (True, False)]
    match int(rng.integers(0, 6)):
        case 0 | 1:
            sizes = [int(rng.choice([-1, 1])) for _ in both]
        case 2 | 3:
            size = int(rng.integers(1, 10**8)) * 10**12
            sizes = [size, -size]
        case 4:
            size = int(rng.choice([-1, 1])) * (2**94 - 1)
            sizes = [size, int(rng.choice([-1, 1])) * size]
        case _:
            chosen = [keys[i] for i in sorted(rng.permutation(len(keys))[: MAX_POSITIONS // 2].tolist())]
            size = (2**95 - 1) // MAX_POSITIONS
            legs = [
                Leg(expiry=e, strike=k, is_call=c, size=int(rng.choice([-1, 1])) * size)
                for e, k in chosen
                for c in (True, False)
            ]
            return Portfolio(tuple(legs), int(rng.choice([-1, 1])) * (2**95 - 1))
    return Portfolio(tuple(replace(leg, size=size) for leg, size in zip(both, sizes, strict=True)), 0)


def note(seen, file, spot, p, slow):
    """Count what a portfolio is, and what really happened to it."""
    of, psr, tail = levels(file.ranges.psr_ppm), file.ranges.psr_ppm, slow.worst_row
    rows = [value for leg in p.legs for value in file.arrays[leg.expiry, leg.strike].values]
    tied = [j for j, loss in enumerate(slow.losses) if loss == slow.grid and slow.grid > 0]
    pairs = Counter((leg.expiry, leg.strike) for leg in p.legs)
    net = Counter()
    for leg in p.legs:
        net[leg.expiry, leg.strike] += leg.size
    moved = (spot - file.ref_spot) * 3 * PPM
    limit = psr * file.ref_spot
    total = sum(abs(leg.size) for leg in p.legs)
    shifted = {level * spot * PPM // file.ref_spot for level in of}
    seen["portfolios"] += 1
    seen["true tie of the worst row"] += len(tied) > 1
    seen["tie between rows of different price"] += len({of[j] for j in tied}) > 1
    seen["worst row is a tail"] += 16 <= tail < NO_ROW
    seen["worst row is an extreme"] += tail in (14, 15)
    seen["worst row has volatility down"] += tail < INNER and tail % 2
    seen["no row loses"] += tail == NO_ROW
    seen["rows at the ends of int32"] += portfolios.INT32_MAX in rows and 0 in rows
    seen["rows beyond int32"] += portfolios.UINT32_MAX in rows
    seen["a sum of rows beyond 127 bits"] += max(map(abs, slow.losses)) * PPM >> 127 > 0
    seen["expiry inside an hour"] += any(leg.expiry - NOW < 3_600 for leg in p.legs)
    seen["expiry in the next second"] += any(leg.expiry - NOW == 1 for leg in p.legs)
    seen["64 positions"] += len(p.legs) == MAX_POSITIONS
    seen["call and put at one strike"] += max(pairs.values(), default=0) == 2
    seen["puts"] += any(not leg.is_call for leg in p.legs)
    seen["naked shorts"] += slow.short_minimum > 0
    seen["shorts covered at their strike"] += any(leg.size < 0 and net[leg.expiry, leg.strike] >= 0 for leg in p.legs)
    seen["perp alone"] += not p.legs
    seen["perp beside options"] += bool(p.legs) and p.perp_size != 0
    seen["one wei"] += any(abs(leg.size) == 1 for leg in p.legs)
    seen["a single contract's dust"] += any(leg.size % 10**12 for leg in p.legs)
    seen["sizes beyond int64"] += any(abs(leg.size) >= 2**63 for leg in p.legs)
    seen["total just under the bound"] += 2**95 - 2**10 < total < 2**95
    seen["spot at reference"] += moved == 0
    seen["spot a wei off"] += abs(spot - file.ref_spot) == 1
    seen["spot above, within the limit"] += 0 < moved <= limit
    seen["spot below, within the limit"] += -limit <= moved < 0
    seen["spot beyond the limit above"] += moved > limit
    seen["spot beyond the limit below"] += moved < -limit
    seen["spot where a row meets a node"] += moved != 0 and bool(shifted & {level * PPM for level in of})
    seen["levels coincide at 11 %"] += psr == 110_000
    seen["levels coincide at 22 %"] += psr == 220_000
    seen["the −3 row is floored"] += 3 * psr + 50_000 >= PPM


def check(harness, file, cases, seen):
    """All four figures of each case from all three."""
    found = harness.assess([file], [(0, p, spot, NOW) for p, spot in cases])
    for (p, spot), contract in zip(cases, found, strict=True):
        slow = assess(file, p.legs, p.perp_size, spot, NOW)
        fast = assess_book(file, Book.of([(p.legs, p.perp_size)]), spot=spot, now=NOW)
        ours = (slow.option_mark, slow.grid, slow.short_minimum, slow.worst_row)
        assert tuple(contract.values()) == ours, f"PAR-2: {p} at {spot}"
        assert (fast.option_mark[0], fast.grid[0], fast.short_minimum[0], fast.worst_row[0]) == ours, "TWIN-1"
        note(seen, file, spot, p, slow)


@pytest.mark.parametrize("part", range(PARTS))
def test_assess__random_portfolios__three_ways_to_the_wei(harness, part):
    """No figure differs by a wei, and every awkward class was really met."""
    seen = Counter()
    for i, (psr, extreme) in enumerate([*product((*PSRS, OTHER_PSRS[part]), (False, True))] * ROUNDS):
        rng = np.random.default_rng([20, part, i])
        tail = int(rng.choice([1, 500_000, 750_000, 990_000, 1_000_000]))
        file = replace(an_extreme_file(rng, psr) if extreme else a_file(psr), tail_ppm=tail)
        drawn = [a_portfolio(rng, file, style) for style in (*STYLES, *[Style.FULL] * (i % 2))]
        drawn += [an_odd_portfolio(rng, file) for _ in range(3)]
        check(harness, file, [(p, a_spot(rng, file, int(rng.integers(0, 7)))) for p in drawn], seen)
    short = {name: (seen[name], least) for name, least in WANTED.items() if seen[name] < least // PARTS}
    assert short == {}, f"met too rarely, of {dict(seen)}"


def test_assess__a_row_twice__the_first_is_named(harness):
    """A perp loses the same with volatility up and down, and as much at either end of the scan range."""
    file = a_file()
    flat = Portfolio((), WAD)
    (long_,) = harness.assess([file], [(0, flat, file.ref_spot, NOW)])
    slow = assess(file, (), WAD, file.ref_spot, NOW)
    assert slow.losses.count(slow.grid) > 1
    assert long_["worstRow"] == slow.losses.index(slow.grid)
