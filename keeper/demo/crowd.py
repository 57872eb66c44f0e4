"""Everybody's money and orders, brought onto the chain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from keeper.abis import load
from keeper.demo.deposits import Deposit, Quotes
from keeper.demo.listings import Plan
from keeper.demo.opening import LIQUIDATOR_USD, SETTLEMENT
from keeper.demo.orders import Owner, Signing
from keeper.demo.population import Trade
from keeper.deploy import HouseSpec
from keeper.protocols.abi import Abi
from keeper.protocols.clearinghouse.deployment import Deployment
from keeper.testing.embedded import LocalChain

#: Set-up transactions per block.
BATCH = 12
#: Gas of a set-up transaction.
CALL_GAS, TRADE_GAS = 400_000, 6_000_000

#: Told of progress: name of the step, done, total.
Progress = Callable[[str, int, int], None]


class Crowd:
    """Everybody's money and orders.  One busy account pays the gas; orders carry their owners' signatures."""

    def __init__(
        self,
        chain: LocalChain,
        deployment: Deployment,
        spec: HouseSpec,
        owners: Mapping[str, Owner],
        plan: Plan,
    ) -> None:
        self._chain, self._spec, self._owners, self._plan = chain, spec, owners, plan
        self._house = deployment.addresses["ClearingHouse"]
        self._liquidator_account = deployment.liquidator_account
        self._abis = {name: Abi(name, load(name).abi) for name in ("ClearingHouse", "MockERC20")}
        self._sender = chain.accounts[3]
        self._pending: list[str] = []

    def fund(self, wanted: Sequence[Deposit], progress: Progress) -> None:
        """Mint, approve and deposit for every member and the keeper's own account."""
        scale = 10 ** SETTLEMENT[1]
        paid: list[tuple[int, int, int]] = [(int(self._liquidator_account or 0), 0, LIQUIDATOR_USD * scale)]
        for deposit in wanted:
            account = self._owners[deposit.member].account
            paid.append((account, 0, deposit.cash_usd * scale))
            if deposit.coin:
                paid.append((account, deposit.coin, deposit.coin_units))
        for i, collateral in enumerate(self._spec.collaterals):
            total = sum(units for _, coin, units in paid if coin == i)
            self._send("MockERC20", collateral.token, "mint", self._sender, total)
            self._send("MockERC20", collateral.token, "approve", self._house, total)
        self._flush()
        for i, (account, coin, units) in enumerate(paid, start=1):
            if units:
                self._send("ClearingHouse", self._house, "deposit", account, coin, units)
            if i % BATCH == 0 or i == len(paid):
                self._flush()
                progress("funding accounts", i, len(paid))

    def trade(self, trades: Sequence[Trade], quotes: Quotes, progress: Progress) -> None:
        """Sign both sides of every trade at its mark, and submit."""
        signing = Signing(chain_id=self._chain.chain_id, house=self._house)
        expiry = self._plan.opening_s
        for i, trade in enumerate(trades, start=1):
            price = quotes.price(trade.instrument)
            sides = [
                signing.order(
                    self._owners[name],
                    trade.instrument,
                    is_buy=is_buy,
                    amount=trade.amount,
                    price=price,
                    nonce=i,
                    expiry=expiry,
                )
                for name, is_buy in ((trade.buyer, True), (trade.seller, False))
            ]
            (buy, buy_signature), (sell, sell_signature) = sides
            arguments = (buy, buy_signature, sell, sell_signature, trade.amount, price)
            self._send("ClearingHouse", self._house, "trade", *arguments, gas=TRADE_GAS)
            if i % BATCH == 0 or i == len(trades):
                self._flush()
                progress("trading", i, len(trades))

    def _send(self, contract: str, to: str, function: str, *args: object, gas: int = CALL_GAS) -> None:
        self._chain.set_automine(on=False)
        data = self._abis[contract].call(function, *args)
        self._pending.append(self._chain.send(sender=self._sender, to=to, data=data, gas=gas))

    def _flush(self) -> None:
        """Mine what was sent; every transaction must have succeeded."""
        self._chain.mine()
        for tx_hash in self._pending:
            self._chain.receipt(tx_hash)
        self._pending = []
        self._chain.set_automine(on=True)
