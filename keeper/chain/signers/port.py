"""What a signer is, whatever holds its key.

- Retry
    - NotSigned: the service was silent, throttled us, or its answer cannot be read; the next block asks again
- Halt
    - WrongSignature: the service signed, but not with the key whose address we took at start
    - BadInput
        - KeyUnusable: no such key, not allowed, disabled, or of another curve; a person must act

None of them carries anything a service said beyond its status and error code: a key may travel in an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from keeper.errors import BadInput, Halt, Retry


class NotSigned(Retry):
    """A service that holds a key gave no answer, or none that can be used."""


class WrongSignature(Halt):
    """A signature that is not from the key we took it for.  Nothing of it leaves this process."""


class KeyUnusable(BadInput):
    """The configured key cannot sign for us."""


@dataclass(frozen=True)
class Signed:
    """A signed transaction."""

    raw: bytes
    """What a node takes."""
    tx_hash: str
    """Its hash, 0x and 64 digits."""


class Signer(Protocol):
    """Something that signs for one address: a file here, a KMS or a remote signer elsewhere."""

    @property
    def address(self) -> str:
        """Checksummed address.  Known from the start on; never asks anybody."""

    def sign(self, transaction: dict[str, Any]) -> Signed:
        """Sign an EIP-1559 transaction given with web3's field names.

        Raises:
            NotSigned: the service cannot be asked now; a local key never raises it.
            KeyUnusable: it says no.
            WrongSignature: what it signed does not recover to `address`.
        """

    def sign_typed(self, domain: bytes, struct: bytes) -> bytes:
        """Sign EIP-712 typed data given by their two hashes.

        What is signed begins with 0x19, which no transaction does, so that it can never move anything by itself.

        Args:
            domain: hash of the domain, 32 bytes.
            struct: hash of the message, 32 bytes.

        Returns: r, s, v; 65 bytes.  Raises: as `sign`.
        """
