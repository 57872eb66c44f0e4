"""What an action is worth, and to whom; and whether that pays for its gas.

    flag       the flag fee, to the account named `fee_to`: Σ (grid + short minimum)·flag fee, at most the equity;
               nothing for an insolvent account
    bid        the discount on the slice at its mark, to the bidder's account, less the edge that we keep for the risk
               of holding it (`policy.min_bid_edge_ppm`)
    the rest   nothing: duties, which the day's gas pays for (`fees.max_spend_eth_per_day`)

Three sides, and what is done on each:

    profit     act, and spend up to what it brings
    loss       act while the day's loss budget lasts, and only where the protocol has more at risk than we lose
    unknown    `policy.when_unknown`: act up to a fixed sum of gas, or wait; never as if worth nothing, or everything

The budget counts *realised* losses of the last 24 hours, what open transactions may still lose, and what is decided
here in this very block, each by itself.  So the day's loss stays within it, but for gains that did not come (a flag
that reverts because somebody else was first), which count as soon as they are known.
"""

from __future__ import annotations

from collections.abc import Mapping

from keeper.domain.action import Action, Bid, Flag, kind, subject
from keeper.domain.knobs import PolicyKnobs
from keeper.domain.margin import AccountMargin
from keeper.domain.snapshot import Snapshot, Usable
from keeper.domain.text import usd
from keeper.domain.worth import Economics, Standing, Verdict, Worth
from keeper.policy import auction as dutch
from keeper.policy.auction import PPM, WAD

WEI_PER_GWEI = 10**9
#: Gas may turn dearer between decision and inclusion: a subsidy covers up to so many times the expected cost.  The
#: same headroom as a fee offer has above the base fee.
HEADROOM = 2


def native_price(snapshot: Snapshot, symbol: str) -> int | str:
    """Price of one whole unit of native currency, wad USD, or why there is none."""
    if not symbol:
        return "policy.native_symbol is empty"
    assets = [(u.symbol, u.spot) for u in snapshot.underlyings] + [(c.symbol, c.price) for c in snapshot.collaterals]
    known = [price for ticker, price in assets if ticker == symbol]
    if not known:
        return f"the oracle does not list {symbol} (policy.native_symbol)"
    for price in known:
        if isinstance(price, Usable) and price.wad > 0:
            return price.wad
    return f"{symbol} has no usable price: {getattr(known[0], 'reason', 'it is zero')}"


def flag_fee(account: AccountMargin, snapshot: Snapshot) -> int:
    """What flagging an account pays, wad USD, rounded down as the contract does.

    A re-flag within the cool-off pays nothing, which a snapshot does not show; the realised gain does.
    """
    if account.equity < 0:
        return 0
    rules = {u.underlying: u.rules for u in snapshot.underlyings}
    fee_e6 = sum((u.grid + u.short_minimum) * rules[u.underlying].flag_fee_ppm for u in account.underlyings)
    return min(fee_e6 // PPM, account.equity)


def bid_gain(bid: Bid, account: AccountMargin, snapshot: Snapshot, knobs: PolicyKnobs) -> int | None:
    """Discount on a slice less our edge and its hedge, wad USD, never negative; None if there is no such auction."""
    running = next((a for a in snapshot.auctions if a.account == bid.account), None)
    if running is None or snapshot.auction_rules is None:
        return None
    offer = dutch.offer(running, account, snapshot.auction_rules, snapshot.block.timestamp)
    against = offer.worth if offer.worth > 0 else at_worst(account)
    whole = offer.worth - offer.cost - against * knobs.min_bid_edge_ppm // PPM
    slice_ = max(0, whole) * min(bid.fraction_wad, max(offer.most, 0)) // WAD
    return max(0, slice_ - sum(t.hedge_cost for t in bid.taken))


def at_worst(account: AccountMargin) -> int:
    """What the worst scenario costs an account, wad USD: requirement before factors."""
    return sum(u.grid + u.short_minimum for u in account.underlyings)


def worth_of(
    action: Action, snapshot: Snapshot, accounts: Mapping[int, AccountMargin], knobs: PolicyKnobs
) -> Worth | None:
    """What an action brings; None for a duty."""
    if not isinstance(action, Flag | Bid):
        return None
    beneficiary = action.bidder if isinstance(action, Bid) else snapshot.own_account
    account = accounts.get(action.account)
    if account is None:
        return Worth(beneficiary=beneficiary, gain_usd=None, at_risk_usd=0, why="the account cannot be priced")
    at_risk = max(0, at_worst(account) - account.equity)
    if isinstance(action, Bid):
        gain = bid_gain(action, account, snapshot, knobs)
        said = "there is no such auction" if gain is None else f"discount of {usd(gain)} beyond our edge and the hedge"
    else:
        gain = flag_fee(account, snapshot)
        said = f"flag fee of {usd(gain)}"
    return Worth(beneficiary=beneficiary, gain_usd=gain, at_risk_usd=at_risk, why=said)


class Judge:
    """Judges the actions of one block in the order in which they are proposed; the loss budget runs down as it goes.

    Args:
        snapshot: the block's state.
        accounts: priced accounts.
        knobs: the operator's choices.
        economics: what gas costs, and what the last day already lost.
    """

    def __init__(
        self, snapshot: Snapshot, accounts: Mapping[int, AccountMargin], knobs: PolicyKnobs, economics: Economics
    ) -> None:
        self._snapshot, self._accounts, self._knobs, self._economics = snapshot, accounts, knobs, economics
        self._native = native_price(snapshot, knobs.native_symbol)
        self._gas = dict(economics.gas)
        left = self._left()
        self.known = left is not None
        """Whether the budget can be told; without a price of the native currency it cannot."""
        self.left_usd = left or 0
        """What the loss budget has left, wad USD, never negative; 0 while it cannot be told."""

    def _left(self) -> int | None:
        if isinstance(self._native, str):
            return None
        owed_wei = self._economics.unpriced_gas_wei + self._economics.pledged_wei
        lost = self._economics.lost_usd + self._to_usd(owed_wei)
        return max(0, self._knobs.loss_budget_usd_per_day * WAD - lost)

    def verdict(self, action: Action) -> Verdict:
        """Whether to act, and with how much gas money."""
        worth = worth_of(action, self._snapshot, self._accounts, self._knobs)
        if worth is None:
            return self._say(action, None, None, Standing.DUTY, why="a duty: it earns nothing")
        cost_wei = self._cost_wei(action)
        unknown = self._native if isinstance(self._native, str) else worth.why if worth.gain_usd is None else ""
        if cost_wei is None:
            unknown = unknown or "the gas price is unknown"
        if unknown or cost_wei is None or worth.gain_usd is None or isinstance(self._native, str):
            return self._unknown(action, worth, unknown)
        gain_wei, gas_usd = worth.gain_usd * WAD // self._native, self._to_usd(cost_wei)
        if gain_wei >= cost_wei:
            said = f"{worth.why}, gas {usd(gas_usd)}"
            return self._say(action, worth, gas_usd, Standing.PROFIT, worth_wei=gain_wei, why=said)
        return self._at_a_loss(action, worth, cost_wei, gain_wei)

    def _at_a_loss(self, action: Action, worth: Worth, cost_wei: int, gain_wei: int) -> Verdict:
        gas_usd, loss = self._to_usd(cost_wei), self._to_usd(cost_wei - gain_wei)
        said = f"{worth.why}, gas {usd(gas_usd)}: a loss of {usd(loss)}"
        if worth.at_risk_usd < loss:
            said += f", more than the {usd(worth.at_risk_usd)} that the protocol has at risk"
            return self._say(action, worth, gas_usd, Standing.LOSS, go=False, why=said)
        if loss > self.left_usd:
            said += f"; the day's loss budget has {usd(self.left_usd)} left (policy.loss_budget_usd_per_day)"
            return self._say(action, worth, gas_usd, Standing.LOSS, go=False, why=said)
        assert isinstance(self._native, int)
        subsidy_wei = min(self.left_usd * WAD // self._native, HEADROOM * cost_wei - gain_wei)
        self.left_usd = max(0, self.left_usd - self._to_usd(subsidy_wei))
        said += f", which protects {usd(worth.at_risk_usd)} at risk and comes out of the day's loss budget"
        return self._say(
            action,
            worth,
            gas_usd,
            Standing.LOSS,
            worth_wei=gain_wei + subsidy_wei,
            subsidy_wei=subsidy_wei,
            why=said,
        )

    def _unknown(self, action: Action, worth: Worth, reason: str) -> Verdict:
        ceiling = self._knobs.unknown_gas_gwei * WEI_PER_GWEI
        if self._knobs.when_unknown == "wait":
            said = f"what it is worth is unknown: {reason} (policy.when_unknown is wait)"
            return self._say(action, worth, None, Standing.UNKNOWN, go=False, why=said)
        said = f"what it is worth is unknown: {reason}; at most {ceiling / WAD:g} of native currency for its gas"
        return self._say(action, worth, None, Standing.UNKNOWN, worth_wei=ceiling, why=said)

    def _cost_wei(self, action: Action) -> int | None:
        gas, price = self._gas.get(kind(action)), self._economics.gas_price_wei
        return None if gas is None or price is None else gas * price

    def _to_usd(self, wei: int) -> int:
        """Native currency in wad USD, rounded up."""
        assert isinstance(self._native, int)
        return -(-wei * self._native // WAD)

    @staticmethod
    def _say(
        action: Action,
        worth: Worth | None,
        gas_usd: int | None,
        standing: Standing,
        *,
        go: bool = True,
        worth_wei: int | None = None,
        subsidy_wei: int = 0,
        why: str,
    ) -> Verdict:
        return Verdict(
            kind=kind(action),
            subject=subject(action),
            go=go,
            standing=standing,
            gain_usd=worth.gain_usd if worth else 0,
            gas_usd=gas_usd,
            at_risk_usd=worth.at_risk_usd if worth else 0,
            worth_wei=worth_wei,
            subsidy_wei=subsidy_wei,
            why=why,
        )
