"""eth-tester's backend on top of another chain's block.

    from eth_tester import EthereumTester
    tester = EthereumTester(ForkBackend(Upstream("http://127.0.0.1:8545", block=19_000_000)))

Number, timestamp, chain id and the hash of the first parent are the other chain's.  Nothing is ever sent to it.
"""

from __future__ import annotations

from typing import Any

from eth.chains.base import MiningChain
from eth.constants import GENESIS_PARENT_HASH
from eth.db import get_db_backend
from eth.exceptions import HeaderNotFound, TransactionNotFound
from eth.rlp.headers import BlockHeader
from eth.vm.chain_context import ChainContext
from eth.vm.forks.cancun import CancunVM
from eth.vm.forks.cancun.blocks import CancunBlockHeader
from eth.vm.forks.prague import PragueVM
from eth.vm.forks.prague.blocks import PragueBlockHeader
from eth_tester import PyEVMBackend
from eth_tester.backends.pyevm.main import get_account_keys_from_mnemonic
from eth_tester.backends.pyevm.serializers import serialize_transaction, serialize_transaction_receipt
from eth_tester.exceptions import TransactionNotFound as NotMined

from keeper.errors import BadInput
from keeper.testing.evm import GENESIS_BALANCE_WEI, HD_PATH, MNEMONIC
from keeper.testing.fork.state import forked_vm
from keeper.testing.fork.upstream import Upstream
from keeper.testing.wire import number, octets


class ForkBackend(PyEVMBackend):  # type: ignore[misc]  # eth-tester publishes no types
    """A chain that begins after `upstream.block`.

    Args:
        upstream: the other chain at one block.
        accounts: how many accounts of the test mnemonic are funded here; whatever they are there, here they have no
            code (the well-known keys are delegated to thieves on public chains).

    Raises: `BadInput` for a block from before Cancun, or whose header has fields that are not Ethereum's.
    """

    def __init__(self, upstream: Upstream, *, accounts: int = 10) -> None:
        self.upstream = upstream
        self.account_keys = get_account_keys_from_mnemonic(MNEMONIC, quantity=accounts, hd_path=HD_PATH)
        parent = header_of(upstream.block)
        self.fork_number = int(parent.block_number)
        roots: dict[bytes, bytes] = {}
        rules: Any = PragueVM if isinstance(parent, PragueBlockHeader) else CancunVM
        vm = forked_vm(rules, upstream, roots, parent=parent.hash)

        class ForkedChain(MiningChain):  # a class a fork: py-evm keeps the chain id on it
            chain_id = upstream.chain_id
            vm_configuration: Any = ((0, vm),)

            def create_header_from_parent(self, parent_header: Any, **params: Any) -> Any:
                return super().create_header_from_parent(parent_header, **params | {"gas_limit": parent.gas_limit})

            def get_transaction_builder(self) -> Any:
                return super().get_vm().get_transaction_builder()

        database = get_db_backend()
        before = BlockHeader(difficulty=0, block_number=self.fork_number, gas_limit=0)
        state = vm.build_state(database, before, ChainContext(upstream.chain_id))
        for key in self.account_keys:
            address = key.public_key.to_canonical_address()
            state.set_balance(address, GENESIS_BALANCE_WEI)
            state.delete_code(address)
        state.persist()
        roots[parent.state_root] = state.state_root
        ForkedChain.get_chaindb_class()(database).persist_checkpoint_header(parent, parent.block_number)
        self.chain = ForkedChain(database)

    def revert_to_snapshot(self, snapshot: Any) -> None:
        """Go back to a block: only the head moves, since blocks and state are kept by hash."""
        chaindb: Any = self.chain.chaindb
        header = chaindb.get_block_header_by_hash(snapshot)
        chaindb._set_as_canonical_chain_head(chaindb.db, header, GENESIS_PARENT_HASH)  # noqa: SLF001 - py-evm has no public rewind
        self.chain.header = self.chain.create_header_from_parent(header)

    def get_transaction_by_hash(self, transaction_hash: bytes) -> Any:
        """A transaction mined here, through the index; eth-tester's own scan would run into the other chain."""
        block, transaction, index = self._find(transaction_hash)
        return serialize_transaction(block, transaction, index, is_pending=False)

    def get_transaction_receipt(self, transaction_hash: bytes) -> Any:
        """The receipt of a transaction mined here."""
        block, transaction, index = self._find(transaction_hash)
        receipts = block.get_receipts(self.chain.chaindb)
        vm = self.chain.get_vm()
        return serialize_transaction_receipt(block, receipts, transaction, index, False, vm)  # noqa: FBT003 - not pending

    def _find(self, transaction_hash: bytes) -> tuple[Any, Any, int]:
        chain: Any = self.chain
        try:
            height, index = chain.chaindb.get_transaction_index(transaction_hash)
            block = chain.get_canonical_block_by_number(height)
            transaction = block.transactions[index]
        except (TransactionNotFound, HeaderNotFound, IndexError):
            raise NotMined(f"no transaction 0x{transaction_hash.hex()} since the fork") from None
        # The index keeps entries of blocks that a revert left, and so does the list of heights.
        if transaction.hash != transaction_hash or height > chain.get_canonical_head().block_number:
            raise NotMined(f"transaction 0x{transaction_hash.hex()} was reverted away")
        return block, transaction, index


def header_of(block: dict[str, Any]) -> Any:
    """py-evm's header of a block object.

    Raises: `BadInput` if it does not hash to the block's own hash: then its fields are not all known.
    """
    if "parentBeaconBlockRoot" not in block:
        raise BadInput(
            f"block {number(block['number'])} is from before Cancun", hint="fork at a block since Cancun (March 2024)"
        )
    header: Any
    fields: dict[str, Any] = {
        "parent_hash": octets(block["parentHash"]),
        "uncles_hash": octets(block["sha3Uncles"]),
        "coinbase": octets(block["miner"]),
        "state_root": octets(block["stateRoot"]),
        "transaction_root": octets(block["transactionsRoot"]),
        "receipt_root": octets(block["receiptsRoot"]),
        "bloom": number(block["logsBloom"]),
        "difficulty": number(block["difficulty"]),
        "block_number": number(block["number"]),
        "gas_limit": number(block["gasLimit"]),
        "gas_used": number(block["gasUsed"]),
        "timestamp": number(block["timestamp"]),
        "extra_data": octets(block["extraData"]),
        "mix_hash": octets(block["mixHash"]),
        "nonce": octets(block["nonce"]),
        "base_fee_per_gas": number(block["baseFeePerGas"]),
        "withdrawals_root": octets(block["withdrawalsRoot"]),
        "blob_gas_used": number(block["blobGasUsed"]),
        "excess_blob_gas": number(block["excessBlobGas"]),
        "parent_beacon_block_root": octets(block["parentBeaconBlockRoot"]),
    }
    if block.get("requestsHash"):
        header = PragueBlockHeader(**fields | {"requests_hash": octets(block["requestsHash"])})
    else:
        header = CancunBlockHeader(**fields)
    if header.hash != octets(block["hash"]):
        raise BadInput(
            f"block {fields['block_number']} hashes to 0x{header.hash.hex()}, its node says {block['hash']}",
            hint="its header has fields that are not Ethereum's; fork it with anvil",
        )
    return header
