"""What could change under the keeper without an event of the house: code behind proxies, and addresses held elsewhere.

Read in the same round trip as the views of a block, every block.  What is found takes effect at once:

1. The house names its oracle, file, parameters, auction and fund.  They are read where it says, whatever the deployment
   file says, and a difference is reported for as long as it lasts.
2. Code is known by its hash: the deployment file's, those the operator accepts, or, where the file names none, what was
   there at the first look.  Unknown code is read on, since silence would be worse, and reported, but nothing is sent to
   it: what the keeper would send rests on arithmetic that is this code's to the wei.
3. A change since the last look is reported once, in the block that shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from eth_utils import keccak, to_checksum_address

from keeper.domain.block import BlockRef
from keeper.domain.reads import CodeHash, Read, Slot
from keeper.errors import Refused
from keeper.protocols.clearinghouse.deployment import CONTRACTS, Deployment
from keeper.protocols.clearinghouse.views import BEACON, FEED, View, Views


def _slot(name: str, *, less: int) -> int:
    return int.from_bytes(keccak(text=name), "big") - less


#: Where a proxy keeps its implementation, and where its beacon.  Source: ERC-1967; the third is older OpenZeppelin's.
IMPLEMENTATION: Final = _slot("eip1967.proxy.implementation", less=1)
BEACON_SLOT: Final = _slot("eip1967.proxy.beacon", less=1)
LEGACY: Final = _slot("org.zeppelinos.proxy.implementation", less=0)
SLOTS: Final = (IMPLEMENTATION, LEGACY, BEACON_SLOT)

#: The house's own word on who belongs to it: view, contract.
HOUSE_NAMES: Final = (
    ("oracle", "PriceOracle"),
    ("riskFile", "RiskFile"),
    ("parameters", "RiskParameters"),
    ("auction", "LiquidationAuction"),
    ("fund", "InsuranceFund"),
)
#: What the others hold: contract, view, whom it should name.
OTHERS_NAME: Final = (
    ("LiquidationAuction", "house", "ClearingHouse"),
    ("LiquidationAuction", "file", "RiskFile"),
    ("LiquidationAuction", "parameters", "RiskParameters"),
    ("LiquidationAuction", "oracle", "PriceOracle"),
    ("InsuranceFund", "house", "ClearingHouse"),
    ("RiskParameters", "file", "RiskFile"),
    ("RiskFile", "oracle", "PriceOracle"),
    ("RiskFile", "parameters", "RiskParameters"),
)
NOBODY: Final = "0x" + "00" * 20


@dataclass(frozen=True)
class Standing:
    """What stands at one address at one block."""

    address: str
    implementation: str = ""
    """Whose code a proxy runs; empty if it is none."""
    beacon: str = ""
    """Who names the implementation; empty if nobody does."""
    code: str = ""
    """Hash of the code that runs, 0x-hex; empty if there is none."""
    aggregator: str = ""
    """Of a feed: whose answers it passes on, where it says so."""


class Watch:
    """Looks at every contract of a deployment, its feeds and its tokens.

    Args:
        views: the contracts' views; `look` has them follow the house's pointers.
        deployment: addresses, and the code they are meant to run.
        accepted: hashes of other code that the operator accepts.
        moved: told of the addresses by contract when the house names others than before; brings the logs after them.
    """

    def __init__(
        self,
        views: Views,
        deployment: Deployment,
        *,
        accepted: Iterable[str] = (),
        moved: Callable[[Mapping[str, str]], None] = lambda _: None,
    ) -> None:
        self._views, self._deployment, self._moved = views, deployment, moved
        self._known = {code.lower() for code in (*deployment.code.values(), *accepted)}
        #: What stood where at the last look, by what we call it.
        self._last: dict[str, Standing] = {}
        #: Feeds and tokens as of the last look, by what we call them.
        self._feeds: dict[str, str] = {}
        self._tokens: dict[str, str] = {}
        self._paused: dict[str, str] = {}
        #: Contracts whose code the file does not name and that were not looked at yet.
        self._untold = {name for name in CONTRACTS if name not in deployment.code}

    def paused(self, contract: str) -> str:
        """Why nothing may be sent to a contract; empty if something may."""
        return self._paused.get(contract, "")

    # Asking

    def asks(self) -> Iterator[View]:
        """Views to gather with the others of a block."""
        for function, _ in HOUSE_NAMES:
            yield View("ClearingHouse", function)
        for contract, function, _ in OTHERS_NAME:
            yield View(contract, function)
        for address in self._feeds.values():
            yield View(FEED, "aggregator", (), address)
        for before in self._last.values():
            if before.beacon:
                yield View(BEACON, "implementation", (), before.beacon)

    def reads(self) -> Iterator[Read]:
        """Code and storage to gather with them."""
        for name, address in self._watched().items():
            before = self._last.get(name)
            yield CodeHash(address)
            # A feed or token that was no proxy when we first looked cannot become one: its own code is known.
            if name in CONTRACTS or before is None or before.implementation or before.address != address:
                yield from (Slot(address, slot) for slot in SLOTS)
            if before is not None and before.implementation:
                yield CodeHash(before.implementation)

    def _watched(self) -> dict[str, str]:
        return {name: self._views.address(name) for name in CONTRACTS} | self._feeds | self._tokens

    # Looking

    def look(self, block: BlockRef, *, feeds: Mapping[str, str], tokens: Mapping[str, str]) -> tuple[str, ...]:
        """Compare what stands with what stood and with what should.

        Args:
            block: whose state; `asks` and `reads` were gathered for it, what is new is asked for here.
            feeds: address of each price feed, by what we call it.
            tokens: address of each collateral token, likewise.

        Returns: what a person should know, one line each.  Raises: `Retry`.
        """
        problems: list[str] = []
        self._feeds, self._tokens = dict(feeds), dict(tokens)
        self._views.gather(block, self.asks(), self.reads())
        now = {name: self._stand(block, name, address) for name, address in self._watched().items()}
        self._views.gather(block, (), [CodeHash(one.implementation) for one in now.values() if one.implementation])
        now = {name: self._with_code(block, one) for name, one in now.items()}
        for name, one in now.items():
            if name in self._last:
                problems += _changes(name, self._last[name], one)
        self._last = now
        problems += self._judge(now)
        return tuple(problems)

    def follow(self, block: BlockRef) -> tuple[str, ...]:
        """Read every contract where the house says that it is, from this block on.

        Returns: what differs from the deployment file or from one another, one line each.  Raises: `Retry`.
        """
        return tuple(self._follow(block))

    def _follow(self, block: BlockRef) -> Iterator[str]:
        before = {name: self._views.address(name) for name in CONTRACTS}
        for function, name in HOUSE_NAMES:
            try:
                named = to_checksum_address(self._views.one(block, "ClearingHouse", function))
            except Refused as refusal:
                yield f"ClearingHouse.{function} cannot be read: {self._views.explain(refusal)}"
                continue
            if named != NOBODY:
                self._views.follow(name, named)
            written = to_checksum_address(self._deployment.addresses[name])
            if named != written:
                yield f"ClearingHouse.{function} is {named}, the deployment file says {written}"
        now = {name: self._views.address(name) for name in CONTRACTS}
        if now != before:
            self._moved(now)
        self._views.gather(block, [View(contract, function) for contract, function, _ in OTHERS_NAME])
        for contract, function, name in OTHERS_NAME:
            try:
                named = to_checksum_address(self._views.one(block, contract, function))
            except Refused as refusal:
                yield f"{contract}.{function} cannot be read: {self._views.explain(refusal)}"
                continue
            if named != to_checksum_address(now[name]):
                yield f"{contract}.{function} is {named}, the house works with {now[name]}"

    def _stand(self, block: BlockRef, name: str, address: str) -> Standing:
        before = self._last.get(name)
        aggregator = self._address_of(block, FEED, "aggregator", address) if name in self._feeds else ""
        plain = before is not None and before.address == address and not before.implementation
        if name not in CONTRACTS and plain:
            return Standing(address=address, aggregator=aggregator)
        implementation = self._pointer(block, address, IMPLEMENTATION) or self._pointer(block, address, LEGACY)
        beacon = "" if implementation else self._pointer(block, address, BEACON_SLOT)
        if beacon:
            implementation = self._address_of(block, BEACON, "implementation", beacon)
        return Standing(address=address, implementation=implementation, beacon=beacon, aggregator=aggregator)

    def _with_code(self, block: BlockRef, one: Standing) -> Standing:
        code = self._views.read(block, CodeHash(one.implementation or one.address))
        return Standing(one.address, one.implementation, one.beacon, "0x" + code.hex() if code else "", one.aggregator)

    def _pointer(self, block: BlockRef, address: str, slot: int) -> str:
        word = self._views.read(block, Slot(address, slot))
        return to_checksum_address(word[12:]) if any(word) else ""

    def _address_of(self, block: BlockRef, contract: str, function: str, address: str) -> str:
        try:
            return to_checksum_address(self._views.one(block, contract, function, address=address))
        except Refused:
            return ""  # most feeds of one's own have no aggregator behind them

    def _judge(self, now: Mapping[str, Standing]) -> Iterator[str]:
        self._paused = {}
        for name in CONTRACTS:
            one = now[name]
            if one.code and name in self._untold:
                self._known.add(one.code)  # the file does not say what it should be: what we find first
                self._untold.discard(name)
            if one.code in self._known:
                continue
            where = f"{name} at {one.address}"
            why = f"{where} runs code {one.code} that nobody has accepted" if one.code else f"{where} has no code"
            self._paused[name] = why
            yield f"{why}: it is read, but nothing is sent to it"


def _changes(name: str, before: Standing, now: Standing) -> Iterator[str]:
    """What differs, the farthest-reaching difference first and alone: the others follow from it."""
    if now.address != before.address:
        yield f"{name} moved from {before.address} to {now.address}"
    elif now.implementation != before.implementation:
        was, now_is = before.implementation or "none", now.implementation or "none"
        yield f"{name} at {now.address}: its implementation was {was}, is {now_is}"
    elif now.code != before.code:
        yield f"{name} at {now.address}: its code was {before.code or 'none'}, is {now.code or 'none'}"
    elif now.aggregator != before.aggregator:
        yield f"{name} at {now.address}: its aggregator was {before.aggregator}, is {now.aggregator or 'unknown'}"
