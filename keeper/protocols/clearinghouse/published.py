"""Events of publications: where they are searched, and what those of items say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from keeper.domain.block import BlockRef
from keeper.domain.landed import RefusedItem
from keeper.domain.market import ExpiryTarget
from keeper.domain.riskfile import ExpiryParams
from keeper.protocols.abi import Abi, explain_revert

#: Names of items as the rest of the keeper spells them; the others are spelt alike.
_ITEMS: Final = {"vsrUp": "vsr_up", "vsrDown": "vsr_down"}


class Log(Protocol):
    """An event as the chain edge hands it out."""

    @property
    def topics(self) -> tuple[bytes, ...]:
        """Indexed words, the event's hash first."""

    @property
    def data(self) -> bytes:
        """The rest."""

    @property
    def block_number(self) -> int:
        """Height."""

    @property
    def tx_hash(self) -> str:
        """Lower-case 0x-hex."""


class Search(Protocol):
    """Searching the events of one contract."""

    def logs(self, first: int, last: int, topics: Sequence[Any]) -> Iterator[Log]:
        """Events of blocks first..last in order.  Raises: `Retry`."""

    def head(self) -> BlockRef:
        """The newest block.  Raises: `Retry`."""

    def blocks(self, heights: Sequence[int]) -> tuple[BlockRef | None, ...]:
        """Canonical blocks by height.  Raises: `Retry`."""

    def call(self, tx_hash: str) -> tuple[str, bytes]:
        """Receiver of a transaction, 0x, and its calldata; empty if unknown.  Raises: `Retry`."""

    def transaction(self, tx_hash: str) -> tuple[str, str]:
        """Sender and receiver, 0x; empty if unknown.  Raises: `Retry`."""


def refused_of(args: Mapping[str, Any], abis: Mapping[str, Abi]) -> RefusedItem:
    """What an `ItemRefused` says; the errors of `abis` are the reasons."""
    what = args["what"].rstrip(b"\0").decode("ascii", "replace")
    return RefusedItem(
        expiry=args["expiry"],
        what=_ITEMS.get(what, what),
        reason=explain_revert(args["reason"], abis.values()),
    )


def expiry_of(args: Mapping[str, Any]) -> ExpiryTarget:
    """What an `ExpiryPublished` says."""
    params = ExpiryParams(
        expiry=args["expiry"],
        phi_ppb=args["phiPpb"],
        df_ppb=args["dfPpb"],
        sigma_atm_ppm=args["sigmaAtmPpm"],
    )
    return ExpiryTarget(params=params, sigmas_ppm=tuple(args["sigmaPpm"]))
