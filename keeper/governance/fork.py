"""A local fork on which anybody may act and time passes at once: anvil where it is installed, else in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, Final

from keeper.chain.asking.rpc import Endpoint, Rpc
from keeper.chain.errors import Reverted
from keeper.errors import BadInput, Refused
from keeper.governance.chain import ChainView
from keeper.governance.items import Call
from keeper.protocols.abi import explain_revert
from keeper.protocols.clearinghouse.deployment import Deployment
from keeper.testing.anvil import AnvilChain, find_anvil
from keeper.testing.embedded import LocalChain
from keeper.testing.fork import ForkedChain
from keeper.testing.forwarding import ForwardingNode
from keeper.testing.http_node import HttpNode

#: Ether that an account that acts is given.
_ALLOWANCE: Final = hex(10**21)
#: The fork in this process mines block by block, a few milliseconds each: longer votes are for anvil.
MOST_BLOCKS: Final = 60_000


class Engine(StrEnum):
    """What runs the fork."""

    AUTO = "auto"
    ANVIL = "anvil"
    EMBEDDED = "embedded"


class Fork:
    """One fork.

    Args:
        chain: the forked chain, which is ours alone.
        deployment: the contracts that live there too.
        engine: what runs it.
    """

    def __init__(self, chain: LocalChain, deployment: Deployment, engine: Engine) -> None:
        self._chain, self._deployment, self.engine = chain, deployment, engine
        self.rpc = Rpc([Endpoint(name="fork", provider=chain.provider)], chain_id=chain.chain_id)

    def view(self) -> ChainView:
        """The fork as it is now."""
        return ChainView(self.rpc, self._deployment, self.rpc.block())

    def act(self, sender: str, call: Call) -> int:
        """Let any address send one transaction, in a block of its own.

        Returns: gas used.
        Raises: `Refused` with the contract's words if it would revert; nothing is mined then.
        """
        return self.send(sender, call.target, call.data, contract=call.contract, value=call.value)

    def send(self, sender: str, to: str, data: bytes, *, contract: str, value: int = 0) -> int:
        """The same from bytes; `contract` is whose errors are known."""
        request: dict[str, Any] = {"from": sender, "to": to, "data": "0x" + data.hex(), "value": hex(value)}
        try:
            self.rpc.request("eth_call", request, "latest")
        except Reverted as error:
            raise Refused(self._words(error, contract)) from error
        self._chain.request("anvil_impersonateAccount", sender)
        if self.engine is Engine.ANVIL:
            self._chain.request("anvil_setBalance", sender, _ALLOWANCE)
            request["gas"] = hex(int(self.rpc.request("eth_estimateGas", request), 16) * 3 // 2)
        sent = str(self._chain.request("eth_sendTransaction", request))
        receipt = self._chain.request("eth_getTransactionReceipt", sent)
        if receipt is None or int(receipt["status"], 16) != 1:
            raise Refused(f"the transaction to {to} failed, although a call before it had passed")
        return int(receipt["gasUsed"], 16)

    def mine(self, blocks: int) -> None:
        """Let blocks pass.  Raises: `BadInput` for more than the engine mines in a minute or two."""
        if self.engine is Engine.ANVIL:
            self._chain.request("anvil_mine", hex(blocks))
        elif blocks > MOST_BLOCKS:
            raise BadInput(f"the vote takes {blocks:,} blocks", hint="simulate with --engine anvil: make setup-node")
        else:
            self._chain.set_block_interval(1)
            self._chain.mine(blocks)

    def warp(self, time_s: int) -> None:
        """Let time pass: the next block, mined here, is of this second or a later one."""
        if self.rpc.block().timestamp < time_s:
            self._chain.advance_to(time_s)
        self._chain.mine()

    def _words(self, error: Reverted, contract: str) -> str:
        """A revert in the words of whoever may have spoken."""
        view = self.view()
        ours = [name for name in self._deployment.addresses if name != "Multicall3"]
        abis = []
        for name in dict.fromkeys([contract, *ours, "TimelockController", "Governor"]):
            try:
                abis.append(view.abi(name))
            except BadInput:
                continue  # a contract of somebody else's
        return explain_revert(error.data, abis) if error.data else error.message


@contextmanager
def forked(
    source: Any, deployment: Deployment, *, block: int | None = None, engine: Engine = Engine.AUTO
) -> Iterator[Fork]:
    """A fork that ends with the block.

    Args:
        source: URL of the node, or a provider for the fork in this process.
        deployment: the contracts.
        block: where it begins; the newest if None.
        engine: anvil if AUTO finds it and there is a URL to give to it.

    Raises: `BadInput` if anvil is asked for and absent; `Retry` if the node cannot be asked.
    """
    by_url = isinstance(source, str)
    if engine is Engine.ANVIL and (not by_url or find_anvil() is None):
        raise BadInput("anvil is not there, or has no URL to fork", hint="make setup-node, or --engine embedded")
    if engine is Engine.ANVIL or (engine is Engine.AUTO and by_url and find_anvil() is not None):
        # Through this process: a node's URL may hold a key, and everybody on a machine sees what programs are given.
        with (
            ForwardingNode(source) as behind,
            HttpNode(behind) as near,
            AnvilChain.fork(near.url, block=block) as chain,
        ):
            yield Fork(chain, deployment, Engine.ANVIL)
    else:
        yield Fork(ForkedChain.at(source, block=block), deployment, Engine.EMBEDDED)
