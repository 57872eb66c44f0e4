"""Joint returns from histories recorded whenever they were, and their EWMA (RET-1, RET-2)."""

import math

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from keeper.domain.prices import PriceHistory
from keeper.errors import LawBroken
from keeper.marketdata.prices_file import load_prices
from keeper.risk.timeseries import conditional
from keeper.risk.timeseries.conditional import ewma_conditional, weighted_variance
from keeper.risk.timeseries.panel import Panel, panel
from keeper.risk.timeseries.recursions import ewma
from keeper.risk.timeseries.volatility import Unestimated

HOUR, DAY = 3_600, 86_400
START = 1_700_006_400  # 2023-11-15 00:00 UTC


def walk(name="ETH", *, bars=240, step_s=HOUR, seed=1, start=START, without=()):
    """Bars of a random walk, without those of some indices."""
    kept = [i for i in range(bars) if i not in set(without)]
    close = 3_000.0 * np.exp(np.cumsum(np.random.default_rng(seed).normal(scale=0.01, size=bars)))
    return PriceHistory(name=name, time_s=np.array([start + step_s * i for i in kept]), close=close[kept])


def made(histories, **choices):
    found = panel(histories, **{"horizon_s": DAY} | choices)
    assert isinstance(found, Panel)
    return found


def obvious(history, ends, horizon_s):
    """A return between the two bars of exactly those times, and nothing otherwise: what regular bars must give."""
    price = dict(zip(history.time_s.tolist(), history.close.tolist(), strict=True))
    return [
        math.log(price[end] / price[end - horizon_s]) if end in price and end - horizon_s in price else math.nan
        for end in ends
    ]


@hypothesis.given(
    st.sets(st.integers(0, 239), max_size=200), st.sampled_from([4 * HOUR, DAY]), st.sampled_from([1, 2, 24])
)
def test_panel__bars_missing__a_return_only_between_prices_known(holes, horizon_s, steps):
    """RET-1: whatever bars are missing, every return spans one horizon, give or take what a price may be held."""
    history = walk(without=holes)
    found = panel([history], horizon_s=horizon_s, step_s=steps * HOUR)
    if isinstance(found, Unestimated):
        return
    times = history.time_s
    log_price = np.log(history.close)
    for end, r in zip(found.time_s.tolist(), found.returns[:, 0].tolist(), strict=True):
        e, s = times[times <= end][-1], times[times <= end - horizon_s][-1]
        assert abs((e - s) - horizon_s) <= 0.25 * horizon_s, "RET-1"
        assert r == log_price[times == e][0] - log_price[times == s][0], "RET-1"


def test_panel__whole_bars__the_obvious_returns():
    """RET-1: regular bars give close over close, one horizon apart, at the same instants for all."""
    histories = [walk("ETH"), walk("BTC", seed=2, bars=230)]
    found = made(histories)
    assert found.symbols == ("ETH", "BTC")
    assert found.time_s[-1] == histories[1].time_s[-1]
    assert set(np.diff(found.time_s)) == {DAY}
    for column, history in zip(found.returns.T, histories, strict=True):
        assert column.tolist() == pytest.approx(obvious(history, found.time_s.tolist(), DAY), nan_ok=True), "RET-1"


def test_panel__a_gap_of_21_days__no_return_across_it():
    """RET-1: after a hole of 21 days there is no return until a full horizon after it, nor one that names it a day."""
    gap = range(100, 100 + 21 * 24)
    found = made([walk(bars=900, without=gap)], step_s=HOUR)
    inside = (found.time_s > START + 101 * HOUR) & (found.time_s < START + (100 + 21 * 24 + 24) * HOUR)
    assert not inside.any(), "RET-1"
    assert np.abs(found.returns).max() < 0.3


def test_panel__a_missing_daily_bar__no_two_day_return():
    """RET-1: a price held over a missing daily bar makes neither a still day nor a day of two."""
    found = made([walk(step_s=DAY, bars=30, without=[10])])
    days = ((found.time_s - START) // DAY).tolist()
    assert days == [*range(1, 10), *range(12, 30)], "RET-1"


def test_panel__one_has_a_gap__nan_there_and_left_out_of_the_joint_rows():
    """A row is joint only if all have it; the others keep their own."""
    found = made([walk("ETH"), walk("BTC", seed=2, without=range(40, 80))])
    assert np.isnan(found.returns[:, 1]).any()
    assert np.isfinite(found.returns[:, 0]).all()
    whole = found.complete()
    assert np.isfinite(whole.returns).all()
    assert len(whole) == np.isfinite(found.returns).all(axis=1).sum() == len(found.column("BTC")) < len(found)


def test_panel__younger_underlying__nan_before_it_began():
    """An underlying that was listed later has no returns before, and does not shorten the others."""
    found = made([walk("ETH"), walk("UNI", start=START + 5 * DAY, bars=120)])
    assert np.isnan(found.returns[:5, 1]).all()
    assert np.isfinite(found.returns[:, 0]).all()


def test_panel__irregular_rounds__held_as_long_as_the_caller_says():
    """Oracle rounds come in bursts; a heartbeat says how long a quiet price is known."""
    burst = [START + HOUR * h + 60 * m for h in range(48) for m in ((0, 5, 10) if h % 3 else (0,))]
    history = PriceHistory(name="ETH", time_s=np.array(burst), close=np.exp(np.sin(np.arange(len(burst)))))
    # The usual step is minutes: by itself the history is full of gaps.
    by_itself = panel([history], horizon_s=4 * HOUR, step_s=1_800)
    held = made([history], horizon_s=4 * HOUR, step_s=1_800, hold_s=HOUR)
    assert isinstance(by_itself, Unestimated) or len(by_itself) < len(held)
    assert len(held) == (burst[-1] - burst[0] - 4 * HOUR) // 1_800 + 1


@pytest.mark.parametrize(
    ("histories", "choices"),
    [
        ([walk(bars=5)], {}),
        ([walk(step_s=DAY, bars=30)], {"horizon_s": 4 * HOUR}),
        ([walk(), walk("BTC", bars=3)], {}),
        ([walk(), walk("BTC", start=START + 900 * DAY)], {}),
    ],
    ids=["too short", "bars longer than the horizon", "one too short", "never at the same time"],
)
def test_panel__no_return_at_all__a_value_with_a_reason(histories, choices):
    """Too little to go on is an answer that names the history."""
    found = panel(histories, **{"horizon_s": DAY} | choices)
    assert isinstance(found, Unestimated)
    assert histories[-1].name in found.reason or histories[0].name in found.reason


@pytest.mark.parametrize(
    ("histories", "choices"),
    [([], {}), ([walk(), walk()], {}), ([walk()], {"horizon_s": 0}), ([walk()], {"step_s": -1})],
)
def test_panel__senseless__law_broken(histories, choices):
    """A panel of nothing, of one name twice or without length is our mistake."""
    with pytest.raises(LawBroken):
        panel(histories, **{"horizon_s": DAY} | choices)


def test_panel__tags__a_day_or_a_minute():
    """A row says when it ended."""
    assert made([walk(step_s=DAY, bars=3)]).tags == ("2023-11-16", "2023-11-17")
    assert made([walk(bars=10)], horizon_s=4 * HOUR).tags == ("2023-11-15T05:00", "2023-11-15T09:00")


def test_past__volatilities__beside_the_returns_of_the_same_instants():
    """Changes of volatility line up by symbol and time; where none was seen it did not move."""
    prices, vols = [walk("ETH"), walk("BTC", seed=2)], [walk("BTC", seed=3, without=range(60, 100))]
    rows = made(prices)
    vol = made(vols, until_s=int(rows.time_s[-1]))
    past = rows.past(vol)
    assert past.underlyings == ("ETH", "BTC")
    assert past.tags == rows.tags
    assert past.period_hours == 24.0
    assert past.vol_returns is not None
    assert (past.vol_returns[:, 0] == 0.0).all()
    for at, change in zip(rows.time_s, past.vol_returns[:, 1], strict=True):
        assert change == (vol.returns[vol.time_s == at, 0][0] if at in vol.time_s else 0.0)
    assert (past.vol_returns[:, 1] == 0.0).sum() == 3
    with pytest.raises(LawBroken, match="do not go with"):
        rows.past(made(vols, horizon_s=4 * HOUR))


# The EWMA of a panel


def days_of(returns, gaps_after=()):
    """A daily panel of these returns, with three weeks lost after some rows."""
    days = np.ones(len(returns), dtype=np.int64)
    days[[i + 1 for i in gaps_after]] = 22
    return Panel(
        symbols=tuple("ABCDEFGH"[: returns.shape[1]]),
        time_s=START + DAY * np.cumsum(days),
        returns=returns,
        horizon_s=DAY,
    )


def slow_ewma(rows, decay, warm_up, upto_s, u):
    """The definition: a weighted mean of the squares that had ended by then."""
    ages = [(upto_s - t) / DAY for t in rows.time_s.tolist()]
    seen = [
        (decay**age, r * r)
        for age, r in zip(ages, rows.returns[:, u].tolist(), strict=True)
        if age >= 0 and not math.isnan(r)
    ]
    if len(seen) < warm_up:
        return math.nan
    return sum(w * square for w, square in seen) / sum(w for w, _ in seen)


@hypothesis.given(
    st.integers(0, 2**32 - 1), st.integers(1, 3), st.floats(0.5, 0.995), st.sets(st.integers(0, 11), max_size=2)
)
def test_ewma_conditional__any_panel__its_definition(seed, assets, decay, gaps):
    """RET-2: known before a row is the λ-weighted mean of the squares that had ended when it began, NaNs left out."""
    rng = np.random.default_rng(seed)
    returns = rng.normal(scale=0.03, size=(14, assets))
    returns[rng.random(returns.shape) < 0.2] = np.nan
    rows = days_of(returns, gaps_after=sorted(gaps))
    found = ewma_conditional(rows, decay_per_day=decay, warm_up=4)
    for u in range(assets):
        slow = [slow_ewma(rows, decay, 4, t - DAY, u) for t in rows.time_s.tolist()]
        assert found.before[:, u].tolist() == pytest.approx(slow, rel=1e-9, nan_ok=True), "RET-2"
        now = slow_ewma(rows, decay, 4, int(rows.time_s[-1]), u)
        assert found.now[u] == pytest.approx(now, rel=1e-9, nan_ok=True), "RET-2"


def test_ewma_conditional__overlapping_rows__nothing_of_the_row_itself():
    """RET-2: a row that overlaps its past is scaled by what was known at its start, not by its own move."""
    returns = np.full((60, 1), 0.01)
    returns[40:] = 0.5
    rows = Panel(symbols=("A",), time_s=START + HOUR * np.arange(60), returns=returns, horizon_s=4 * HOUR)
    found = ewma_conditional(rows, decay_per_day=0.97, warm_up=2)
    assert found.before[40:44, 0] == pytest.approx([1e-4] * 4), "RET-2"
    assert found.before[44, 0] > 1e-3


@hypothesis.given(st.integers(0, 2**32 - 1))
def test_weighted_variance__without_a_compiler__same_bits(seed):
    """RET-2: the twin without a compiler gives the same bytes, NaNs included."""
    rng = np.random.default_rng(seed)
    returns = rng.normal(size=(30, 3))
    returns[rng.random(returns.shape) < 0.3] = np.nan
    keep = rng.random(30)
    fast = weighted_variance(returns, keep=keep)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conditional, "COMPILED", False)
        assert np.array_equal(weighted_variance(returns, keep=keep), fast, equal_nan=True), "RET-2"


def test_ewma_conditional__long_regular_series__the_recursion():
    """RET-2: where the past is long, the weighted mean is Hull's recursion."""
    returns = np.random.default_rng(5).normal(scale=0.02, size=2_000)
    found = ewma_conditional(days_of(returns[:, None]), decay_per_day=0.94)
    assert found.now[0] == pytest.approx(ewma(returns, decay=0.94, first=4e-4)[-1], rel=1e-12), "RET-2"
    assert found.models == ("EWMA 0.94",)


def test_ewma_conditional__decay_out_of_range__law_broken():
    with pytest.raises(LawBroken):
        ewma_conditional(made([walk()]), decay_per_day=1.0)


@pytest.mark.needs_market_data
def test_panel__recorded_hours__the_gap_of_the_new_year_is_no_return(market_data):
    """RET-1: the recorded hours lack 21 days around the new year of 2024; no return spans them."""
    histories = [load_prices(market_data / "spot_1h" / f"{name}USDT_1h.csv.gz", name=name) for name in ("BTC", "ETH")]
    rows = made(histories).complete()
    assert len(rows) > 3_000
    longest = int(np.diff(rows.time_s).max())
    assert 21 * DAY < longest <= 24 * DAY
    after = int(np.argmax(np.diff(rows.time_s))) + 1
    assert np.abs(rows.returns[after]).max() < 0.1
    price = dict(zip(histories[1].time_s.tolist(), histories[1].close.tolist(), strict=True))
    for at, r in zip(rows.time_s[-300:].tolist(), rows.returns[-300:, 1].tolist(), strict=True):
        assert r == pytest.approx(math.log(price[at] / price[at - DAY]), rel=1e-9), "RET-1"
