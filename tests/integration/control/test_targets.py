"""recalibrate, glide, impact and shadow as an operator uses them: what the model wants and what becomes of it."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from tests.sites import ask, tree_of

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300), pytest.mark.usefixtures("own_logging")]


def test_recalibrate__a_higher_floor__live_target_allowed_and_what_holds_it(site):
    """Every number of the table, and why a push is due."""
    config = site.tuned("floor.toml", floor=120_000, gate="off")
    tree = tree_of("recalibrate", "ETH", "-c", config)
    (eth,) = tree["underlyings"]
    (psr,) = [n for n in eth["numbers"] if n["number"] == "psr"]
    assert psr == {
        "number": "psr",
        "expiry": None,
        "unit": "ppm",
        "in_force": psr["in_force"],
        "last_set": 60_000,
        "target": 120_000,
        "own_target": 120_000,
        "allowed_now": psr["allowed_now"],
        "held_by": "step",
    }
    assert 60_000 < psr["allowed_now"] < 120_000
    assert psr["in_force"] >= 60_000, "it may still be on its way down from the opening"
    assert eth["due"] is True
    assert "scan range 6.00 %" in eth["why"]
    assert any("floor 12.00 % binds" in reason for reason in eth["reasons"])
    shown = ask("recalibrate", "-c", config).stdout
    assert {"allowed", "now", "held"} <= set(shown.split()), "a head may go on in the next line"
    assert "due: ETH scan range" in shown


def test_recalibrate__floor_by_hand__aimed_at_and_told(site, floor_under):
    """A floor set by hand raises the target, and stands with who and why wherever the target is shown."""
    config = site.tuned("hand.toml")
    floor_under("hand", 90_000)
    (eth,) = tree_of("recalibrate", "ETH", "-c", config)["underlyings"]
    assert next(n["target"] for n in eth["numbers"] if n["number"] == "psr") == 90_000
    assert any("override 1: scan_range at least 9 %" in one and "by alice" in one for one in eth["reasons"])
    assert ask("once", "-c", config).exit_code == 0
    (status, _) = tree_of("status", "-c", config)["markets"]
    assert status["psr_target_ppm"] == 90_000
    assert any("by alice" in one for one in status["target"]["reasons"])
    assert tree_of("replay", "-c", config)["replay_agrees"] is True


def test_recalibrate__stored_block__the_same_without_a_node(site):
    """What the head said can be asked of the stored block when the node is gone."""
    config = site.tuned("stored.toml", floor=120_000, gate="off")
    assert ask("once", "-c", config).exit_code == 0
    head = tree_of("recalibrate", "-c", config)
    path = Path(config)
    path.write_text(path.read_text().replace(site.url, "http://127.0.0.1:1"))
    stored = tree_of("recalibrate", "-c", config, "--block", str(head["block"]["number"]))
    assert stored == head


def test_glide__far_target__steps_times_and_both_arrivals(site):
    """Legal steps in order, what binds each, when it is set and when margins are there."""
    config = site.tuned("glide.toml")
    path = tree_of("glide", "ETH", "--set", "scan_range=20%", "-c", config)["underlyings"][0]
    ranges = [step["params"]["psr_ppm"] for step in path["steps"]]
    assert ranges == sorted(ranges)
    assert ranges[-1] == 200_000
    assert path["set_at_s"] == path["steps"][-1]["at_s"] > path["begins_s"]
    assert path["arrives_at_s"] >= path["set_at_s"]
    assert path["steps"][0]["short"][0]["held_by"] == "step"
    shown = ask("glide", "ETH", "--set", "scan_range=20%", "-c", config).stdout
    assert "target set:" in shown
    assert "margins arrive:" in shown


def test_glide__beyond_a_bound__exit_2_and_which(site):
    result = ask("glide", "ETH", "--set", "scan_range=90%", "-c", site.tuned("bound.toml"))
    assert result.exit_code == 2
    assert "only governance can move them" in " ".join(result.stdout.split())


def test_impact__a_large_move__who_falls_by_name_at_each_stage(site):
    """Totals, the ten largest, and the accounts that fall below maintenance, by name."""
    config = site.tuned("impact.toml")
    one = tree_of("impact", "ETH", "--set", "scan_range=30%", "-c", config)["underlyings"][0]
    whole = one["whole"]
    assert whole["below_mm"] == len(whole["newly_below_mm"]) > 0
    assert len(whole["largest"]) == 10
    assert all(account["account"].startswith("0x") for account in whole["newly_below_mm"])
    assert int(whole["mm_after"]["wad"]) > int(whole["mm_before"]["wad"])
    stages = [stage["effect"]["below_mm"] for stage in one["stages"]]
    assert stages[0] == 0
    assert max(stages) >= whole["below_mm"]
    assert "newly below maintenance" in ask("impact", "ETH", "--set", "scan_range=30%", "-c", config).stdout


@pytest.fixture
def later(site):
    """The same market in its crash, where somebody stands close to the edge."""
    for point in site.world.path.points[3:11]:
        site.world.reach(point)
    return site


def test_impact__no_share_allowed__the_gate_says_whom_and_exit_2(later):
    """The gate is asked about the push that is legal now, as the running keeper asks it."""
    config = later.tuned("strict.toml", floor=300_000, gate="refuse", share=0)
    one = tree_of("impact", "BTC", "-c", config, code=2)["underlyings"][0]
    assert one["gate"]["passes"] is False
    assert "held by the impact gate" in one["gate"]["said"]
    (whom,) = one["gate"]["accounts"]
    once = tree_of("once", "-c", config)
    assert any("BTC: push held by the impact gate" in alert for alert in once["alerts"]), "the daemon says it too"
    published = [a["underlying"] for a in once["actions"] if a["kind"] == "publish"]
    assert published == [0], "ETH's push hurts nobody"
    slow = tree_of("impact", "BTC", "-c", later.tuned("slow.toml", floor=300_000, share=0), code=2)["underlyings"][0]
    assert 0 < slow["gate"]["kept_ppm"] < 1_000_000
    assert slow["gate"]["accounts"] == [whom]
    assert slow["gate"]["day"]["first"] is True, "IMP-8: the day's total stands beside the push's own"
    assert slow["gate"]["day"]["below_mm"] == len(slow["gate"]["day"]["newly_below_mm"]) == 1


def test_shadow__two_blocks__live_and_proposed_side_by_side(site):
    """The shadow takes for pushed what the loop would push; nothing is sent."""
    config = site.tuned("shadow.toml", floor=120_000, gate="off")

    over = threading.Event()

    def mine():
        while not over.wait(0.5):  # the command waits for a block that somebody has to mine
            site.world.mine()

    miner = threading.Thread(target=mine)
    miner.start()
    try:
        result = ask("shadow", "ETH", "--blocks", "2", "-c", config, "--json")
    finally:
        over.set()
        miner.join()
    assert result.exit_code == 0, result.output
    first, second = [json.loads(line) for line in result.stdout.splitlines()]
    assert first["block"]["number"] < second["block"]["number"]
    assert first["live"]["psr_ppm"] == second["live"]["psr_ppm"] < second["target"]["psr_ppm"]
    assert "scan range" in first["pushed"]
    assert second["target"]["psr_ppm"] == 120_000
    assert second["effect"]["accounts"] > 0
    assert "shadow" in ask("shadow", "ETH", "--blocks", "1", "-c", config).stdout
