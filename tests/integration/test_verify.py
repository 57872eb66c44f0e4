"""`keeper verify`: what stands on the chain is derived again, elsewhere, from its inputs file (VER-1 … VER-4)."""

import itertools
import json
import os
import subprocess
import sys
from dataclasses import dataclass, fields, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from keeper.cli.root import app
from keeper.cycle import cycle
from keeper.demo.opening import RISK, policy
from keeper.demo.stylised import stylised_crash
from keeper.demo.venue import DemoVenue
from keeper.demo.world import open_world
from keeper.domain.inputs import SCHEMA, InputsFile, dump, hash_of, history_digest, load
from keeper.domain.overrides import Override
from keeper.domain.snapshot import Usable
from keeper.replay import replay
from keeper.store import open_store
from keeper.testing.house import ALONE, house_outbox
from keeper.testing.http_node import HttpNode
from keeper.testing.node import EmbeddedNode
from keeper.wiring import assemble

pytestmark = pytest.mark.chain

#: Blocks lived into the crash: enough for pushes of scan ranges, levels and smiles.
BLOCKS = 6


@dataclass(frozen=True)
class Lived:
    """A market in which a keeper has published, and the keeper's folder."""

    folder: Path
    config: str
    deployment: str
    url: str
    names: tuple[str, ...]
    """Updates that were decided, oldest first."""
    landed: str
    """The newest of ETH that went live."""
    node: EmbeddedNode


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lived")
    path = stylised_crash(seed=1, blocks=20)
    path = replace(path, warmup=path.warmup[-60:])
    world = open_world(path, accounts=20, seed=1)
    store = open_store(f"sqlite:///{folder}/keeper.sqlite")

    def outbox(decode, recheck):
        return house_outbox(world.rpc, store, world.signers, decode, recheck, policy=ALONE)

    eager = replace(policy(600), hysteresis_ppm=10_000)
    keeper = assemble(
        rpc=world.rpc, store=store, deployment=world.deployment, risk=RISK, policy=eager, sender=outbox,
        quotes=DemoVenue(1),
    )  # fmt: skip
    for point in path.points[:BLOCKS]:
        world.reach(point)
        for _ in range(2):  # decided in one block, mined in the next
            cycle(world.chain.block(), keeper.ports, RISK, eager)
            world.mine()
    names = tuple(dict.fromkeys(one.name for one in reversed(store.kept_inputs())))
    last = world.rpc.block("latest")
    gone_live = keeper.views.at(last, "RiskParameters", "lastPublication", 0)["id"]
    for seen in store.lived(limit=100):
        assert replay(store, seen.hash).same, "REP-1"
    store.close()
    world.deployment.save(folder / "deployment.json")
    node = HttpNode(world.chain.node).start()
    lines = [
        "[chain]",
        f'rpc_urls = ["{node.url}"]',
        f"chain_id = {world.chain.chain_id}",
        "[protocol]",
        f'deployment_file = "{folder}/deployment.json"',
        "[store]",
        f'url = "sqlite:///{folder}/keeper.sqlite"',
    ]
    config = folder / "keeper.toml"
    config.write_text("\n".join(lines) + "\n")
    yield Lived(
        folder, str(config), str(folder / "deployment.json"), node.url, names, f"ETH:{gone_live}", world.chain.node
    )
    node.close()


def ask(*args):
    result = CliRunner().invoke(app, list(args))
    return result.exit_code, result.stdout


def export(lived, name, tmp_path):
    path = tmp_path / "inputs.json"
    code, said = ask("inputs", "export", name, "--out", str(path), "-c", lived.config)
    assert code == 0, said
    return path


def elsewhere(lived, path, name, **environ):
    """Another process, in an empty folder, with no settings, key, store or deployment file: a file and a URL."""
    done = subprocess.run(
        [
            sys.executable, "-c", "from keeper.cli import main; main()", "verify", name, "--inputs", str(path),
            "--rpc", lived.url, "--json",
        ],
        capture_output=True,
        text=True,
        cwd=path.parent,
        env=os.environ | environ,
        check=False,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout)


def test_verify__every_update_that_landed__matches(lived):
    """VER-1: hash, fit, target and integers of each publication are what the chain has."""
    assert len(lived.names) >= 3
    seen = []
    for name in lived.names:
        code, said = ask("verify", name, "-c", lived.config, "--json")
        tree = json.loads(said)
        if "error" in tree:
            assert "did not go live" in tree["error"]["message"]  # decided, and overtaken
            continue
        assert code == 0, tree["first_difference"]
        assert tree["matches"], "VER-1"
        seen.append(tree)
    assert len(seen) >= 3
    assert any("smiles" in check["said"] for tree in seen for check in tree["checks"]), "quotes were fitted"


@pytest.mark.parametrize(
    "environ",
    [
        {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        {"OMP_NUM_THREADS": "2", "NUMBA_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"},
        {"NUMBA_DISABLE_JIT": "1"},
    ],
    ids=["one thread", "two threads", "without numba"],
)
def test_verify__another_process__matches(lived, tmp_path, environ):
    """VER-2: on another machine, whatever its threads, compiled or not, the same integers come out."""
    file = export(lived, landed(lived), tmp_path)
    code, tree = elsewhere(lived, file, landed(lived), **environ)
    assert code == 0, tree
    assert tree["matches"], "VER-2"
    assert {"contracts", "state on the chain", "fit run again", "pushed integers"} <= {
        c["what"] for c in tree["checks"]
    }
    untold = {one["what"].split(" ")[0]: one for one in tree["unattested"]}
    quotes = next(one for one in tree["unattested"] if "quotes of" in one["what"])
    assert quotes["digest"].startswith("0x"), "VER-7: quotes are named with their digest"
    assert "venue" in quotes["where"], "VER-7"
    house = load(file.read_bytes()).deployed.addresses["ClearingHouse"]
    assert any(house in one["what"] for one in tree["unattested"]), "VER-7: whose word the contracts are, is said"
    assert "the" in untold, "VER-7: the operator's knobs"


def one_up(number):
    return number + 1


#: What is tampered with: path into the file, what is done to the value, the check that notices, the name it gives.
TAMPERED = {
    "a round of the history": (
        ("state", "history", 5, "price"), lambda p: p * 2, "state on", "state.history[5].price"
    ),
    "the price": (("state", "spot", "wad"), lambda p: p + 1, "state on", "state.spot.wad"),
    "the last target's digest": (
        ("state", "publication", "digest"), lambda d: d[:-1] + ("0" if d[-1] != "0" else "1"), "state on",
        "state.publication.digest",
    ),
    "a fence": (("state", "publication", "fences", 0, "step_abs"), one_up, "state on", "fences[0].step_abs"),
    "a number in force": (
        ("state", "publication", "expiries", 0, "sigma_ppm"), one_up, "state on", "expiries[0].sigma_ppm"
    ),
    "a rule": (("state", "rules", "kappa_ppm"), one_up, "state on", "state.rules.kappa_ppm"),
    "a strike in force": (
        ("state", "live", "strikes", 1, 1, 0, "sigma_ppm"), one_up, "state on", "sigma_ppm"
    ),
    "an expiry left out of the file in force": (
        ("state", "live", "expiries"), lambda v: v[:-1], "state on", "length of state.live.expiries"
    ),
    "a strike left out of the file in force": (
        ("state", "live", "strikes", 0, 1), lambda v: v[1:], "state on", "state.live.strikes[0][1][0].strike"
    ),
    "the file in force left out": (("state", "live"), lambda _: None, "state on", "state.live"),
    "a contract": (("deployed", "contracts", 3, 1), lambda _: "0x" + "11" * 20, "contracts", "contracts[3][1]"),
    "the digest of the history": (("history_sha256",), lambda h: h[:-1] + "g", "history", "history_sha256"),
    "a fitted volatility": (("fitted", "vol_ppm"), lambda v: v + 2, "fit run again", "fitted.vol_ppm"),
    "a fitted shortfall": (
        ("fitted", "shortfalls", "normal_ppb"), lambda v: v - 2, "fit run again", "fitted.shortfalls.normal_ppb"
    ),
    "a fitted smile": (("fitted", "smiles", 0, "vols_ppm", 1), lambda v: v + 2, "fit run again", "vols_ppm[1]"),
    "a quote": (("quotes", "expiries", 0, "quotes", 2, "vol_ppm"), lambda v: v + 20_000, "fit run again", "ppm"),
    "a knob of the fit": (("risk", "es_level"), lambda _: 0.9, "fit run again", "fitted.shortfalls"),
    "a knob of the target": (("risk", "psr_floor_ppm"), lambda v: v * 2, "target from", "target.ranges.psr_ppm"),
    "the target": (("target", "ranges", "psr_ppm"), lambda v: v + 2_500, "target from", "target.ranges.psr_ppm"),
    "the block": (("block", "timestamp"), one_up, "block", "block.timestamp"),
    "the block's hash": (("block", "hash"), lambda h: h[:-1] + ("0" if h[-1] != "0" else "1"), "block", "block.hash"),
}  # fmt: skip


@pytest.mark.parametrize("what", TAMPERED)
def test_verify__tampered_inputs__the_first_difference_is_named(lived, tmp_path, what):
    """VER-3: whatever was changed, the hash differs, and the first number that gives it away is named."""
    path, change, check, name = TAMPERED[what]
    file = export(lived, landed(lived), tmp_path)
    tree = json.loads(file.read_bytes())
    *way, last = path
    inner = tree
    for key in way:
        inner = inner[key]
    inner[last] = change(inner[last])
    file.write_text(json.dumps(tree, separators=(",", ":")))
    code, said = ask(
        "verify", landed(lived), "--inputs", str(file), "--rpc", lived.url, "--deployment", lived.deployment,
        "-c", str(tmp_path / "none.toml"), "--json",
    )  # fmt: skip
    verdict = json.loads(said)
    assert code == 4, said
    assert not verdict["matches"], "VER-3"
    failed = [one for one in verdict["checks"] if not one["ok"]]
    assert failed[0]["what"] == "inputs hash", "VER-3"
    assert failed[1]["what"].startswith(check), "VER-3"
    assert name in verdict["first_difference"]["name"], "VER-3"
    assert verdict["first_difference"]["ours"] != verdict["first_difference"]["theirs"]


#: Each field of an inputs file: what is done to it, the exit code, and what the answer names where no store is asked.
FIELDS = {
    "schema": (lambda v: v + 7, 2, f"schema {SCHEMA + 7}"),
    "deployed": (lambda v: v | {"chain_id": 5}, 2, "of chain 5, this deployment of chain"),
    "model": (one_up, 2, "made by model 2"),
    "protocol": (lambda v: v + "x", 2, "of protocol clearinghousex"),
    "block": (lambda v: v | {"parent_hash": v["hash"]}, 4, "block.parent_hash"),
    "state": (lambda v: v | {"funding_index": v["funding_index"] + 1}, 4, "state.funding_index"),
    "history_sha256": (lambda v: "0x" + "00" * 32, 4, "history_sha256"),
    "quotes": (lambda v: None, 4, "fitted.quotes_used"),
    "risk": (lambda v: v | {"psr_floor_ppm": v["psr_floor_ppm"] * 2}, 4, "target.ranges.psr_ppm"),
    "policy": (lambda v: v | {"heartbeat_s": v["heartbeat_s"] + 1}, 4, "inputs hash"),
    "fitted": (lambda v: v | {"rounds": v["rounds"] + 1}, 4, "fitted.rounds"),
    "target": (lambda v: v | {"realised_vol": v["realised_vol"] * 2}, 4, "target.realised_vol"),
    "overrides": (
        lambda v: [
            {"number": 1, "underlying": 0, "parameter": "psr", "floor_ppm": 10, "reason": "r", "operator": "o",
             "set_at_s": 0, "expires_at_s": 2**34, "cleared_at_s": None, "cleared_by": ""}
        ], 4, "inputs hash",
    ),
    "lately": (lambda v: {"psr_ppm": 1, "vsr_up_ppm": 1, "vsr_down_ppm": 1}, 4, "lately.psr_ppm"),
    "kept_ppm": (lambda v: v // 2, 4, "_ppm"),
    "brought": (lambda v: [*v, {"at_s": 1, "accounts_ppm": 1, "requirement_ppm": 1}], 4, "inputs hash"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(field.name for field in fields(InputsFile)))
def test_verify__any_field_tampered_with__named(lived, tmp_path, name):
    """VER-3: no field can be changed unnoticed by somebody who has no other copy of the file."""
    change, code, said = FIELDS[name]
    path = export(lived, landed(lived), tmp_path)
    tree = json.loads(path.read_bytes())
    tree[name] = change(tree[name])
    path.write_text(json.dumps(tree, separators=(",", ":")))
    found, shown = ask(
        "verify", landed(lived), "--inputs", str(path), "--rpc", lived.url, "--deployment", lived.deployment,
        "-c", str(tmp_path / "none.toml"), "--json",
    )  # fmt: skip
    assert found == code, shown
    if code == 2:
        assert said in json.loads(shown)["error"]["message"], "VER-3"
    else:
        assert said in json.loads(shown)["first_difference"]["name"], "VER-3"


def test_verify__fences_tampered_with__the_pushed_integer_is_named(lived, tmp_path):
    """VER-3: a fence that would have let another number through gives itself away by that number."""
    file = export(lived, landed(lived), tmp_path)
    known = load(file.read_bytes())
    tight = replace(known.state.publication.vol, atm_step_ppm=1)
    state = replace(known.state, publication=replace(known.state.publication, vol=tight))
    file.write_bytes(dump(replace(known, state=state)))
    code, said = ask("verify", landed(lived), "--inputs", str(file), "-c", lived.config, "--json")
    assert code == 4, said
    names = [one["difference"]["name"] for one in json.loads(said)["checks"] if not one["ok"]]
    assert "state.publication.vol.atm_step_ppm" in names, "VER-3"  # the store has the true file
    assert any("sigma_atm_ppm" in name for name in names), "VER-3"


def test_verify__state_again__the_raw_inputs_are_the_chains(lived):
    """VER-6: a node that keeps old states bears out every price, round, listing and fence."""
    code, said = ask("verify", lived.landed, "--state", "-c", lived.config, "--json")
    tree = json.loads(said)
    assert code == 0, tree
    said = {one["what"]: one["said"] for one in tree["checks"]}
    assert "state on the chain" in said, "VER-6"
    assert "accounts replayed" in said["impact gate"], "VER-6"


@pytest.fixture
def pruned(lived):
    """The node has forgotten every state but the newest."""
    lived.node.state_depth = 0
    yield
    lived.node.state_depth = None


@pytest.mark.parametrize("more", [(), ("--state",)], ids=["", "with accounts"])
def test_verify__node_without_that_state__exit_5_unless_something_differs(lived, tmp_path, pruned, more):
    """VER-14: a script can tell what was held against the chain's state from what follows from its own file alone."""
    code, said = ask("verify", lived.landed, "-c", lived.config, "--json", *more)
    tree = json.loads(said)
    assert code == 5, tree
    assert (tree["verified"], tree["matches"], tree["state_seen"]) == (False, True, False), "VER-14"
    assert {"fit run again", "pushed integers"} <= {one["what"] for one in tree["checks"]}, "VER-14"
    assert "not verified" in " ".join(ask("verify", lived.landed, "-c", lived.config, *more)[1].split())
    path = export(lived, lived.landed, tmp_path)
    known = load(path.read_bytes())
    path.write_bytes(dump(replace(known, kept_ppm=known.kept_ppm // 2)))
    code, said = ask("verify", lived.landed, "--inputs", str(path), "-c", lived.config, "--json", *more)
    assert code == 4, "VER-14: a difference stays one"
    assert json.loads(said)["verified"] is False


def test_verify__node_with_that_state__exit_0_and_verified(lived):
    """VER-14"""
    code, said = ask("verify", lived.landed, "-c", lived.config, "--json")
    assert (code, json.loads(said)["verified"]) == (0, True), "VER-14"


def test_verify__rounds_left_out__told(lived, tmp_path):
    """VER-13: whoever publishes cannot choose in silence from when on the fit looks at rounds."""
    path = export(lived, lived.landed, tmp_path)
    known = load(path.read_bytes())
    history = known.state.history[7:]
    short = replace(known, state=replace(known.state, history=history), history_sha256=history_digest(history))

    def told(file):
        path.write_bytes(dump(file))
        tree = json.loads(ask("verify", lived.landed, "--inputs", str(path), "-c", lived.config, "--json")[1])
        return [one["what"] for one in tree["unattested"] if "rounds of the feed before" in one["what"]]

    assert told(known) == [], "VER-13"
    assert told(short) == ["that the fit was to do without the 7 rounds of the feed before those written"], "VER-13"


def test_verify__a_file_and_a_url_alone__refused_where_they_do_not_do(lived, tmp_path):
    """VER-7: a file of another chain, or one too old to name its contracts, and accounts without a deployment."""
    path = export(lived, lived.landed, tmp_path)
    known = load(path.read_bytes())
    alone = ("verify", lived.landed, "--inputs", str(path), "--rpc", lived.url, "-c", str(tmp_path / "none"), "--json")

    def message(*more):
        code, said = ask(*alone, *more)
        assert code == 2, said
        return json.loads(said)["error"]["message"]

    assert "needs the whole deployment" in message("--state"), "VER-7"
    path.write_bytes(dump(replace(known, deployed=replace(known.deployed, chain_id=5))))
    assert "configured is 5" in message(), "VER-7"
    path.write_bytes(dump(replace(known, schema=1, deployed=None)))
    assert "does not say which contracts" in message(), "VER-7"
    code, said = ask(*alone, "--deployment", lived.deployment)
    assert code == 4, "VER-7: with the deployment named it is compared, and its hash is another"
    assert json.loads(said)["first_difference"]["name"] == "inputs hash"


def test_verify__numbers_out_of_all_reason__a_difference_and_no_traceback(lived, tmp_path):
    """VER-3: a hostile file is a difference, whatever it makes the arithmetic run into."""
    known = load(export(lived, lived.landed, tmp_path).read_bytes())
    path = tmp_path / "inputs.json"
    floor = Override(
        number=1, underlying=0, parameter="psr", floor_ppm=10, reason="r", operator="o", set_at_s=0, expires_at_s=2**60
    )
    spot = replace(known.state, spot=Usable(wad=0))
    fences = replace(known.state.publication, expiries=())
    for hostile in (
        replace(known, overrides=(floor,)),
        replace(known, state=spot),
        replace(known, state=replace(known.state, publication=fences)),
        replace(known, state=replace(known.state, history=())),
        replace(known, kept_ppm=-5),
    ):
        path.write_bytes(dump(hostile))
        code, said = ask("verify", lived.landed, "--inputs", str(path), "-c", lived.config, "--json")
        assert code == 4, said
        assert json.loads(said)["first_difference"], "VER-3"


def test_verify__a_state_that_never_was__named(lived, tmp_path):
    """VER-6: inputs that hang together and were made up are told from the chain's."""
    known = load(export(lived, lived.landed, tmp_path).read_bytes())
    history = tuple(replace(seen, price=seen.price + seen.price // 50) for seen in known.state.history)
    path = tmp_path / "inputs.json"
    state = replace(known.state, history=history)
    path.write_bytes(dump(replace(known, state=state, history_sha256=history_digest(history))))
    code, said = ask("verify", lived.landed, "--inputs", str(path), "--state", "-c", lived.config, "--json")
    assert code == 4
    failed = {one["what"]: one["difference"] for one in json.loads(said)["checks"] if not one["ok"]}
    assert failed["state on the chain"]["name"] == "state.history[0].price", "VER-6"


def test_verify__more_of_a_step_than_the_gate_keeps__named(lived, tmp_path):
    """VER-6: what the gate kept follows from the accounts, and a file that says otherwise is told."""
    known = load(export(lived, lived.landed, tmp_path).read_bytes())
    path = tmp_path / "inputs.json"
    path.write_bytes(dump(replace(known, kept_ppm=known.kept_ppm // 2)))
    code, said = ask("verify", lived.landed, "--inputs", str(path), "--state", "-c", lived.config, "--json")
    assert code == 4
    failed = {one["what"]: one["difference"] for one in json.loads(said)["checks"] if not one["ok"]}
    assert failed["impact gate"]["ours"] == str(known.kept_ppm), "VER-6"


def test_export__from_the_store__the_bytes_whose_hash_is_on_chain(lived, tmp_path):
    """VER-4: what is exported is what was hashed, and says how it was made."""
    data = export(lived, landed(lived), tmp_path).read_bytes()
    code, said = ask("verify", landed(lived), "-c", lived.config, "--json")
    assert code == 0
    assert json.loads(said)["inputs_hash"] == hash_of(data), "VER-4"
    file = load(data)
    assert dump(file) == data, "VER-4"
    assert file.model == 1
    assert file.fitted.slices
    assert ask("verify", hash_of(data), "-c", lived.config)[0] == 0


@pytest.mark.parametrize(
    ("name", "said"),
    [("ETH", "names no update"), ("ETH:9999", "not in the store"), ("XRP:1", "not in the store"), ("0x12", "names no")],
)
def test_verify__an_update_nobody_knows__says_what_to_do(lived, name, said):
    code, shown = ask("verify", name, "-c", lived.config, "--json")
    assert code == 2
    assert said in json.loads(shown)["error"]["message"]


def test_verify__inputs_of_another_update__refused(lived, tmp_path):
    path = export(lived, landed(lived), tmp_path)
    code, shown = ask("verify", "ETH:9999", "--inputs", str(path), "-c", lived.config, "--json")
    assert code == 2
    assert "not of ETH:9999" in json.loads(shown)["error"]["message"]


def test_verify__garbage_for_inputs__no_traceback(lived, tmp_path):
    path = tmp_path / "inputs.json"
    for text, said in (("", "cannot be read"), ("[]", "cannot be read"), ('{"schema": 1}', "cannot be read")):
        path.write_text(text)
        code, shown = ask("verify", "ETH:3", "--inputs", str(path), "-c", lived.config, "--json")
        assert code == 2
        message = json.loads(shown)["error"]["message"]
        assert said in message
        assert str(path) in message


def test_verify__node_of_the_command_line_dead__told_which(lived, tmp_path):
    """Whoever gave --rpc has no settings to look into."""
    path = export(lived, landed(lived), tmp_path)
    dead = ("--inputs", str(path), "--rpc", "http://127.0.0.1:1")
    code, shown = ask("verify", landed(lived), *dead, "-c", lived.config, "--json")
    assert code == 3
    hint = json.loads(shown)["error"]["hint"]
    assert "check --rpc" in hint
    assert "chain.rpc_urls" not in hint
    code, shown = ask("verify", landed(lived), "--rpc", "ftp://x", "-c", lived.config, "--json")
    assert code == 2
    assert json.loads(shown)["error"]["hint"] == "check --rpc"


def landed(lived):
    """The last update of ETH that is on the chain."""
    return lived.landed


def test_explain_parameter__scan_range__who_when_from_what_under_which_fences(lived):
    """VER-5: every change that the chain remembers, and what the store knows of each."""
    code, said = ask("explain", "--parameter", "ETH.scan_range", "-c", lived.config, "--json")
    assert code == 0, said
    tree = json.loads(said)
    assert (tree["parameter"], tree["unit"]) == ("ETH.scan_range", "ppm")
    moments = tree["history"]
    assert f"ETH:{moments[0]['id']}" == lived.landed, "VER-5: newest first"
    assert all(later["old"] == earlier["new"] for later, earlier in itertools.pairwise(moments)), "VER-5"
    known = [one for one in moments if one["inputs_here"]]
    assert len(known) >= 2
    for one in known:
        assert one["sender"].startswith("0x")
        assert one["inputs_hash"] != "0x" + "00" * 32
        assert one["target"] > 0
        assert "scan range" in one["reasons"][0]
        assert one["why"]
        fences = one["fences"]
        assert fences["low"] <= one["new"] <= fences["high"], "VER-5: what was pushed was legal"
        assert fences["left_up"] >= one["new"] - one["old"] or one["new"] <= one["old"], "VER-5"
    shown = ask("explain", "--parameter", "ETH.scan_range", "-c", lived.config)[1]
    assert "budget left" in shown
    assert known[0]["inputs_hash"][:20] in shown


def test_explain_parameter__an_expirys_numbers__each_has_a_history(lived, tmp_path):
    """VER-5: levels, single strikes, forwards and discount factors too."""
    file = load(export(lived, lived.landed, tmp_path).read_bytes())
    listing = file.state.listings[-1]
    for name in ("sigma", "forward", "discount"):
        code, said = ask("explain", "-p", f"ETH.{name}@{listing.expiry}", "-c", lived.config, "--json", "--limit", "2")
        assert code == 0, said
        newest = json.loads(said)["history"][0]
        assert newest["fences"]["low"] <= newest["new"] <= newest["fences"]["high"], "VER-5"
        assert ask("explain", "-p", f"ETH.{name}@{listing.expiry}", "-c", lived.config)[0] == 0
    dollars = listing.strikes[1] / 10**8
    code, said = ask("explain", "-p", f"ETH.sigma@{listing.expiry}/{dollars:.8f}", "-c", lived.config, "--json")
    assert code == 0, said
    moments = json.loads(said)["history"]
    assert moments[0]["new"] > 0, "VER-5"
    assert all(later["old"] == earlier["new"] for later, earlier in itertools.pairwise(moments)), "VER-5"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ETH", "names no parameter"),
        ("ETH.colour", "no parameter colour"),
        ("ETH.scan_range@2026-01-01", "belongs to no expiry"),
        ("ETH.sigma", "belongs to an expiry"),
        ("ETH.sigma@1999-01-01", "no expiry of ETH"),
        ("XRP.scan_range", "no underlying XRP"),
        ("ETH.sigma@EXPIRY/1", "no publication had that strike"),
    ],
)
def test_explain_parameter__no_such_thing__exit_2_and_what_there_is(lived, tmp_path, name, said):
    if "EXPIRY" in name:
        file = load(export(lived, lived.landed, tmp_path).read_bytes())
        name = name.replace("EXPIRY", str(file.state.listings[-1].expiry))
    code, shown = ask("explain", "--parameter", name, "-c", lived.config, "--json")
    assert code == 2
    assert said in json.loads(shown)["error"]["message"]
    assert json.loads(shown)["error"]["hint"]


def test_explain__account_and_parameter__one_of_them(lived):
    assert ask("explain", "-c", lived.config, "--json")[0] == 2
    assert ask("explain", "0x00", "--parameter", "ETH.scan_range", "-c", lived.config, "--json")[0] == 2


def test_impact__publications_that_are_not_this_stores_own__the_day_is_a_lower_bound(lived, tmp_path):
    """IMP-15: which of the day's publications were somebody else's is told from the chain, and what that means."""

    def days(config, *more):
        code, said = ask("impact", "-c", config, "--json", *more)
        assert code in (0, 2), said
        return {one["symbol"]: one["gate"]["day"] for one in json.loads(said)["underlyings"] if one["gate"]}

    own = days(lived.config)
    assert own
    assert {(day["lower_bound"], len(day["not_our_own"])) for day in own.values()} == {(False, 0)}, "IMP-15"
    assert "lower bound" not in ask("impact", "-c", lived.config)[1]
    config = tmp_path / "keeper.toml"
    config.write_text(Path(lived.config).read_text().replace(f"{lived.folder}/keeper.sqlite", f"{tmp_path}/new.sqlite"))
    stranger = days(str(config))["ETH"]
    assert stranger["lower_bound"], "IMP-15"
    newest = stranger["not_our_own"][-1]
    assert f"ETH:{newest['id']}" == lived.landed, "IMP-15"
    assert newest["sender"].startswith("0x")
    shown = " ".join(ask("impact", "-c", str(config))[1].split())
    assert f"{len(stranger['not_our_own'])} of the day's publications were not this keeper's own" in shown, "IMP-15"
    assert "so the day's share is a lower bound" in shown


def test_model_show__a_store_that_lived__numbers_side_by_side(lived):
    code, said = ask("model", "show", "-c", lived.config, "--json")
    assert code == 0, said
    tree = json.loads(said)
    assert tree["may_push"] is False
    assert {"ETH.scan_range", "BTC.vol_up"} <= {row["parameter"] for row in tree["beside"]}
    assert ask("model", "sign-off", "99", "--reason", "x", "-c", lived.config)[0] == 2
    alone = ask("model", "sign-off", "1", "--reason", "seen", "--operator", "Ada", "-c", lived.config, "--json")
    assert alone[0] == 2, "MOD-4"
    assert "300 are asked for" in json.loads(alone[1])["error"]["message"], "MOD-4"
    config = lived.folder / "shadowed.toml"
    config.write_text(Path(lived.config).read_text() + "[model]\nshadow_blocks = 1\n")
    word = ("model", "sign-off", "1", "--reason", "seen", "--operator", "Ada", "-c", str(config), "--json")
    assert ask("shadow", "ETH", "--blocks", "1", "-c", str(config))[0] == 0
    code, said = ask(*word)
    assert code == 2, "MOD-4: one underlying is not all of them"
    assert "over every underlying" in json.loads(said)["error"]["message"]
    assert ask("shadow", "--blocks", "1", "-c", str(config))[0] == 0
    code, said = ask(*word)
    assert code == 0, said
    (signed,) = json.loads(said)["sign_offs"]
    assert signed["shadowed_blocks"] == 1, "MOD-4"
    assert "BTC: scan_range" in signed["evidence"].splitlines()[-2], "MOD-5: what the shadow saw is kept with the word"
    code, said = ask(*word, "--first")
    assert code == 2, "MOD-4"
    assert "is signed off already" in json.loads(said)["error"]["message"], "MOD-4"
    shown = ask("model", "show", "-c", lived.config)[1]
    assert "may push" in shown
    assert "signed off by Ada" in shown
