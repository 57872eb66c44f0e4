"""A key that stays behind a service: we send what is to be signed and get two numbers back.

Why what leaves is right, whatever the service does:

1. The address is that of the public key the service showed at start; it is never asked for again.
2. Half of all signatures of such services have a high s, which no node takes (EIP-2): s becomes order − s, which is the
   same signature for the mirrored nonce point.
3. The services do not say which of the two points with this r it was.  Both are tried, and one must recover the very
   public key of 1; else the signature is not ours, or not over our bytes, and nothing leaves.
4. What is broadcast is built here, from the transaction we were given and these numbers: a service can change no field.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import structlog
from coincurve import PublicKey
from eth_utils import keccak

from keeper.chain.signers.der import ORDER, address_of
from keeper.chain.signers.eip1559 import signed, unsigned
from keeper.chain.signers.port import Signed, WrongSignature

log = structlog.get_logger(__name__)


class RemoteKey(Protocol):
    """One key of a service."""

    @property
    def name(self) -> str:
        """Service and key, for messages; nothing secret."""

    def point(self) -> bytes:
        """Its public key: X and Y, 64 bytes.  Raises: `NotSigned`, `KeyUnusable`."""

    def sign(self, digest: bytes, message: bytes) -> tuple[int, int]:
        """r and s over `digest`, the keccak hash of `message`; a service that hashes by itself is given the message.

        Raises: `NotSigned`, `KeyUnusable`, `WrongSignature` if the service says it used another key.
        """


class DigestSigner:
    """A `Signer` over a `RemoteKey`.

    Args:
        key: asked for its public key at once.
        elapsed_s: seconds on any clock that only goes forward; for the log.

    Raises: `NotSigned`, `KeyUnusable`.
    """

    def __init__(self, key: RemoteKey, *, elapsed_s: Callable[[], float] = time.monotonic) -> None:
        self._key, self._elapsed_s = key, elapsed_s
        self._point = key.point()
        self._address = address_of(self._point)

    @property
    def address(self) -> str:
        """See `Signer.address`."""
        return self._address

    def sign(self, transaction: dict[str, Any]) -> Signed:
        """See `Signer.sign`."""
        y_parity, r, s = self._asked(unsigned(transaction))
        return signed(transaction, y_parity=y_parity, r=r, s=s)

    def sign_typed(self, domain: bytes, struct: bytes) -> bytes:
        """See `Signer.sign_typed`."""
        y_parity, r, s = self._asked(b"\x19\x01" + domain + struct)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([27 + y_parity])

    def _asked(self, message: bytes) -> tuple[int, int, int]:
        """Parity, r and low s over the hash of a message."""
        digest = keccak(message)
        began = self._elapsed_s()
        r, s = self._key.sign(digest, message)
        took_ms = round((self._elapsed_s() - began) * 1000, 1)
        y_parity, s = completed(r, s, digest=digest, point=self._point, source=self._key.name)
        log.info("signer.signed", by=self._key.name, address=self._address, took_ms=took_ms)
        return y_parity, r, s

    def __repr__(self) -> str:
        return f"DigestSigner({self._address}, {self._key.name})"


def completed(r: int, s: int, *, digest: bytes, point: bytes, source: str) -> tuple[int, int]:
    """Make a service's signature one that a node takes.

    Args:
        r: in 1 … order − 1.
        s: likewise, high or low.
        digest: what was to be signed, 32 bytes.
        point: the public key it must recover to, 64 bytes.
        source: who signed, for the message.

    Returns: parity of the nonce point's Y, 0 or 1, and the low s.

    Raises: `WrongSignature` if neither parity recovers `point`.
    """
    s = min(s, ORDER - s)
    words = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    for y_parity in (0, 1):
        if _recovered(words + bytes([y_parity]), digest) == point:
            return y_parity, s
    raise WrongSignature(
        f"{source} signed, but not as {address_of(point)}",
        hint="was the key rotated or its name pointed elsewhere? run keeper keys test, and restart with the right key",
        address=address_of(point),
        digest="0x" + digest.hex(),
        r=r,
        s=s,
    )


def _recovered(signature: bytes, digest: bytes) -> bytes | None:
    """The public key that made a recoverable signature; None if there is none with this parity."""
    try:
        return bytes(PublicKey.from_signature_and_message(signature, digest, hasher=None).format(compressed=False)[1:])
    except ValueError:  # r is the X of no point, or the key would be the one at infinity
        return None
