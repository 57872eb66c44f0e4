"""check, once and run as an operator uses them: the real program against a chain behind HTTP."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from keeper.demo.opening import RISK, policy
from keeper.demo.venue import DemoVenue
from keeper.protocols.clearinghouse.encoder import GAS_EXPECTED
from keeper.risk.version import MODEL_VERSION
from tests.onlooker import onlooker
from tests.sites import ask, keys_of, served, smallest_market

pytestmark = [pytest.mark.chain, pytest.mark.usefixtures("own_logging")]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The demo's smallest market as it was opened, and a key of nobody's that has no ether."""
    world = smallest_market()
    with served(world, tmp_path_factory.mktemp("site"), keys_of(world) | {"poor": bytes(range(32))}) as site:
        yield site


def test_check__sound_site__ready(site):
    result = ask("check", "-c", site.settings(), "--json")
    assert result.exit_code == 0, result.output
    tree = json.loads(result.stdout)
    assert tree["ready"] is True
    said = {one["what"]: one["said"] for one in tree["findings"]}
    assert said["contracts"] == "all there, as the deployment file says"
    assert said["publisher key"].endswith("may publish")
    assert said["liquidator account"] == "equity 5,000,000.00 USD"
    assert {"price ETH", "price BTC", "store"} <= set(said)


def test_keys_test__sound_site__each_key_with_its_role_and_funds(site):
    """Against a chain: who may publish, and for how many transactions the balance lasts."""
    result = ask("keys", "test", "-c", site.settings("keys.toml"), "--json")
    assert result.exit_code == 0, result.output
    publisher, liquidator = json.loads(result.stdout)["keys"]
    assert (publisher["verdict"], liquidator["verdict"]) == ("signs", "signs")
    assert "may publish" in publisher["said"]
    assert publisher["transactions"] == int(publisher["balance_wei"]) // (GAS_EXPECTED["publish"] * 200 * 10**9) > 0


def test_keys_test__keys_swapped__refused_with_what_to_do(site):
    swapped = site.settings("swapped.toml", publisher="liquidator.key", liquidator="publisher.key")
    result = ask("keys", "test", "-c", swapped)
    assert result.exit_code == 2
    assert "may not publish" in result.stdout
    assert "may publish too" in result.stdout


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"url": "http://127.0.0.1:1"}, ["node 127.0.0.1:1", "chain.rpc_urls"]),
        ({"publisher": "poor.key"}, ["0 ETH: it cannot pay", "send ether to 0x", "may not publish"]),
        ({"publisher": "liquidator.key"}, ["share one key", "keys of their own"]),
        ({"liquidator": "absent.key"}, ["absent.key cannot be read"]),
    ],
)
def test_check__site_that_is_wrong__exit_2_and_what_to_do(site, change, said):
    result = ask("check", "-c", site.settings("wrong.toml", **change))
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    # A path that is wider than its column goes on in the next line.
    flat = "".join(result.stdout.split())
    assert all("".join(part.split()) in flat for part in said), result.stdout


def write_quotes(site, *, age_s):
    """What the demo's venue would quote, as a table that an operator's own job might write.  Returns: its path."""
    keeper = onlooker(site.world.rpc, site.world.deployment, risk=RISK, policy=policy(600))
    snapshot = keeper.reader.read(site.world.chain.block())
    at = snapshot.block.timestamp - age_s
    lines = ["snap,cur,expiry,cp,strike,fut,index,iv"]
    for u, sheet in zip(snapshot.underlyings, DemoVenue(1).read(snapshot), strict=True):
        index = sheet.index / 10**18
        lines += [
            f"{at},{u.symbol},{e.expiry},{'C' if q.is_call else 'P'},{q.strike / 10**8},"
            f"{index * e.phi_ppb / 10**9},{index},{q.vol_ppm / 10**6}"
            for e in sheet.expiries
            for q in e.quotes
        ]
    path = site.folder / "quotes.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def with_quotes(site, name, path):
    settings = Path(site.settings(name))
    settings.write_text(settings.read_text() + f'[quotes]\nsource = "file"\nfile = "{path}"\n')
    return str(settings)


@pytest.mark.parametrize(("age_s", "used"), [(10, True), (1_000, False)])
def test_once__a_file_of_quotes__used_while_it_is_fresh(site, age_s, used):
    """From a file to the targets: smile and forward are the file's, or an alert says why they are not."""
    path = write_quotes(site, age_s=age_s)
    settings = with_quotes(site, f"quotes-{age_s}.toml", path)
    result = ask("once", "-c", settings, "--json")
    assert result.exit_code == 0, result.output
    alerts = " ".join(json.loads(result.stdout)["alerts"])
    tree = json.loads(ask("status", "-c", settings, "--json").stdout)
    for market in tree["markets"]:
        said = " ".join(market["target"]["reasons"])
        if used:
            assert "quotes of quotes.csv, 10 s old" in said
            assert any(e["phi_ppb"] != 10**9 for e in market["target"]["expiries"])
            assert any(len(set(e["sigmas_ppm"])) > 1 for e in market["target"]["expiries"])
        else:
            assert "1000 s old, limit 300" in said
    assert ("quotes unused" in alerts) is not used
    checked = ask("check", "-c", settings).stdout
    assert "quotes ETH" in checked
    assert "quotes.csv:" in checked


def test_check__contract_missing__exit_2_and_its_name(site):
    empty = {**site.world.deployment.addresses, "RiskFile": "0x" + "99" * 20}
    replace(site.world.deployment, addresses=empty).save(site.folder / "moved.json")
    config = Path(site.settings("moved.toml"))
    config.write_text(config.read_text().replace("deployment.json", "moved.json"))
    result = ask("check", "-c", str(config))
    assert result.exit_code == 2
    assert "contract RiskFile" in result.stdout


@pytest.mark.parametrize("command", ["check", "once", "run"])
def test_commands__node_of_another_chain__exit_2(site, command):
    """The deployment file is for the settings' chain; the node is not."""
    replace(site.world.deployment, chain_id=5).save(site.folder / "five.json")
    config = Path(site.settings("five.toml", chain_id=5))
    config.write_text(config.read_text().replace("deployment.json", "five.json"))
    result = ask(command, "-c", str(config))
    assert result.exit_code == 2
    assert f"serves chain {site.world.chain.chain_id}, configured is 5" in " ".join(result.output.split())


def test_once__node_silent__exit_3(site):
    result = ask("once", "-c", site.settings("silent.toml", url="http://127.0.0.1:1"))
    assert result.exit_code == 3
    assert "Traceback" not in result.output


def test_once__dry_then_sent__decides_the_same_and_only_the_second_sends(site):
    """A rehearsal shows what would be done, and leaves nothing behind that holds the real run back."""
    site.world.reach(site.world.path.points[6])  # long enough for a publication to be due
    config = site.settings("once.toml")
    dry = json.loads(ask("once", "-c", config, "--json").stdout)
    assert dry["actions"]
    assert {one["state"] for one in dry["actions"]} <= {"dry", "notice"}
    assert {one["reason"] for one in dry["actions"] if one["state"] == "dry"} == {"would be sent"}
    assert not json.loads(ask("status", "-c", config, "--json").stdout)["open_transactions"]
    signed = ask("model", "sign-off", str(MODEL_VERSION), "--first", "--reason", "rehearsed", "-c", config, "--json")
    assert json.loads(signed.stdout)["may_push"], "MOD-3"
    sent = json.loads(ask("once", "-c", config, "--send", "--json").stdout)
    assert [(a["kind"], a["why"]) for a in sent["actions"]] == [(a["kind"], a["why"]) for a in dry["actions"]]
    assert all(one["state"] in ("sent", "mined", "final", "notice") for one in sent["actions"])
    site.world.mine()
    assert ask("once", "-c", config, "--send").exit_code == 0
    lately = json.loads(ask("status", "-c", config, "--json").stdout)["lately"]
    assert {one["state"] for one in lately if one["kind"] == "publish"} == {"mined"}
    account = next(iter(site.world.names))
    story = json.loads(ask("explain", str(account), "-c", config, "--json").stdout)
    assert story["replay_agrees"] is True


def keeping(*args: str) -> subprocess.Popen[str]:
    """`keeper run --json` as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", "from keeper.cli import main; main()", "run", "--json", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def test_send__beside_a_sending_keeper__refused_until_it_is_killed(site):
    """TX-11: real processes; the second is told who sends, a dry one runs beside it, kill -9 lets the next one in."""
    config = site.settings("lock.toml")
    first = keeping("-c", config, "--send")
    assert first.stdout is not None
    assert json.loads(first.stdout.readline())
    once = ask("once", "-c", config, "--send", "--json")
    assert once.exit_code == 2
    assert json.loads(once.stdout)["error"]["message"].startswith(f"process {first.pid} on ")
    second = keeping("-c", config, "--send")
    told, _ = second.communicate(timeout=60)
    assert second.returncode == 2
    assert f"process {first.pid} on " in told
    assert ask("once", "-c", config).exit_code == 0
    first.kill()
    first.communicate(timeout=60)
    assert ask("once", "-c", config, "--send").exit_code == 0
    assert ask("once", "-c", config, "--send").exit_code == 0, "and it let go at its end"


def test_run__sigterm__says_dry_first_and_ends_cleanly(site):
    """A real process: loud first line, one object a block, exit 0 on SIGTERM."""
    process = keeping("-c", site.settings("run.toml"))
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    site.world.mine()
    second = json.loads(process.stdout.readline())
    process.send_signal(signal.SIGTERM)
    started = time.monotonic()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert time.monotonic() - started < 30
    assert err.startswith("DRY RUN")
    assert "Added job" not in err
    assert second["block"]["number"] > first["block"]["number"]
    beats = json.loads(ask("status", "-c", site.settings("run.toml"), "--json").stdout)["heartbeats"]
    assert beats["dry"]["block"] == second["block"]["number"]
