"""A small house with many traders who are long the same perp, and a keeper with several liquidator keys.

Prices fall once, everybody is below maintenance, everybody is put up for auction: as many bids as traders.
"""

from dataclasses import replace

from keeper.chain.sending.fees import FeePolicy
from keeper.chain.sending.outbox import Outbox, OutboxPolicy
from keeper.chain.signers import from_key
from keeper.cycle import cycle
from keeper.demo.orders import Owner, Signing
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.snapshot import Instrument, Kind
from keeper.domain.tx import SignerRole
from keeper.testing.memory_store import MemoryStore
from keeper.testing.small_house import SmallHouse
from keeper.wiring import assemble

WAD, USDC = 10**18, 10**6
#: Accounts of the chain that liquidate: the first owns the account that bids.
LIQUIDATORS = (2, 4, 5)
#: Blocks after which what one key holds is given up.
PATIENCE = 6


class CrowdedAuction:
    """The house, its traders, and what is needed to make a keeper of it.

    Args:
        traders: how many, all alike.
        own_usd: what the account that bids holds.
    """

    def __init__(self, *, traders: int, own_usd: int = 1_000_000):
        self.house = SmallHouse()
        self.chain = self.house.chain
        self.keys = tuple(from_key(self.chain.key(index)) for index in LIQUIDATORS)
        self.own = self.house.deployment.liquidator_account
        self.traders = tuple(Owner.of(1, f"trader {number}") for number in range(traders))
        maker = Owner.of(1, "maker")
        self.house.do("MockERC20", "mint", self.house.hand.address, 10**9 * USDC, to=self.house.tokens["USDC"])
        at = self.house.deployment.addresses["ClearingHouse"]
        self.house.do("MockERC20", "approve", at, 10**9 * USDC, to=self.house.tokens["USDC"])
        paid = {self.own: own_usd, maker.account: 1_000_000} | {trader.account: 500 for trader in self.traders}
        for account, usd in paid.items():
            self.house.do("ClearingHouse", "deposit", account, 0, usd * USDC)
        self._trade(maker, at)
        self.chain.set_automine(on=False)

    def _trade(self, maker, at):
        perp = Instrument(underlying=0, expiry=0, strike=0, kind=Kind.PERP)
        signing = Signing(chain_id=self.chain.chain_id, house=at)
        expiry, price = self.chain.block().timestamp + 10**6, 3_000 * WAD
        for nonce, trader in enumerate(self.traders, start=1):
            terms = {"amount": WAD, "price": price, "nonce": nonce, "expiry": expiry}
            buy, bought = signing.order(trader, perp, is_buy=True, **terms)
            sell, sold = signing.order(maker, perp, is_buy=False, **terms)
            self.house.do("ClearingHouse", "trade", buy, bought, sell, sold, WAD, price)

    def send(self, contract, function, *args, sender=0, to=""):
        """One transaction, mined with whatever else waits."""
        data = self.house.hand.abi(contract).call(function, *args)
        to = to or self.house.deployment.addresses[contract]
        tx_hash = self.chain.send(sender=self.chain.accounts[sender], to=to, data=data, gas=400_000)
        self.chain.mine()
        self.chain.receipt(tx_hash)

    def approve(self, key, *, approved=True):
        """The owner's word for a key."""
        self.send("LiquidationAuction", "approveBidder", self.own, key, approved, sender=LIQUIDATORS[0])

    def fall(self, usd):
        """The price falls."""
        self.send("MockAggregator", "push", usd * 10**8, to=self.house.feeds[0])


class Liquidating:
    """A keeper of it, with its outbox, its memory and a key that may be stuck."""

    def __init__(self, market, *, keys=None, stuck=None, **knobs):
        self.market, self.stuck, self.store = market, stuck, MemoryStore()
        self.keys = market.keys if keys is None else keys
        publisher = from_key(market.chain.key(1))
        signers = {SignerRole.PUBLISHER: (publisher,), SignerRole.LIQUIDATOR: self.keys}
        rpc, store = market.house.rpc, self.store
        given = {"max_actions_per_block": 60, "max_inventory_usd": 10**7} | knobs
        self.keeper = assemble(
            rpc=rpc,
            store=store,
            deployment=market.house.deployment,
            risk=RiskKnobs(),
            policy=replace(PolicyKnobs(), **given),
            sender=lambda decode, recheck: Outbox(
                rpc,
                store,
                signers,
                fees=FeePolicy(max_fee_wei=10**13, max_priority_fee_wei=10**13),
                policy=OutboxPolicy(
                    confirmations=0,
                    replace_after_blocks=2,
                    stuck_after_blocks=3,
                    abandon_after_blocks=PATIENCE,
                    daily_cap_wei=10**24,
                ),
                decode_revert=decode,
                recheck=recheck,
            ),
            liquidators=[key.address for key in self.keys],
        )

    def live(self, *, blocks=1):
        """Live blocks: decide, send, and mine what the stuck key did not send.  Returns: the last record."""
        for _ in range(blocks):
            keeper = self.keeper
            record = cycle(self.market.chain.block(), keeper.ports, keeper.risk, keeper.policy)
            self._lose()
            self.market.chain.mine()
        self.keeper.ports.sender.settle(self.market.chain.block())
        self._lose()
        return record

    def _lose(self):
        """Drop from the pool what the stuck key has there."""
        for tx in self.store.open_txs():
            if tx.sender == self.stuck:
                for attempt in tx.attempts:
                    self.market.chain.request("anvil_dropTransaction", attempt.tx_hash)

    def view(self, contract, function, *args):
        """A view at the head."""
        return self.keeper.views.one(self.market.chain.block(), contract, function, *args)

    def of(self, kind, *states):
        """Its transactions of a kind."""
        found = [tx for tx in self.store.txs(limit=10_000) if tx.intent.kind == kind]
        return [tx for tx in found if not states or tx.state in states]
