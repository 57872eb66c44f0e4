"""Keys: loaded from guarded places only, and never shown."""

import json
from pathlib import Path

import pytest
from eth_account import Account

from keeper.chain.signers import from_environment, from_key, from_keystore, from_secret_file
from keeper.errors import BadInput

KEY = b"\x11" * 32
ADDRESS = Account.from_key(KEY).address


def secret(path, text, mode=0o600):
    path.write_text(text)
    path.chmod(mode)
    return path


def test_secret_file__owner_only__loaded(tmp_path):
    """Hex with or without prefix and newline."""
    assert from_secret_file(secret(tmp_path / "key", f"0x{KEY.hex()}\n")).address == ADDRESS


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_secret_file__open_to_others__refused_with_the_command(tmp_path, mode):
    """The hint is the command that helps."""
    with pytest.raises(BadInput) as caught:
        from_secret_file(secret(tmp_path / "key", KEY.hex(), mode))
    assert caught.value.hint.startswith("chmod 600")


@pytest.mark.parametrize("text", ["", "0x12", KEY.hex()[:-1] + "g", KEY.hex() * 2, "00" * 32])
def test_secret_file__no_key__refused_without_showing_it(tmp_path, text):
    """Nothing of the text is in the error: it may be most of a key."""
    with pytest.raises(BadInput) as caught:
        from_secret_file(secret(tmp_path / "key", text))
    assert not text or text not in str(caught.value)


def test_keystore__password_file__decrypted(tmp_path):
    """Right password opens it, a wrong one is the operator's to correct."""
    keystore = tmp_path / "keystore.json"
    keystore.write_text(json.dumps(Account.encrypt(KEY, "right", kdf="pbkdf2", iterations=1000)))
    assert from_keystore(keystore, secret(tmp_path / "password", "right\n")).address == ADDRESS
    with pytest.raises(BadInput):
        from_keystore(keystore, secret(tmp_path / "password", "wrong"))
    with pytest.raises(BadInput):
        from_keystore(tmp_path / "absent", tmp_path / "password")


def test_environment__missing__bad_input():
    """A name that is not set is said by name."""
    with pytest.raises(BadInput, match="KEEPER_KEY"):
        from_environment("KEEPER_KEY", {})
    assert from_environment("KEEPER_KEY", {"KEEPER_KEY": KEY.hex()}).address == ADDRESS


@pytest.mark.parametrize("pasted", [KEY.hex(), f"0x{KEY.hex()}"])
def test_load__key_pasted_for_its_name__refused_without_showing_it(pasted):
    """The likeliest mistake of all must not end up in a terminal, a log or a ticket."""
    for load in (lambda: from_secret_file(Path(pasted)), lambda: from_environment(pasted, {})):
        with pytest.raises(BadInput) as caught:
            load()
        assert "a private key itself" in caught.value.message
        assert KEY.hex() not in f"{caught.value.message}{caught.value.hint}{caught.value.__cause__}"


def test_repr__key__never_shown():
    """Not in repr, str or format."""
    signer = from_key(KEY)
    for text in (repr(signer), str(signer), f"{signer}"):
        assert KEY.hex() not in text
        assert "***" in text


def test_keystore__password_in_place_of_its_file__not_echoed(tmp_path):
    """A password pasted where the name of its file belongs shows in no message."""
    keystore = tmp_path / "key.json"
    keystore.write_text("{}")
    with pytest.raises(BadInput) as raised:
        from_keystore(keystore, tmp_path / "correct horse battery staple")
    assert "horse" not in str(raised.value)


def test_secret_file__raw_bytes__said_so_without_them(tmp_path):
    """A key saved as 32 bytes instead of hex: what to write instead, and no error in the chain that holds the bytes."""
    path = tmp_path / "key"
    path.write_bytes(b"\xfe" * 32)
    path.chmod(0o600)
    with pytest.raises(BadInput, match="is not text") as caught:
        from_secret_file(path)
    assert "64 hexadecimal digits" in caught.value.hint
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
