"""Margins in columns equal margins account by account, to the wei and to the word of the reason (TWIN-6)."""

from collections import Counter
from dataclasses import replace
from importlib import import_module

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from keeper.domain.account import AccountState, Instrument, Kind, PerpState, Position
from keeper.domain.knobs import RiskKnobs
from keeper.domain.margin import AccountMargin, Unpriced
from keeper.domain.margin_table import MarginTable
from keeper.domain.roster import Roster, contract_order
from keeper.domain.snapshot import CollateralState, SlewState, Unusable, Usable
from keeper.risk import compiled, one_by_one, report, swept
from keeper.risk.model import model
from keeper.risk.one_by_one import Under
from keeper.testing.builders import (
    DAY,
    EXPIRY,
    NOW,
    RAY,
    STRIKES_USD,
    WAD,
    a_file,
    a_publication,
    a_snapshot,
    an_underlying,
    strike,
    usd,
)

pytestmark = pytest.mark.skipif(not compiled.COMPILED, reason="numba is missing or told not to compile")
WORLDS = max(40, hypothesis.settings.default.max_examples // 2)
#: Expired and settled, expired and not yet settled, live, live and in no file.
SETTLED, UNSETTLED, UNLISTED = NOW - 2 * DAY, NOW - 60, NOW + 30 * DAY
HUGE = 2**88


def a_size(rng):
    """Signed, of every magnitude that is legal and some that the columns cannot take."""
    wide = rng.choice(
        [10**15, WAD, 50 * WAD, WAD + 7, 3, HUGE, 2**94, 2**100, 2**126],
        p=[0.2, 0.3, 0.3, 0.1, 0.02, 0.03, 0.02, 0.02, 0.01],
    )
    return int(rng.choice([-1, 1])) * (int(wide) * int(rng.integers(1, 40)) // 10 + int(rng.integers(0, 3)))


def clipped(number, bits=127):
    """The number, or what its type could hold of it."""
    return max(-(2**bits), min(2**bits - 1, number))


def an_instrument(rng, underlying):
    """Anything that can be held."""
    if rng.random() < 0.2:
        return Instrument(underlying, 0, 0, Kind.PERP)
    expiry = int(rng.choice([SETTLED, UNSETTLED, EXPIRY, UNLISTED], p=[0.1, 0.07, 0.8, 0.03]))
    dollars = 9_999 if rng.random() < 0.01 else int(rng.choice(STRIKES_USD))
    return Instrument(underlying, expiry, strike(dollars), Kind.CALL if rng.random() < 0.5 else Kind.PUT)


def a_portfolio(rng, account, underlyings):
    """An account of up to a dozen positions, some of them in collateral and debt."""
    held = {an_instrument(rng, int(rng.choice(underlyings))): clipped(a_size(rng)) for _ in range(rng.integers(0, 13))}
    positions = tuple(Position(instrument=i, size=held[i] or 1) for i in sorted(held, key=contract_order))
    perps = {i.underlying for i in held if i.kind is Kind.PERP and rng.random() < 0.97}
    return AccountState(
        account=account,
        cash=clipped(a_size(rng) * int(rng.choice([0, 1, 100, 10_000]))),
        interest_entry=RAY + int(rng.integers(0, 10**9)) * 10**17,
        keep_entry=int(rng.choice([0, RAY // 2, RAY - 12_345, RAY])),
        collateral=tuple((c, abs(clipped(a_size(rng)))) for c in (1, 2, 4) if rng.random() < 0.25),
        positions=positions,
        perps=tuple(
            PerpState(underlying=u, open_notional=clipped(a_size(rng) * 3_000), funding_entry=a_size(rng) // 10**6)
            for u in sorted(perps)
        ),
        in_auction=bool(rng.random() < 0.1),
    )


def a_price(rng, dollars):
    """A price, or none."""
    return (
        Unusable(reason="95 s old, limit 60 s")
        if rng.random() < 0.1
        else Usable(wad=usd(dollars) + int(rng.integers(0, 9)))
    )


def a_market(rng, underlying):
    """An underlying whose file may be missing, stale, near, or inside its notice window."""
    file = a_file(psr_ppm=int(rng.choice([110_000, 150_000, 300_000])), time=NOW - int(rng.choice([0, 60, 7_201])))
    file = replace(file, im_uplift_pct=int(rng.choice([0, 7, 255])))
    slew = SlewState(
        target=replace(file.ranges, psr_ppm=int(rng.choice([120_000, 300_000]))),
        rate_ppm_per_hour=10_000,
        time_s=NOW - int(rng.choice([30, 900, 9_000])),
    )
    return replace(
        an_underlying(spot=float(rng.choice([3_000, 3_040, 2_500])), file=file),
        underlying=underlying,
        symbol=f"U{underlying}",
        spot=a_price(rng, float(rng.choice([3_000, 3_040, 2_500, 3_700]))),
        live=None if rng.random() < 0.05 else file,
        settled=((SETTLED, usd(3_050) + 3),),
        previous=replace(
            a_file(psr_ppm=100_000), strikes=((EXPIRY, file.strikes[0][1][: rng.integers(2, 6)]),), im_uplift_pct=31
        ),
        publication=replace(
            a_publication(), in_notice=bool(rng.random() < 0.5), slew=slew if rng.random() < 0.7 else None
        ),
        funding_index=a_size(rng) // 10**6,
    )


def a_world(seed):
    """A block of three underlyings, three collaterals and some dozens of accounts, the fund among them."""
    rng = np.random.default_rng(seed)
    underlyings = (1, 2, 7)[: rng.integers(1, 4)]
    collaterals = tuple(
        CollateralState(
            collateral=c, symbol=f"C{c}", decimals=decimals, price=a_price(rng, dollars), haircut_ppm=haircut,
            cap_per_account=cap,
        )
        for c, decimals, dollars, haircut, cap in (
            (1, 18, 3_000.0, 150_000, 40 * WAD), (2, 6, 1.0, 1, 2**127), (4, 0, 60_000.0, 999_999, 10**6)
        )
    )  # fmt: skip
    base = a_snapshot(*(a_portfolio(rng, 1 + 3 * i << 40, underlyings) for i in range(40)))
    return replace(
        base,
        underlyings=tuple(a_market(rng, u) for u in underlyings),
        collaterals=collaterals,
        interest_index=RAY + 10**26 + int(rng.integers(0, 10**18)),
        keep_ray=int(rng.choice([RAY, RAY - 10**20 - 1, RAY // 3])),
        fund=replace(base.fund, account=1 << 40),
    )


def test_swept__hard_worlds__equal_to_the_slow_twin():
    """Live, refreshed and previous files; no price, no file, settled, unsettled; debt, losses, caps; every width."""
    met = Counter()

    @hypothesis.settings(max_examples=WORLDS, suppress_health_check=list(hypothesis.HealthCheck), deadline=None)
    @hypothesis.given(st.integers(0, 2**32 - 1), st.sampled_from([0, 100_000, 5_000_000]))
    @hypothesis.example(seed=237_010, buffer_ppm=0)  # the first of two underlyings is too wide, the last is not
    def check(seed, buffer_ppm):
        snapshot = a_world(seed)
        market = model(snapshot, RiskKnobs())
        for under in Under:
            slow = one_by_one.margins(snapshot.accounts, snapshot, market, under, buffer_ppm=buffer_ppm)
            fast = swept.sweep(snapshot.accounts, snapshot, market, under)
            met["out of all proportion"] += fast is None
            if fast is None:
                continue  # then the slow twin serves the whole block
            found = fast.margins(buffer_ppm=buffer_ppm)
            for ours, theirs in zip(found, slow, strict=True):
                assert ours == theirs, "TWIN-6"
            assert found == MarginTable.of(slow)
            assert found.digest() == MarginTable.of(slow).digest(), "REP-1 needs one digest of one report"
            met["left to the slow twin"] += int(fast.alone.sum())
            met["whole"] += len(found.whole)
            met.update(theirs.reason.split(" ", 1)[1][:20] for theirs in slow if isinstance(theirs, Unpriced))
            met.update(str(theirs.band) for theirs in slow if isinstance(theirs, AccountMargin))
            met["loss"] += sum(isinstance(m, AccountMargin) and m.pending_loss > 0 for m in slow)
            met["expired"] += sum(
                isinstance(m, AccountMargin) and any(u.expired_value for u in m.underlyings) for m in slow
            )
            met["perp"] += sum(isinstance(m, AccountMargin) and any(u.perp_value for u in m.underlyings) for m in slow)

    check()
    rare = met.pop("out of all proportion")
    assert rare <= WORLDS // 2, "the fast twin is the rule"
    assert len(met) >= 11 and all(met.values()), met  # noqa: PT018 - one statement: everything was met


def test_report__threshold_crossed__the_same_report(monkeypatch):
    """Whichever twin served, the report is one: accounts, those judged again, and the summary that is stored."""
    for seed in range(6):
        snapshot = a_world(seed)
        market = model(snapshot, RiskKnobs())
        slow = report.worst(snapshot, market, report.shock(snapshot, market), buffer_ppm=100_000)
        monkeypatch.setattr(report, "SWEPT_FROM", 0)
        fast = report.worst(snapshot, market, report.shock(snapshot, market), buffer_ppm=100_000)
        monkeypatch.undo()
        assert (fast.accounts, fast.refreshed, fast.previous) == (slow.accounts, slow.refreshed, slow.previous)
        assert fast.summary == slow.summary


def test_swept__empty_roster__empty_table():
    """A protocol without accounts is judged without a crash."""
    snapshot = a_snapshot()
    found = swept.sweep(Roster.of(()), snapshot, model(snapshot, RiskKnobs()), Under.LIVE)
    assert found is not None
    assert len(found.margins(buffer_ppm=0)) == 0


@hypothesis.given(*(st.integers(1 - 2**95, 2**95 - 1) for _ in range(2)), st.integers(1, 2**95 - 1), st.integers(0, 95))
def test_scale_down__any_numbers__rounds_down_exactly(x, y, d, shift):
    """A quotient of which the account chooses the divisor is exact to the last bit, or said not to fit."""
    scale_down = import_module("keeper.risk.compiled.wide").scale_down  # needs numba
    x, d = x >> shift, (d >> shift) + 1
    pairs = [tuple(np.uint64(word) for word in divmod(number % 2**128, 2**64)) for number in (x, y, d)]
    high, low, fits = scale_down(*pairs)
    exact = x * y // d
    if fits:
        assert (int(high) << 64 | int(low)) == exact % 2**128
        assert abs(exact) <= 2**95
    else:
        assert abs(exact) >= 2**94
