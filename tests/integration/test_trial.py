"""scripts/trial.py: one command from an empty node to a keeper that is ready to run."""

import runpy
import stat
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from keeper.cli.root import app
from keeper.testing.embedded import EmbeddedChain
from keeper.testing.http_node import HttpNode

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300)]

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(scope="module")
def chain():
    return EmbeddedChain(accounts=2, block_interval_s=1)


@pytest.fixture(scope="module")
def node(chain):
    with HttpNode(chain.node) as served:
        yield served


@pytest.fixture
def script(monkeypatch, capsys):
    def run(name, *args):
        monkeypatch.setattr(sys, "argv", [name, *map(str, args)])
        code = runpy.run_path(str(SCRIPTS / name))["main"]()
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def test_trial__from_an_empty_node__keeper_ready_price_moves_and_account_is_funded(chain, node, script, tmp_path):
    """One command: keys that only we read, a house whose findings hold, settings with which `keeper check` says ready;
    then a price that moves, and more collateral by `scripts/fund.py`."""
    where = ("--rpc", node.url, "--chain-id", chain.chain_id, "--dir", tmp_path / "trial")
    code, said = script("trial.py", *where)
    assert code == 0, said
    assert "keeper check -c" in said
    for key in tmp_path.glob("trial/*.key"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    settings = str(tmp_path / "trial" / "keeper.toml")
    checked = CliRunner().invoke(app, ["check", "-c", settings, "--json"])
    assert checked.exit_code == 0, checked.output
    assert "1,000,000.00" in checked.output
    code, said = script("trial.py", *where, "--price", "ETH=2500")
    assert (code, said) == (0, "ETH is 2,500.00 USD\n")
    paid = ("--rpc", node.url, "--deployment", tmp_path / "trial" / "deployment.json", "--key-file",
            tmp_path / "trial" / "liquidator.key", "--amount", 5)  # fmt: skip
    code, said = script("fund.py", *paid)
    assert code == 2
    assert "cannot be paid" in said
    code, said = script("trial.py", *where)
    assert code == 2
    assert "in use" in said
    for wrong, says in (("DOGE=1", "no feed of DOGE"), ("ETH", "no COIN=USD"), ("ETH=-1", "no price")):
        code, said = script("trial.py", *where, "--price", wrong)
        assert code == 2
        assert says in said


def test_trial__another_chain__refused_with_nothing_written(node, script, tmp_path):
    """The chain's number is what tells a trial from money."""
    code, said = script("trial.py", "--rpc", node.url, "--chain-id", 1, "--dir", tmp_path / "trial")
    assert code == 2
    assert "--chain-id" in said
    assert not (tmp_path / "trial").exists()
