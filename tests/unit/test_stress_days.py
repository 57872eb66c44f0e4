"""Stress rows, and their figures against recorded data (GEN-6)."""

import csv
import gzip
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType

import numpy as np
import pytest

from keeper.errors import LawBroken
from keeper.risk.generate.depeg import KNOWN
from keeper.risk.generate.stress import stress
from keeper.risk.generate.stress_days import STRESS_DAYS

DAY = 86_400
FIGURES = [(day, symbol) for day in STRESS_DAYS for symbol in day.moves]


def test_stress__each_day__its_row():
    """A row is what was recorded that day, for the underlyings of the table."""
    found = stress(underlyings=("ETH", "BTC"), collaterals=("USDC",))
    assert len(found) == len(STRESS_DAYS)
    row = found.tags.index("2020-03-12 the pandemic")
    assert found.spot[row].tolist() == pytest.approx([0.465, 0.49])
    assert (found.vol[row] == 0.0).all()
    row = found.tags.index("2024-08-05 the yen")
    assert found.vol[row].tolist() == [0.443, 0.0]
    assert (found.collateral == 1.0).all()


def test_stress__underlying_without_a_figure__moves_as_the_proxy_did():
    """Not recorded does not mean that it stood still."""
    found = stress(underlyings=("ETH", "PEPE", "LINK"))
    assert (found.spot[:, 1] == found.spot[:, 0]).all()
    row = found.tags.index("2024-08-05 the yen")
    assert found.spot[row, 2] == found.spot[row, 0]
    assert stress(underlyings=("PEPE",), proxy="BTC").spot[row, 0] == pytest.approx(0.806)


def test_stress__volatility_not_recorded__as_the_caller_says():
    """A day whose volatility nobody recorded takes the caller's."""
    found = stress(underlyings=("ETH",), unrecorded_vol=0.45)
    recorded = [day.vols.get("ETH") for day in STRESS_DAYS]
    assert found.vol[:, 0].tolist() == [0.45 if vol is None else vol for vol in recorded]


def test_stress__no_figure_and_no_proxy__law_broken():
    """A row is never guessed."""
    day = replace(STRESS_DAYS[0], moves=MappingProxyType({"BTC": -0.3}))
    with pytest.raises(LawBroken, match="neither PEPE nor ETH"):
        stress([day], underlyings=("PEPE",))


def test_stress_days__every_day__lists_the_proxy_and_both_ways_are_there():
    """The table has falls and rises, each day with BTC and ETH, in order of time, each tag once."""
    assert all({"BTC", "ETH", day.leader} <= set(day.moves) for day in STRESS_DAYS)
    assert {day.is_fall for day in STRESS_DAYS} == {True, False}
    assert [day.hour for day in STRESS_DAYS] == sorted(day.hour for day in STRESS_DAYS)
    assert len({day.tag for day in STRESS_DAYS}) == len(STRESS_DAYS)
    assert all(bool(day.vols) == bool(day.vol_source) for day in STRESS_DAYS)


def unix(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def columns(path, *wanted):
    """The named columns of a gzipped table, a list of texts each."""
    with gzip.open(path, "rt") as file:
        rows = list(csv.DictReader(file))
    return [[row[name] for row in rows] for name in wanted]


@pytest.fixture(scope="module")
def bars():
    """Hourly bars by symbol and opening second, read when first needed."""
    seen = {}

    def read(folder, symbol):
        if symbol not in seen:
            names = ("ts", "open", "high", "low")
            text = columns(folder / "spot_1h" / f"{symbol}USDT_1h.csv.gz", *names)
            seen[symbol] = {int(t): tuple(map(float, bar)) for t, *bar in zip(*text, strict=True)}
        return seen[symbol]

    return read


@pytest.mark.needs_market_data
def test_stress_days__recorded_hours__every_figure(market_data, bars):
    """GEN-6: each move is the worst trade of the named hour over the opening of 24 hours before, to a tenth of 1 %."""
    for day, symbol in FIGURES:
        hour = unix(day.hour)
        own = bars(market_data, symbol)
        worst = own[hour][2] if day.is_fall else own[hour][1]
        assert worst / own[hour - DAY][0] - 1.0 == pytest.approx(day.moves[symbol], abs=0.00051), (day.tag, symbol)


@pytest.mark.needs_market_data
def test_stress_days__recorded_hours__the_leaders_extreme_names_the_hour(market_data, bars):
    """GEN-6: within half a day either side of the named hour the leader traded nowhere more extreme."""
    for day in STRESS_DAYS:
        own = bars(market_data, day.leader)
        near = [t for t in range(unix(day.hour) - DAY // 2, unix(day.hour) + 1, 3_600) if t in own]
        extreme = min(near, key=lambda t: own[t][2]) if day.is_fall else max(near, key=lambda t: own[t][1])
        assert extreme == unix(day.hour), (day.tag, "GEN-6")


@pytest.mark.needs_market_data
def test_stress_days__recorded_volatilities__every_figure(market_data):
    """GEN-6: rises of volatility are those of the recorded index and surfaces."""
    days = {day.hour: day for day in STRESS_DAYS if day.vols}
    yen, slide = days.pop("2024-08-05T06:00"), days.pop("2026-02-06T00:00")
    assert not days
    index = dict(zip(*columns(next((market_data / "dvol").iterdir()), "ts", "eth_dvol"), strict=True))
    at = unix(yen.hour)
    rise = float(index[str(at)]) / float(index[str(at - DAY)]) - 1.0
    assert rise == pytest.approx(yen.vols["ETH"], abs=0.00051), "GEN-6"

    path = next((market_data / "options").glob("deribit_atm_25d_by_expiry_*"))
    chains = {}
    for ts, name, tenor, vol in zip(*columns(path, "ts", "cur", "T", "atm_iv"), strict=True):
        if vol:
            chains.setdefault((name, int(ts)), []).append((float(tenor), float(vol) ** 2 * float(tenor)))

    def month(name, when):
        """30-day volatility, total variance linear between expiries, of the snapshot nearest to `when`."""
        nearest = min((t for symbol, t in chains if symbol == name), key=lambda t: abs(t - unix(when)))
        tenors, variances = zip(*sorted(chains[name, nearest]), strict=True)
        return float(np.sqrt(np.interp(30 / 365, tenors, variances) / (30 / 365)))

    for name, wanted in slide.vols.items():
        rise = month(name, "2026-02-05T21:29") / month(name, "2026-02-04T21:33") - 1.0
        assert rise == pytest.approx(wanted, abs=0.001), "GEN-6"


@pytest.mark.needs_market_data
def test_known_depegs__recorded_oracles__every_figure(market_data):
    """GEN-6: each depeg is the lowest that its source recorded."""
    known = {fall.symbol: fall.factor for fall in KNOWN}
    for symbol, name in (("USDT", "USDT-USD"), ("stETH", "stETH-ETH")):
        (prices,) = columns(market_data / "chainlink" / f"{name}_rounds.csv.gz", "price")
        assert min(map(float, prices)) == pytest.approx(known.pop(symbol), abs=0.00051), "GEN-6"
    path = next((market_data / "depeg_2023-03").glob("*kraken*"))
    (implied,) = columns(path, "implied_usdc_usd")
    assert min(float(x) for x in implied if x) == pytest.approx(known.pop("USDC"), abs=0.00051), "GEN-6"
    assert not known
