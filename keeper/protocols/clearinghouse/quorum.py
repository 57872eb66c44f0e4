"""What keepers sign for `KeeperQuorum`, and the call that carries their signatures.

Each keeper signs by itself, wherever its key is; anyone gathers k signatures and sends them.  The typed data are those
of EIP-712, so that a hardware key shows what it signs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from eth_abi.abi import encode
from eth_utils import keccak

from keeper.errors import BadInput
from keeper.protocols.abi import Abi, type_of

NAME: Final = "KeeperQuorum"
VERSION: Final = "1"
_DOMAIN: Final = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
]
_TIGHTEN: Final = [
    {"name": "underlying", "type": "uint16"},
    {"name": "peakPpm", "type": "uint24"},
    {"name": "nonce", "type": "uint256"},
    {"name": "validUntil", "type": "uint64"},
]
_PUBLISH: Final = [
    {"name": "underlying", "type": "uint16"},
    {"name": "id", "type": "uint64"},
    {"name": "validUntil", "type": "uint64"},
    {"name": "inputsHash", "type": "bytes32"},
    {"name": "publication", "type": "bytes32"},
]
#: Places in the tuple of a publication.
_ID, _VALID_UNTIL, _INPUTS_HASH = 0, 1, 2


class Quorum:
    """One `KeeperQuorum`, as those who sign for it and those who send see it.

    Args:
        abi: of the contract.
        address: where it is.
        chain_id: on which chain.
    """

    def __init__(self, abi: Abi, address: str, *, chain_id: int) -> None:
        self._abi, self._address, self._chain_id = abi, address, chain_id

    def tightening(self, underlying: int, peak_ppm: int, *, nonce: int, valid_until: int) -> dict[str, Any]:
        """Typed data of an emergency: MM to (1 + peak) times over an hour, IM at once.

        Args:
            underlying: id.
            peak_ppm: part of itself by which MM is raised, at most 1e6.
            nonce: the contract's `nonce()`; each serves once.
            valid_until: unix seconds.
        """
        message = {"underlying": underlying, "peakPpm": peak_ppm, "nonce": nonce, "validUntil": valid_until}
        return self._typed("Tighten", _TIGHTEN, message)

    def publication(self, underlying: int, publication: tuple[Any, ...]) -> dict[str, Any]:
        """Typed data of a publication, which is signed whole, by the hash of its ABI encoding.

        Args:
            underlying: id.
            publication: `IRiskParameters.Publication`, as the encoder makes it.
        """
        kind = type_of(self._abi.inputs("publish")[1])
        message = {
            "underlying": underlying,
            "id": publication[_ID],
            "validUntil": publication[_VALID_UNTIL],
            "inputsHash": publication[_INPUTS_HASH],
            "publication": keccak(encode([kind], [publication])),
        }
        return self._typed("Publish", _PUBLISH, message)

    def tighten_call(
        self, underlying: int, peak_ppm: int, *, nonce: int, valid_until: int, signatures: Mapping[str, bytes]
    ) -> bytes:
        """Calldata of `tighten`.  Signatures by the address of the signer."""
        return self._abi.call("tighten", underlying, peak_ppm, nonce, valid_until, *_ordered(signatures))

    def publish_call(self, underlying: int, publication: tuple[Any, ...], *, signatures: Mapping[str, bytes]) -> bytes:
        """Calldata of `publish`.  Signatures by the address of the signer."""
        return self._abi.call("publish", underlying, publication, *_ordered(signatures))

    def _typed(self, name: str, fields: list[dict[str, str]], message: dict[str, Any]) -> dict[str, Any]:
        return {
            "types": {"EIP712Domain": _DOMAIN, name: fields},
            "primaryType": name,
            "domain": {
                "name": NAME,
                "version": VERSION,
                "chainId": self._chain_id,
                "verifyingContract": self._address,
            },
            "message": message,
        }


def _ordered(signatures: Mapping[str, bytes]) -> tuple[list[str], list[bytes]]:
    """Signers strictly ascending, as the contract wants them, and their signatures.

    Raises: `BadInput` if one signer is named twice, in two spellings.
    """
    if len({signer.lower() for signer in signatures}) < len(signatures):
        raise BadInput("a keeper is named twice among the signatures", hint="each keeper counts once")
    found = sorted(signatures.items(), key=lambda pair: int(pair[0], 16))
    return [signer for signer, _ in found], [signature for _, signature in found]
