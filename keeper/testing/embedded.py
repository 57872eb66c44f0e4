"""The embedded chain as tests and the demo use it: accounts, time, blocks, snapshots, deployment.

    chain = EmbeddedChain()
    token = chain.deploy(abis.load("TestToken"), "USD Coin", 6)
    chain.transact(token.functions.mint(chain.accounts[1], 10**12))

Costs on two cores: creation 0.2 s, a plain transfer 5 ms (2 ms many to a block), a pinned call 0.3 ms plus its
computation at 3 Mgas/s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

from eth_abi.abi import encode
from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3 import Web3
from web3.contract import Contract

from keeper.abis import Artifact
from keeper.domain.block import BlockRef
from keeper.testing.evm import CHAIN_ID, HD_PATH, MNEMONIC
from keeper.testing.node import EmbeddedNode
from keeper.testing.provider import EmbeddedProvider

#: Gas for a test transaction where none is named: far below the block's, far above any single call of ours.
TEST_GAS = 15_000_000


@cache
def known_key(index: int) -> bytes:
    """Private key of an account of the test mnemonic; known to everybody."""
    Account.enable_unaudited_hdwallet_features()
    account: LocalAccount = Account.from_mnemonic(MNEMONIC, account_path=f"{HD_PATH}/{index}")
    return bytes(account.key)


class LocalChain:
    """A chain on this machine that a test owns, whatever node is behind `w3`."""

    w3: Web3

    @property
    def chain_id(self) -> int:
        """What transactions must carry."""
        return int(self.request("eth_chainId"), 16)

    def key(self, index: int) -> bytes:
        """Private key of an account; known to everybody."""
        return known_key(index)

    @property
    def accounts(self) -> tuple[str, ...]:
        """Funded addresses of the test mnemonic."""
        return tuple(self.w3.eth.accounts)

    @property
    def provider(self) -> Any:
        """What `keeper.chain.asking.rpc.Rpc` is handed."""
        return self.w3.provider

    def request(self, method: str, *params: Any) -> Any:
        """One raw JSON-RPC request.  Raises: `AssertionError` with the node's message."""
        answer = self.w3.provider.make_request(method, list(params))  # type: ignore[arg-type]
        if answer.get("error"):
            raise AssertionError(f"{method}: {answer['error']}")
        return answer["result"]

    def block(self, number: int | str = "latest") -> BlockRef:
        """A block's reference."""
        which = number if isinstance(number, str) else hex(number)
        found = self.request("eth_getBlockByNumber", which, False)  # noqa: FBT003 - the wire's flag
        return BlockRef(int(found["number"], 16), found["hash"], found["parentHash"], int(found["timestamp"], 16))

    def mine(self, blocks: int = 1) -> BlockRef:
        """Append blocks; pending transactions enter the first.  Returns: the last one."""
        for _ in range(blocks):
            self.request("evm_mine")
        return self.block()

    def advance_to(self, timestamp: int) -> None:
        """Make the next block carry exactly this timestamp.  It is not mined yet."""
        self.request("evm_setNextBlockTimestamp", timestamp)

    def set_block_interval(self, seconds: int) -> None:
        """Time from one block to the next where nothing else was asked for."""
        self.request("anvil_setBlockTimestampInterval", seconds)

    def set_automine(self, *, on: bool) -> None:
        """Whether a transaction mines at once or waits in the pool for `mine`."""
        self.request("evm_setAutomine", on)

    @contextmanager
    def automine_off(self) -> Iterator[None]:
        """Let transactions gather in the pool inside the block."""
        self.set_automine(on=False)
        try:
            yield
        finally:
            self.set_automine(on=True)

    def snapshot(self) -> str:
        """Remember the present; see `revert`."""
        return str(self.request("evm_snapshot"))

    def revert(self, snapshot: str) -> None:
        """Go back to a snapshot; pending transactions are forgotten."""
        if not self.request("evm_revert", snapshot):
            raise AssertionError(f"no snapshot {snapshot}")

    def reorg(self, depth: int) -> None:
        """Replace the last `depth` blocks by empty ones."""
        self.request("anvil_reorg", depth, [])

    def send(self, *, sender: str, to: str | None, data: bytes = b"", value: int = 0, gas: int = TEST_GAS) -> str:
        """Sign with a known account and send.  Returns: the hash."""
        call = {"from": sender, "data": "0x" + data.hex(), "value": hex(value), "gas": hex(gas)}
        return str(self.request("eth_sendTransaction", call | ({"to": to} if to else {})))

    def receipt(self, tx_hash: str) -> dict[str, Any]:
        """A mined transaction's receipt.  Raises: `AssertionError` if it failed or is not mined."""
        found = self.request("eth_getTransactionReceipt", tx_hash)
        if found is None or int(found["status"], 16) != 1:
            raise AssertionError(f"{tx_hash} {'is not mined' if found is None else 'failed'}")
        return dict(found)

    def transact(
        self, function: Any, *, sender: str | None = None, value: int = 0, gas: int = TEST_GAS
    ) -> dict[str, Any]:
        """Send a bound contract function and require success.

        Raises: `AssertionError` with the revert data if it fails.
        """
        sender = sender or self.accounts[0]
        data = bytes.fromhex(function._encode_transaction_data().removeprefix("0x"))  # noqa: SLF001 - the cheap encoder
        tx_hash = self.send(sender=sender, to=function.address, data=data, value=value, gas=gas)
        try:
            return self.receipt(tx_hash)
        except AssertionError as error:
            call = {"from": sender, "to": function.address, "data": "0x" + data.hex(), "value": hex(value)}
            answer = self.w3.provider.make_request("eth_call", [call, "latest"])  # type: ignore[arg-type]
            raise AssertionError(f"{function.fn_name}: {error}: {answer.get('error')}") from error

    def deploy(
        self, artifact: Artifact, *args: Any, libraries: Mapping[str, str] | None = None, sender: str | None = None
    ) -> Contract:
        """Create a contract and require success.  Needs auto-mine."""
        data = artifact.link(libraries or {}) + encode(artifact.constructor_types, args)
        receipt = self.receipt(self.send(sender=sender or self.accounts[0], to=None, data=data, gas=3 * TEST_GAS))
        contract: Contract = self.w3.eth.contract(
            Web3.to_checksum_address(receipt["contractAddress"]), abi=list(artifact.abi)
        )
        return contract

    def deploy_code(self, runtime: bytes) -> str:
        """Create a contract from bare runtime code (hand-assembled tests).  Returns: its address."""
        # PUSH2 len DUP1 PUSH1 12 PUSH0 CODECOPY PUSH0 RETURN, padded to 12 bytes
        creation = b"\x61" + len(runtime).to_bytes(2, "big") + b"\x80\x60\x0c\x5f\x39\x5f\xf3\x00\x00" + runtime
        receipt = self.receipt(self.send(sender=self.accounts[0], to=None, data=creation))
        return str(Web3.to_checksum_address(receipt["contractAddress"]))


class EmbeddedChain(LocalChain):
    """A chain inside this process: eth-tester's EVM, a mempool and a JSON-RPC surface.

    Args:
        accounts: how many funded accounts.
        block_interval_s: seconds between blocks where nothing else was asked for.
        chain_id: eth-tester's by default.
        node: what answers; a fresh one by default; where one is given the other arguments have no meaning.
    """

    def __init__(
        self,
        *,
        accounts: int = 10,
        block_interval_s: int = 12,
        chain_id: int = CHAIN_ID,
        node: EmbeddedNode | None = None,
    ) -> None:
        self.node = node or EmbeddedNode(accounts=accounts, block_interval_s=block_interval_s, chain_id=chain_id)
        self.w3 = Web3(EmbeddedProvider(self.node))
        self._addresses = tuple(account.address for account in self.node.accounts)

    @property
    def accounts(self) -> tuple[str, ...]:
        """Funded addresses of the test mnemonic."""
        return self._addresses

    @property
    def chain_id(self) -> int:
        """What transactions must carry."""
        return self.node.evm.chain_id

    def reorg(self, depth: int, *, keep_transactions: bool = False) -> None:
        """Replace the last `depth` blocks; their transactions are lost, or mine again."""
        self.node.reorg(depth, keep_transactions=keep_transactions)
