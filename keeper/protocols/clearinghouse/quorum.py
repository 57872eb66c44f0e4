"""What keepers sign for `KeeperQuorum`, and the call that carries their signatures.

Each keeper signs by itself, wherever its key is; anyone gathers k signatures and sends them.  The typed data are those
of EIP-712, so that a hardware key shows what it signs.  A call without signatures says everything: who is asked to do
what, until when, under which nonce; typed data and signed calls are made from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from eth_abi.abi import decode, encode
from eth_utils import keccak, to_checksum_address

from keeper.errors import BadInput
from keeper.protocols.abi import Abi, named, type_of

NAME: Final = "KeeperQuorum"
VERSION: Final = "2"
_DOMAIN: Final = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
]
_LAST: Final = (("uint256", "nonce"), ("uint64", "validUntil"))
#: Bits of a nonce below the count of how often keepers were named.
LIST_BITS: Final = 64


class Lane(IntEnum):
    """What nonces count in, per underlying.  Source: `IKeeperQuorum.Lane`."""

    PUBLISH = 0
    ADD_ON = 1
    FUNDING = 2
    TIGHTEN = 3


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One thing that a quorum does."""

    function: str
    primary: str
    """Name of what is signed."""
    fields: tuple[tuple[str, str], ...]
    """(type, name) of what is signed before nonce and validity."""
    lane: Lane
    digest: str
    """The contract's own view of what is signed."""
    role: str = "PUBLISHER_ROLE"
    """Of `RiskParameters`, without which the call reverts."""


_PUBLICATION: Final = (
    ("uint16", "underlying"),
    ("uint64", "id"),
    ("bytes32", "inputsHash"),
    ("bytes32", "publication"),
)
_U: Final = ("uint16", "underlying")
#: Everything that a quorum does.  Source: KeeperQuorum.sol, the type hashes.
KINDS: Final = {
    kind.function: kind
    for kind in (
        Kind(function="publish", primary="Publish", fields=_PUBLICATION, lane=Lane.PUBLISH, digest="publishDigest"),
        Kind(function="stage", primary="Stage", fields=_PUBLICATION, lane=Lane.PUBLISH, digest="stageDigest"),
        Kind(
            function="stageExpiries", primary="StageExpiries", fields=(_U, ("bytes32", "expiries")),
            lane=Lane.PUBLISH, digest="stageExpiriesDigest",
        ),
        Kind(function="flip", primary="Flip", fields=(_U,), lane=Lane.PUBLISH, digest="flipDigest"),
        Kind(
            function="setStateAddOn", primary="StateAddOn",
            fields=(_U, ("uint24", "addOnPpm"), ("uint40", "addOnUntil")), lane=Lane.ADD_ON, digest="stateAddOnDigest",
        ),
        Kind(
            function="setFundingRate", primary="Funding",
            fields=(("address", "house"), _U, ("int32", "ratePpmPerDay")), lane=Lane.FUNDING, digest="fundingDigest",
        ),
        Kind(
            function="tighten", primary="Tighten", fields=(_U, ("uint24", "peakPpm")),
            lane=Lane.TIGHTEN, digest="tightenDigest", role="EMERGENCY_ROLE",
        ),
    )
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Words:
    """A call of a quorum taken apart."""

    kind: Kind
    raw: tuple[Any, ...]
    """Arguments before the mandate, as ABI values."""
    arguments: Mapping[str, Any]
    """The same by name, structs as dicts."""
    nonce: int
    valid_until: int
    """Unix seconds."""

    @property
    def underlying(self) -> int:
        """Which it is about."""
        return int(self.arguments["underlying"])


class Quorum:
    """One `KeeperQuorum`, as those who sign for it and those who send see it.

    Args:
        abi: of the contract.
        address: where it is.
        chain_id: on which chain.
    """

    def __init__(self, abi: Abi, address: str, *, chain_id: int) -> None:
        self._abi, self._address, self._chain_id = abi, to_checksum_address(address), chain_id

    def call(
        self,
        function: str,
        *args: Any,
        nonce: int,
        valid_until: int,
        signatures: Mapping[str, bytes] | None = None,
    ) -> bytes:
        """Calldata.

        Args:
            function: one of `KINDS`.
            args: its arguments before the mandate.
            nonce: of its lane, as `nonce(lane, underlying)` says; each serves once.
            valid_until: last second at which it is carried out, unix seconds.
            signatures: by the address of the signer; none while it is a draft.

        Raises: `BadInput` if one signer is named twice, in two spellings, or a number does not fit.
        """
        mandate = (nonce, valid_until, *_ordered(signatures or {}))
        return self._abi.call(KINDS[function].function, *args, mandate)

    def words(self, data: bytes) -> Words:
        """Take a call apart.  Raises: `BadInput` if it is none of a quorum's, or not as this keeper would write it."""
        entry = self._abi.function_of(data[:4])
        kind = KINDS.get(entry["name"]) if entry is not None else None
        if entry is None or kind is None:
            raise BadInput("the call is none that a quorum makes", hint="draft it again: keeper quorum draft")
        types = [type_of(parameter) for parameter in entry["inputs"]]
        try:
            *raw, mandate = decode(types, data[4:])
            again = data[:4] + encode(types, [*raw, mandate])
        except Exception as error:  # eth-abi has many, and overflowing offsets bring others
            raise BadInput(f"the call of {kind.function} cannot be read: {type(error).__name__}") from error
        if again != data:
            raise BadInput(f"the call of {kind.function} holds bytes that are no argument", hint="draft it again")
        arguments = named(entry["inputs"][:-1], raw)
        return Words(kind=kind, raw=tuple(raw), arguments=arguments, nonce=mandate[0], valid_until=mandate[1])

    def signed(self, data: bytes, signatures: Mapping[str, bytes]) -> bytes:
        """A call with these signatures in place of those it has.  Raises: `BadInput` as `call` and `words`."""
        words = self.words(data)
        return self.call(
            words.kind.function, *words.raw, nonce=words.nonce, valid_until=words.valid_until, signatures=signatures
        )

    def typed(self, data: bytes) -> dict[str, Any]:
        """EIP-712 typed data of what a call needs signed, as `eth_signTypedData_v4` takes them.

        Bytes are 0x text, and the nonce decimal text: JSON numbers lose digits.  Raises: `BadInput` as `words`.
        """
        words = self.words(data)
        fields = (*words.kind.fields, *_LAST)
        values = {**self._hashed(words), "nonce": str(words.nonce), "validUntil": words.valid_until}
        return {
            "types": {
                "EIP712Domain": _DOMAIN,
                words.kind.primary: [{"name": name, "type": kind} for kind, name in fields],
            },
            "primaryType": words.kind.primary,
            "domain": {
                "name": NAME,
                "version": VERSION,
                "chainId": self._chain_id,
                "verifyingContract": self._address,
            },
            "message": {name: _text(values[name]) for _, name in fields},
        }

    def digest_call(self, data: bytes) -> bytes:
        """Asks the contract itself for the digest of what a call needs signed."""
        words = self.words(data)
        return self._abi.call(words.kind.digest, *words.raw, words.nonce, words.valid_until)

    def _hashed(self, words: Words) -> dict[str, Any]:
        """What is signed by name: a publication, or rows, by the hash of their ABI encoding."""
        found = dict(words.arguments)
        for parameter, value in zip(
            self._abi.inputs(words.kind.function), words.raw, strict=False
        ):  # the mandate apart
            if parameter["name"] in ("p", "expiries"):
                found[parameter["name"]] = keccak(encode([type_of(parameter)], [value]))
        if isinstance(whole := words.arguments.get("p"), dict):
            found |= {"publication": found["p"], "id": whole["id"], "inputsHash": whole["inputsHash"]}
        return found


def list_of(nonce: int) -> int:
    """How often keepers had been named when a nonce was current."""
    return nonce >> LIST_BITS


def message_of(typed: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """Domain separator and hash of the struct of typed data; keccak(0x1901 ‖ both) is what is signed."""
    from eth_account.messages import encode_typed_data  # noqa: PLC0415 - slow to import

    made = encode_typed_data(full_message=dict(typed))
    return bytes(made.header), bytes(made.body)


def _text(value: Any) -> Any:
    return f"0x{value.hex()}" if isinstance(value, bytes) else value


def _ordered(signatures: Mapping[str, bytes]) -> tuple[list[str], Sequence[bytes]]:
    """Signers strictly ascending, as the contract wants them, and their signatures.

    Raises: `BadInput` if one signer is named twice, in two spellings.
    """
    if len({signer.lower() for signer in signatures}) < len(signatures):
        raise BadInput("a keeper is named twice among the signatures", hint="each keeper counts once")
    found = sorted(signatures.items(), key=lambda pair: int(pair[0], 16))
    return [signer for signer, _ in found], [signature for _, signature in found]
