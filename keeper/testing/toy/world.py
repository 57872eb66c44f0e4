"""A chain with a toy house on it, and what a test does to both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from keeper.abis import load
from keeper.chain.asking.endpoint import Endpoint
from keeper.chain.asking.rpc import Rpc
from keeper.chain.clock import Timekeeper
from keeper.chain.signers import Signer, from_key
from keeper.domain.tx import SignerRole
from keeper.testing.answers import Node
from keeper.testing.embedded import EmbeddedChain
from keeper.testing.node import DEFAULT_TIP_WEI, EmbeddedNode
from keeper.testing.provider import EmbeddedProvider
from keeper.testing.toy.house import ToyState, house_abi
from keeper.testing.toy.ledger import HOUSE, Ledger, next_base_fee
from keeper.testing.toy.signing import QuickSigner
from keeper.testing.wire import hexed

#: Gas of a change to the house.
GAS = 200_000


class ToyWorld:
    """One chain, made once; `reset` brings back its first day, for the next scenario.

    Args:
        chain: where the house is.
        house: its address.
        deployed_at: height of its block.
    """

    def __init__(self, chain: EmbeddedChain, house: str, deployed_at: int) -> None:
        self.chain, self.house, self.deployed_at = chain, house, deployed_at
        self.node = chain.node
        quick = isinstance(chain.node.evm, Ledger)
        keys = [chain.key(index) for index in range(len(chain.accounts))]
        self._signers: list[Signer] = [QuickSigner(key) if quick else from_key(key) for key in keys]
        chain.mine(2)
        self._start = chain.snapshot()
        self._passed_s = 0.0

    @classmethod
    def real(cls, *, accounts: int = 6) -> ToyWorld:
        """The contract's bytecode on py-evm."""
        chain = EmbeddedChain(accounts=accounts)
        return cls(chain, str(chain.deploy(load("ToyHouse"), 1000).address), chain.block().number)

    @classmethod
    def fast(cls, *, accounts: int = 6) -> ToyWorld:
        """The contract in Python on a ledger."""
        chain = EmbeddedChain(node=EmbeddedNode(evm=Ledger(accounts=accounts)))
        call = house_abi().call("setPrice", 1000)
        chain.receipt(chain.send(sender=chain.accounts[0], to=HOUSE, data=call, gas=GAS))
        return cls(chain, HOUSE, chain.block().number)

    def reset(self) -> None:
        """Back to the first day; blocks wait to be mined."""
        self.chain.revert(self._start)
        self.chain.set_automine(on=False)
        self._passed_s = 0.0
        if isinstance(self.node.evm, Ledger):
            self.node.evm.prune()  # ten thousand lives would fill the memory

    # What happens in the world

    def do(self, function: str, *args: Any, sender: int = 0) -> str:
        """Send a change of the house, to be mined later.  Returns: its hash."""
        data = house_abi().call(function, *args)
        if isinstance(self.node.evm, Ledger):
            return self._quickly(data, self._signers[sender])
        return self.chain.send(sender=self.chain.accounts[sender], to=self.house, data=data, gas=GAS)

    def _quickly(self, data: bytes, signer: Signer) -> str:
        """As `EmbeddedChain.send`, without asking itself what it knows."""
        nonce = int(self.node.request("eth_getTransactionCount", [signer.address, "pending"]), 16)
        fee = 2 * next_base_fee(self.node.evm.head) + DEFAULT_TIP_WEI
        fields = {
            "chainId": self.chain.chain_id,
            "nonce": nonce,
            "gas": GAS,
            "to": self.house,
            "value": 0,
            "data": data,
        }
        signed = signer.sign(fields | {"maxFeePerGas": fee, "maxPriorityFeePerGas": DEFAULT_TIP_WEI})
        return str(self.node.request("eth_sendRawTransaction", ["0x" + signed.raw.hex()]))

    def state(self, accounts: Sequence[int]) -> ToyState:
        """The house as its views tell it at the head, for the accounts asked about; `done` is left empty."""
        evm: Any = self.node.evm
        if isinstance(evm, Ledger):
            house = evm.house
            own = ((account, *house.accounts.get(account, (0, 0))) for account in sorted(accounts))
            return ToyState(price=house.price, accounts=tuple(one for one in own if one[1] or one[2]))
        state = ToyState(price=self._ask("price")[0])
        for account in accounts:
            state = state.with_account(account, *self._ask("accounts", account))
        return state

    def done(self, ref: int) -> int:
        """How often the action with this reference happened on the canonical chain."""
        evm: Any = self.node.evm
        return evm.house.done.get(ref, 0) if isinstance(evm, Ledger) else int(self._ask("done", ref)[0])

    def mined(self, tx_hash: str) -> bool:
        """Whether a transaction is in a block of the canonical chain."""
        return self.node.request("eth_getTransactionReceipt", [tx_hash]) is not None

    def nonce(self, address: str) -> int:
        """How many transactions of an address the canonical chain has."""
        evm: Any = self.node.evm
        if isinstance(evm, Ledger):
            return evm.state(evm.head).get_nonce(bytes.fromhex(address[2:]))
        return int(self.chain.request("eth_getTransactionCount", address, "latest"), 16)

    def _ask(self, function: str, *args: Any) -> tuple[Any, ...]:
        call = {"to": self.house, "data": hexed(house_abi().call(function, *args))}
        answer = bytes.fromhex(self.chain.request("eth_call", call, "latest").removeprefix("0x"))
        return tuple(house_abi().result(function, answer).values())

    # What a keeper needs

    def rpc(self, *nodes: Node, wrap: Callable[[EmbeddedProvider], Any] = lambda it: it, **options: Any) -> Rpc:
        """An RPC over these nodes, each an endpoint in this process; over the true one if there are none.

        `wrap` goes around each provider.  The clock is the chain's, so that an endpoint that rests for ten seconds
        rests for a block.
        """
        endpoints = [
            Endpoint(f"node-{place}", wrap(EmbeddedProvider(node, wait=self._pass)))
            for place, node in enumerate(nodes or (self.node,))
        ]
        time = Timekeeper(wall_s=self._now, steady_s=self._now, wait_s=self._pass)
        return Rpc(endpoints, chain_id=self.chain.chain_id, **{"time": time} | options)

    def _now(self) -> float:
        return float(self.node.evm.head.timestamp) + self._passed_s

    def _pass(self, seconds: float) -> None:
        """Let time pass that no block tells of."""
        self._passed_s += seconds

    def signers(self, *, liquidators: int = 2) -> dict[SignerRole, tuple[Signer, ...]]:
        """Account 1 publishes, accounts 2, 3, … liquidate."""
        return {
            SignerRole.PUBLISHER: (self._signers[1],),
            SignerRole.LIQUIDATOR: tuple(self._signers[2 : 2 + liquidators]),
        }
