"""Bad input ends with 2, a message with the numbers and what to do; never with a traceback."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from keeper.cli import root
from keeper.cli.root import app
from keeper.errors import BadInput, Halt, LawBroken, Refused, Retry
from keeper.settings import default_toml
from keeper.store import open_store
from keeper.testing.builders import a_snapshot, an_account
from keeper.testing.lived import live

pytestmark = pytest.mark.usefixtures("own_logging")


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A working folder with a store of one block, and settings."""
    monkeypatch.chdir(tmp_path)
    store = open_store(f"sqlite:///{tmp_path}/keeper.sqlite")
    live(store, a_snapshot(an_account(7, cash=10_000, perp=1)))
    store.close()
    (tmp_path / "keeper.toml").write_text(default_toml())
    (tmp_path / "typo.toml").write_text("[fees]\nmax_fee_gwi = 80\n")
    (tmp_path / "broken.toml").write_text("[fees\n")
    (tmp_path / "range.toml").write_text("[risk]\newma_lambda = 1.5\n")
    (tmp_path / "nostore.toml").write_text('[store]\nurl = "sqlite:///other.sqlite"\n')
    (tmp_path / "damaged.toml").write_text('[store]\nurl = "sqlite:///damaged.sqlite"\n')
    (tmp_path / "damaged.sqlite").write_bytes(b"this is no database " * 100)
    (tmp_path / "elsewhere.toml").write_text('[protocol]\ndeployment_file = "sepolia.json"\n')
    names = ("ClearingHouse", "RiskParameters", "RiskFile", "PriceOracle", "LiquidationAuction", "InsuranceFund")
    deployed = {
        "chain_id": 11155111,
        "block": 1,
        "addresses": dict.fromkeys(names, "0x" + "11" * 20),
        "symbols": {"0": "ETH"},
        "collaterals": {"0": "USDC"},
        "liquidator_account": None,
    }
    (tmp_path / "sepolia.json").write_text(json.dumps(deployed))
    (tmp_path / "notjson.toml").write_text('[protocol]\ndeployment_file = "broken.toml"\n')
    return tmp_path


ERRORS = [
    (["status", "-c", "absent.toml"], ["absent.toml does not exist", "keeper init"]),
    (["status", "-c", "typo.toml"], ["line 2", "max_fee_gwi", "did you mean fees.max_fee_gwei?"]),
    (["status", "-c", "broken.toml"], ["broken.toml is not TOML"]),
    (["status", "-c", "range.toml"], ["line 2", "1.5", "0.01 to 0.9999"]),
    (["status", "-c", "nostore.toml"], ["no store at other.sqlite", "keeper once"]),
    (["status", "-c", "damaged.toml"], ["damaged or is not a database"]),
    (["init"], ["keeper.toml is already there", "--force"]),
    (["init", "no/such/folder/k.toml"], ["cannot be written"]),
    (["explain", "bob"], ["'bob' is not an account", "OWNER:SUB"]),
    (["explain", "0x" + "1" * 65], ["has 65 hex digits", "an id 64"]),
    (["explain", "0x1234"], ["0x1234 has 4 hex digits", "OWNER:SUB"]),
    (["explain", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8:79228162514264337593543950336"], ["sub-account"]),
    (["explain", "-7"], []),
    (["explain", "8"], ["is not among the 1 accounts of block 100"]),
    (["explain", "7", "--block", "99"], ["block 99 was not lived", "the newest is 100"]),
    (["explain", "7", "--block", "0xab"], ["'0xab' is not a block", "64 hex digits"]),
    (["explain", "7", "--block", "0x" + "ab" * 32], ["was not lived"]),
    (["replay", "--block", "9" * 30], ["was not lived", "the newest is 100"]),
    (["replay", "--block", "1e3"], ["'1e3' is not a block"]),
    (["once"], ["deployment.json cannot be read"]),
    (["once", "-c", "elsewhere.toml"], ["11155111", "31337"]),
    (["once", "-c", "notjson.toml"], ["is not JSON"]),
    (["run", "-c", "elsewhere.toml"], ["11155111", "31337"]),
    (["check", "-c", "typo.toml"], ["did you mean"]),
    (["explain"], ["neither an account nor a parameter was named"]),
    (["status", "--colour"], ["No such option"]),
    (["statsu"], ["Did you mean 'status'"]),
]


@pytest.mark.parametrize(("args", "said"), ERRORS, ids=[" ".join(args)[:50] for args, _ in ERRORS])
def test_bad_input__each_way__exit_2_and_what_to_do(here, args, said):
    result = CliRunner().invoke(app, args, env={"COLUMNS": "200", "NO_COLOR": "1"})
    assert result.exit_code == 2, result.output
    assert not result.stdout
    assert "Traceback" not in result.output
    flat = " ".join(result.stderr.split())
    assert all(part in flat for part in said), result.stderr


def test_bad_input__json__one_object_that_says_so(here):
    result = CliRunner().invoke(app, ["explain", "8", "--json"])
    assert result.exit_code == 2
    error = json.loads(result.stdout)["error"]
    assert (error["kind"], error["exit_code"]) == ("BadInput", 2)
    assert error["hint"]


@pytest.mark.parametrize("args", [["status", "--nonsense"], ["calibrate", "--prices", "x", "--replicates", "5"]])
def test_usage__json__one_object_that_says_so(args):
    """A script that misspells an option reads the same kind of answer as any other."""
    result = CliRunner().invoke(app, [*args, "--json"])
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["kind"] == "Usage"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadInput("x", hint="do y"), 2),
        (Halt("x"), 2),
        (Retry("x"), 3),
        (Refused("x"), 3),
        (LawBroken("x"), 4),
        (ZeroDivisionError("x"), 1),
        (FileNotFoundError(2, "x"), 1),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda one: getattr(one, "__class__", type(one)).__name__,
)
def test_errors__each_class__its_exit_code(here, monkeypatch, error, code):
    """The codes of the help are the codes of the process."""

    def fail(*_args, **_kwargs):
        raise error

    monkeypatch.delenv("KEEPER_DEBUG", raising=False)
    monkeypatch.setattr("keeper.cli.status.where_everything_stands", fail)
    result = CliRunner().invoke(app, ["status"])
    assert result.exit_code == code
    assert code in root.EXIT_CODES
    assert "Traceback" not in result.output


def test_errors__a_defect__says_where_to_report_and_shows_the_traceback_when_asked(here, monkeypatch):
    def fail(*_args, **_kwargs):
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr("keeper.cli.status.where_everything_stands", fail)
    plain = CliRunner().invoke(app, ["status"])
    assert "internal error: ZeroDivisionError: by nothing" in plain.stderr
    assert "KEEPER_DEBUG=1" in plain.stderr
    monkeypatch.setenv("KEEPER_DEBUG", "1")
    assert "Traceback" in CliRunner().invoke(app, ["status"]).stderr


def test_secrets__in_a_url__never_shown(here, tmp_path):
    """A database password does not reach the terminal, whatever is wrong."""
    (tmp_path / "pg.toml").write_text('[store]\nurl = "postgresql+psycopg://keeper:hunter2@127.0.0.1:1/none"\n')
    result = CliRunner().invoke(app, ["status", "-c", "pg.toml"])
    assert result.exit_code in (2, 3)
    assert "hunter2" not in result.output


def test_init__new_file__is_what_the_settings_say(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["init", "--json"])
    assert json.loads(result.stdout) == {"written": "keeper.toml"}
    assert (tmp_path / "keeper.toml").read_text() == default_toml()
    assert CliRunner().invoke(app, ["init", "--force"]).exit_code == 0


@pytest.mark.parametrize("word", ["a:x:b", "ETH:100:y", "[bold]x[/bold]"])
def test_error__words_that_look_like_pictures_or_markup__as_they_are(word, capsys):
    """A message quotes what it was given: no part of it becomes a picture or a style."""
    root.say(BadInput(f"{word} is wrong", hint=f"not {word}"), as_json=False)
    told = capsys.readouterr().err
    assert f"error: {word} is wrong" in told
    assert f"not {word}" in told
