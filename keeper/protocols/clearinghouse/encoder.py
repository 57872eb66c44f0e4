"""Decisions as calldata."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from keeper.domain.action import (
    Action,
    Bid,
    Flag,
    MarginCall,
    Publish,
    Refresh,
    Remeasure,
    SetAddOn,
    SettleExpiry,
    SyncBreaker,
    Touch,
    Unflag,
    kind,
    subject,
)
from keeper.domain.block import BlockRef
from keeper.domain.tx import SignerRole, TxIntent
from keeper.errors import LawBroken, Refused
from keeper.protocols.clearinghouse.bidders import Bidders
from keeper.protocols.clearinghouse.deployment import BREAKER, Deployment
from keeper.protocols.clearinghouse.rounds import last_of_phase
from keeper.protocols.clearinghouse.views import Views

#: Gas limits by kind of action, from the gas table in contracts/README.md with room to spare; the unused is refunded.
GAS_LIMITS: Final = {
    "publish": 16_000_000,
    "refresh": 12_000_000,
    "flag": 16_000_000,
    "unflag": 3_000_000,
    "remeasure": 12_000_000,
    "bid": 12_000_000,
    "settle": 1_000_000,
    "touch": 5_000_000,
    "sync": 5_000_000,
    "addon": 500_000,
}

#: Gas that an action is likely to use, which its worth is weighed against: about what the dearest of a small market
#: take, a flag that need not refresh a file first.  A test on the chain compares them with what is used there.
GAS_EXPECTED: Final = {
    "publish": 2_500_000,
    "refresh": 1_000_000,
    "flag": 500_000,
    "unflag": 250_000,
    "remeasure": 250_000,
    "bid": 800_000,
    "settle": 100_000,
    "touch": 150_000,
    "sync": 300_000,
    "addon": 60_000,
}


class HouseEncoder:
    """`Encoder` of the clearing house.

    Args:
        views: for the oracle rounds that prove a settlement.
        deployment: addresses; `liquidator_account` receives flag fees.
        intent_ttl_s: after so many seconds an unsigned decision is forgotten.
        paused: why nothing may be sent to a contract; empty if something may.
        bidders: which of our keys may bid; the account's owner alone unless given.
    """

    def __init__(
        self,
        *,
        views: Views,
        deployment: Deployment,
        intent_ttl_s: int,
        paused: Callable[[str], str] = lambda _: "",
        bidders: Bidders | None = None,
    ) -> None:
        self._views = views
        self._bidders = bidders or Bidders(views, deployment.liquidator_account)
        self._paused = paused
        self._deployment = deployment
        self._ttl_s = intent_ttl_s

    def encode(self, action: Action, *, block: BlockRef) -> TxIntent:
        """See `Encoder.encode`."""
        contract, data, role = self._call(action, block)
        if why := self._paused(contract):
            raise Refused(why, hint="look at the new code, then add its hash to protocol.accepted_code")
        return TxIntent(
            # The block is part of the identity: deciding the same block again after a crash finds the same intent,
            # deciding a later block makes a new one.
            key=f"{self._deployment.chain_id}:{block.hash}:{kind(action)}:{subject(action)}",
            kind=kind(action),
            subject=subject(action),
            role=role,
            to=self._views.address(contract),
            data=data,
            gas_limit=GAS_LIMITS[kind(action)],
            gas_expected=GAS_EXPECTED[kind(action)],
            decided_at=block,
            deadline_s=block.timestamp + self._ttl_s,
            why=action.why,
            senders=self._bidders.senders(block) if isinstance(action, Bid) else (),
        )

    def _call(self, action: Action, block: BlockRef) -> tuple[str, bytes, SignerRole]:
        match action:
            case Publish() | Refresh() | SetAddOn():
                return self._parameters(action)
            case Flag():
                fee_to = self._deployment.liquidator_account
                if fee_to is None:
                    raise Refused("no liquidator account is configured, so nothing is flagged")
                return self._to("LiquidationAuction", "flag", action.account, fee_to)
            case Unflag() | Remeasure():
                return self._to("LiquidationAuction", kind(action), action.account)
            case Bid():
                return self._to(
                    "LiquidationAuction",
                    "bid",
                    action.account,
                    action.bidder,
                    action.fraction_wad,
                    list(action.epochs),
                    action.max_cost,
                )
            case SettleExpiry():
                rounds = self._settlement_rounds(action, block)
                return self._to("ClearingHouse", "settleExpiry", action.underlying, action.expiry, *rounds)
            case SyncBreaker():
                asset = self._views.one(block, "RiskFile", "assetOf", action.underlying)
                return self._to(BREAKER, "sync", asset)
            case Touch():
                return self._to("ClearingHouse", "touch", action.account)
            case MarginCall():
                raise LawBroken("a margin call is a notice, not a transaction")

    def _parameters(self, action: Publish | Refresh | SetAddOn) -> tuple[str, bytes, SignerRole]:
        if isinstance(action, Publish):
            return "RiskParameters", self._publication(action), SignerRole.PUBLISHER
        if isinstance(action, Refresh):
            return self._to("RiskFile", "refresh", action.underlying, role=SignerRole.PUBLISHER)
        asked = action.underlying, action.ppm, action.valid_until
        return self._to("RiskParameters", "setStateAddOn", *asked, role=SignerRole.PUBLISHER)

    def _to(
        self, contract: str, function: str, *args: object, role: SignerRole = SignerRole.LIQUIDATOR
    ) -> tuple[str, bytes, SignerRole]:
        return contract, self._views.abis[contract].call(function, *args), role

    def _publication(self, action: Publish) -> bytes:
        p = action.params
        publication = (
            action.id,
            action.valid_until,
            bytes.fromhex(action.inputs_hash.removeprefix("0x")),
            bytes.fromhex(action.expected_old.removeprefix("0x")),
            p.ranges.psr_ppm,
            p.ranges.vsr_up_ppm,
            p.ranges.vsr_down_ppm,
            [
                (e.params.expiry, e.params.phi_ppb, e.params.df_ppb, e.params.sigma_atm_ppm, list(e.sigmas_ppm))
                for e in p.expiries
            ],
        )
        return self._views.abis["RiskParameters"].call("publish", action.underlying, publication)

    def _settlement_rounds(self, action: SettleExpiry, block: BlockRef) -> tuple[int, int]:
        """The first oracle round at or after expiry, and its predecessor.

        Rounds of one phase ascend in time, so the first one is found by bisection.

        Raises:
            Refused: there is no such round yet, or the predecessor lies in an earlier phase.
        """
        asset = self._views.one(block, "RiskFile", "assetOf", action.underlying)
        feed = self._views.feed(block, asset)
        newest = self._views.round(block, feed)
        if newest is None or newest[1].time < action.expiry:
            raise Refused(f"the oracle has no round at or after expiry {action.expiry} yet")
        last = newest[0]
        low, high = (last >> 64 << 64) | 1, last  # rounds of a phase are numbered from 1 in the low 64 bits
        while low < high:
            middle = (low + high) // 2
            answer = self._views.round(block, feed, middle)
            if answer is not None and answer[1].time >= action.expiry:
                high = middle
            else:
                low = middle + 1
        if low & (1 << 64) - 1 == 1:
            return low, self._end_of_phase_before(feed, block, low)
        return low, low - 1

    def _end_of_phase_before(self, feed: str, block: BlockRef, first: int) -> int:
        """Last round of the phase before.  Raises: `Refused` if there is no such phase."""
        phase = (first >> 64) - 1
        last = last_of_phase(self._views, block, feed, phase) if phase > 0 else None
        if last is None:
            raise Refused("the settlement round is the feed's first; governance settles by hand after the time-out")
        return last
