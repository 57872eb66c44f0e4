"""The embedded EVM: eth-tester's py-evm chain, driven block by block.

eth-tester above its backend executes on send, scans the chain backwards for receipts and hands errors over as text, so
only its backend is used here, and this is the one file that knows it.  Everything in and out is bytes and integers;
`keeper.testing.node` makes JSON-RPC of it.

Deterministic: genesis time, accounts and the random beacon are fixed, so the same calls give the same block hashes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth.constants import GENESIS_PARENT_HASH
from eth.exceptions import HeaderNotFound, TransactionNotFound
from eth.vm.spoof import SpoofTransaction
from eth_tester import PyEVMBackend
from eth_utils import ValidationError, keccak

#: The test mnemonic that anvil uses too, so that both chains have the same funded accounts.
MNEMONIC = "test test test test test test test test test test test junk"
#: Derivation path of those accounts (anvil's default).
HD_PATH = "m/44'/60'/0'/0"
#: Chain id that eth-tester fixes.
CHAIN_ID = 131277322940537
#: First block's time: 2023-11-14 22:13:20 UTC, any fixed moment does.
GENESIS_TIMESTAMP = 1_700_000_000
#: Block gas limit: deployments and bulk set-up fit in one block.
BLOCK_GAS_LIMIT = 200_000_000
#: Balance of each account at genesis: a million ether.
GENESIS_BALANCE_WEI = 10**24
#: Virtual machines kept warm for calls, one a block.
WARM_BLOCKS = 24
#: Blocks whose decoded transactions and receipts are kept.
KEPT_BLOCKS = 512


class ExecutionError(Exception):
    """A call or transaction ended in an error; `output` is what the contract returned (custom error or reason)."""

    def __init__(self, message: str, output: bytes) -> None:
        super().__init__(message)
        self.output = output


class UnknownBlock(Exception):
    """No canonical block has this number or hash."""


class BadTransaction(Exception):
    """The transaction may not enter a block: nonce, balance, fee or signature."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One read-only execution."""

    sender: bytes
    to: bytes
    data: bytes
    value: int = 0
    gas: int | None = None


class Evm:
    """One chain: canonical blocks, and execution at any of them; `first` is the height of its first block.

    Args:
        backend: eth-tester's; see `fresh` and `keeper.testing.fork.backend`.
    """

    def __init__(self, backend: PyEVMBackend) -> None:
        self._chain = backend.chain
        self.chain_id = int(backend.chain.chain_id)
        self.keys: tuple[bytes, ...] = tuple(key.to_bytes() for key in backend.account_keys)
        self._warm: OrderedDict[bytes, Any] = OrderedDict()
        self._receipts: OrderedDict[bytes, tuple[Any, ...]] = OrderedDict()
        self._pending: tuple[bytes, list[bytes], Any, Any] = (b"", [], None, None)
        self.salt = 0
        #: Canonical headers from the chain's first block (of a fork: where it begins) to the head; py-evm would decode
        #: them from its database at every look.
        self._headers: list[Any] = [self._chain.get_canonical_head()]
        self.first = int(self._headers[0].block_number)
        self._transactions: OrderedDict[bytes, tuple[Any, ...]] = OrderedDict()
        self._template: tuple[bytes, Any] = (b"", None)

    @classmethod
    def fresh(cls, *, accounts: int, gas_limit: int = BLOCK_GAS_LIMIT, chain_id: int = CHAIN_ID) -> Evm:
        """A chain of its own, with funded accounts of the test mnemonic."""
        backend = PyEVMBackend.from_mnemonic(
            MNEMONIC,
            num_accounts=accounts,
            hd_path=HD_PATH,
            genesis_state_overrides={"balance": GENESIS_BALANCE_WEI},
            genesis_parameters=PyEVMBackend.generate_genesis_params(
                {"gas_limit": gas_limit, "timestamp": GENESIS_TIMESTAMP}
            ),
        )
        type(backend.chain).chain_id = chain_id  # eth-tester makes a fresh class per chain
        return cls(backend)

    # Blocks

    @property
    def head(self) -> Any:
        """Header of the newest block."""
        return self._headers[-1]

    def header(self, number: int) -> Any:
        """Canonical header at a height.  Raises: `UnknownBlock`."""
        if not 0 <= number - self.first < len(self._headers):
            raise UnknownBlock(f"no block {number}")
        return self._headers[number - self.first]

    def header_by_hash(self, block_hash: bytes) -> Any:
        """Canonical header with a hash.  Raises: `UnknownBlock` if a reorg removed it or it never was."""
        try:
            header = self._chain.chaindb.get_block_header_by_hash(block_hash)
        except HeaderNotFound as error:
            raise UnknownBlock(f"no block 0x{block_hash.hex()}") from error
        if self.header(header.block_number).hash != block_hash:
            raise UnknownBlock(f"block 0x{block_hash.hex()} is not canonical")
        return header

    def next_header(self, *, timestamp: int, salt: int | None = None, base_fee_wei: int | None = None) -> Any:
        """Header of the block that would be mined on the head; its base fee follows EIP-1559 unless one is given."""
        parent = self.head
        if self._template[0] != parent.hash:
            self._template = (parent.hash, self._chain.create_header_from_parent(parent))
        template = self._template[1]
        fee = template.base_fee_per_gas if base_fee_wei is None else base_fee_wei
        mix = keccak(parent.hash + (self.salt if salt is None else salt).to_bytes(8, "big"))
        return template.copy(timestamp=timestamp, mix_hash=mix, base_fee_per_gas=fee)

    def transactions(self, header: Any) -> tuple[Any, ...]:
        """Transactions of a block, in order; kept for the blocks asked for last."""
        found = self._transactions.get(header.hash)
        if found is None:
            transaction_class = self._chain.get_vm(header).get_transaction_builder()
            found = tuple(self._chain.chaindb.get_block_transactions(header, transaction_class))
            _keep(self._transactions, header.hash, found)
        return found

    def receipts(self, header: Any) -> tuple[Any, ...]:
        """Receipts of a block, in transaction order; kept for the blocks asked for last."""
        found = self._receipts.get(header.hash)
        if found is None:
            decoder = self._chain.get_vm(header).get_receipt_builder()
            found = tuple(self._chain.chaindb.get_receipts(header, decoder))
            _keep(self._receipts, header.hash, found)
        return found

    def locate(self, tx_hash: bytes) -> tuple[Any, int] | None:
        """Header and index of a canonical transaction, through the chain database's index; None if not mined."""
        try:
            number, index = self._chain.chaindb.get_transaction_index(tx_hash)
            header = self.header(number)
        except (TransactionNotFound, UnknownBlock):
            return None
        # The index keeps entries of blocks that a rewind removed; believe it only if the block agrees.
        there = self.transactions(header)
        return (header, index) if index < len(there) and there[index].hash == tx_hash else None

    # Execution

    def decode(self, raw: bytes) -> Any:
        """Decode signed bytes.  Raises: `BadTransaction`."""
        try:
            transaction = self._chain.get_vm(self.head).get_transaction_builder().decode(raw)
            transaction.validate()
            transaction.check_signature_validity()
        except (ValidationError, ValueError, TypeError) as error:
            raise BadTransaction(f"cannot decode transaction: {error}") from error
        return transaction

    def mine(
        self, transactions: Sequence[Any], *, timestamp: int, base_fee_wei: int | None = None
    ) -> tuple[Any, list[tuple[Any, str]]]:
        """Append one block.

        Returns: the block's header, and the transactions that could not enter it with the reason.
        """
        header = self.next_header(timestamp=timestamp, base_fee_wei=base_fee_wei)
        vm = self._chain.get_vm(header)
        current = header
        included: list[Any] = []
        receipts: list[Any] = []
        refused: list[tuple[Any, str]] = []
        for transaction in transactions:
            try:
                receipt, _ = vm.apply_transaction(current, transaction)
            except ValidationError as error:
                refused.append((transaction, str(error)))
                continue
            current = vm.add_receipt_to_header(current, receipt)
            included.append(transaction)
            receipts.append(receipt)
        block = vm.set_block_transactions_and_withdrawals(vm.get_block(), current, included, receipts)
        # As py-evm's mine_block, less its check of a header made here: a spike's base fee is not the one it expects.
        mined = vm.finalize_block(vm.pack_block(block, blob_gas_used=0)).block
        self._chain.chaindb.persist_block(mined)
        if self._chain.get_canonical_head().hash != mined.hash:  # after a rewind: the newest block wins here
            self._set_canonical(mined.header)
        self._headers.append(mined.header)
        _keep(self._transactions, mined.hash, tuple(included))
        _keep(self._receipts, mined.hash, tuple(receipts))
        self._chain.header = self.next_header(timestamp=mined.header.timestamp + 1)
        return mined.header, refused

    def call(self, call: Call, header: Any, *, after: Sequence[Any] = ()) -> tuple[bytes, int]:
        """Execute without keeping the result.

        Args:
            call: what to execute; free of charge, so the sender needs no balance for gas.
            header: the block in whose state and time it runs.
            after: transactions applied before it (the pending block); those that cannot be applied are skipped.

        Returns: output and gas used.
        Raises: `ExecutionError`.
        """
        vm = self._pending_vm(header, after) if after else self._warm_vm(header)
        state = vm.state
        builder = vm.get_transaction_builder()
        unsigned = builder.create_unsigned_transaction(
            nonce=state.get_nonce(call.sender),
            gas_price=0,
            gas=call.gas or header.gas_limit,
            to=call.to,
            value=call.value,
            data=call.data,
        )
        snapshot = state.snapshot()
        try:
            computation = state.apply_transaction(SpoofTransaction(unsigned, from_=call.sender))
        except ValidationError as error:
            raise ExecutionError(str(error), b"") from error
        finally:
            state.revert(snapshot)
        if computation.is_error:
            failure = computation.error
            raise ExecutionError(str(failure) or type(failure).__name__, bytes(computation.output))
        return bytes(computation.output), int(computation.get_gas_used())

    def state(self, header: Any) -> Any:
        """World state after a block: get_balance, get_nonce, get_code, get_storage."""
        return self._warm_vm(header).state

    def _warm_vm(self, header: Any) -> Any:
        key = header.hash
        if key not in self._warm:
            # A free call pays no base fee; go-ethereum zeroes it for gas price 0 likewise.
            self._warm[key] = self._chain.get_vm(header.copy(base_fee_per_gas=0))
            if len(self._warm) > WARM_BLOCKS:
                self._warm.popitem(last=False)
        self._warm.move_to_end(key)
        return self._warm[key]

    def _pending_vm(self, header: Any, after: Sequence[Any]) -> Any:
        """State with `after` applied.  Kept while the same transactions come first, so that n sends cost n, not n²."""
        hashes = [transaction.hash for transaction in after]
        key, done, vm, current = self._pending
        if key != header.hash or done != hashes[: len(done)]:
            done, vm, current = [], self._chain.get_vm(header.copy(base_fee_per_gas=0)), header
        for transaction in after[len(done) :]:
            try:
                receipt, _ = vm.apply_transaction(current, transaction)
            except ValidationError:
                continue
            current = vm.add_receipt_to_header(current, receipt)
        self._pending = (header.hash, hashes, vm, current)
        return vm

    # Rewinding

    def rewind(self, block_hash: bytes) -> None:
        """Make an earlier (or other) known block the head.  Later blocks stop being canonical."""
        header = self._chain.chaindb.get_block_header_by_hash(block_hash)
        self._set_canonical(header)
        branch = [header]
        while (place := branch[-1].block_number - self.first) >= len(self._headers) or self._headers[place] != branch[
            -1
        ]:
            branch.append(self._chain.chaindb.get_block_header_by_hash(branch[-1].parent_hash))
        self._headers[place:] = reversed(branch)

    def fork_salt(self) -> None:
        """Make the blocks mined from now on differ from those mined before on the same parent."""
        self.salt += 1

    def _set_canonical(self, header: Any) -> None:
        chaindb = self._chain.chaindb
        chaindb._set_as_canonical_chain_head(chaindb.db, header, GENESIS_PARENT_HASH)  # noqa: SLF001 - py-evm has no public rewind
        self._chain.header = self._chain.create_header_from_parent(header)


def _keep(kept: OrderedDict[bytes, tuple[Any, ...]], block_hash: bytes, found: tuple[Any, ...]) -> None:
    """Remember one block's list, and forget the oldest beyond `KEPT_BLOCKS`."""
    kept[block_hash] = found
    if len(kept) > KEPT_BLOCKS:
        kept.popitem(last=False)


# CPython 3.11 and later keep frames in chunks of 16 KB, and map and unmap one at every call that crosses a chunk's end;
# py-evm crosses one millions of times where a caller's depth happens to put it there (half of a test's CPU time).  A
# frame that is larger than a chunk gets one of 1 MB, whose rest holds everything that is called from it.
for _entry in (Evm.call, Evm.mine):
    _entry.__code__ = _entry.__code__.replace(co_stacksize=60_000)
