"""How services write public keys and signatures: DER, and PEM around it.

A signature is `SEQUENCE { INTEGER r, INTEGER s }` (RFC 3279, 2.2.3), a public key
`SEQUENCE { SEQUENCE { id-ecPublicKey, curve }, BIT STRING point }` (RFC 5480).  Read by hand: two shapes need no parser
of everything, and what is a byte off is refused.
"""

from __future__ import annotations

import base64
import re
from typing import NoReturn

from coincurve import PublicKey
from eth_utils import keccak, to_checksum_address

from keeper.chain.signers.port import KeyUnusable, NotSigned

#: Order of the group.  Source: SEC 2, 2.4.1 (secp256k1).
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

_SEQUENCE, _INTEGER, _BIT_STRING, _OID = 0x30, 0x02, 0x03, 0x06
#: 1.2.840.10045.2.1 and 1.3.132.0.10.  Source: RFC 5480, 2.1.1; SEC 2, A.2.1.
_EC_KEY, _SECP256K1 = bytes.fromhex("2a8648ce3d0201"), bytes.fromhex("2b8104000a")
#: Curves that a service may offer beside ours, by object identifier.
_CURVES = {
    bytes.fromhex("2a8648ce3d030107"): "NIST P-256",
    bytes.fromhex("2b81040022"): "NIST P-384",
    bytes.fromhex("2b81040023"): "NIST P-521",
}
_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----(.*?)-----END PUBLIC KEY-----", re.DOTALL)


def signature_of(der: bytes, source: str) -> tuple[int, int]:
    """r and s of a signature, each in 1 … order − 1.

    More leading zeros than DER wants are taken: the number is the same, and the caller recovers the key anyway.
    Raises: `NotSigned` if these bytes are anything else.
    """
    try:
        body = _only(der, _SEQUENCE)
        first, rest = _take(body, _INTEGER)
        numbers = tuple(_positive(part) for part in (first, _only(rest, _INTEGER)))
    except ValueError as error:
        raise NotSigned(f"{source} answered {len(der)} bytes that are no DER signature: {error}") from None
    return _in_range(numbers, source)


def signature_of_words(words: bytes, source: str) -> tuple[int, int]:
    """r and s of 64 bytes, or of 65 whose last is a recovery id, which the caller finds out for itself.

    Raises: `NotSigned` if these bytes are anything else.
    """
    if len(words) not in (64, 65):
        raise NotSigned(f"{source} answered {len(words)} bytes, 64 or 65 are a signature", length=len(words))
    return _in_range((int.from_bytes(words[:32], "big"), int.from_bytes(words[32:64], "big")), source)


def point_of_pem(pem: str, source: str) -> bytes:
    """The point in a PEM public key.  Raises: as `point_of`; `NotSigned` if there is none in the text."""
    found = _PEM.search(pem)
    try:
        return point_of(base64.b64decode("".join(found[1].split()) if found else "", validate=True), source)
    except ValueError:
        raise NotSigned(f"{source} answered a public key that is no PEM") from None


def point_of(spki: bytes, source: str) -> bytes:
    """The point of a DER public key: 64 bytes, X before Y.

    Raises: `KeyUnusable` if the key is of another kind or curve; `NotSigned` if these bytes are no public key.
    """
    try:
        body = _only(spki, _SEQUENCE)
        algorithm, rest = _take(body, _SEQUENCE)
        kind, parameters = _take(algorithm, _OID)
        if kind != _EC_KEY:
            _refuse(source, "no key of an elliptic curve")
        curve = _only(parameters, _OID)
        if curve != _SECP256K1:
            _refuse(source, f"a key of {_CURVES.get(curve, 'another curve')}")
        # A bit string begins with how many bits of its last byte are unused: none, so this zero stays in front.
        return checked_point(_only(rest, _BIT_STRING).removeprefix(b"\x00"))
    except ValueError as error:
        raise NotSigned(f"{source} answered {len(spki)} bytes that are no public key: {error}") from None


def checked_point(point: bytes) -> bytes:
    """X and Y of a point given as SEC 1 writes it, or as these 64 bytes.

    Raises: `ValueError` if it is not on the curve.
    """
    encoded = b"\x04" + point if len(point) == 64 else point
    return bytes(PublicKey(encoded).format(compressed=False)[1:])


def address_of(point: bytes) -> str:
    """The checksummed address of a point's 64 bytes."""
    return to_checksum_address(keccak(point)[-20:])


def _refuse(source: str, found: str) -> NoReturn:
    hint = "make a key that signs on secp256k1: AWS calls it ECC_SECG_P256K1, Google EC_SIGN_SECP256K1_SHA256"
    raise KeyUnusable(f"{source} is {found}; the chain needs secp256k1", hint=hint)


def _take(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """The content of the first element, which has `tag`, and what follows it.  Raises: `ValueError`."""
    if len(data) < 2 or data[0] != tag:
        raise ValueError(f"tag {tag:#04x} is not there")
    length, start = data[1], 2
    if length == 0x81 and len(data) > 2 and data[2] >= 0x80:
        length, start = data[2], 3
    elif length >= 0x80:
        raise ValueError("a length that DER does not write")
    if len(data) < start + length:
        raise ValueError(f"{start + length} bytes are announced, {len(data)} are there")
    return data[start : start + length], data[start + length :]


def _only(data: bytes, tag: int) -> bytes:
    content, rest = _take(data, tag)
    if rest:
        raise ValueError(f"{len(rest)} bytes follow its end")
    return content


def _positive(integer: bytes) -> int:
    if not integer or integer[0] >= 0x80:
        raise ValueError("an empty or negative number")
    return int.from_bytes(integer, "big")


def _in_range(numbers: tuple[int, ...], source: str) -> tuple[int, int]:
    r, s = numbers
    if not (0 < r < ORDER and 0 < s < ORDER):
        raise NotSigned(f"{source} answered a signature outside the group's order")
    return r, s
