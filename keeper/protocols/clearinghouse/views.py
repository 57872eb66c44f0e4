"""The contracts' own views, each at one block."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Protocol

from eth_abi.exceptions import DecodingError
from eth_utils import to_checksum_address

from keeper.abis import load
from keeper.domain.block import BlockRef
from keeper.domain.deployed import Deployed
from keeper.domain.reads import Call, Read
from keeper.domain.snapshot import Observation, Price, Unusable, Usable
from keeper.errors import Refused
from keeper.protocols.abi import Abi, explain_revert
from keeper.protocols.clearinghouse.deployment import BREAKER, CONTRACTS, QUORUM, Deployment

#: What every feed looks like.  Source: Chainlink's AggregatorV3Interface, the part we use, and its proxy's pointer.
FEED = "AggregatorV3Interface"
_ROUND = [
    {"name": name, "type": kind}
    for name, kind in (
        ("roundId", "uint80"),
        ("answer", "int256"),
        ("startedAt", "uint256"),
        ("updatedAt", "uint256"),
        ("answeredInRound", "uint80"),
    )
]
FEED_ABI = (
    {"type": "function", "name": "decimals", "inputs": [], "outputs": [{"name": "decimals", "type": "uint8"}]},
    {"type": "function", "name": "aggregator", "inputs": [], "outputs": [{"name": "aggregator", "type": "address"}]},
    {"type": "function", "name": "latestRoundData", "inputs": [], "outputs": _ROUND},
    {"type": "function", "name": "getRoundData", "inputs": [{"name": "id", "type": "uint80"}], "outputs": _ROUND},
)
#: What a beacon proxy's beacon answers.  Source: ERC-1967.
BEACON = "Beacon"
_IMPLEMENTATION = [{"name": "implementation", "type": "address"}]
BEACON_ABI = ({"type": "function", "name": "implementation", "inputs": [], "outputs": _IMPLEMENTATION},)
#: A feed answers with this many fewer decimals than a wad has.
WAD_DECIMALS = 18
#: Highest price the oracle can let pass, wad; the lowest is 1.  Source: `maxPrice` in IPriceOracle.sol, a uint96.
MAX_PRICE: Final = 2**96 - 1
#: Blocks whose answers are kept: the one that is lived, and those that a check before sending looks at beside it.
BLOCKS_KEPT: Final = 4


class Reads(Protocol):
    """Reading state of one block, many questions at a time."""

    def read_at(self, block: BlockRef, asked: Sequence[Read]) -> Sequence[bytes | Refused]:
        """Answers in the order of asking, in the state after `block`; a contract's refusal is an answer.

        Raises: `Retry` if the node could not be asked or `block` is no longer canonical.
        """


@dataclass(frozen=True)
class View:
    """One view of one contract, to be asked together with others."""

    contract: str
    """Whose ABI."""
    function: str
    args: tuple[Any, ...] = ()
    address: str = ""
    """Where, if not at the deployment's address."""


class Views:
    """Typed calls to one deployment.

    What was asked of a block is remembered for as long as that block matters: `gather` asks many things in one round
    trip, and whoever needs one of them later finds it.  A block is named by its hash, so no answer can grow old.

    Args:
        reads: where to ask.
        deployment: addresses by contract.
    """

    def __init__(self, reads: Reads, deployment: Deployment) -> None:
        self._reads = reads
        self._chain_id = deployment.chain_id
        self._addresses = dict(deployment.addresses)
        self._kept: OrderedDict[str, dict[Read, bytes | Refused]] = OrderedDict()

    @cached_property
    def abis(self) -> dict[str, Abi]:
        """ABI by contract name."""
        others = {FEED: Abi(FEED, FEED_ABI), BEACON: Abi(BEACON, BEACON_ABI)}
        return {name: Abi(name, load(name).abi) for name in (*CONTRACTS, BREAKER, QUORUM)} | others

    @property
    def deployed(self) -> Deployed:
        """What is read now: where governance replaced a contract, the new one."""
        contracts = tuple((name, self._addresses[name]) for name in sorted(CONTRACTS))
        return Deployed(chain_id=self._chain_id, contracts=contracts)

    def address(self, contract: str) -> str:
        """Where a contract is read."""
        return self._addresses[contract]

    def knows(self, contract: str) -> bool:
        """Whether a contract has an address; only optional ones have none."""
        return contract in self._addresses

    def follow(self, contract: str, address: str) -> None:
        """Read a contract somewhere else from now on."""
        self._addresses[contract] = address

    def gather(self, block: BlockRef, views: Iterable[View], reads: Iterable[Read] = ()) -> None:
        """Ask all of these that were not asked before, in one round trip.  Raises: as `Reads.read_at`."""
        kept = self._of(block)
        missing = [read for read in dict.fromkeys([*map(self._call, views), *reads]) if read not in kept]
        if missing:
            kept.update(zip(missing, self._reads.read_at(block, missing), strict=True))

    def read(self, block: BlockRef, read: Read) -> bytes:
        """One answer, asked for now if it was not before.  Raises: `Refused`, and as `Reads.read_at`."""
        self.gather(block, (), [read])
        answer = self._of(block)[read]
        if isinstance(answer, Refused):
            raise answer
        return answer

    def at(self, block: BlockRef, contract: str, function: str, *args: Any, address: str = "") -> dict[str, Any]:
        """Outputs of one view by name.

        Raises:
            Refused: the contract reverts, or what is there does not answer like this contract.
            Retry: as `Reads.read_at`.
        """
        call = self._call(View(contract, function, args, address))
        data = self.read(block, call)
        try:
            return self.abis[contract].result(function, data)
        except (DecodingError, OverflowError, ValueError) as error:
            raise Refused(
                f"{contract}.{function} at {call.to} answered with {len(data)} bytes that are none of its answers",
                hint="is there another contract at this address, or none?",
                address=call.to,
            ) from error

    def one(self, block: BlockRef, contract: str, function: str, *args: Any, address: str = "") -> Any:
        """The single output of one view."""
        return next(iter(self.at(block, contract, function, *args, address=address).values()))

    def price(self, block: BlockRef, asset: bytes) -> Price:
        """The oracle's price, or its reason for having none.  Raises: `Retry` only."""
        try:
            wad = self.one(block, "PriceOracle", "price", asset)
        except Refused as refusal:
            return Unusable(reason=self.explain(refusal))
        if not 0 < wad <= MAX_PRICE:
            # Our oracle cannot say so: it was upgraded, or the node lies.  Zero would be a division by zero later.
            return Unusable(reason=f"the oracle answers {wad}, which cannot be a price")
        return Usable(wad=wad)

    def breaker(self, block: BlockRef) -> str:
        """Where the house's breaker is, and is read from now on; empty if it has none.  Raises: `Retry`."""
        try:
            found = to_checksum_address(self.one(block, "ClearingHouse", "breaker"))
        except Refused:
            return ""  # a house from before there were breakers
        if not int(found, 16):
            return ""
        self.follow(BREAKER, found)
        return found

    def explain(self, refusal: Refused) -> str:
        """A revert in the contracts' own words."""
        data = getattr(refusal, "data", None)
        if data is None:
            return refusal.message
        try:
            return explain_revert(data, self.abis.values())
        except (DecodingError, OverflowError, ValueError):  # a selector that we know before arguments that we do not
            return f"unknown error 0x{data.hex()}"

    def feed(self, block: BlockRef, asset: bytes) -> str:
        """Address of the asset's primary feed."""
        return str(self.one(block, "PriceOracle", "feed", asset)["primary"])

    def bounds(self, block: BlockRef, asset: bytes) -> tuple[int, int]:
        """Lowest and highest price the oracle lets pass, wad."""
        feed = self.one(block, "PriceOracle", "feed", asset)
        return feed["minPrice"], feed["maxPrice"]

    def round(self, block: BlockRef, feed: str, round_id: int | None = None) -> tuple[int, Observation] | None:
        """One round of a feed (the newest without `round_id`), or None if the feed has no such round."""
        try:
            if round_id is None:
                answer = self.at(block, FEED, "latestRoundData", address=feed)
            else:
                answer = self.at(block, FEED, "getRoundData", round_id, address=feed)
            decimals = self.at(block, FEED, "decimals", address=feed)["decimals"]
        except Refused:
            return None
        if answer["updatedAt"] == 0 or answer["answer"] <= 0:
            return None
        shift = WAD_DECIMALS - decimals
        price = answer["answer"] * 10**shift if shift >= 0 else answer["answer"] // 10**-shift
        return answer["roundId"], Observation(time=answer["updatedAt"], price=price)

    def has_round(self, block: BlockRef, feed: str, round_id: int) -> bool:
        """Whether a feed has a round, usable or not.  Old aggregators revert if not, new ones answer zeros."""
        try:
            return bool(self.at(block, FEED, "getRoundData", round_id, address=feed)["updatedAt"])
        except Refused:
            return False

    def _call(self, view: View) -> Call:
        data = self.abis[view.contract].call(view.function, *view.args)
        return Call(view.address or self._addresses[view.contract], data)

    def _of(self, block: BlockRef) -> dict[Read, bytes | Refused]:
        kept = self._kept.setdefault(block.hash, {})
        self._kept.move_to_end(block.hash)
        if len(self._kept) > BLOCKS_KEPT:
            self._kept.popitem(last=False)
        return kept
