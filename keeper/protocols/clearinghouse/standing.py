"""The last look before something is sent: the contract's own views at the newest block.

Between decision and sending lie seconds, and whole blocks before a replacement: prices recover, others act first.  What
is not wanted any more costs nothing here: no nonce, no gas, no place in the queue.

    flag                the account is below maintenance, not in auction, and no breaker it depends on is open
    bid                 the auction runs, the account is not restored, the price is within the bid's limit
    unflag, remeasure   the auction runs and has not noticed yet
    publish             its id is not taken, and neither freeze nor pause came in between
    refresh             nobody refreshed since the decision
    settle              the expiry has no price yet
    sync                the breaker is open, and nobody told the contract yet
    touch               always wanted: cheap, and legal at any time

What depends on a stale file is not judged by its price: the contract refreshes the file first, and the simulation that
goes before every signature sees that.  A view that reverts (an unusable price) says no: the transaction would, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from keeper.domain.block import BlockRef
from keeper.domain.text import usd
from keeper.domain.tx import TxIntent
from keeper.errors import Refused
from keeper.protocols.clearinghouse.deployment import BREAKER
from keeper.protocols.clearinghouse.views import View, Views

WAD: Final = 10**18
PPM: Final = 10**6
#: `FileVersion.Live` of the contracts.
LIVE: Final = 0
#: Intents asked about in one round trip.  A margin of ten positions takes 240,000 gas, a node's call a few tens of
#: millions.
BATCH: Final = 100

#: Function of the calldata of each kind, where its arguments are needed.
_FUNCTIONS: Final = {
    "flag": ("LiquidationAuction", "flag"),
    "unflag": ("LiquidationAuction", "unflag"),
    "remeasure": ("LiquidationAuction", "remeasure"),
    "bid": ("LiquidationAuction", "bid"),
    "publish": ("RiskParameters", "publish"),
    "refresh": ("RiskFile", "refresh"),
    "settle": ("ClearingHouse", "settleExpiry"),
    "sync": (BREAKER, "sync"),
}


class HouseStanding:
    """`Recheck` of the clearing house.

    Args:
        views: the contracts' views; they remember what was asked of a block, so one round trip answers for all.
    """

    def __init__(self, views: Views) -> None:
        self._views = views
        self._expected: dict[str, TxIntent] = {}
        self._asked = ""
        self._judges: dict[str, Callable[[BlockRef, dict[str, Any], TxIntent], str]] = {
            "flag": self._flag,
            "unflag": self._unflag,
            "remeasure": self._remeasure,
            "bid": self._bid,
            "publish": self._publish,
            "refresh": self._refresh,
            "settle": self._settle,
            "sync": self._sync,
        }

    def expect(self, intents: Sequence[TxIntent]) -> None:
        """See `Recheck.expect`.  Replaces what was expected before."""
        self._expected = {intent.key: intent for intent in intents if intent.kind in self._judges}
        self._asked = ""

    def standing(self, intent: TxIntent, head: BlockRef) -> str:
        """See `Recheck.standing`."""
        judge = self._judges.get(intent.kind)
        if judge is None:
            return ""
        if intent.key in self._expected and self._asked != head.hash:
            self._ask_for_all(head)
        else:
            self._views.gather(head, self._needed(intent))
        try:
            return judge(head, self._arguments(intent), intent)
        except Refused as refusal:
            return f"not wanted at block {head.number}: {self._views.explain(refusal)}"

    def _ask_for_all(self, head: BlockRef) -> None:
        expected = list(self._expected.values())
        for start in range(0, len(expected), BATCH):
            self._views.gather(head, [v for one in expected[start : start + BATCH] for v in self._needed(one)])
        self._asked = head.hash

    def _arguments(self, intent: TxIntent) -> dict[str, Any]:
        contract, function = _FUNCTIONS[intent.kind]
        return self._views.abis[contract].arguments(function, intent.data)

    def _needed(self, intent: TxIntent) -> Iterator[View]:
        args = self._arguments(intent)
        match intent.kind:
            case "flag" | "unflag" | "remeasure" | "bid":
                yield View("LiquidationAuction", "auction", (args["account"],))
                yield View("ClearingHouse", "margin", (args["account"], LIVE))
                if intent.kind == "flag":
                    yield View("ClearingHouse", "breaker")
                    if self._views.knows(BREAKER):
                        yield View(BREAKER, "deferral", (args["account"],))
                elif intent.kind == "bid":
                    yield View("LiquidationAuction", "quote", (args["account"], args["fractionWad"]))
                elif intent.kind == "unflag":
                    yield View("LiquidationAuction", "params")
            case "publish":
                yield View("RiskParameters", "lastPublication", (args["underlying"],))
                for function in ("frozen", "controls"):
                    yield View("RiskParameters", function, (args["underlying"],))
            case "refresh":
                yield View("RiskFile", "header", (args["underlying"], LIVE))
            case "settle":
                yield View("ClearingHouse", "settlement", (args["underlying"], args["expiry"]))

    # --- one kind each ------------------------------------------------------------------------------------------------

    def _flag(self, head: BlockRef, args: dict[str, Any], _intent: TxIntent) -> str:
        if self._views.one(head, "LiquidationAuction", "auction", args["account"])["active"]:
            return f"already in auction at block {head.number}"
        margin = self._views.one(head, "ClearingHouse", "margin", args["account"], LIVE)
        if margin["equity"] >= 0 and margin["equity"] >= margin["mm"]:
            equity, mm = usd(margin["equity"]), usd(margin["mm"])
            return f"healthy at block {head.number}: equity {equity} covers maintenance {mm}"
        if self._views.breaker(head):
            deferral = self._views.at(head, BREAKER, "deferral", args["account"])
            if deferral["untilS"]:
                return f"deferred at block {head.number}: the breaker of {_ticker(deferral['asset'])} is open"
        return ""

    def _running(self, head: BlockRef, account: int) -> tuple[Any, Any] | str:
        """The auction and the margin of an account, or why there is nothing to do."""
        running = self._views.one(head, "LiquidationAuction", "auction", account)
        if not running["active"]:
            return f"its auction is over at block {head.number}"
        return running, self._views.one(head, "ClearingHouse", "margin", account, LIVE)

    def _bid(self, head: BlockRef, args: dict[str, Any], _intent: TxIntent) -> str:
        found = self._running(head, args["account"])
        if isinstance(found, str):
            return found
        if found[1]["stale"]:
            return ""
        quote = self._views.at(head, "LiquidationAuction", "quote", args["account"], args["fractionWad"])
        if quote["maxFractionWad"] == 0:
            return f"restored at block {head.number}: nothing of it is on offer"
        if quote["cost"] > args["maxCost"]:
            return f"costs {usd(quote['cost'])} at block {head.number}, the bid's limit is {usd(args['maxCost'])}"
        return ""

    def _unflag(self, head: BlockRef, args: dict[str, Any], _intent: TxIntent) -> str:
        found = self._running(head, args["account"])
        if isinstance(found, str):
            return found
        margin, buffer = found[1], self._views.one(head, "LiquidationAuction", "params")["bufferPpm"]
        restored = margin["equity"] >= 0 and margin["equity"] * PPM >= margin["mm"] * (PPM + buffer)
        return "" if restored or margin["stale"] else f"short again at block {head.number}"

    def _remeasure(self, head: BlockRef, args: dict[str, Any], _intent: TxIntent) -> str:
        found = self._running(head, args["account"])
        if isinstance(found, str):
            return found
        running, margin = found
        if running["insolventSince"] != 0:
            return f"its insolvency is noted at block {head.number}"
        return "" if margin["equity"] < 0 or margin["stale"] else f"solvent again at block {head.number}"

    def _publish(self, head: BlockRef, args: dict[str, Any], _intent: TxIntent) -> str:
        if self._views.one(head, "RiskParameters", "frozen", args["underlying"]):
            return f"its parameters are frozen at block {head.number}"
        until = self._views.one(head, "RiskParameters", "controls", args["underlying"])["pausedUntil"]
        if head.timestamp < until:
            return f"the guardian paused its publications for {until - head.timestamp} s more at block {head.number}"
        last = self._views.at(head, "RiskParameters", "lastPublication", args["underlying"])["id"]
        taken = last >= args["p"]["id"]
        return f"publication {args['p']['id']} is out: the last is {last} at block {head.number}" if taken else ""

    def _refresh(self, head: BlockRef, args: dict[str, Any], intent: TxIntent) -> str:
        time = self._views.one(head, "RiskFile", "header", args["underlying"], LIVE)["time"]
        newer = time > intent.decided_at.timestamp
        return f"somebody refreshed it by block {head.number}" if newer else ""

    def _settle(self, head: BlockRef, args: dict[str, Any], _intent: TxIntent) -> str:
        settled = self._views.at(head, "ClearingHouse", "settlement", args["underlying"], args["expiry"])["settled"]
        return f"settled by block {head.number}" if settled else ""

    def _sync(self, head: BlockRef, args: dict[str, Any], _intent: TxIntent) -> str:
        if not self._views.breaker(head):
            return f"the house has no breaker at block {head.number}"
        state = self._views.one(head, BREAKER, "state", args["asset"])
        if not state["open"]:
            return f"the breaker is closed again at block {head.number}"
        return f"told by block {head.number}" if state["told"] else ""


def _ticker(asset: bytes) -> str:
    return asset.rstrip(b"\0").decode(errors="replace")
