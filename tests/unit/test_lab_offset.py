"""What an offset between underlyings would save, on made-up days whose answer is plain, and on recorded ones."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from keeper.domain.prices import PriceHistory
from keeper.errors import BadInput
from keeper.lab.offset import TYPICAL, Account, carried, perp, straddle, study
from keeper.marketdata.prices_file import load_prices

PSR = np.array([0.15, 0.15])
SPREAD = Account(name="spread", legs=(perp(1.0), perp(-1.0)))
T = 1_546_300_800  # 2019-01-01
HOUR = 3_600


def asked(account, moves, *, psr=PSR, share=0.1):
    return carried(
        account, moves, psr, share=share, kappa=0.8, tail_weight=0.75, resamples=50, rng=np.random.default_rng(3)
    )


def together(days=400, *, spread=0.0):
    """Days on which both move alike, the second by `spread` of it otherwise."""
    first = np.random.default_rng(4).normal(0.0, 0.03, days)
    return np.stack([first, first * (1.0 - spread)], axis=1)


def test_carried__both_the_same_way__nothing_saved():
    """LAB-13: where both lose in the same row there is nothing to offset."""
    for account in (Account(name="long", legs=(perp(1.0), perp(1.0))), TYPICAL[4]):
        found = asked(account, together())
        assert found.saved == pytest.approx(0.0, abs=1e-12), "LAB-13"
        assert found.beyond_added == found.beyond_joint


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_carried__spread_of_equal_ranges__the_dearer_leg_less_the_share(share):
    """LAB-13: adding asks for both scan ranges, one row for one of them less o of the other."""
    found = asked(SPREAD, together(), share=share)
    assert found.added == pytest.approx(0.30)
    assert found.joint == pytest.approx(0.15 * (1.0 - share), abs=1e-12), "LAB-13"
    assert found.saved == pytest.approx((1.0 + share) / 2), "LAB-13"


def test_carried__days_that_move_alike__the_whole_gain_and_apart__none():
    """LAB-13: what days bear follows from the days, and the error bars lie around it."""
    alike = asked(SPREAD, together())
    assert (alike.largest_share, alike.low, alike.high) == (1.0, 1.0, 1.0), "LAB-13"
    apart = asked(SPREAD, np.stack([together()[:, 0] * 3.0, -together()[:, 0] * 3.0], axis=1))
    assert apart.largest_share is None
    assert apart.low == -1.0, "LAB-13"
    assert apart.beyond_joint > apart.beyond_added
    between = asked(SPREAD, np.stack([together()[:, 0], together()[:, 0] * -0.2], axis=1))
    assert between.low <= between.largest_share <= between.high, "LAB-13"


def test_straddle__still_day__nothing_and_convex_about_it():
    """A straddle of a still day is worth what it was; a short one loses on either side, and with volatility up."""
    short = straddle(-1.0)
    still, moved, up = np.ones(1), np.array([0.8, 1.2]), np.full(1, 0.45)
    assert short(still, np.zeros(1)) == pytest.approx(0.0, abs=1e-12)
    assert (short(moved, np.zeros(2)) < 0.0).all()
    assert short(still, up)[0] < 0.0


def history(name, *, years=3, seed=0, with_=None):
    """Hourly prices; those of a seed move like those of another that they are made with."""
    steps = np.random.default_rng(seed).normal(0.0, 0.008, years * 365 * 24)
    if with_ is not None:
        steps = 0.9 * np.diff(np.log(with_.close), prepend=0.0) + 0.1 * steps
        steps[0] = 0.0
    at = T + HOUR * np.arange(len(steps))
    return PriceHistory(name=name, time_s=at, close=100.0 * np.exp(np.cumsum(steps)))


@pytest.fixture(scope="module")
def two():
    first = history("ONE")
    return first, history("TWO", seed=1, with_=first)


def test_study__three_years__the_first_only_teaches(two):
    """LAB-14: a year is judged under ranges that end where it begins, so the first has none; all accounts in each."""
    found = list(study(*two, share=0.1, seed=5))
    assert [year.name for year in found] == ["2020", "2021", "whole"], "LAB-14"
    assert all([a.account for a in year.accounts] == [a.name for a in TYPICAL] for year in found)
    assert found == list(study(*two, share=0.1, seed=5)), "LAB-14: the same from the same seed"
    cut = [PriceHistory(name=h.name, time_s=h.time_s[: 500 * 24], close=h.close[: 500 * 24]) for h in two]
    assert next(study(*cut, share=0.1, seed=5)).psr == found[0].psr, "LAB-14: what came later changed no range"


def test_study__no_common_days__said(two):
    """Two records that never overlap tell nothing of each other."""
    early = PriceHistory(name="EARLY", time_s=two[0].time_s - 10**9, close=two[0].close)
    with pytest.raises(BadInput, match="no days in common"):
        list(study(early, two[1], share=0.1, seed=5))


def test_script__two_files__tables_and_json(two, tmp_path, monkeypatch, capsys):
    """LAB-14: anybody's records, figures or a table, and a plain word for what cannot be read."""
    place = Path(__file__).parents[2] / "scripts" / "offset_report.py"
    files = []
    for one in two:
        files.append(tmp_path / f"{one.name}.csv")
        rows = (f"{t},{p:.6f}" for t, p in zip(one.time_s, one.close, strict=True))
        files[-1].write_text("ts,close\n" + "\n".join(rows) + "\n")

    def run(*args):
        monkeypatch.setattr("sys.argv", [str(place), *map(str, args)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(place), run_name="__main__")
        return ended.value.code, *capsys.readouterr()

    code, told, _ = run("--first", files[0], "--second", files[1], "--json")
    assert code == 0
    assert json.loads(told)[-1]["saved"]["long first, short second"] > 0.4
    code, told, _ = run("--first", files[0], "--second", files[1])
    assert code == 0
    assert "short straddles in both" in told
    code, told, complaint = run("--first", files[0], "--second", tmp_path / "nothing.csv")
    assert (code, told) == (2, "")
    assert "nothing.csv" in complaint
    code, _, complaint = run("--first", files[0], "--second", files[1], "--share", "1.5")
    assert code == 2
    assert "not between 0 and 1" in complaint


@pytest.mark.needs_market_data
def test_study__bitcoin_and_ether__half_saved_and_not_every_year_bears_it(market_data):
    """LAB-15: the figures that contracts/README.md decides on."""
    pair = [load_prices(market_data / "spot_1h" / f"{name}USDT_1h.csv.gz") for name in ("BTC", "ETH")]
    years = {year.name: {a.account: a for a in year.accounts} for year in study(*pair, share=0.1, seed=5)}
    spread, straddles = "long first, short second", "short straddles in both"
    assert all(0.48 <= of[spread].saved <= 0.53 for of in years.values()), "LAB-15"
    assert all(of[straddles].saved <= 0.025 for of in years.values()), "LAB-15"
    assert years["2021"][spread].low == -1.0, "LAB-15: a year that does not bear any offset for certain"
    assert years["2021"][spread].largest_share == pytest.approx(0.151, abs=0.005), "LAB-15"
    whole = years["whole"][spread]
    assert (whole.days, whole.beyond_added, whole.beyond_joint) == (3_082, 0, 18), "LAB-15"
    assert years["whole"]["long both"].beyond_added == 20
