"""How a person names an account: its owner and the sub-account."""

from __future__ import annotations

import re

from eth_utils import to_checksum_address

from keeper.errors import BadInput
from keeper.protocols.clearinghouse.ids import account_id, owner_of

_OWNED = re.compile(r"(0x[0-9a-f]{40})(?::(\d{1,29}))?", re.IGNORECASE | re.ASCII)
_HEX = re.compile(r"0x[0-9a-f]*", re.IGNORECASE | re.ASCII)
#: Hex digits of an owner's address, and of an account's id.
_OWNER_DIGITS, _ID_DIGITS = 40, 64
_SUBS = 1 << 96
_IDS = 1 << 256

HINT = "give OWNER, OWNER:SUB, a decimal id or a 0x id, e.g. 0x70997970C51812dc3A010C7d01b50e0d17dc79C8:1"


def parse_account(text: str) -> int:
    """The account that `text` names: an owner's address, with `:sub` or for sub-account 0, or an id in decimal or hex.

    Raises: `BadInput`.
    """
    text = text.strip()
    if owned := _OWNED.fullmatch(text):
        sub = int(owned[2] or 0)
        if sub >= _SUBS:
            raise BadInput(f"sub-account {sub} does not exist: the largest is {_SUBS - 1}", hint=HINT, account=text)
        return account_id(owned[1], sub)
    if _HEX.fullmatch(text):
        digits = len(text) - 2
        if digits != _ID_DIGITS:  # a digit lost in copying must not name somebody else
            said = f"{text[:70]} has {digits} hex digits: an owner's address has {_OWNER_DIGITS}, an id {_ID_DIGITS}"
            raise BadInput(said, hint=HINT, account=text)
        return int(text, 16)
    if text.isascii() and text.isdecimal() and len(text) <= len(str(_IDS)) and int(text) < _IDS:
        return int(text)
    raise BadInput(f"{text!r} is not an account", hint=HINT, account=text)


def account_name(account: int) -> str:
    """Checksummed owner, and `:sub` unless it is sub-account 0; `parse_account` reads it back."""
    sub = account % _SUBS
    return to_checksum_address(owner_of(account)) + (f":{sub}" if sub else "")
