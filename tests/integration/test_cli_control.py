"""recalibrate, glide, impact, push, shadow and override as an operator uses them, against a chain behind HTTP."""

import json
import threading
from pathlib import Path

import pytest

from keeper.domain.overrides import Override
from keeper.store import open_store
from tests.sites import ask, keys_of, served, smallest_market, tree_of

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300), pytest.mark.usefixtures("own_logging")]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The demo's smallest market two hours after its opening, so that everything may be published again."""
    world = smallest_market(points=3)
    with served(world, tmp_path_factory.mktemp("control"), keys_of(world)) as site:
        yield site


@pytest.fixture(autouse=True)
def _undone(site):
    """What a test does to the market is undone."""
    before = site.world.chain.snapshot()
    yield
    site.world.chain.revert(before)


@pytest.fixture
def floor_under(site):
    """Puts a floor under ETH's scan range, in the chain's time."""

    def put(name, floor_ppm):
        store = open_store(f"sqlite:///{site.folder}/{name}.toml.sqlite")
        now = site.world.chain.block().timestamp
        store.set_override(
            Override(
                number=0,
                underlying=0,
                parameter="psr",
                floor_ppm=floor_ppm,
                reason="a fork is announced",
                operator="alice",
                set_at_s=now - 1,
                expires_at_s=now + 86_400,
            )
        )
        store.close()

    return put


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


def test_override__set_list_clear__each_told(site):
    """From the command line and back: a number, an end, who and why."""
    config = site.tuned("override.toml")
    assert ask("once", "-c", config).exit_code == 0
    made = tree_of(
        "override",
        "set",
        "eth.scan_range",
        "12.5%",
        "--for",
        "7d",
        "--reason",
        "a fork",
        "--operator",
        "bob",
        "-c",
        config,
    )["overrides"][0]
    assert (made["floor_ppm"], made["parameter"], made["operator"]) == (125_000, "ETH.scan_range", "bob")
    assert made["expires_at_s"] - made["set_at_s"] == 7 * 86_400
    assert made["set_at_s"] == site.world.chain.block().timestamp, "OVR-6: it begins and ends by the chain's time"
    (eth,) = tree_of("recalibrate", "ETH", "-c", config)["underlyings"]
    assert any(one.startswith("override 1: scan_range at least 12.5 %") for one in eth["reasons"]), "OVR-6"
    assert tree_of("override", "list", "-c", config)["overrides"] == [made]
    gone = tree_of("override", "clear", "1", "--operator", "eve", "--reason", "it is over", "-c", config)
    assert gone["overrides"] == []
    assert (gone["cleared"]["number"], gone["cleared"]["cleared_why"]) == (1, "it is over"), "OVR-7"
    listed = " ".join(ask("override", "list", "--all", "-c", config).stdout.split())
    for word in ("cleared", "by eve: it is over", "bob", "a fork"):
        assert word in listed, "OVR-7: who set it and took it back, when, and why"
    assert listed.count(" UTC") >= 3, "OVR-7: set, until, cleared"
    again = ask("override", "clear", "1", "-c", config)
    assert again.exit_code == 2


def test_override__no_node_answers__set_by_this_clock_and_said(site, monkeypatch):
    """OVR-6: a floor is set although every node is silent; whose clock it goes by is said."""
    config = site.tuned("override-dark.toml")
    assert ask("once", "-c", config).exit_code == 0
    path = Path(config)
    path.write_text(path.read_text().replace(site.url, "http://127.0.0.1:1"))
    monkeypatch.setattr("keeper.cli.override.time.time", lambda: 1_900_000_000.5)
    result = ask("override", "set", "ETH.scan_range", "18%", "--reason", "x", "--for", "1h", "-c", config, "--json")
    assert result.exit_code == 0, result.output
    assert "counted by this machine's clock" in result.stderr
    (made,) = json.loads(result.stdout)["overrides"]
    assert made["set_at_s"] == 1_900_000_000


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("ETH.scan_range", "18%"), "--reason"),
        (("ETH.scan_range", "lots", "--reason", "x"), "18%"),
        (("ETH.scan_range", "-5%", "--reason", "x"), "'-5%' is no share"),
        (("ETH.scan_range", "-.5%", "--reason", "x"), "above zero"),
        (("XRP.scan_range", "18%", "--reason", "x"), "TICKER.NAME"),
        (("ETH.leverage", "18%", "--reason", "x"), "scan_range, vol_up"),
        (("ETH.scan_range", "18%", "--reason", "x", "--for", "1y"), "24h or 7d"),
        (("ETH.scan_range", "18%", "--reason", "x", "--for", "365d"), "90 days at most"),
        (("ETH.scan_range", "18%", "--reason", "x", "--for", "9" * 400 + "d"), "90 days at most"),
        (("ETH.scan_range", "18%", "--reason", "x", "--for", "9" * 5_000 + "d"), "90 days at most"),
        (("ETH.scan_range", "18%", "--reason", "\ud800"), "UTF-8"),
        (("ETH.scan_range", "1000%", "--reason", "x"), "less than 100%"),
    ],
)
def test_override__wrong__exit_2_and_what_to_write(site, args, said):
    config = site.tuned("override-wrong.toml")
    assert ask("once", "-c", config).exit_code == 0
    result = ask("override", "set", *args, "-c", config)
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())


def test_push__dry__decoded_previewed_and_simulated(site):
    """Nothing leaves; the transaction is shown to the last number, with the contract's own word."""
    config = site.tuned("push.toml", floor=120_000, gate="off")
    one = tree_of("push", "--underlying", "ETH", "-c", config)["pushes"][0]
    assert one["decoded"]["underlying"] == "0"
    assert 60_000 < int(one["decoded"]["p.psrPpm"]) < 120_000
    assert one["preview"]["ok"] is True
    assert one["reason"] == "dry run: would be sent"
    assert one["hash"] is None
    shown = ask("push", "--underlying", "ETH", "-c", config).stdout
    assert "the contract takes every item of it" in shown
    assert "--send does it" in shown


def test_push__send__mined_through_the_outbox_with_its_inputs_kept(site):
    """One publication leaves; the outbox has it, the store its inputs, and the chain its numbers."""
    config = site.tuned("sent.toml", floor=120_000, gate="off")
    assert ask("once", "-c", config).exit_code == 0, "the sign-off looks at a lived block"
    assert ask("push", "--send", "-c", config).exit_code == 0
    unsigned = tree_of("push", "-c", config, "--send")["pushes"]
    assert all("not signed off" in one["waits_for"] for one in unsigned)
    signed = ask("model", "sign-off", "1", "--first", "--operator", "ada", "--reason", "tried", "-c", config)
    assert signed.exit_code == 0, signed.output
    sent = tree_of("push", "--underlying", "ETH", "--send", "-c", config)["pushes"][0]
    assert sent["state"] == "sent", sent
    assert sent["hash"].startswith("0x")
    site.world.mine()
    (eth,) = tree_of("recalibrate", "ETH", "-c", config)["underlyings"]
    assert next(n["last_set"] for n in eth["numbers"] if n["number"] == "psr") == int(sent["decoded"]["p.psrPpm"])
    kept = tree_of("inputs", "list", "-c", config)
    assert {one["hash"]: one["fate"] for one in kept["inputs"]}[sent["inputs_hash"]] == "sent", "until it is looked at"
    assert ask("once", "--send", "-c", config).exit_code == 0
    found = tree_of("inputs", "list", "-c", config)["inputs"]
    assert {one["hash"]: one["fate"] for one in found}[sent["inputs_hash"]] == "landed"
    assert {one["fate"] for one in found} <= {"landed", "sent", "dry"}
    assert "landed" in ask("inputs", "list", "-c", config).stdout
    again = ask("model", "sign-off", "1", "--first", "--operator", "ada", "--reason", "tried", "-c", config)
    assert again.exit_code == 2
    assert "is signed off already, since" in again.output
    assert "by ada: tried" in again.output
