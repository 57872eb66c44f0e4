"""Keys in this process, and how they are loaded.  A key never shows in repr, log or error."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog
from eth_account import Account
from eth_account.messages import SignableMessage
from eth_account.signers.local import LocalAccount
from hexbytes import HexBytes

from keeper.chain.signers.port import Signed
from keeper.domain.nested import json_of
from keeper.errors import BadInput

log = structlog.get_logger(__name__)

#: What a private key looks like in text.
_KEY = re.compile(r"(?<![0-9a-fA-F])(0[xX])?[0-9a-fA-F]{64}(?![0-9a-fA-F])")


class LocalSigner:
    """A key in memory."""

    def __init__(self, account: LocalAccount) -> None:
        self._account = account

    @property
    def address(self) -> str:
        """See `Signer.address`."""
        return str(self._account.address)

    def sign(self, transaction: dict[str, Any]) -> Signed:
        """See `Signer.sign`."""
        signed = self._account.sign_transaction(transaction)
        return Signed(bytes(signed.raw_transaction), "0x" + bytes(signed.hash).hex())

    def sign_typed(self, domain: bytes, struct: bytes) -> bytes:
        """See `Signer.sign_typed`."""
        message = SignableMessage(HexBytes(b"\x01"), HexBytes(domain), HexBytes(struct))
        return bytes(self._account.sign_message(message).signature)

    def __repr__(self) -> str:
        return f"LocalSigner({self.address}, key='***')"


def from_key(key: bytes) -> LocalSigner:
    """A signer from 32 raw bytes.  Raises: `BadInput`."""
    return from_text(key.hex(), "the key")


def from_keystore(keystore: Path, password_file: Path) -> LocalSigner:
    """A signer from an encrypted keystore (version 3) and the file that holds its password.

    Takes about a second: the key derivation is meant to.
    Raises: `BadInput` if a file is missing or open to others, is no keystore, or the password is wrong.
    """
    if not password_file.exists():  # without its text: what stands here may be the password itself
        raise BadInput("the password file does not exist", hint=f"password_file of {keystore} names a file, chmod 600")
    content, password = read_file(keystore, secret=False), read_file(password_file, secret=True)
    try:
        key = Account.decrypt(json_of(content), password.rstrip("\n"))
    except (ValueError, KeyError, TypeError, NotImplementedError) as error:
        hint = f"check the file, and that {password_file} holds its password"
        raise BadInput(f"{keystore} cannot be decrypted", hint=hint) from error
    return from_text(bytes(key).hex(), str(keystore))


def from_secret_file(path: Path) -> LocalSigner:
    """A signer from a file that holds a private key as hex.

    Raises: `BadInput` if it is missing, readable by others than its owner, or holds no key.
    """
    return from_text(read_file(path, secret=True), str(path))


def from_environment(name: str, environment: Mapping[str, str]) -> LocalSigner:
    """A signer from an environment variable; warns, since every child process and crash dump can read it.

    Raises: `BadInput` if it is not set or holds no key.
    """
    _refuse_key(name, "the name of its variable")
    if not environment.get(name):
        raise BadInput(f"the environment variable {name} is not set", hint="set it, or configure a keystore file")
    signer = from_text(environment[name], f"the environment variable {name}")
    log.warning("signer.hot_key_in_environment", variable=name, address=signer.address)
    return signer


def from_text(text: str, source: str) -> LocalSigner:
    """A signer from 64 hexadecimal digits, 0x before them or not.  Raises: `BadInput`, which names `source` alone."""
    try:
        key = bytes.fromhex(text.strip().removeprefix("0x"))
        if len(key) == 32:
            return LocalSigner(Account.from_key(key))
    except ValueError:
        pass  # said below, without the text that may be most of a key
    raise BadInput(f"{source} holds no private key", hint="64 hexadecimal digits are expected") from None


def _refuse_key(name: str, wanted: str) -> None:
    """Refuse a key pasted where a name belongs, before any message could show it.  Raises: `BadInput`."""
    if _KEY.search(name):
        hint = "keep a key in a file of its own (chmod 600); this one was in the settings: make a new one and fund that"
        raise BadInput(f"a private key itself stands where {wanted} belongs", hint=hint)


def read_file(path: Path, *, secret: bool) -> str:
    """The text of a file.

    Raises: `BadInput` if it cannot be read, or if it is secret and others than its owner may read it.
    """
    _refuse_key(path.name, "the name of its file")
    try:
        if secret and os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise BadInput(f"{path} can be read by others", hint=f"chmod 600 {path}")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:  # not chained: it carries the file's bytes
        hint = "a key stands there as 64 hexadecimal digits, a password as plain text"
        raise BadInput(f"{path} is not text", hint=hint) from None
    except OSError as error:
        hint = "check the path in the settings"
        raise BadInput(f"{path} cannot be read: {error.strerror or type(error).__name__}", hint=hint) from error
