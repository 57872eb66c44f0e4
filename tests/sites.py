"""Where commands are asked: a market or a house behind HTTP, and the folder of whoever keeps it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from click.testing import Result
from typer.testing import CliRunner

from keeper.cli.root import app
from keeper.demo.stylised import stylised_crash
from keeper.demo.world import World, open_world
from keeper.protocols.clearinghouse.deployment import Deployment
from keeper.testing.http_node import HttpNode

#: The smallest market that the demo opens.
ACCOUNTS = 20
#: Oracle rounds before the opening: enough for an estimate, since each process reads all of them.
WARMUP = 40
#: The demo's knobs: a market whose history is hours.  Its first publication stood at a floor of 6 %.
KNOBS = """
[risk]
ewma_lambda = 0.3
horizon_hours = 2.0
history_days = 3
psr_floor_ppm = {floor}
[policy]
intent_ttl_s = 900
impact_gate = "{gate}"
impact_max_accounts_ppm = {share}
impact_max_requirement_ppm = {share}
"""


def ask(*args: object) -> Result:
    """A command that succeeds or says why not; never a traceback."""
    result = CliRunner().invoke(app, [*map(str, args)])
    assert "Traceback" not in result.output, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result


def tree_of(*args: object, code: int = 0) -> Any:
    """What a command says to a program; it ends with this exit code."""
    result = ask(*args, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def key_file(path: Path, key: bytes) -> Path:
    """A private key where its owner alone may read it."""
    path.write_text(bytes(key).hex())
    path.chmod(0o600)
    return path


def settings_in(folder: Path, url: str, deployment: Deployment, *sections: str) -> Path:
    """Settings of whoever looks at a house: its node, its deployment file, and what more is given."""
    deployment.save(folder / "deployment.json")
    lines = [
        "[chain]",
        f'rpc_urls = ["{url}"]',
        f"chain_id = {deployment.chain_id}",
        "[protocol]",
        f'deployment_file = "{folder}/deployment.json"',
    ]
    path = folder / "keeper.toml"
    path.write_text("\n".join([*lines, *sections]) + "\n")
    return path


@dataclass(frozen=True)
class Site:
    """A market that is served, and a folder set up to keep it."""

    world: World
    url: str
    folder: Path

    def settings(self, name: str = "keeper.toml", *, url: str = "", chain_id: int = 0, **keys: str) -> str:
        """Write settings; keys by role as file names, the right ones unless given."""
        files = {"publisher": "publisher.key", "liquidator": "liquidator.key"} | keys
        lines = [
            "[chain]",
            f'rpc_urls = ["{url or self.url}"]',
            f"chain_id = {chain_id or self.world.chain.chain_id}",
            "poll_interval_s = 0.2",
            "[protocol]",
            f'deployment_file = "{self.folder}/deployment.json"',
            "[store]",
            f'url = "sqlite:///{self.folder}/{name}.sqlite"',
        ]
        for role, file in files.items():
            lines += [f"[keys.{role}]", f'secret_file = "{self.folder}/{file}"']
        path = self.folder / name
        path.write_text("\n".join(lines) + "\n")
        return str(path)

    def tuned(self, name: str, *, floor: int = 60_000, gate: str = "slow", share: int = 50_000, **keys: str) -> str:
        """Write settings whose lowest scan range asks for a publication, or not."""
        path = Path(self.settings(name, **keys))
        # The house is younger than a reorg is deep by default: a first start reads it block by block.
        chain = path.read_text().replace("[protocol]", "reorg_depth = 1000\n[protocol]")
        path.write_text(chain + KNOBS.format(floor=floor, gate=gate, share=share))
        return str(path)


def smallest_market(*, points: int = 0) -> World:
    """The demo's smallest market, as many points of its path after the opening as are named."""
    path = stylised_crash(seed=1, blocks=20)
    world = open_world(replace(path, warmup=path.warmup[-WARMUP:]), accounts=ACCOUNTS, seed=1)
    for point in world.path.points[:points]:
        world.reach(point)
    return world


def keys_of(world: World) -> dict[str, bytes]:
    """The keys of a market's keeper, by role."""
    return {str(role): bytes(signer._account.key) for role, signer in world.signers.items()}


@contextmanager
def served(world: World, folder: Path, keys: Mapping[str, bytes]) -> Iterator[Site]:
    """A market behind HTTP; its deployment file and these keys, NAME.key, lie in the folder."""
    world.deployment.save(folder / "deployment.json")
    for name, key in keys.items():
        key_file(folder / f"{name}.key", key)
    with HttpNode(world.chain.node) as node:
        yield Site(world, node.url, folder)
