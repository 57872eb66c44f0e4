"""The fast twin over a whole book equals the slow one, account by account, to the wei (TWIN-1)."""

from collections import Counter

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from keeper.errors import LawBroken
from keeper.risk.exact.book import Book, Option
from keeper.risk.exact.grid import NO_ROW, Leg, assess, naked_short
from keeper.risk.exact.limbs import Sizes, mul_mod_wad
from keeper.risk.exact.riskfile import PPM, WAD
from keeper.risk.exact.sweep import assess_book, assessments
from keeper.testing import portfolios
from keeper.testing.portfolios import NOW, PSRS, Style, a_file, a_portfolio, an_extreme_file

BOOKS = max(130, hypothesis.settings.default.max_examples)
ACCOUNTS = 10


@st.composite
def spots(draw, file):
    """At the reference, a little off, and far beyond a third of the scan range, on both sides."""
    ref, psr = file.ref_spot, file.ranges.psr_ppm
    move = draw(
        st.one_of(
            st.just(0),
            st.integers(-psr // 3, psr // 3),
            st.integers(psr // 3 + 1, 4 * psr),
            st.integers(-900_000, -psr // 3 - 1),
        )
    )
    return ref + ref * move // PPM + (draw(st.integers(0, 10**12)) if move else 0)


def note(seen, file, spot, portfolio, slow):
    """Count the classes that a portfolio belongs to."""
    legs, psr = portfolio.legs, file.ranges.psr_ppm
    seen["portfolios"] += 1
    seen["tie of the worst row"] += slow.grid > 0 and slow.losses.count(slow.grid) > 1
    seen["no row loses"] += slow.worst_row == NO_ROW
    seen["rows at the ends of int32"] += any(
        not {portfolios.INT32_MAX, portfolios.UINT32_MAX}.isdisjoint(file.arrays[leg.expiry, leg.strike].values)
        for leg in legs
    )
    seen["expiry inside an hour"] += any(leg.expiry - NOW < 3600 for leg in legs)
    seen["short"] += any(leg.size < 0 for leg in legs)
    seen["64 positions"] += len(legs) == portfolios.MAX_POSITIONS
    seen["sizes beyond int64"] += any(abs(leg.size) >= 2**63 for leg in legs)
    seen["dust"] += any(leg.size % 10**12 for leg in legs)
    moved = (spot - file.ref_spot) * 3 * PPM
    seen["spot at reference"] += moved == 0
    seen["spot above"] += 0 < moved <= psr * file.ref_spot
    seen["spot below"] += -psr * file.ref_spot <= moved < 0
    seen["spot beyond the limit above"] += moved > psr * file.ref_spot
    seen["spot beyond the limit below"] += moved < -psr * file.ref_spot
    seen["levels coincide at 11 %"] += psr == 110_000
    seen["levels coincide at 22 %"] += psr == 220_000
    for style in Style:
        seen[style] += 0


def test_book__random_portfolios__equal_to_the_slow_twin():
    """Every number of every account, all 24 losses included; each awkward class is really met."""
    seen = Counter()

    @hypothesis.settings(max_examples=BOOKS, suppress_health_check=list(hypothesis.HealthCheck))
    @hypothesis.given(st.data(), st.integers(0, 2**32 - 1), st.sampled_from(PSRS), st.booleans())
    def check(data, seed, psr, extreme):
        rng = np.random.default_rng(seed)
        file = an_extreme_file(rng, psr) if extreme else a_file(psr, tail_ppm=int(rng.choice((750_000, 990_000))))
        spot = data.draw(spots(file))
        styles = list(rng.choice(list(Style), ACCOUNTS))
        drawn = [a_portfolio(rng, file, Style(style)) for style in styles]
        slow = [assess(file, p.legs, p.perp_size, spot, NOW) for p in drawn]
        book = Book.of([(p.legs, p.perp_size) for p in drawn])
        assert assessments(file, book, spot=spot, now=NOW) == slow, "TWIN-1"
        for portfolio, one in zip(drawn, slow, strict=True):
            note(seen, file, spot, portfolio, one)
        seen.update(styles)

    check()
    assert seen["portfolios"] >= 1_000
    assert {name: count for name, count in seen.items() if count < 10} == {}


def test_book__more_accounts_than_a_block__each_in_its_place():
    """Blocks are a matter of speed: an account's answer does not depend on who stands beside it."""
    rng, file = np.random.default_rng(3), a_file()
    drawn = [a_portfolio(rng, file, style) for style in Style]
    many = [drawn[i] for i in rng.integers(0, len(drawn), 9_000)]
    spot = file.ref_spot * 103 // 100
    alone = {p: assess(file, p.legs, p.perp_size, spot, NOW) for p in drawn}
    swept = assess_book(file, Book.of([(p.legs, p.perp_size) for p in many]), spot=spot, now=NOW)
    assert len(swept) == len(many)
    assert swept.grid.tolist() == [alone[p].grid for p in many]
    assert swept.option_mark.tolist() == [alone[p].option_mark for p in many]
    assert swept.short_minimum.tolist() == [alone[p].short_minimum for p in many]
    assert swept.worst_row.tolist() == [alone[p].worst_row for p in many]


@pytest.mark.parametrize("holdings", [[], [((), 0)], [((), 0), ((), -WAD), ((), 0)]])
def test_book__nothing_to_sum__zero_or_the_perp_alone(holdings):
    """Accounts without options, and no accounts at all."""
    file = a_file()
    swept = assessments(file, Book.of(holdings), spot=file.ref_spot, now=NOW)
    assert swept == [assess(file, legs, perp, file.ref_spot, NOW) for legs, perp in holdings]


def test_book__strike_not_in_file__key_error():
    """As the slow twin: an option without rows has no requirement."""
    leg = Leg(expiry=NOW + 1_800, strike=1, is_call=True, size=WAD)
    with pytest.raises(KeyError):
        assess_book(a_file(), Book.of([((leg,), 0)]), spot=WAD, now=NOW)


def test_book__two_positions_in_one_option__refused():
    """The contract keeps one position per instrument, and rounds per position."""
    leg = Leg(expiry=NOW + 1_800, strike=3_000 * 10**8, is_call=True, size=WAD)
    with pytest.raises(LawBroken, match="distinct"):
        Book.of([((leg, leg), 0)])


def test_book__columns_out_of_order__refused():
    """`from_columns` trusts nobody."""
    options = (Option(1, 1, False), Option(1, 1, True))
    good = {"options": options, "counts": [1, 2], "option": [1, 0, 1], "sizes": [1, 2, 3], "perp": [0, 0]}
    Book.from_columns(**good)
    for bad in (
        {"option": [1, 1, 0]},
        {"option": [1, 0, 2]},
        {"sizes": [1, 2]},
        {"counts": [1, 1]},
        {"perp": [0]},
        {"options": options[::-1]},
    ):
        with pytest.raises(LawBroken):
            Book.from_columns(**{**good, **bad})


INT128 = st.integers(-(2**127), 2**127 - 1)


@hypothesis.given(st.lists(st.one_of(INT128, st.integers(-(10**20), 10**20)), max_size=20))
def test_sizes__any_int128__cut_without_loss(values):
    """The parts of a size add up to it."""
    sizes = Sizes.of(values)
    total = [0] * len(values)
    for scale, part in sizes.parts():
        total = [t + scale * int(v) for t, v in zip(total, part, strict=True)]
    assert total == values
    assert [int(v) for v in sizes.micro] == [(abs(v) // 10**12 % 10**6) * (1 if v >= 0 else -1) % 10**6 for v in values]


@hypothesis.given(st.integers(0, WAD - 1), st.integers(0, WAD - 1))
@hypothesis.example(WAD - 1, WAD - 1)
@hypothesis.example(0, WAD - 1)
def test_mul_mod_wad__any_factors__exact(a, b):
    """A product modulo a wad without leaving 64 bits."""
    one = mul_mod_wad(np.array([a], dtype=np.int64), np.array([b], dtype=np.int64))
    assert int(one[0]) == a * b % WAD


@hypothesis.given(INT128, INT128)
def test_naked_short__all_signs__negative_net(calls, puts):
    """The form that the book uses is the contract's."""
    assert naked_short(calls, puts) == max(0, -(calls + puts))
