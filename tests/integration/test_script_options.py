"""Scripts take their node from the environment: a URL holds a provider's key, and everybody sees a command line."""

import argparse
import runpy
import sys
from pathlib import Path

import pytest

from keeper.deploy.options import add_rpc, rpc_url
from keeper.deploy.spec_file import example, write_toml
from keeper.errors import BadInput
from keeper.protocols.clearinghouse.deployment import CONTRACTS, Deployment
from keeper.testing.embedded import EmbeddedChain
from keeper.testing.http_node import HttpNode

pytestmark = [pytest.mark.chain, pytest.mark.timeout(120)]

SCRIPTS = Path(__file__).parents[2] / "scripts"
KEY = "a-providers-key"
#: What each script needs beside its node.
NEEDS = {
    "deploy.py": ("--spec", "spec.toml", "--key-file", "key", "--out", "new.json"),
    "handover.py": ("--deployment", "deployment.json", "--key-file", "key", "--timelock", f"0x{99:040x}"),
    "fund.py": ("--deployment", "deployment.json", "--key-file", "key", "--amount", "1"),
    "propose.py": ("CHANGES.toml", "--deployment", "deployment.json", "--engine", "embedded"),
}


def asked(environ, *words):
    parser = argparse.ArgumentParser()
    add_rpc(parser)
    return rpc_url(parser.parse_args(words), environ)


def test_rpc_url__option_environment_or_neither__in_this_order():
    """The option is for a node without a secret; without either a person is told both ways."""
    assert asked({"KEEPER_RPC_URL": " http://there "}) == "http://there"
    assert asked({"KEEPER_RPC_URL": "http://there"}, "--rpc", "http://here") == "http://here"
    for environ in ({}, {"KEEPER_RPC_URL": " "}):
        with pytest.raises(BadInput, match="no node") as refused:
            asked(environ)
        assert "KEEPER_RPC_URL" in refused.value.hint


@pytest.fixture
def script(tmp_path, monkeypatch, capsys):
    """Runs a script in this process, in a folder that has everything but a node."""
    addresses = {name: f"0x{i + 1:040x}" for i, name in enumerate(CONTRACTS)}
    Deployment(
        chain_id=31337, block=1, addresses=addresses, symbols={0: "ETH"}, collaterals={0: "USDC"}, liquidator_account=1
    ).save(tmp_path / "deployment.json")
    (tmp_path / "spec.toml").write_text(write_toml(example()))
    (tmp_path / "CHANGES.toml").write_text('title = "A"\nsummary = "B"\n[fund]\ncap_per_auction = "7 USD"\n')
    (tmp_path / "key").write_text("11" * 32)
    (tmp_path / "key").chmod(0o600)
    monkeypatch.chdir(tmp_path)

    def run(name):
        monkeypatch.setattr(sys, "argv", [name, *NEEDS[name]])
        code = runpy.run_path(str(SCRIPTS / name))["main"]()
        told = capsys.readouterr()
        return code, told.out + told.err

    return run


@pytest.mark.parametrize("name", NEEDS)
def test_script__node_of_the_environment__is_asked_and_its_key_is_never_told(name, script, monkeypatch):
    """Every script asks the node that the environment names; nobody answers there, and no key is in the words."""
    monkeypatch.delenv("KEEPER_RPC_URL", raising=False)
    code, said = script(name)
    assert (code, "no node is named" in said, "KEEPER_RPC_URL" in said) == (2, True, True)
    monkeypatch.setenv("KEEPER_RPC_URL", f"http://127.0.0.1:1/v2/{KEY}")
    code, said = script(name)
    assert code == 3, "as keeper does"
    assert "127.0.0.1:1" in said
    assert KEY not in said


@pytest.mark.parametrize("name", NEEDS)
def test_script_help__everybody_reads__an_example_and_every_exit_code(name, script, monkeypatch, capsys):
    """Whoever calls it from a script of their own knows what to branch on."""
    monkeypatch.setitem(NEEDS, name, ("--help",))
    with pytest.raises(SystemExit) as ended:
        script(name)
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "example:\n  " in said
    assert f"scripts/{name} " in said
    codes = said.partition("exit codes:")[2]
    assert [line.split()[0] for line in codes.split("\n") if line.strip()] == [
        "0",
        "2",
        "3",
        *["6"] * ("propose" in name),
    ]


def test_handover__a_file_of_another_house__file_contract_and_address_are_named(script, monkeypatch):
    """Somebody took the wrong file: nothing is there, and a person is told where to look."""
    chain = EmbeddedChain(chain_id=31337)
    with HttpNode(chain.node) as node:
        monkeypatch.setenv("KEEPER_RPC_URL", node.url)
        code, said = script("handover.py")
    assert code == 2
    assert f"deployment.json: 0x{2:040x} is no RiskParameters of this version: no code on chain 31337" in said
    assert "another house" in said
