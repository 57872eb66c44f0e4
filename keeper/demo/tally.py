"""What happened on the chain, counted from the contracts' own events."""

from __future__ import annotations

from keeper.abis import load
from keeper.chain.asking.rpc import Rpc
from keeper.domain.block import BlockRef
from keeper.protocols.abi import Abi, Event
from keeper.protocols.clearinghouse.deployment import BREAKER, Deployment

WAD = 10**18
#: Contracts whose events are counted.
COUNTED = ("LiquidationAuction", "ClearingHouse", "RiskParameters", "RiskFile")


class Tally:
    """Running counts since a block.

    Args:
        rpc: the chain.
        deployment: the house.
        since: events after this block count.
    """

    def __init__(self, rpc: Rpc, deployment: Deployment, *, since: BlockRef) -> None:
        self._rpc, self._through = rpc, since.number
        counted = [name for name in (*COUNTED, BREAKER) if name in deployment.addresses]
        self._abis = {deployment.addresses[name].lower(): Abi(name, load(name).abi) for name in counted}
        self._addresses = [deployment.addresses[name] for name in counted]
        self.flagged: set[int] = set()
        """Accounts that were put in auction."""
        self.running: set[int] = set()
        """Accounts in auction now."""
        self.pushes = 0
        self.refreshes = 0
        self.settled = 0
        self.tripped = 0
        """Openings of a breaker that somebody told the contract of."""
        self.from_fund = 0
        """Paid by the fund for insolvent accounts, wad USD."""
        self.socialised = 0
        """Paid by all accounts, wad USD."""
        self.interest = 0
        """Charged to accounts with negative cash and paid to the fund, wad USD."""

    def advance(self, block: BlockRef) -> tuple[Event, ...]:
        """Count everything up to a block.  Returns: what was new, in order."""
        if block.number <= self._through:
            return ()
        logs = self._rpc.logs(self._through + 1, block.number, self._addresses)
        self._through = block.number
        found = []
        for log in logs:
            event = self._abis[log.address.lower()].event(log.topics, log.data)
            if event is not None:
                self._count(event)
                found.append(event)
        return tuple(found)

    def _count(self, event: Event) -> None:
        match event.name:
            case "Flagged":
                self.flagged.add(event.args["account"])
                self.running.add(event.args["account"])
            case "AuctionEnded":
                self.running.discard(event.args["account"])
            case "Published":
                self.pushes += 1
            case "FileComputed":
                self.refreshes += bool(event.args["refresh"])
            case "ExpirySettled":
                self.settled += 1
            case "Tripped":
                self.tripped += 1
            case "InterestCharged":
                self.interest += event.args["amount"]
            case "Bid" | "DebtCleared":
                self.from_fund += event.args["fromFund"]
                self.socialised += event.args["socialised"]
            case _:
                pass
