"""override and push as an operator uses them: what is done by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.sites import ask, tree_of

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300), pytest.mark.usefixtures("own_logging")]


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
