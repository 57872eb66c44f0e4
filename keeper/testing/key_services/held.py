"""A key as a service holds it, and the ways a service misbehaves."""

from __future__ import annotations

from dataclasses import dataclass, field

from coincurve import PrivateKey
from eth_utils import keccak, to_checksum_address

from keeper.testing.key_services.server import Asked, Reply

#: Order of the group.  Source: SEC 2, 2.4.1.
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
#: Everything before the point in a DER public key on secp256k1.  Source: RFC 5480.
_SPKI = bytes.fromhex("3056301006072a8648ce3d020106052b8104000a034200")


@dataclass(kw_only=True)
class Mood:
    """How a service behaves from now on; each field is one way to go wrong."""

    high_s: bool = False
    """Answers the mirrored signature, as a KMS does half of the time.  Not a fault."""
    signs_with: bytes | None = None
    """Another private key that it signs with."""
    signature: bytes | None = None
    """Bytes it answers for a signature, whatever was asked."""
    refuses: Reply | None = None
    """What it says to everything."""
    cut_at: int | None = None
    """Bytes of each body that arrive; the rest is announced and never sent."""
    short_json: bool = False
    """Half of each body arrives, announced as if it were all."""

    def applied(self, reply: Reply) -> Reply:
        """The reply as it leaves."""
        if self.cut_at is not None:
            cut = reply.body[: self.cut_at]
            return Reply(status=reply.status, body=cut, headers=reply.headers, announced=len(reply.body))
        if self.short_json:
            return Reply(status=reply.status, body=reply.body[: len(reply.body) // 2], headers=reply.headers)
        return reply


@dataclass
class HeldKey:
    """A private key that does not leave.

    Args:
        private: 32 bytes.
        mood: how its service behaves.
    """

    private: bytes
    mood: Mood = field(default_factory=Mood)

    @property
    def point(self) -> bytes:
        """X and Y, 64 bytes."""
        return bytes(PrivateKey(self.private).public_key.format(compressed=False)[1:])

    @property
    def address(self) -> str:
        """Checksummed address."""
        return to_checksum_address(keccak(self.point)[-20:])

    @property
    def spki(self) -> bytes:
        """DER public key."""
        return _SPKI + b"\x04" + self.point

    def numbers(self, digest: bytes) -> tuple[int, int]:
        """r and s over a digest."""
        signed = PrivateKey(self.mood.signs_with or self.private).sign_recoverable(digest, hasher=None)
        r, s = (int.from_bytes(part, "big") for part in (signed[:32], signed[32:64]))
        return r, _ORDER - s if self.mood.high_s else s

    def der(self, digest: bytes) -> bytes:
        """A DER signature over a digest."""
        return self.mood.signature if self.mood.signature is not None else der_of(*self.numbers(digest))

    def words(self, digest: bytes) -> bytes:
        """r, s and a recovery id, 65 bytes; the id is of the low s, and wrong for a high one."""
        if self.mood.signature is not None:
            return self.mood.signature
        r, s = self.numbers(digest)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big") + b"\x1b"


def der_of(r: int, s: int) -> bytes:
    """SEQUENCE of two INTEGERs: as short as they go, a zero before a first bit that is set."""
    parts = b"".join(b"\x02" + bytes([len(n)]) + n for n in (_integer(r), _integer(s)))
    return b"\x30" + bytes([len(parts)]) + parts


def _integer(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def bearer(asked: Asked) -> str:
    """The token of an Authorization header; empty if there is none."""
    scheme, _, token = asked.headers.get("authorization", "").partition(" ")
    return token if scheme == "Bearer" else ""
