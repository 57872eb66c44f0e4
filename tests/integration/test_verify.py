"""`keeper verify`: what stands on the chain is derived again, elsewhere, from its inputs file (VER-1 … VER-4)."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from keeper.chain.sending.outbox import Outbox, OutboxPolicy
from keeper.cli.root import app
from keeper.cycle import cycle
from keeper.demo.opening import RISK, policy
from keeper.demo.stylised import stylised_crash
from keeper.demo.venue import DemoVenue
from keeper.demo.world import FEES, open_world
from keeper.domain.inputs import dump, hash_of, load
from keeper.replay import replay
from keeper.store import open_store
from keeper.testing.http_node import HttpNode
from keeper.wiring import assemble

pytestmark = pytest.mark.chain

#: Blocks lived into the crash: enough for pushes of scan ranges, levels and smiles.
BLOCKS = 10


@dataclass(frozen=True)
class Lived:
    """A market in which a keeper has published, and the keeper's folder."""

    folder: Path
    config: str
    deployment: str
    url: str
    names: tuple[str, ...]
    """Updates that landed, oldest first."""


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lived")
    path = stylised_crash(seed=1, blocks=20)
    path = replace(path, warmup=path.warmup[-60:])
    world = open_world(path, accounts=20, seed=1)
    store = open_store(f"sqlite:///{folder}/keeper.sqlite")

    def outbox(decode, recheck):
        return Outbox(
            world.rpc,
            store,
            {role: (key,) for role, key in world.signers.items()},
            fees=FEES,
            policy=OutboxPolicy(confirmations=0, replace_after_blocks=3, daily_cap_wei=10**24),
            decode_revert=decode,
            recheck=recheck,
        )

    eager = replace(policy(600), hysteresis_ppm=10_000, impact_gate="off")
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
    yield Lived(folder, str(config), str(folder / "deployment.json"), node.url, names)
    node.close()


def ask(*args):
    result = CliRunner().invoke(app, list(args))
    return result.exit_code, result.output


def export(lived, name, tmp_path):
    path = tmp_path / "inputs.json"
    code, said = ask("inputs", "export", name, "--out", str(path), "-c", lived.config)
    assert code == 0, said
    return path


def elsewhere(lived, path, name, **environ):
    """Another process, in an empty folder, with no settings, key or store."""
    done = subprocess.run(
        [
            sys.executable, "-m", "keeper", "verify", name, "--inputs", str(path), "--rpc", lived.url,
            "--deployment", lived.deployment, "--json",
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
