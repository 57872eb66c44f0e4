"""A publication that was opened in several transactions and is not live yet.

No view tells the ranges and the hash that were staged: `RiskParameters` keeps them to itself, and the staged bank of
`RiskFile` holds ranges in force.  So they are taken from the transaction that opened it; expiries, and what the fences
took out of them, from the events since.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from keeper.domain.block import BlockRef
from keeper.domain.landed import Landed
from keeper.domain.riskfile import Ranges
from keeper.errors import BadInput
from keeper.protocols.abi import Abi, Event
from keeper.protocols.clearinghouse.deployment import QUORUM, Deployment
from keeper.protocols.clearinghouse.published import Log, Search, expiry_of, refused_of

PARAMETERS: Final = "RiskParameters"
#: Blocks asked about at once, from the newest back.
LOOK_BACK: Final = 50_000


class Staging:
    """What is staged, out of events and one transaction.

    Args:
        search: over the parameters' contract.
        deployment: where the contracts are, and the chain of events begins.
        abis: of all contracts, the quorum's too if one may stage.
    """

    def __init__(self, search: Search, deployment: Deployment, abis: Mapping[str, Abi]) -> None:
        self._search, self._deployment, self._abis = search, deployment, abis

    def opening(self, underlying: int) -> Log | None:
        """The event of what is staged; None if nothing is, or a publication came after it.  Raises: `Retry`."""
        last = self._search.head().number
        while last >= self._deployment.block:
            first = max(self._deployment.block, last - LOOK_BACK + 1)
            found = tuple(self._events(underlying, first, last, "PublicationStaged", "Published"))
            if found:
                log, event = found[-1]
                return log if event.name == "PublicationStaged" else None
            last = first - 1
        return None

    def so_far(self, underlying: int, opened: Log, block: BlockRef, sender: str, via: str) -> Landed:
        """All that was staged since.

        Args:
            underlying: of it.
            opened: `opening`.
            block: its block.
            sender: who sent its transaction.
            via: whom that called.

        Raises: `BadInput` if that transaction is none that can be read; `Retry`.
        """
        p = self._publication(underlying, opened)
        head = self._search.head().number
        parts = [
            event
            for log, event in self._events(underlying, opened.block_number, head, "ExpiryPublished", "ItemRefused")
            if log.block_number > opened.block_number or log.tx_hash == opened.tx_hash
        ]
        ranges = [refused_of(one.args, self._abis) for one in parts if not one.args["expiry"]]
        newest = {one.args["expiry"]: one for one in parts if one.args["expiry"]}  # of each the last word
        taken = [one for _, one in sorted(newest.items()) if one.name == "ExpiryPublished"]
        left = [refused_of(one.args, self._abis) for _, one in sorted(newest.items()) if one.name == "ItemRefused"]
        return Landed(
            underlying=underlying,
            id=p["id"],
            block=block,
            tx_hash=opened.tx_hash,
            sender=sender,
            via=via,
            inputs_hash="0x" + p["inputsHash"].hex(),
            ranges=Ranges(psr_ppm=p["psrPpm"], vsr_up_ppm=p["vsrUpPpm"], vsr_down_ppm=p["vsrDownPpm"]),
            expiries=tuple(expiry_of(one.args) for one in taken),
            refused=(*ranges, *left),
        )

    def _publication(self, underlying: int, opened: Log) -> Mapping[str, Any]:
        """As it was handed in.

        What one contract hands to another cannot be told from what it pretends to: only a call of the parameters' own
        contract, or of the quorum's, is taken.
        """
        to, data = self._search.call(opened.tx_hash)
        for name in (PARAMETERS, QUORUM):
            at, abi = self._deployment.addresses.get(name, ""), self._abis.get(name)
            function = None if abi is None or at.lower() != to.lower() else abi.function_of(data[:4])
            if abi is not None and function is not None and function["name"] == "stage":
                args = abi.arguments("stage", data)
                if args["underlying"] == underlying:
                    return cast("Mapping[str, Any]", args["p"])
        raise BadInput(
            f"transaction {opened.tx_hash} staged it by a call of {to or 'a contract that the node does not tell'}, "
            "which this keeper cannot read",
            hint="stage it again by a transaction straight to the quorum: keeper quorum draft stage, and send",
            tx=opened.tx_hash,
        )

    def _events(self, underlying: int, first: int, last: int, *names: str) -> Iterator[tuple[Log, Event]]:
        abi = self._abis[PARAMETERS]
        wanted = ["0x" + topic.hex() for name in names if (topic := abi.topic(name)) is not None]
        for log in self._search.logs(first, last, [wanted, f"0x{underlying:064x}"]):
            if (event := abi.event(log.topics, log.data)) is not None:
                yield log, event
