"""An address as a person gives it: whole, with a checksum that holds, and somebody's."""

from __future__ import annotations

from eth_utils import is_checksum_address, is_hex_address, to_checksum_address

from keeper.errors import BadInput


def address_of(text: str, *, what: str = "", nobody: bool = False) -> str:
    """The checksummed address in a text.

    Args:
        text: 0x and 40 hexadecimal digits; letters of both cases are an EIP-55 checksum, which must hold.
        what: what it is the address of, for the message.
        nobody: whether the zero address will do.

    Raises: `BadInput`.
    """
    said = f"{what}: {text}" if what else text
    if not text.startswith("0x") or not is_hex_address(text):
        raise BadInput(f"{said} is no address", hint="an address has 0x and 40 hexadecimal digits")
    digits = text[2:]
    if digits not in (digits.lower(), digits.upper()) and not is_checksum_address(text):
        raise BadInput(f"{said} fails its checksum: a digit is wrong", hint="copy the address whole, from its source")
    if not nobody and not int(text, 16):
        raise BadInput(f"{said} is nobody's address", hint="name the address that is meant")
    return str(to_checksum_address(text))
