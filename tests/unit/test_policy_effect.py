"""Effects are taken of columns; here they are taken of one account after the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.domain.knobs import PolicyKnobs
from keeper.domain.margin import AccountMargin, Band
from keeper.domain.snapshot import Kind
from keeper.domain.words import Words
from keeper.policy.effect import LARGEST, NAMED, Moved, effect, short_of
from keeper.policy.gate import gate
from keeper.policy.impact import file_after, margins_under
from keeper.policy.part import between, published
from keeper.policy.weigh import Scale
from keeper.testing.builders import NOW, a_publication, a_snapshot, an_account, an_option, an_underlying, usd
from tests.weighed import a_target, forty_holders

SHORT = (Band.LIQUIDATABLE, Band.INSOLVENT)
#: Dollars that 128 bits of wad cannot hold.
BEYOND = 10**21


def one_by_one(before, after):
    """The obvious twin: what `effect` says, from whole margins."""
    pairs = [(a, b) for a, b in zip(before, after, strict=True)]
    known = [(a, b) for a, b in pairs if isinstance(a, AccountMargin) and isinstance(b, AccountMargin)]
    held = [(a, b) for a, b in known if a.mm or b.mm or a.band in SHORT or b.band in SHORT]

    def moved(pair):
        a, b = pair
        return Moved(
            account=a.account,
            equity_before=a.equity,
            equity_after=b.equity,
            mm_before=a.mm,
            mm_after=b.mm,
            im_before=a.im,
            im_after=b.im,
        )

    def at_risk(one):
        required = sum(part.grid + part.short_minimum for part in one.underlyings)
        return max(0, required - one.equity) if one.band in SHORT else 0

    fallen = [moved(p) for p in held if p[1].band in SHORT and p[0].band not in SHORT]
    closed = [moved(p) for p in held if p[1].equity < p[1].im and p[0].equity >= p[0].im]
    shifted = [moved(p) for p in held if p[0].mm != p[1].mm]
    return {
        "accounts": len(held),
        "unknown": len(pairs) - len(known),
        "below_mm": len(fallen),
        "below_im": len(closed),
        "named_mm": tuple(sorted(fallen, key=lambda m: (-m.mm_before, m.account))[:NAMED]),
        "named_im": tuple(sorted(closed, key=lambda m: (-m.im_before, m.account))[:NAMED]),
        "largest": tuple(sorted(shifted, key=lambda m: (-abs(m.mm_after - m.mm_before), m.account))[:LARGEST]),
        "mm_before": sum(a.mm for a, _ in held),
        "mm_after": sum(b.mm for _, b in held),
        "im_before": sum(a.im for a, _ in held),
        "im_after": sum(b.im for _, b in held),
        "mm_fallen": sum(m.mm_before for m in fallen),
        "bad_debt_before": sum(max(0, -a.equity) for a, _ in held),
        "bad_debt_after": sum(max(0, -b.equity) for _, b in held),
        "at_risk_before": sum(at_risk(a) for a, _ in held),
        "at_risk_after": sum(at_risk(b) for _, b in held),
    }


sizes = st.integers(-200, 200).map(lambda n: n / 100)
holders = st.tuples(st.integers(-1_500, 3_000) | st.just(-BEYOND) | st.just(BEYOND), sizes, sizes)


@settings(max_examples=60)
@given(book=st.lists(holders, min_size=1, max_size=70), psr=st.integers(60_000, 320_000), sigma=st.integers(3, 20))
def test_effect__any_book__is_that_of_one_account_after_the_other(book, psr, sigma):
    """IMP-1: also of accounts that the columns cannot hold, that nobody can price, and of more than are named."""
    accounts = [
        an_account(10 + i, cash=cash, perp=perp, options=((an_option(3_000, Kind.CALL), option),))
        for i, (cash, perp, option) in enumerate(book)
    ]
    snapshot = a_snapshot(*accounts, underlying=an_underlying(publication=a_publication()))
    u = snapshot.underlyings[0]
    target = a_target(sigma_ppm=sigma * 100_000)
    after = file_after(u, target, ranges=replace(u.live.ranges, psr_ppm=psr), spot=usd(3_000), now=NOW)
    old, new = margins_under(snapshot, {1: u.live}), margins_under(snapshot, {1: after})
    found = effect(1, old, new)
    for name, value in one_by_one(old, new).items():
        assert getattr(found, name) == value, name
    assert short_of(new) == {one.account for one in new if isinstance(one, AccountMargin) and one.band in SHORT}


@settings(max_examples=60)
@given(
    values=st.lists(
        st.tuples(*[st.integers(-(2**127), 2**127 - 1) | st.sampled_from([-1, 0, 1, 2**64, -(2**64)])] * 2), min_size=1
    )
)
def test_words__compared__as_python_ints(values):
    """Columns of 128 bits compare as the numbers they hold."""
    left, right = (Words.of([pair[i] for pair in values]) for i in (0, 1))
    assert left.below(right).tolist() == [a < b for a, b in values]
    assert left.differs(right).tolist() == [a != b for a, b in values]


@settings(max_examples=10)
@given(
    book=st.lists(st.tuples(st.integers(300, 900), st.sampled_from([-1.0, 0.0, 1.0]), sizes), min_size=4, max_size=25),
    psr=st.integers(100_000, 240_000),
    sigma=st.integers(4, 12),
    share=st.integers(0, 400_000),
)
def test_gate__shortened__is_what_halving_over_everybody_finds(book, psr, sigma, share):
    """IMP-2: looking among those whom the whole step brings down finds a part that everybody's replay lets through,
    and none where that finds none."""
    accounts = [
        an_account(10 + i, cash=cash, perp=perp, options=((an_option(3_000, Kind.CALL), option),))
        for i, (cash, perp, option) in enumerate(book)
    ]
    snapshot = a_snapshot(*accounts, underlying=an_underlying(publication=a_publication()))
    u = snapshot.underlyings[0]
    knobs = PolicyKnobs(impact_max_accounts_ppm=share, impact_max_requirement_ppm=share)
    scale, whole = Scale(snapshot, u, knobs), a_target(psr_ppm=psr, sigma_ppm=sigma * 100_000)
    old = published(u, whole)

    def part(kept):
        return between(old, whole, kept)

    found = gate(scale, whole, part, slow=True)
    assert found.kept_ppm == 1_000_000 or not scale.weigh(whole).passes
    if found.params is None:
        assert not scale.weigh(part(31_250)).passes, "IMP-2: the smallest part that is tried"
    else:
        assert scale.weigh(found.params).passes, "IMP-2"


def test_surely_fails__some_rows__never_says_more_than_everybody():
    """IMP-2: the short cut is one: what fails among a few fails among all."""
    snapshot = a_snapshot(*forty_holders(), underlying=an_underlying(publication=a_publication()))
    u = snapshot.underlyings[0]
    knobs = PolicyKnobs(impact_max_accounts_ppm=100_000, impact_max_requirement_ppm=100_000)
    scale = Scale(snapshot, u, knobs)
    seen = set()
    for psr in (150_000, 165_000, 180_000, 200_000, 240_000):
        for rows in ([0], [0, 1, 2, 3, 4, 5], list(range(40)), []):
            fails = scale.surely_fails(a_target(psr_ppm=psr), np.array(rows, dtype=np.int64))
            seen.add((fails, scale.weigh(a_target(psr_ppm=psr)).passes))
    assert (True, True) not in seen, "IMP-2"
    assert {(True, False), (False, False), (False, True)} == seen, "all others were met"
