"""`keeper keys test` as an operator uses it, with keys in files, in the environment and behind services."""

import json
import socket

import pytest
from eth_account import Account
from typer.testing import CliRunner

from keeper.cli.root import app
from keeper.errors import BadInput
from keeper.settings import load_settings
from keeper.testing.key_services import FakeAwsKms, FakeVault, FakeWeb3Signer, HeldKey
from keeper.testing.key_services.vault import TOKEN
from keeper.wiring.keys import configured_keys, signers

pytestmark = [pytest.mark.chain, pytest.mark.usefixtures("own_logging")]

PUBLISHER, LIQUIDATOR, AWS_KEY, VAULT_KEY, WEB3_KEY = (bytes([n]) * 32 for n in (0x11, 0x22, 0x33, 0x44, 0x55))


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Writes settings with these sections of keys and no node; returns their path."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAFAKE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "fake")

    def write(*sections):
        path = tmp_path / "keeper.toml"
        path.write_text("\n".join(['[chain]\nrpc_urls = ["http://127.0.0.1:1"]\nrequest_timeout_s = 1', *sections]))
        return path

    return write


def file_of(path, text):
    path.write_text(text)
    path.chmod(0o600)
    return path


def ask(*args, **environ):
    return CliRunner().invoke(app, ["keys", "test", *map(str, args)], env=environ)


def address(key):
    return Account.from_key(key).address


def test_keys_test__every_kind__signs(config, tmp_path):
    """File, AWS KMS, Vault and web3signer side by side: each shows its address, and none its key."""
    with (
        FakeAwsKms(HeldKey(AWS_KEY)) as aws,
        FakeVault(HeldKey(VAULT_KEY)) as vault,
        FakeWeb3Signer(HeldKey(WEB3_KEY)) as web3,
    ):
        path = config(
            f'[keys.publisher]\nsecret_file = "{file_of(tmp_path / "p", PUBLISHER.hex())}"',
            f'[keys.liquidator.aws_kms]\nkey = "alias/keeper"\nregion = "eu-central-1"\nendpoint_url = "{aws.url}"',
            f'[keys.more_liquidators.v.vault]\nurl = "{vault.url}"\npath = "keeper/liquidator"\n'
            f'token_file = "{file_of(tmp_path / "t", TOKEN)}"',
            f'[keys.more_liquidators.w.web3signer]\nurl = "{web3.url}"\naddress = "{address(WEB3_KEY)}"',
        )
        result = ask("-c", path, "--json")
        shown = ask("-c", path).stdout
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["usable"] is True
    expected = {
        "keys.publisher": ("secret file", address(PUBLISHER)),
        "keys.liquidator": ("AWS KMS", address(AWS_KEY)),
        "keys.more_liquidators.v": ("Vault", address(VAULT_KEY)),
        "keys.more_liquidators.w": ("web3signer", address(WEB3_KEY)),
    }
    assert {one["name"]: (one["kind"], one["address"]) for one in found["keys"]} == expected
    assert all(one["took_ms"] >= 0 and "was not asked" in one["said"] for one in found["keys"])
    for key in (PUBLISHER, AWS_KEY, VAULT_KEY, WEB3_KEY):
        assert key.hex() not in result.output + shown
        assert address(key) in shown


def test_keys_test__hot_key_in_the_environment__warns_and_ends_well(config):
    result = ask("-c", config("[keys.publisher]\nenv = 'HOT'"), "--json", HOT=PUBLISHER.hex())
    assert result.exit_code == 0
    (one,) = json.loads(result.stdout)["keys"]
    assert one["verdict"] == "warning"
    assert "environment" in one["said"]
    assert "signer.hot_key_in_environment" in result.stderr
    assert PUBLISHER.hex() not in result.output


def test_keys_test__role__only_its_keys(config, tmp_path):
    path = config(
        f'[keys.publisher]\nsecret_file = "{file_of(tmp_path / "p", PUBLISHER.hex())}"',
        "[keys.liquidator]\nsecret_file = 'absent'",
    )
    assert ask("-c", path, "--role", "publisher").exit_code == 0
    both = ask("-c", path)
    assert both.exit_code == 2
    assert address(PUBLISHER) in both.stdout


def test_keys_test__silent_service__exit_3(config, tmp_path):
    """Nothing is wrong with the key as far as we know: the same may work later."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        path = config(
            f'[keys.publisher]\nsecret_file = "{file_of(tmp_path / "p", PUBLISHER.hex())}"',
            f'[keys.liquidator.web3signer]\nurl = "http://127.0.0.1:{mute.getsockname()[1]}"\n'
            f'address = "{address(WEB3_KEY)}"\ntimeout_s = 0.1',
        )
        result = ask("-c", path, "--json")
    assert result.exit_code == 3
    assert [one["verdict"] for one in json.loads(result.stdout)["keys"]] == ["signs", "unreachable"]


def test_keys_test__another_key_signs__exit_2(config):
    held = HeldKey(WEB3_KEY)
    held.mood.signs_with = AWS_KEY
    with FakeWeb3Signer(held) as web3:
        path = config(f'[keys.liquidator.web3signer]\nurl = "{web3.url}"\naddress = "{held.address}"')
        result = ask("-c", path)
    assert result.exit_code == 2
    assert "but not as" in " ".join(result.stdout.split())


@pytest.mark.parametrize(("args", "hint"), [((), "[keys.publisher]"), (("--role", "liquidator"), "[keys.liquidator]")])
def test_keys_test__no_key__exit_2_and_where_to_write_one(config, args, hint):
    result = ask("-c", config(), *args)
    assert result.exit_code == 2
    assert hint in result.stderr


def test_configured_keys__nothing_opened_before_it_is_loaded(config):
    """A description of the keys asks nobody: files and services are touched by `load` alone."""
    path = config("[keys.publisher]\nsecret_file = 'absent'", "[keys.liquidator.aws_kms]\nkey = 'k'")
    names = [key.name for key in configured_keys(load_settings(path, {}), {})]
    assert names == ["keys.publisher", "keys.liquidator"]


def test_signers__one_key_twice_in_a_pool__refused(config, tmp_path):
    """One nonce has one owner."""
    key = file_of(tmp_path / "l", LIQUIDATOR.hex())
    settings = f'[keys.liquidator]\nsecret_file = "{key}"\n[keys.more_liquidators.b]\nsecret_file = "{key}"'
    with pytest.raises(BadInput, match=r"keys\.liquidator and keys\.more_liquidators\.b are one key"):
        signers(load_settings(config(settings), {}), {})
