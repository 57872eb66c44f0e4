"""The breaker on recorded prices: it is rare in ordinary times, and there on the crash days."""

import pytest

from keeper.deploy import BreakerSpec
from keeper.lab.breaker import episodes, frequency
from keeper.lab.paths import Feed, rounds
from keeper.marketdata.bars_file import load_bars
from keeper.risk.exact.breaker import BreakerRule, move_ppm, openings

pytestmark = [pytest.mark.needs_market_data, pytest.mark.timeout(120)]

SPEC = BreakerSpec()
#: Unix seconds of 2025-10-10 21:00 and 22:00.
CRASH = 1_760_130_000, 1_760_133_600


def rule(*, psr_ppm, k_ppm=SPEC.k_ppm):
    move = move_ppm(psr_ppm=psr_ppm, k_ppm=k_ppm, min_move_ppm=SPEC.min_move_ppm)
    return BreakerRule(
        move_ppm=move, disagree_ppm=0, window_s=SPEC.window_s, hold_s=SPEC.hold_s, confirm_s=SPEC.confirm_s
    )


def test_breaker__fourteen_months_of_ether__a_dozen_openings_a_year_and_one_at_the_crash(market_data):
    """LAB-12: at the deploy defaults ordinary volatility opens it about once a month, for two minutes each."""
    (file,) = (market_data / "perp_5m").glob("ETH*")
    (series,) = load_bars(file)
    path = rounds(series, Feed())
    found = frequency(path, rule(psr_ppm=100_000))
    assert 5 <= found.openings / series.years <= 25, "LAB-12"
    assert found.open_s / found.openings < SPEC.hold_s, "LAB-12"
    assert found.open_s / (series.years * 365 * 86_400) < 1e-4, "LAB-12: a minute or two in a month"
    assert any(CRASH[0] <= one.since_s < CRASH[1] for one in openings(path, rule(psr_ppm=100_000))), "LAB-12"
    assert any(CRASH[0] <= one.since_s < CRASH[1] for one in episodes(path))


def test_breaker__minute_bars_of_bitcoin__never_in_a_quiet_month(market_data):
    """LAB-12: a month without a crash does not open it."""
    (file,) = (market_data / "perp_1m").glob("*.csv.gz")
    (series,) = load_bars(file)
    assert frequency(rounds(series, Feed()), rule(psr_ppm=80_000)).openings == 0, "LAB-12"
