"""What `RiskParameters` says to a publication before it is sent, and its calldata taken apart again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from eth_hash.auto import keccak

from keeper.domain.block import BlockRef
from keeper.domain.previews import ItemSaid, Previewed
from keeper.domain.reads import Call
from keeper.domain.tx import TxIntent
from keeper.protocols.abi import explain_revert
from keeper.protocols.clearinghouse.views import Views

#: The contract's word for "waiting does not help".
NEVER: Final = (1 << 64) - 1
CONTRACT: Final = "RiskParameters"


class HousePreview:
    """`keeper.ports.Preview` of the clearing house.

    Args:
        views: where the contract is asked.
    """

    def __init__(self, views: Views) -> None:
        self._views, self._abi = views, views.abis[CONTRACT]

    def preview(self, intent: TxIntent, block: BlockRef) -> Previewed:
        """See `Preview.preview`."""
        # It takes what `publish` takes, so the very bytes are asked about.
        selector = keccak(self._abi.signature("preview").encode())[:4]
        answer = self._views.read(block, Call(self._views.address(CONTRACT), selector + intent.data[4:]))
        (found,) = self._abi.result("preview", answer).values()
        return Previewed(
            ok=found["ok"],
            refusal=self._words(found["reason"]),
            next_allowed_s=_when(found["nextAllowed"]),
            items=tuple(
                ItemSaid(
                    expiry=item["expiry"],
                    what=item["what"].rstrip(b"\0").decode(),
                    refusal=self._words(item["reason"]),
                    next_allowed_s=_when(item["nextAllowed"]),
                )
                for item in found["items"]
            ),
        )

    def _words(self, reason: bytes) -> str:
        return explain_revert(reason, self._views.abis.values()) if reason else ""

    def decoded(self, intent: TxIntent) -> tuple[tuple[str, str], ...]:
        """See `Preview.decoded`."""
        entry = self._abi.function_of(intent.data[:4])
        assert entry is not None, "it is a publication"
        return tuple(flat("", self._abi.arguments(entry["name"], intent.data)))


def _when(seconds: int) -> int | None:
    return None if seconds == NEVER else seconds


def flat(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """Leaves of decoded arguments by their dotted path; lists of plain values stay on one line."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from flat(f"{path}.{name}" if path else name, inner)
    elif isinstance(value, tuple | list) and value and isinstance(value[0], dict):
        for place, inner in enumerate(value):
            yield from flat(f"{path}[{place}]", inner)
    elif isinstance(value, tuple | list):
        yield path, ", ".join(str(inner) for inner in value)
    else:
        yield path, f"0x{value.hex()}" if isinstance(value, bytes) else str(value)
