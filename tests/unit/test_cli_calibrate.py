"""keeper calibrate: what a person and a script see, where files and settings come from, and how it ends."""

import gzip
import io
import json

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from keeper.cli.root import app
from keeper.cli.several import spell_out
from keeper.cli.show.calibrate import Answer, calibrate_view
from keeper.domain.knobs import RiskKnobs
from keeper.offline import price_history, quote_sheets, vol_histories
from keeper.risk.calibration.calibrate import Side
from keeper.risk.calibration.calibrate import calibrate as calibrate_history
from keeper.risk.calibration.surface_targets import surface_targets
from keeper.risk.calibration.vol_range import vol_moves, vol_ranges

HOUR, DAY = 3_600, 86_400


def closes(days, *, step=4 * HOUR, seed=1):
    times = np.arange(0, days * DAY, step) + 1_600_000_000
    moves = np.random.default_rng(seed).standard_t(4, size=times.size) * 0.01
    return "ts,close\n" + "".join(f"{t},{p:.4f}\n" for t, p in zip(times, 100 * np.exp(np.cumsum(moves)), strict=True))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder with some histories in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KEEPER_CONFIG", raising=False)
    (tmp_path / "eth.csv").write_text(closes(500))
    (tmp_path / "btc.csv.gz").write_bytes(gzip.compress(closes(60, seed=2).encode()))
    (tmp_path / "short.csv").write_text(closes(3))
    (tmp_path / "bad.csv").write_text("ts,close\n1,2\n2,x\n")
    rng = np.random.default_rng(3)
    level = 0.5 * np.exp(np.cumsum(rng.normal(size=300)) * 0.03)
    (tmp_path / "dvol.csv").write_text(
        "ts,cur,iv\n" + "".join(f"{1_600_000_000 + i * 6 * HOUR},ETH,{v:.4f}\n" for i, v in enumerate(level))
    )
    return tmp_path


def ask(*args):
    return CliRunner().invoke(app, ["calibrate", "--replicates", "20", *args])


def ask_json(*args, exit_code=0):
    result = ask("--json", *args)
    assert result.exit_code == exit_code, result.output
    return json.loads(result.stdout)


@pytest.mark.usefixtures("here")
def test_calibrate__person__target_reasons_and_backtest_within_100_columns():
    result = ask("--prices", "ETH=eth.csv", "--vol-history", "dvol.csv")
    assert result.exit_code == 0, result.output
    for word in (
        "ETH   2020-09-13",
        "scan range",
        "binds",
        "nine of ten such histories",
        "coverage p, exact",
        "χ²",
        "traffic light, newest 250",
        "shortfall test Z2",
        "day by day",
        "peak to trough",
        "after breaches",
        "volatility scan range",
        "psr_floor_ppm = ",
        "vsr_down_ppm = ",
    ):
        assert word in result.stdout, word
    assert "…" not in result.stdout, "a cell was cut"
    assert max(len(line) for line in result.stdout.splitlines()) <= 100


@pytest.mark.usefixtures("here")
def test_calibrate__script__every_figure_and_the_same_bytes_twice():
    """One seed gives one answer; the tree has the tests of each side, and the settings that follow."""
    args = ("--prices", "eth.csv", "BTC=btc.csv.gz", "--vol-history", "dvol.csv")
    tree = ask_json(*args)
    assert tree == ask_json(*args)
    assert tree["prices"][1:] == ask_json("--prices", "BTC=btc.csv.gz")["prices"], "others change no figure"
    assert [one["name"] for one in tree["prices"]] == ["eth", "BTC"]
    eth, btc = tree["prices"]
    assert eth["scan"]["psr_ppm"] % 2_500 == 0
    for part in ("in_sample", "out_of_sample"):
        for side in ("long", "short"):
            found = eth[part][side]
            assert found["seen"]["trials"] > 100
            for test in ("pof", "independence", "conditional"):
                assert 0 <= found[test]["p_exact"] <= 1
                assert 0 <= found[test]["p_chi2"] <= 1
            assert found["light"]["zone"] in ("green", "yellow", "red")
    assert "needed" in btc["out_of_sample"]["reason"]
    assert tree["vols"][0]["up"]["vsr_ppm"] == tree["keeper_toml"]["vsr_up_ppm"]
    assert tree["keeper_toml"]["psr_floor_ppm"] >= max(1e6 * one["scan"]["history"] for one in tree["prices"])


@pytest.mark.usefixtures("here")
def test_calibrate__seed__moves_the_interval_and_not_the_target():
    one, other = (ask_json("--prices", "eth.csv", "--seed", seed)["prices"][0] for seed in ("1", "2"))
    assert one["scan"] == other["scan"]
    assert one["interval"] != other["interval"]


def test_calibrate__settings__file_then_environment_then_flags(here, monkeypatch):
    """[risk] of keeper.toml counts, the environment over it, a flag over both."""
    assert ask_json("--prices", "eth.csv")["settings"]["from"] == "defaults"
    (here / "keeper.toml").write_text("[risk]\nes_level = 0.95\npsr_floor_ppm = 300000\nhorizon_hours = 8\n")
    monkeypatch.setenv("KEEPER_RISK__STRESS_WEIGHT", "0.5")
    tree = ask_json("--prices", "eth.csv", "--horizon", "12")
    used = tree["settings"]
    assert (used["from"], used["es_level"], used["stress_weight"], used["horizon_hours"]) == (
        "keeper.toml", 0.95, 0.5, 12.0,
    )  # fmt: skip
    assert tree["prices"][0]["scan"]["psr_ppm"] == 300_000
    assert tree["prices"][0]["scan"]["binding"] == "floor"


@pytest.mark.usefixtures("here")
def test_calibrate__in_force__its_breaches_raise_the_floor():
    tree = ask_json("--prices", "eth.csv", "--in-force", "3")
    allowed = tree["prices"][0]["allowed"]
    assert "red" in allowed["reason"]
    quiet = ask_json("--prices", "eth.csv", "--in-force", "30")["prices"][0]["allowed"]
    assert "green" in quiet["reason"]


@pytest.mark.usefixtures("here")
def test_calibrate__history_too_short__the_reason_in_the_answer_and_exit_2():
    tree = ask_json("--prices", "eth.csv", "short.csv", exit_code=2)
    assert "needed" in tree["prices"][1]["reason"]
    assert tree["prices"][0]["scan"]["psr_ppm"] > 0
    shown = ask("--prices", "short.csv")
    assert shown.exit_code == 2
    assert "not calibrated" in shown.stdout


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], "nothing to calibrate on"),
        (["--prices", "none.csv"], "none.csv: cannot be read"),
        (["--prices", "bad.csv"], "bad.csv:3: close is 'x'"),
        (["--prices", "A=eth.csv", "A=eth.csv"], "--prices A=eth.csv: there is a history of A already"),
        (["--prices", "eth.csv", "eth=btc.csv.gz"], "there is a history of eth already"),
        (["--prices", "=eth.csv"], "--prices =eth.csv: no name"),
        (["--prices", "ETH="], "--prices ETH=: no file"),
        (["--vol-history", "eth.csv"], "no column atm_iv"),
        (["--surface", "eth.csv"], "eth.csv"),
        (["--surface", "none.csv"], "none.csv"),
        (["--prices", "eth.csv", "--level", "1.5"], "risk.es_level = 1.5"),
        (["--prices", "eth.csv", "--level", "nan"], "risk.es_level = nan"),
        (["--prices", "eth.csv", "--horizon", "-1"], "risk.horizon_hours"),
        (["--prices", "eth.csv", "--in-force", "0"], "--in-force 0"),
        (["--prices", "eth.csv", "-c", "none.toml"], "none.toml does not exist"),
    ],
)
@pytest.mark.usefixtures("here")
def test_calibrate__bad_input__exit_2_and_what_is_wrong(args, said):
    result = ask(*args)
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("--prices a b --json", "--prices a --prices b --json"),
        ("--prices=a b --level 0.9", "--prices=a --prices b --level 0.9"),
        ("--level 0.9 c", "--level 0.9 c"),
        ("--prices a --surface b c -- --prices d e", "--prices a --surface b --surface c -- --prices d e"),
        ("-x --prices", "-x --prices"),
    ],
)
def test_several__values_after_one_name__spelled_out(given, meant):
    """`--prices A B` is `--prices A --prices B`; other options keep what is theirs."""
    assert list(spell_out(given.split(), {"--prices", "--surface"})) == meant.split()


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120])
def test_calibrate_view__any_width__no_number_is_cut(here, width):
    """Where a terminal is narrow, tables stand below each other and labels wrap; every figure is whole and there."""
    at = 1_770_000_000
    quotes = [(at + d * DAY, k) for d in (9, 40) for k in range(60_000, 130_000, 5_000)]
    rows = [f"{at},BTC,{e},{k},{'C' if k > 90_000 else 'P'},90000,0.01,0.011,0.{60 + k // 30_000}" for e, k in quotes]
    (here / "chain.csv").write_text("\n".join(["snap,cur,expiry,strike,cp,fut,bid,ask,iv", *rows]))
    knobs, rng = RiskKnobs(), np.random.default_rng(1)
    found = calibrate_history(price_history(here / "eth.csv"), knobs, rng=rng, replicates=20, in_force_ppm=None)
    (vols,) = vol_histories(here / "dvol.csv").values()
    ranges = vol_ranges(vol_moves(vols, knobs), knobs, rng=rng, replicates=20)
    surfaces = [
        (name, surface_targets(sheet, knobs))
        for name, sheet in quote_sheets(here / "chain.csv", max_per_expiry=40).items()
    ]
    out = Console(width=width, file=io.StringIO(), color_system=None)
    out.print(
        calibrate_view(
            Answer(
                knobs=knobs, origin="defaults", seed=1, replicates=20,
                prices=[("eth", found)], vols=[("ETH", ranges)], surfaces=surfaces,
            )
        )
    )  # fmt: skip
    text = out.file.getvalue()
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for side in Side:
        p = found.in_sample[side].conditional.p_exact
        assert text.count(f"{p:.4f}" if p >= 1e-4 else "<0.0001") >= 1
    assert f"{found.swings[-1].peak_to_trough:.2f}" in text
    assert "median" in text
    assert "max" in text
