"""The file a spec is written in: TOML with units, JSON accepted, mistakes named in the words of the command line."""

import runpy
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from keeper.deploy.options import in_options
from keeper.deploy.spec_file import example, read_spec, write_toml
from keeper.deploy.trial import refuse_elsewhere
from keeper.domain import codec
from keeper.errors import BadInput, Halt

SCRIPTS = Path(__file__).parents[2] / "scripts"


def script(name, monkeypatch, capsys, *args):
    """A script in this process.  Returns: its exit code, stdout and stderr."""
    monkeypatch.setattr(sys, "argv", [name, *map(str, args)])
    code = runpy.run_path(str(SCRIPTS / name))["main"]()
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.parametrize("spec", [example(), replace(example(), breaker=None, timelock=None)])
def test_spec_file__toml_or_json__reads_back_to_the_same_spec(tmp_path, spec):
    """Both forms say the same."""
    path = tmp_path / "spec"
    for text in (write_toml(spec), codec.dumps(spec).decode()):
        path.write_text(text)
        assert read_spec(path) == spec


def test_deploy_script__example__names_the_unit_beside_each_number(monkeypatch, capsys):
    """Whoever writes a strike or money reads the unit on the same line."""
    code, said, _ = script("deploy.py", monkeypatch, capsys, "--example")
    assert code == 0
    by_key = {line.partition(" =")[0]: line for line in said.splitlines() if " = " in line and line[0] != "#"}
    assert "# 1e-8 USD" in by_key["strikes"]
    assert "# 1e-18 USD" in by_key["min_equity_to_open"]
    assert "# Unix seconds" in by_key["expiry"]
    code, said, _ = script("deploy.py", monkeypatch, capsys, "--example", "--json")
    assert codec.loads(type(example()), said.encode()) == example()


@pytest.mark.parametrize(
    ("text", "says"),
    [("publisher = ", "neither TOML nor JSON"), ('{"publisher": 5', "neither TOML nor JSON"),
     ('publisher = "x"\nwho = 1\n', "who"),
     (write_toml(example()).replace("psr_ppm = 100_000", "psr_ppm = 0.1"), "psr_ppm"),
     (write_toml(example()).replace("[[feeds]]", "[[feed]]"), "feed")],
    ids=["torn toml", "torn json", "unknown key", "no integer", "unknown table"],
)  # fmt: skip
def test_deploy_script__spec_that_cannot_be_read__exit_2_naming_what(tmp_path, monkeypatch, capsys, text, says):
    """A typo in the spec is the spec's, not damaged data, and the hint says where every key is written down."""
    (tmp_path / "spec.toml").write_text(text)
    options = ("--rpc", "http://127.0.0.1:1", "--spec", tmp_path / "spec.toml", "--key-file", "k")
    code, _, said = script("deploy.py", monkeypatch, capsys, *options, "--out", tmp_path / "deployment.json")
    assert code == 2
    assert says in said
    assert "--example" in said
    assert "damaged" not in said


def test_deploy_script__node_or_key_is_wrong__hint_names_the_option(tmp_path, monkeypatch, capsys):
    """Whoever gave options is told options."""
    (tmp_path / "spec.toml").write_text(write_toml(example()))
    options = ("--rpc", "http://127.0.0.1:1", "--spec", tmp_path / "spec.toml", "--out", tmp_path / "deployment.json")
    code, _, said = script("deploy.py", monkeypatch, capsys, *options, "--key-file", tmp_path / "absent")
    assert code == 2
    assert "--rpc" in said or "--key-file" in said
    assert "settings" not in said
    assert "rpc_urls" not in said
    error = Halt("chain 1", hint="point chain.rpc_urls at the right network, or correct chain.chain_id")
    assert "point --rpc at the right network, or correct --chain-id" in in_options(error)


@pytest.mark.parametrize("url", ["https://mainnet.example.org", "http://10.0.0.1:8545", "nonsense"])
def test_trial__another_machine__refused(url):
    """Mock money and keys made in passing stay on this machine."""
    with pytest.raises(BadInput, match="not this machine"):
        refuse_elsewhere(url)
