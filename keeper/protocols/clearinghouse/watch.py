"""What could change under the keeper without an event of the house: code behind proxies, and addresses held elsewhere.

Read in the same round trip as the views of a block, every block.  What is found takes effect at once:

1. The house names its oracle, file, parameters, auction, fund and breaker.  They are read where it says, whatever the
   deployment file says, and a difference is reported for as long as it lasts.  The keepers' quorum, which no contract
   names, is where the file says.
2. Code is known by its hash: the deployment file's, those the operator accepts, or, where the file names none, what was
   there at the first look.  Unknown code is read on, since silence would be worse, and reported, but nothing is sent to
   it: what the keeper would send rests on arithmetic that is this code's to the wei.
3. A change since the last look is reported once, in the block that shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from eth_utils import to_checksum_address

from keeper.domain.block import BlockRef
from keeper.domain.reads import CodeHash, Read, Slot
from keeper.errors import Refused
from keeper.protocols.clearinghouse.deployment import BREAKER, CONTRACTS, Deployment
from keeper.protocols.clearinghouse.views import BEACON, FEED, View, Views
from keeper.protocols.clearinghouse.watched import (
    BEACON_SLOT,
    HOUSE_NAMES,
    IMPLEMENTATION,
    LEGACY,
    NOBODY,
    OPTIONAL,
    OTHERS_NAME,
    SLOTS,
    Standing,
    changes,
)


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
        self._untold = {name for name in (*CONTRACTS, *OPTIONAL) if name not in deployment.code}
        #: Whether the house does without a breaker, whatever the file says.
        self._no_breaker = False

    def paused(self, contract: str) -> str:
        """Why nothing may be sent to a contract; empty if something may."""
        return self._paused.get(contract, "")

    # Asking

    def asks(self) -> Iterator[View]:
        """Views to gather with the others of a block."""
        for function, _ in HOUSE_NAMES:
            yield View("ClearingHouse", function)
        yield from (View(contract, function) for contract, function, _ in self._pointers())
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
            if name in self._contracts() or before is None or before.implementation or before.address != address:
                yield from (Slot(address, slot) for slot in SLOTS)
            if before is not None and before.implementation:
                yield CodeHash(before.implementation)

    def _watched(self) -> dict[str, str]:
        return {name: self._views.address(name) for name in self._contracts()} | self._feeds | self._tokens

    def _contracts(self) -> tuple[str, ...]:
        """Every contract of the house, those that it may do without where they are."""
        return (*CONTRACTS, *(name for name in OPTIONAL if self._has(name)))

    def _has(self, name: str) -> bool:
        return self._views.knows(name) and not (name == BREAKER and self._no_breaker)

    def _pointers(self) -> Iterator[tuple[str, str, str]]:
        there = self._contracts()
        return (pointer for pointer in OTHERS_NAME if pointer[0] in there)

    # Looking

    def meet(self, block: BlockRef) -> None:
        """Have the house name its parts.  Raises: `Refused` where no house is."""
        for function, _ in HOUSE_NAMES:
            self._views.one(block, "ClearingHouse", function)

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
                problems += changes(name, self._last[name], one)
        problems += [f"{n} at {self._last[n].address} is gone" for n in OPTIONAL if n in self._last and n not in now]
        self._last = now
        problems += self._judge(now)
        # What comes later is not what was found first.
        self._untold -= {name for name in OPTIONAL if name not in now}
        return tuple(problems)

    def follow(self, block: BlockRef) -> tuple[str, ...]:
        """Read every contract where the house says that it is, from this block on.

        Returns: what differs from the deployment file or from one another, one line each.  Raises: `Retry`.
        """
        return tuple(said for said, _ in self._follow(block))

    def judged(self, block: BlockRef) -> tuple[tuple[str, bool], ...]:
        """All of `follow` and `look` without feeds and tokens, with whether it keeps the keeper from its work.

        That is a configured address at which another contract stands: one that does not answer as it should, that the
        house does not name, or whose code nobody accepted.  Raises: `Retry`.
        """
        found = tuple(self._follow(block))
        seen = self.look(block, feeds={}, tokens={})
        unknown = tuple(self._paused.values())
        return (*found, *((said, said.startswith(unknown)) for said in seen))

    def _follow(self, block: BlockRef) -> Iterator[tuple[str, bool]]:
        before = {name: self._views.address(name) for name in CONTRACTS}
        for function, name in HOUSE_NAMES:
            try:
                named = to_checksum_address(self._views.one(block, "ClearingHouse", function))
            except Refused as refusal:
                yield f"ClearingHouse.{function} cannot be read: {self._views.explain(refusal)}", True
                continue
            if named != NOBODY:
                self._views.follow(name, named)
            written = to_checksum_address(self._deployment.addresses[name])
            if named != written:
                yield f"ClearingHouse.{function} is {named}, the deployment file says {written}", True
        yield from self._follow_breaker(block)
        now = {name: self._views.address(name) for name in CONTRACTS}
        if now != before:
            self._moved(now)
        self._views.gather(block, [View(contract, function) for contract, function, _ in self._pointers()])
        for contract, function, name in self._pointers():
            try:
                named = to_checksum_address(self._views.one(block, contract, function))
            except Refused as refusal:
                yield f"{contract}.{function} cannot be read: {self._views.explain(refusal)}", True
                continue
            if named != to_checksum_address(now[name]):
                yield f"{contract}.{function} is {named}, the house works with {now[name]}", True

    def _follow_breaker(self, block: BlockRef) -> Iterator[tuple[str, bool]]:
        """Its logs say nothing that is kept, so that none are fetched after it; whatever the file says, it is found."""
        named, written = self._views.breaker(block), self._deployment.addresses.get(BREAKER, "")
        self._no_breaker = not named
        if named != (to_checksum_address(written) if written else ""):
            yield f"ClearingHouse.breaker is {named or 'nobody'}, the deployment file says {written or 'none'}", False

    def _stand(self, block: BlockRef, name: str, address: str) -> Standing:
        before = self._last.get(name)
        aggregator = self._address_of(block, FEED, "aggregator", address) if name in self._feeds else ""
        plain = before is not None and before.address == address and not before.implementation
        if name not in self._contracts() and plain:
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
        for name in self._contracts():
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
