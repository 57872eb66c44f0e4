"""Whether this keeper's keys may publish, read in the same round trip as the views of a block.

Governance may give the publisher's role to keys, or to a quorum of keepers and to no key.  Then nothing that a key
sends would pass, so nothing is: it goes through the quorum, from hand to hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from eth_hash.auto import keccak

from keeper.domain.block import BlockRef
from keeper.errors import Refused
from keeper.protocols.clearinghouse.deployment import QUORUM
from keeper.protocols.clearinghouse.views import View, Views

PUBLISHER_ROLE: Final = keccak(b"PUBLISHER_ROLE")
#: What to do where the quorum publishes; the ticker is filled in by whoever knows it.
BY_QUORUM: Final = "keeper quorum draft publish TICKER --out FILE"


class Publishers:
    """`keeper.ports.Rights` of the clearing house.

    Args:
        views: the contracts' views.
        own: addresses of the publisher's keys; nothing is asked, and nothing barred, where there is none.
    """

    def __init__(self, views: Views, own: Sequence[str] = ()) -> None:
        self._views, self._own = views, tuple(own)

    def asks(self) -> Iterator[View]:
        """Views to gather with the others of a block."""
        if not self._own:
            return
        quorum = (self._views.address(QUORUM),) if self._views.knows(QUORUM) else ()
        for address in (*self._own, *quorum):
            yield View("RiskParameters", "hasRole", (PUBLISHER_ROLE, address))

    def barred(self, block: BlockRef) -> str:
        """See `Rights.barred`."""
        if not self._own or any(self._holds(address, block) for address in self._own):
            return ""
        if self._views.knows(QUORUM) and self._holds(at := self._views.address(QUORUM), block):
            return f"the publisher's role is with the quorum of keepers at {at}: {BY_QUORUM}"
        keys = ", ".join(self._own)
        return f"no publisher key of this keeper holds the publisher's role ({keys}): keeper check tells what to do"

    def _holds(self, address: str, block: BlockRef) -> bool:
        try:
            return bool(self._views.one(block, "RiskParameters", "hasRole", PUBLISHER_ROLE, address))
        except Refused:
            return True  # parameters that know no roles: the simulation before each send tells
