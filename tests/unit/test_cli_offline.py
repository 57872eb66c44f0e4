"""status, explain and replay over a store in which blocks were really lived."""

import json
import os
import shutil
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from keeper.cli.root import app
from keeper.domain.snapshot import CollateralState, Kind, Unusable, Usable
from keeper.protocols.clearinghouse.names import parse_account
from keeper.store import open_store
from keeper.testing.builders import (
    NOW,
    a_block,
    a_publication,
    a_snapshot,
    an_account,
    an_auction,
    an_option,
    an_underlying,
    usd,
)
from keeper.testing.lived import live

pytestmark = pytest.mark.usefixtures("own_logging")

HEDGED = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
SHORT = "0x90F79bf6EB2c4f870365E785982E1f101E93b906:3"
CALLED = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
OURS = "0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc"
SOLD = "0x976EA74026E726554dB657fA54763abd0C3a0aa9"

A_BLOCK_SIGNED_OFF = a_block(101).hash


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with settings and a store of two lived blocks."""
    at = tmp_path_factory.mktemp("lived")
    accounts = [
        an_account(
            parse_account(HEDGED),
            cash=12_000,
            perp=5,
            options=((an_option(3000, Kind.CALL), -20), (an_option(3300, Kind.CALL), 20)),
            collateral=((1, 2 * 10**18),),
        ),
        an_account(parse_account(SHORT), cash=300, perp=4, entry=3_300),
        an_account(parse_account(CALLED), cash=2_750, perp=6),
        an_account(parse_account(OURS), cash=500_000),
        an_account(parse_account(SOLD), cash=1_500, perp=5, entry=3_150, in_auction=True),
    ]
    weth = CollateralState(
        collateral=1,
        symbol="WETH",
        decimals=18,
        price=Usable(wad=usd(2_925)),
        haircut_ppm=150_000,
        cap_per_account=10**21,
    )
    world = replace(
        a_snapshot(
            *sorted(accounts, key=lambda a: a.account),
            underlying=an_underlying(spot=2_925, publication=a_publication()),
            auctions=(an_auction(parse_account(SOLD), started_s_ago=600),),
            own_account=parse_account(OURS),
        ),
        collaterals=(weth,),
    )
    lost = replace(an_underlying(spot=Unusable(reason="StalePrice(age=95, limit=60)")), publication=a_publication())
    store = open_store(f"sqlite:///{at}/keeper.sqlite")
    live(
        store,
        world,
        replace(world, block=a_block(101, timestamp=NOW + 12)),
        replace(world, block=a_block(102, timestamp=NOW + 24), underlyings=(lost,)),
    )
    store.heartbeat("dry", NOW, 102)
    store.heartbeat("loop", NOW - 10**6, 7)  # of an older version
    store.close()
    (at / "keeper.toml").write_text(f'[store]\nurl = "sqlite:///{at}/keeper.sqlite"\n')
    return at


def ask(folder: Path, *args: str):
    return CliRunner().invoke(app, [*args, "--config", str(folder / "keeper.toml")])


def ask_json(folder: Path, *args: str) -> dict:
    result = ask(folder, *args, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def total(part: dict) -> int:
    return sum(int(line["amount"]["wad"]) for line in part["lines"])


def test_status__sender_lives_and_is_gone__told_though_a_dry_keeper_beats(folder, tmp_path):
    """TX-12: pid while it holds the right to send; dead afterwards, however fresh the dry keeper's heartbeat is."""
    shutil.copy(folder / "keeper.sqlite", tmp_path)
    folder, url = tmp_path, f"sqlite:///{tmp_path}/keeper.sqlite"
    (folder / "keeper.toml").write_text(f'[store]\nurl = "{url}"\n')
    store = open_store(url)
    store.heartbeat("sending", NOW, 102)
    store.lock_sending(at_s=NOW)
    tree = ask_json(folder, "status")
    assert tree["heartbeats"] == {beat: {"at_s": NOW, "block": 102} for beat in ("dry", "sending")}
    assert tree["sender"] == {"state": "lives", "pid": os.getpid(), "host": socket.gethostname(), "since_s": NOW}
    assert f"pid {os.getpid()}" in ask(folder, "status").stdout
    store.close()
    assert ask_json(folder, "status")["sender"] == {"state": "dead"}
    assert "dead" in ask(folder, "status").stdout


def test_status__lived_blocks__everything_in_one_object(folder):
    """Each amount is exact text, so that a script loses no digit."""
    tree = ask_json(folder, "status")
    assert tree["last_block"]["number"] == 102
    assert {band: one["count"] for band, one in tree["accounts"].items()} == {
        "healthy": 1,
        "warning": 0,
        "liquidatable": 0,
        "insolvent": 0,
        "unknown": 4,
    }
    assert tree["heartbeats"] == {"dry": {"at_s": NOW, "block": 102}}
    assert tree["sender"] == {"state": "none"}
    assert [tx["kind"] for tx in tree["open_transactions"]] == ["flag", "bid"]
    assert tree["margin_calls"][0]["account"] == CALLED
    assert tree["fund"] == {"usd": "100000", "wad": str(usd(100_000))}
    assert tree["auctions"][0]["account"] == SOLD
    assert {one["kind"]: one["state"] for one in tree["lately"]} == {
        "flag": "sent",
        "bid": "sent",
        "margin_call": "notice",
    }
    assert any("StalePrice" in alert for alert in tree["alerts"])


def test_status__person__reads_what_matters(folder):
    shown = ask(folder, "status").stdout
    for word in ("last block", "heartbeat dry", "unknown", "open transaction", "margin calls, 1 standing", "lately"):
        assert word in shown
    assert max(len(line) for line in shown.splitlines()) <= 80


@pytest.mark.parametrize("name", [HEDGED, SHORT, CALLED, OURS, SOLD])
def test_explain__every_figure__is_the_sum_of_its_lines(folder, name):
    tree = ask_json(folder, "explain", name, "--block", "100")
    assert tree["account"] == name
    assert tree["replay_agrees"] is True
    for figure in ("equity", "maintenance", "initial"):
        assert total(tree[figure]) == int(tree[figure]["total"]["wad"])
    for part in tree["underlyings"]:
        assert total(part["grid"]) == int(part["grid"]["total"]["wad"])
        assert total(part["short_minimum"]) == int(part["short_minimum"]["total"]["wad"])
    required = sum(int(p[x]["total"]["wad"]) for p in tree["underlyings"] for x in ("grid", "short_minimum"))
    assert int(tree["initial"]["total"]["wad"]) == required


@pytest.mark.parametrize(
    ("name", "block", "band", "reason"),
    [
        (HEDGED, "100", "healthy", ("safe", "above maintenance")),
        (SHORT, "100", "insolvent", ("acted", "flagged for liquidation: equity")),
        (SHORT, "101", "insolvent", ("waits", "flag is in flight")),
        (SOLD, "100", "liquidatable", ("acted", "bid on: ")),
        (SOLD, "101", "liquidatable", ("waits", "in auction for 612 s")),
        (CALLED, "100", "warning", ("acted", "called for margin: health")),
        (CALLED, A_BLOCK_SIGNED_OFF, "warning", ("safe", "margin call stands")),
        (OURS, "102", "healthy", ("safe", "nothing is required")),
        (HEDGED, "102", "unknown", ("unknown", "StalePrice(age=95, limit=60)")),
        (HEDGED, None, "unknown", ("unknown", "neither safe nor liquidated")),
    ],
)
def test_explain__each_situation__says_why(folder, name, block, band, reason):
    """What was done, and why nothing else was, at the very block asked for."""
    tree = ask_json(folder, "explain", name, *(["--block", block] if block else []))
    assert tree["band"] == band
    answer, said = reason
    assert any(r["answer"] == answer and said in r["said"] for r in tree["reasons"]), tree["reasons"]


def test_explain__person__worst_row_in_words_and_lines_within_100_columns(folder):
    shown = ask(folder, "explain", HEDGED, "--block", "100").stdout
    assert "worst of 24 rows: spot −" in shown
    assert "3,000 call" in shown
    assert "initial requirement" in shown
    assert max(len(line) for line in shown.splitlines()) <= 80


@pytest.mark.parametrize("form", ["decimal", "hex", "lower"])
def test_explain__each_form_of_an_account__the_same(folder, form):
    number = parse_account(SHORT)
    text = {"decimal": str(number), "hex": f"{number:#x}", "lower": SHORT.lower()}[form]
    assert ask_json(folder, "explain", text)["account"] == SHORT


def test_explain__flagged__shows_the_transaction(folder):
    handled = ask_json(folder, "explain", SHORT, "--block", "100")["handled"]
    assert [(one["action"]["kind"], one["state"]) for one in handled] == [("flag", "sent")]
    assert handled[0]["transaction"]["attempts"]


def test_replay__lived_block__bytes_agree(folder):
    assert ask_json(folder, "replay", "--block", "100") == {
        "block": {"number": 100, "hash": a_block(100).hash},
        "replay_agrees": True,
    }
    assert "the bytes agree" in ask(folder, "replay").stdout


def test_replay__stored_decision_changed__exit_4(folder, tmp_path):
    """REP-1: a decision that its inputs do not give is told, loudly."""
    url = f"sqlite:///{tmp_path}/keeper.sqlite"
    store = open_store(url)
    record = live(store, a_snapshot(an_account(7, cash=10_000, perp=1)))
    store.append_cycle(replace(record, decision=replace(record.decision, alerts=("forged",))))
    store.close()
    (tmp_path / "keeper.toml").write_text(f'[store]\nurl = "{url}"\n')
    result = ask(tmp_path, "replay")
    assert result.exit_code == 4
    assert "the bytes differ" in result.stdout
