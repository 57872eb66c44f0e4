"""Calibration on recorded markets: the crash of March 2020 is in the sample, and the light is never red."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from keeper.domain.knobs import RiskKnobs
from keeper.domain.prices import PriceHistory
from keeper.marketdata.prices_file import load_prices
from keeper.marketdata.vols_file import load_vols
from keeper.offline import quote_sheets
from keeper.risk.backtest.overlap import non_overlapping
from keeper.risk.backtest.traffic_light import Zone
from keeper.risk.calibration.calibrate import Calibration, Side, calibrate
from keeper.risk.calibration.scan_range import Binding, scan_range_of
from keeper.risk.calibration.surface_targets import SurfaceTargets, surface_targets
from keeper.risk.calibration.vol_range import VolMoves, vol_moves, vol_ranges
from keeper.risk.timeseries.windows import windows_of_history

KNOBS = RiskKnobs()
DAY = 86_400
CRASH = dt.datetime(2020, 3, 12, tzinfo=dt.UTC).timestamp()


@pytest.mark.needs_market_data
@pytest.mark.parametrize(("symbol", "psr_ppm"), [("BTC", 145_000), ("ETH", 172_500)])
def test_calibrate__full_hourly_history__covers_march_2020_and_stays_out_of_red(market_data, symbol, psr_ppm):
    """The whole history's floor binds; held still or day by day, neither side breaches more than yellow."""
    history = load_prices(market_data / "spot_1h" / f"{symbol}USDT_1h.csv.gz", name=symbol)
    found = calibrate(history, KNOBS, rng=np.random.default_rng(1), replicates=100)
    assert isinstance(found, Calibration)
    assert history.time_s[0] < CRASH < history.time_s[-1]
    assert (found.scan.psr_ppm, found.scan.binding) == (psr_ppm, Binding.HISTORY)
    assert found.sample.longest_gap_s > 20 * DAY
    assert found.sample.apart > 3_000
    assert found.interval.low < psr_ppm / 1e6 < found.interval.high
    for judged in (found.in_sample, found.out_of_sample):
        for side in Side:
            assert judged[side].light.zone is not Zone.RED
            assert judged[side].recent.zone is not Zone.RED
            assert judged[side].shortfall.p > 0.05
    ours, still, raw = found.swings
    assert ours.peak_to_trough < 3 < raw.peak_to_trough, "floor and stress make it calm"
    assert ours.breached < still.breached < raw.breached


@pytest.mark.needs_market_data
def test_calibrate__half_a_year_after_march_2020__a_calm_market_does_not_forget(market_data):
    """Filtered history alone asks for three quarters by then; the floor still knows the crash."""
    btc = load_prices(market_data / "spot_1h" / "BTCUSDT_1h.csv.gz")
    until = dt.datetime(2020, 10, 15, tzinfo=dt.UTC).timestamp()
    year = btc.between(until - 365 * DAY, until)
    found = scan_range_of(windows_of(year), KNOBS)
    assert found.binding is Binding.HISTORY
    assert found.psr_ppm / 1e6 > 1.3 * found.now
    forgetful = replace(KNOBS, floor_share=0.0, stress_weight=0.0)
    assert scan_range_of(windows_of(year), forgetful).psr_ppm < 0.8 * found.psr_ppm


@pytest.mark.needs_market_data
def test_windows__outages_and_the_hole_of_three_weeks__no_window_ends_inside(market_data):
    """Gaps are left open on recorded data too: each end of each window was observed."""
    btc = load_prices(market_data / "spot_1h" / "BTCUSDT_1h.csv.gz")
    sample = windows_of(btc)
    for before, after in btc.gaps():
        for ends in (sample.start_s, sample.start_s + DAY):
            assert not ((ends > before + 1.5 * 3_600) & (ends < after)).any()
    apart = sample.start_s[non_overlapping(sample.start_s, DAY)]
    assert np.diff(apart).min() >= DAY


@pytest.mark.needs_market_data
@pytest.mark.parametrize("symbol", ["BTC", "ETH"])
def test_vol_ranges__recorded_chains__near_what_is_published(market_data, symbol):
    """The month of the February 2026 crash is in the sample; volatility rises further than it falls."""
    path = market_data / "options" / "deribit_atm_25d_by_expiry_2025-12_2026-08.csv.gz"
    moves = vol_moves(load_vols(path)[symbol], KNOBS)
    assert isinstance(moves, VolMoves)
    up, down = vol_ranges(moves, KNOBS, rng=np.random.default_rng(1), replicates=50)
    assert 200_000 <= down.vsr_ppm + 50_000 <= up.vsr_ppm <= 600_000
    assert up.seen.count == down.seen.count == 0


@pytest.mark.needs_market_data
def test_vol_ranges__recorded_index__agrees_with_listed_expiries(market_data):
    """Another year, an index instead of a chain: the ranges are of one size."""
    path = market_data / "dvol" / "eth_dvol_hourly_2024-03_2024-10.csv.gz"
    moves = vol_moves(load_vols(path)["ETH"], KNOBS)
    up, down = vol_ranges(moves, KNOBS, rng=np.random.default_rng(1), replicates=50)
    assert 100_000 < down.vsr_ppm < up.vsr_ppm < 600_000


@pytest.mark.needs_market_data
def test_surface_targets__recorded_chain__every_expiry_in_calendar_order(market_data):
    """A week after the crash of February 2026: levels, forwards, and total variance that never falls."""
    path = market_data / "options" / "deribit_chain_4xday_2026-02-05_2026-02-12.parquet"
    sheets = quote_sheets(path, max_per_expiry=16)
    assert sorted(sheets) == ["BTC", "ETH"]
    for sheet in sheets.values():
        found = surface_targets(sheet, KNOBS)
        assert isinstance(found, SurfaceTargets)
        assert len(found.expiries) >= 8
        params = [one.target.params for one in found.expiries]
        variances = [p.sigma_atm_ppm**2 * (p.expiry - found.taken_s) for p in params]
        assert variances == sorted(variances)
        assert all(300_000 < p.sigma_atm_ppm < 1_200_000 for p in params)
        assert all(0.95 < p.phi_ppb / 1e9 < 1.05 for p in params)


def windows_of(history: PriceHistory):
    return windows_of_history(history, horizon_s=DAY, decay_per_day=KNOBS.ewma_lambda)
