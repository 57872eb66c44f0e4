"""What a person sees before anything works: help, version, exit codes."""

import importlib
import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from keeper import __version__
from keeper.cli.root import COMMANDS, EXIT_CODES, app, load

COMMANDS_THERE = [name for name in COMMANDS if importlib.util.find_spec(f"keeper.cli.{name}")]
ALL_OPTIONS = {
    "init": ["--force", "--json"],
    "check": ["--config", "--json"],
    "keys": ["--role", "--config", "--json"],
    "quorum": ["--out", "--for", "--stands", "--now", "--inputs", "--sign", "--send", "--config", "--json"],
    "run": ["--config", "--send", "--json"],
    "once": ["--config", "--send", "--json"],
    "status": ["--config", "--json"],
    "nonce": ["show|repair", "--send", "--config", "--json"],
    "bidders": ["show|approve|revoke", "--send", "--config", "--json", "ADDRESS"],
    "explain": ["--config", "--block", "--parameter", "--limit", "--since", "--json", "ACCOUNT"],
    "recalibrate": ["UNDERLYING", "--config", "--block", "--json"],
    "glide": ["UNDERLYING", "--set", "--config", "--block", "--json"],
    "impact": ["UNDERLYING", "--set", "--config", "--block", "--json"],
    "push": ["--underlying", "--now", "--send", "--config", "--json"],
    "shadow": ["UNDERLYING", "--blocks", "--config", "--json"],
    "override": ["set|list|clear", "--for", "--reason", "--operator", "--all", "--config", "--json"],
    "replay": ["--config", "--block", "--json"],
    "verify": ["--rpc", "--inputs", "--deployment", "--state", "--config", "--json", "UPDATE_ID"],
    "model": ["show|sign-off", "--first", "--operator", "--reason", "--config", "--json"],
    "inputs": ["list|export", "--out", "--limit", "--config", "--json"],
    "margin": [
        "--market",
        "--portfolio",
        "--what-if",
        "--preset",
        "--case",
        "--explain",
        "--schema",
        "--example",
        "--json",
        "CASE",
    ],
    "calibrate": [
        "--prices",
        "--vol-history",
        "--level",
        "--horizon",
        "--in-force",
        "--replicates",
        "--seed",
        "--config",
        "--json",
    ],
    "surface": ["QUOTES", "--currency", "--snapshot", "--model", "--all", "--plot", "--json"],
    "propose": [
        "CHANGES.toml",
        "--from-recalibration",
        "--governor",
        "--timelock",
        "--safe",
        "--proposer",
        "--voter",
        "--prices",
        "--engine",
        "--out",
        "--config",
        "--json",
    ],
    "guardian": ["show|pause|veto|halt|resume", "TICKER", "--hours", "--out", "--config", "--json"],
    "proposal": ["check", "ID|FILE", "--governor", "--proposer", "--voter", "--engine", "--config", "--json"],
    "demo": ["--json"],
}


def help_of(*args: str) -> str:
    result = CliRunner().invoke(app, [*args, "--help"], env={"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"})
    assert result.exit_code == 0
    return result.stdout


def test_help__root__names_every_command_and_exit_code():
    shown = help_of()
    assert all(re.search(rf"│ {name} +", shown) for name in COMMANDS_THERE)
    assert all(re.search(rf"^ +{code}  \w", shown, re.MULTILINE) for code in EXIT_CODES)


@pytest.mark.parametrize("name", COMMANDS_THERE)
def test_help__each_command__options_and_an_example(name: str):
    shown = help_of(name)
    assert f"keeper {name}" in shown.partition("Example")[2]
    assert all(option in shown for option in ALL_OPTIONS[name])


@pytest.mark.parametrize("name", COMMANDS_THERE)
def test_help__usage__each_argument_in_one_pair_of_brackets(name: str):
    """What may be left out stands in brackets, and what they say is that alone."""
    usage = next(line for line in help_of(name).splitlines() if "Usage:" in line)
    assert "[[" not in usage
    assert "]]" not in usage


@pytest.mark.parametrize("columns", [60, 80, 100, 140])
def test_help__below_the_commands__a_line_goes_on_below_its_own_words(columns: int):
    """A meaning that takes two lines does not run under its exit code."""
    code = f"import os\nos.environ['COLUMNS'] = '{columns}'\nfrom keeper.cli.root import _EPILOG\nprint(_EPILOG)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    codes = done.stdout.partition("Exit codes")[2].partition("Answers")[0].splitlines()[1:]
    assert len(codes) > len(EXIT_CODES), "some meanings take two lines"
    for line in filter(None, codes):
        assert len(line) <= min(columns - 2, 78)
        assert re.match(r"^ {2,4}\d+  \S| {7}\S", line), line


@pytest.mark.parametrize("name", COMMANDS_THERE)
def test_help__words_in_brackets__are_shown(name: str):
    """`[risk]` is a section of the settings; taken for markup it would vanish from the sentence."""
    command = getattr(importlib.import_module(f"keeper.cli.{name}"), name)
    written = re.findall(r"\[\w+\]", command.__doc__ or "")
    written += [word for option in load(name).params for word in re.findall(r"(?<=\\)\[\w+\]", option.help or "")]
    shown = help_of(name)
    assert [word for word in written if word not in shown] == []


@pytest.mark.parametrize("name", COMMANDS_THERE)
def test_help__table__says_what_the_command_says(name: str):
    """The table is written by hand so that nothing is imported for it; it must not go stale."""
    command = getattr(importlib.import_module(f"keeper.cli.{name}"), name)
    assert " ".join(command.__doc__.split("\n\n")[0].split()) == COMMANDS[name]


def test_help__root__imports_nothing_heavy():
    """`keeper --help` answers at once; web3 alone takes seconds."""
    code = (
        "import sys\nfrom keeper.cli import main\nsys.argv = ['keeper', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(sorted({'web3', 'numpy', 'sqlalchemy', 'pydantic', 'eth_utils'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_version__asked__printed():
    assert CliRunner().invoke(app, ["--version"]).stdout == f"keeper {__version__}\n"
