"""propose --from-recalibration: what fences do not admit becomes a proposal."""

from __future__ import annotations

import json

import pytest

from keeper.domain.overrides import Override
from keeper.governance.proposal import load_proposal
from keeper.store import open_store
from keeper.testing.small_house import DAY
from tests.integration.proposals.asking import QUICKLY, asked, differences

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300), pytest.mark.usefixtures("own_logging")]


def test_propose__from_recalibration_file__what_fences_do_not_admit(market, tmp_path):
    """Targets beyond their bounds become bounds, with room; haircuts those calibrated; the rest is left alone."""
    targets = {
        "prices": [
            {"name": "ETH", "scan": {"psr_ppm": 380_000}, "allowed": {"psr_ppm": 380_000},
             "haircut": {"haircut_ppm": 250_000}},
            {"name": "BTC", "scan": {"psr_ppm": 90_000}, "allowed": {"psr_ppm": 90_000}, "haircut": {"reason": "x"}},
        ],
        "vols": [],
    }  # fmt: skip
    path = tmp_path / "targets.json"
    path.write_text(json.dumps(targets))
    args = ("propose", "--from-recalibration", str(path), "--within-days", "30", "--no-simulate", "--json")
    result = asked(market, *args)
    assert result.exit_code == 0, result.output
    assert differences(result) == {
        ("fence of scan range of ETH", "max"): "460000",
        ("collateral WETH", "haircut_ppm"): "250000",
    }
    numbers = [{"number": "vsr_up", "target": 1_700_000}, {"number": "sigma", "target": 6_000_000}]
    path.write_text(json.dumps({"underlyings": [{"symbol": "BTC", "numbers": numbers}]}))
    assert differences(asked(market, *args)) == {
        ("fence of volatility range up of BTC", "max"): "2040000",
        ("volatility fences of BTC", "sigma_max_ppm"): "7200000",
    }
    path.write_text(json.dumps({"underlyings": []}))
    assert asked(market, *args).exit_code == 2


def test_propose__from_recalibration__of_the_kernel_at_one_block(market, tmp_path, monkeypatch):
    """GOV-9: without a file the kernel's own targets count: once what they ask for is executed, glide is in time."""
    monkeypatch.chdir(tmp_path)  # where a store would be made
    result = asked(market, "propose", "--from-recalibration")
    assert result.exit_code == 2, result.output
    assert "admit every target within 2 d" in " ".join(result.output.split())
    keep = market.settings.read_text()
    market.settings.write_text(keep + "[risk]\npsr_floor_ppm = 325_000\n")
    try:
        args = ("propose", "--from-recalibration", "--underlying", "ETH", "--engine", "embedded", "--json")
        assert not in_two_days(market)
        result = asked(market, *args, "--out", str(tmp_path / "out"))
        assert result.exit_code == 0, result.output
        assert {of for of, _ in differences(result)} == {"fence of scan range of ETH", "joint fence of ETH"}
        assert "scan range to 32.5 %" in (tmp_path / "out" / "forum.md").read_text()
        market.pass_through(load_proposal(tmp_path / "out" / "proposal.json"))
        assert in_two_days(market)
        assert "admit every target" in " ".join(asked(market, *args).output.split())
    finally:
        market.settings.write_text(keep)


def test_propose__floor_set_by_hand__named_and_not_taken_for_the_models_target(market, tmp_path, monkeypatch):
    """GOV-17: what an operator holds up is no target of the model: the text tells both, and who; with a file too."""
    monkeypatch.chdir(tmp_path)
    now = market.chain.block().timestamp
    eth = next(u for u, symbol in market.deployment.symbols.items() if symbol == "ETH")
    floor = Override(number=0, underlying=eth, parameter="psr", floor_ppm=400_000, reason="it'''s `falling`",
                     operator="Ada", set_at_s=now - 60, expires_at_s=now + DAY)  # fmt: skip
    store = open_store("sqlite:///keeper.sqlite")
    store.set_override(floor)
    store.close()
    found = asked(market, "recalibrate", "ETH", "--json")
    (one,) = json.loads(found.stdout)["underlyings"]
    psr = next(n for n in one["numbers"] if n["number"] == "psr")
    assert psr["target"] == 400_000
    assert psr["own_target"] < 300_000
    (tmp_path / "targets.json").write_text(found.stdout)
    own = f"{psr['own_target'] / 10_000:g} %"
    for args in (("--underlying", "ETH"), ("targets.json",)):
        quick = ("propose", "--from-recalibration", *args, *QUICKLY)
        aside = asked(market, *quick, "--within-days", "60")
        assert aside.exit_code == 2, aside.output
        assert "--with-overrides" in aside.output, "the model alone asks for nothing"
        result = asked(market, *quick, "--within-days", "60", "--with-overrides", "--json", "--out", "out")
        assert result.exit_code == 0, result.output
        assert differences(result)["fence of scan range of ETH", "max"] == "480000"
        for name in ("forum.md", "description.md", "report.json"):
            text = " ".join((tmp_path / "out" / name).read_text().split())
            assert "ETH: scan range at least 40 % until" in text
            assert f"by Ada: it's 'falling'. The model's own target: {own}." in text
            assert "these changes are made from the floors" in text
    keep = market.settings.read_text()
    market.settings.write_text(keep + "[risk]\npsr_floor_ppm = 325_000\n")
    try:
        result = asked(market, "propose", "--from-recalibration", "--underlying", "ETH", *QUICKLY, "--json")
        changes = json.loads(result.stdout)["proposal"]["changes"]
        assert "these changes leave them aside" in changes
        assert "by Ada: it's 'falling'. The model's own target: 32.5 %." in changes
        assert "scan range to 32.5 %" in changes
        assert "scan range to 40 %" not in changes
    finally:
        market.settings.write_text(keep)


def in_two_days(market):
    """Whether the glide path has published the scan range by then, but for what is within the hysteresis."""
    (found,) = json.loads(asked(market, "glide", "ETH", "--json").stdout)["underlyings"]
    steps = [one for one in found["steps"] if one["at_s"] <= found["begins_s"] + 2 * DAY]
    return steps[-1]["params"]["psr_ppm"] >= 0.95 * 325_000
