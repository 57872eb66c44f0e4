"""Publications out of the events of `RiskParameters`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from eth_utils import to_checksum_address

from keeper.domain.block import BlockRef
from keeper.domain.deployed import Deployed
from keeper.domain.happened import Happened
from keeper.domain.landed import Landed
from keeper.domain.riskfile import Ranges
from keeper.errors import BadInput, Retry
from keeper.protocols.abi import Abi, Event
from keeper.protocols.clearinghouse.deployment import CONTRACTS, Deployment
from keeper.protocols.clearinghouse.happened import EVENTS, Answers, HouseHappened
from keeper.protocols.clearinghouse.published import Log, Search, expiry_of, refused_of
from keeper.protocols.clearinghouse.staging import Staging

_EVENTS: Final = ("Published", "ExpiryPublished", "PublicationStaged", "ItemRefused")


class HousePublications:
    """See `keeper.ports.Publications`.

    Args:
        search: over the parameters' contract.
        deployment: tickers, and where the chain of events begins.
        abis: of all contracts, whose errors are the reasons of refused items.
        views: where values of fences are read; None to tell only that one was moved.
    """

    def __init__(
        self, search: Search, deployment: Deployment, abis: Mapping[str, Abi], views: Answers | None = None
    ) -> None:
        self._search = search
        self._happened = HouseHappened(views, self.block)
        self._deployment = deployment
        self._abis = abis
        self._staging = Staging(search, deployment, abis)
        self._abi = abis["RiskParameters"]

    @property
    def protocol(self) -> str:
        """See `Publications.protocol`."""
        return "clearinghouse"

    @property
    def deployed(self) -> Deployed:
        """See `Publications.deployed`."""
        addresses = self._deployment.addresses
        contracts = tuple((name, addresses[name]) for name in sorted(CONTRACTS) if name in addresses)
        return Deployed(chain_id=self._deployment.chain_id, contracts=contracts)

    def underlying(self, symbol: str) -> int:
        """See `Publications.underlying`."""
        for underlying, ticker in self._deployment.symbols.items():
            if ticker.upper() == symbol.upper():
                return underlying
        known = ", ".join(self._deployment.symbols.values())
        raise BadInput(f"there is no underlying {symbol}", hint=f"there are {known}", symbol=symbol)

    def find(self, underlying: int, publication: int, *, since: BlockRef, until_s: int) -> Landed | None:
        """See `Publications.find`."""
        last = self._last_before(until_s, since)
        # A staged publication writes its expiries earlier than it goes live; never before it was decided.
        for landed in self._landed(underlying, since.number + 1, last):
            if landed.id == publication:
                return landed
        return None

    def history(self, underlying: int, *, first: int | None = None) -> tuple[Landed, ...]:
        """See `Publications.history`."""
        begin = self._deployment.block if first is None else first
        return tuple(self._landed(underlying, begin, self._search.head().number))

    def lately(self, underlying: int, *, since_s: int) -> tuple[Landed, ...]:
        """See `Publications.lately`."""
        begin = self.block(self._deployment.block)
        if begin is None:
            raise Retry(f"block {self._deployment.block} is missing", block=self._deployment.block)
        found = self.history(underlying, first=self._last_before(since_s, begin))
        return tuple(one for one in found if one.block.timestamp > since_s)

    def staged(self, underlying: int) -> Landed | None:
        """See `Publications.staged`."""
        if (opened := self._staging.opening(underlying)) is None:
            return None
        return self._staging.so_far(underlying, opened, self._block_of(opened), *self._who(opened))

    def happened(self, underlying: int, *, first: int | None = None) -> tuple[Happened, ...]:
        """See `Publications.happened`."""
        begin = self._deployment.block if first is None else first
        names = [topic for name in EVENTS if (topic := self._abi.topic(name)) is not None]
        topics = [["0x" + topic.hex() for topic in names], f"0x{underlying:064x}"]
        found = []
        for log in self._search.logs(begin, self._search.head().number, topics):
            event = self._abi.event(log.topics, log.data)
            if event is not None:
                tx = (log.tx_hash, *self._who(log))
                found.append(self._happened.told(event.name, event.args, self._block_of(log), tx))
        return tuple(found)

    def block(self, number: int) -> BlockRef | None:
        """See `Publications.block`."""
        return self._search.blocks([number])[0]

    def _last_before(self, until_s: int, since: BlockRef) -> int:
        """The newest block whose time is at most `until_s`, by bisection; times never fall."""
        head = self._search.head()
        if head.timestamp <= until_s:
            return head.number
        low, high = since.number, head.number
        while high - low > 1:
            middle = (low + high) // 2
            seen = self.block(middle)
            if seen is None:
                raise Retry(f"block {middle} is missing", block=middle)
            low, high = (middle, high) if seen.timestamp <= until_s else (low, middle)
        return low

    def _landed(self, underlying: int, first: int, last: int) -> Iterator[Landed]:
        names = {topic: name for name in _EVENTS if (topic := self._abi.topic(name)) is not None}
        topics = [["0x" + topic.hex() for topic in names], f"0x{underlying:064x}"]
        pending: list[tuple[Log, Event]] = []
        for log in self._search.logs(first, last, topics):
            event = self._abi.event(log.topics, log.data)
            if event is None:
                continue
            if event.name == "PublicationStaged":
                # What was staged before is void; ranges refused now were told just before, by this transaction.
                pending = [(one, part) for one, part in pending if one.tx_hash == log.tx_hash]
            elif event.name != "Published":
                pending.append((log, event))
            else:
                yield self._one(log, event, pending)
                pending = []

    def _one(self, log: Log, event: Event, pending: Iterable[tuple[Log, Event]]) -> Landed:
        sender, via = self._who(log)
        parts = list(pending)
        same = [(one, part) for one, part in parts if one.tx_hash == log.tx_hash and part.name == "ExpiryPublished"]
        # Published at once, its expiries are of its own transaction; what was staged before and never went live is not.
        expiries = same or [(one, part) for one, part in parts if part.name == "ExpiryPublished"]
        refused = tuple(refused_of(part.args, self._abis) for _, part in parts if part.name == "ItemRefused")
        kept = {item.expiry for item in refused}  # staged, and refused when it was to go live
        newest = {part.args["expiry"]: expiry_of(part.args) for _, part in expiries if part.args["expiry"] not in kept}
        args = event.args
        return Landed(
            underlying=args["underlying"],
            id=args["id"],
            block=self._block_of(log),
            tx_hash=log.tx_hash,
            sender=sender,
            via=via,
            inputs_hash="0x" + args["inputsHash"].hex(),
            ranges=Ranges(psr_ppm=args["psrPpm"], vsr_up_ppm=args["vsrUpPpm"], vsr_down_ppm=args["vsrDownPpm"]),
            expiries=tuple(newest[expiry] for expiry in sorted(newest)),
            refused=refused,
        )

    def _block_of(self, log: Log) -> BlockRef:
        block = self.block(log.block_number)
        if block is None:
            raise Retry(f"block {log.block_number} went away", block=log.block_number)
        return block

    def _who(self, log: Log) -> tuple[str, str]:
        """Checksummed sender and receiver of a log's transaction; empty if unknown."""
        sender, via = self._search.transaction(log.tx_hash)
        return (to_checksum_address(sender) if sender else "", to_checksum_address(via) if via else "")
