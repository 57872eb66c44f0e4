"""The smallest house on an embedded chain: one underlying, one expiry, one coin; set up in a second.

house = SmallHouse()
house.do("ClearingHouse", "setFee", 100)
balance = house.hand.view("InsuranceFund", house.deployment.addresses["InsuranceFund"], "balance")
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any, Final

from eth_account import Account

from keeper.chain.asking.rpc import Endpoint, Rpc
from keeper.chain.sending.fees import FeePolicy
from keeper.chain.signers import LocalSigner
from keeper.deploy import (
    BreakerSpec,
    CollateralSpec,
    ExpirySpec,
    FeedSpec,
    Hand,
    HouseSpec,
    QuorumSpec,
    UnderlyingSpec,
    deploy_house,
)
from keeper.deploy.house import needed
from keeper.protocols.clearinghouse.deployment import Deployment
from keeper.testing.embedded import EmbeddedChain, LocalChain

DAY: Final = 86_400
GWEI: Final = 10**9
#: More than anything costs on a chain of one's own.
FEES: Final = FeePolicy(max_fee_wei=10_000 * GWEI, max_priority_fee_wei=GWEI)
#: Storage that a constructor may have written and a proxy needs too; mappings start empty.
_SLOTS: Final = 16


class ProxyHand(Hand):
    """Deploys some contracts behind proxies that anyone upgrades.

    Args:
        rpc: the chain.
        signer: pays.
        proxied: names of those contracts; none may write a mapping in its constructor.
    """

    def __init__(self, rpc: Rpc, signer: LocalSigner, *, proxied: Collection[str]) -> None:
        super().__init__(rpc, signer, fees=FEES, poll_interval_s=0.0)
        self._node, self._proxied = rpc, proxied
        self._behind: dict[str, str] = {}

    def create(self, contract: str, *args: Any, libraries: dict[str, str] | None = None) -> str:
        """See `Hand.create`."""
        made = super().create(contract, *args, libraries=libraries)
        if contract not in self._proxied:
            return made
        proxy = super().create("MockProxy", made)
        for slot in range(_SLOTS):
            word = bytes.fromhex(self._node.request("eth_getStorageAt", made, hex(slot), "latest")[2:].rjust(64, "0"))
            if any(word):
                self.send("MockProxy", proxy, "setSlot", slot.to_bytes(32, "big"), word)
        self._behind[proxy] = made
        return proxy

    def hand_made(self, contract: str, *args: Any) -> str:
        """Deploy a contract as it is, behind no proxy.  Returns: its address."""
        return super().create(contract, *args)

    def linked(self, contract: str, *args: Any) -> str:
        """Likewise, of a contract with libraries, which are deployed for it.  Returns: its address."""
        libraries: dict[str, str] = {}
        for name in needed(contract):
            libraries[name] = super().create(name, libraries=libraries)
        return super().create(contract, *args, libraries=libraries)

    def code(self, address: str) -> bytes:
        """See `Hand.code`: the implementation's."""
        return super().code(self._behind.get(address, address))


class SmallHouse:
    """A house, its owner's hand and its chain.

    Args:
        proxied: contracts that live behind proxies.
        multicall: whether the chain has a Multicall3.
        underlyings: how many, each with a feed of its own.
        breaker: what trips it; by default there is none, since most stories crash the price in one round.
        quorum: keepers that speak as one; by default there are none.
        chain: where; an embedded one unless given.
    """

    def __init__(
        self,
        *,
        proxied: Collection[str] = (),
        multicall: bool = True,
        underlyings: int = 1,
        breaker: BreakerSpec | None = None,
        quorum: QuorumSpec | None = None,
        chain: LocalChain | None = None,
    ) -> None:
        self.chain: LocalChain = chain or EmbeddedChain(accounts=6, block_interval_s=1)
        self.rpc = Rpc([Endpoint(name="embedded", provider=self.chain.provider)], chain_id=self.chain.chain_id)
        self.hand = ProxyHand(self.rpc, LocalSigner(Account.from_key(self.chain.key(0))), proxied=proxied)
        self.feeds = [self.hand.create("MockAggregator", 8, 3_000 * 10**8) for _ in range(underlyings)]
        self.tokens = {name: self.hand.create("MockERC20", name, name, d) for name, d in (("USDC", 6), ("WETH", 18))}
        self.hand.send("MockERC20", self.tokens["USDC"], "mint", self.hand.address, 10**12)
        self.spec = replace(self._spec(underlyings), breaker=breaker, quorum=quorum)
        now = self.chain.block().timestamp
        self.deployment: Deployment = deploy_house(self.spec, self.hand, now_s=now, multicall=multicall)

    def _spec(self, underlyings: int) -> HouseSpec:
        chain, names = self.chain, [f"ETH{i}" if i else "ETH" for i in range(underlyings)]
        strikes = (2_800 * 10**8, 3_000 * 10**8)
        expiry = ExpirySpec(expiry=chain.block().timestamp + 7 * DAY, strikes=strikes, sigma_atm_ppm=700_000)
        return HouseSpec(
            feeds=tuple(
                FeedSpec(asset=name, primary=feed, max_age_s=DAY) for name, feed in zip(names, self.feeds, strict=True)
            ),
            collaterals=(
                CollateralSpec(symbol="USDC", token=self.tokens["USDC"], decimals=6, asset="USD"),
                CollateralSpec(symbol="WETH", token=self.tokens["WETH"], decimals=18, asset="ETH", haircut_ppm=100_000),
            ),
            underlyings=tuple(UnderlyingSpec(asset=name, psr_ppm=120_000, expiries=(expiry,)) for name in names),
            publisher=chain.accounts[1],
            liquidator=chain.accounts[2],
            guardian=chain.accounts[3],
            fund_seed=10**11,
        )

    def do(self, contract: str, function: str, *args: Any, sender: int = 0, to: str = "") -> None:
        """One transaction of one of the chain's accounts, in a block of its own.

        Args:
            contract: whose ABI.
            function: which.
            args: its arguments.
            sender: index of the account; 0 is the owner.
            to: where, if not at the deployment's address.
        """
        data = self.hand.abi(contract).call(function, *args)
        to = to or self.deployment.addresses[contract]
        tx_hash = self.chain.send(sender=self.chain.accounts[sender], to=to, data=data)
        self.chain.receipt(tx_hash)
