"""A chain in plain Python with the surface of `keeper.testing.evm.Evm`: one contract, no bytecode, no tries.

For runs of many thousand scenarios.  Signatures, nonces, balances, fees (EIP-1559 to the wei), block hashes, logs and
blooms are real; gas is a stand-in; the contract is a twin of `ToyHouse.sol`, written out in Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

import rlp
from coincurve import PublicKey
from eth_account import Account
from eth_bloom.bloom import BloomFilter
from eth_utils import keccak

from keeper.testing.evm import (
    BLOCK_GAS_LIMIT,
    GENESIS_BALANCE_WEI,
    GENESIS_TIMESTAMP,
    HD_PATH,
    MNEMONIC,
    BadTransaction,
    Call,
    ExecutionError,
    UnknownBlock,
)
from keeper.testing.toy.contract import House, Revert

#: Where the house is.
HOUSE: Final = "0x" + "70" * 19 + "79"
#: Chain id of every ledger.
CHAIN_ID: Final = 0x70_7970
#: Base fee of the first block, and the shares by which it moves: EIP-1559.
FIRST_BASE_FEE_WEI, ELASTICITY, DENOMINATOR = 10**9, 2, 8
#: Gas of any transaction, and of one that runs the contract on top.
TRANSFER_GAS, EXECUTION_GAS = 21_000, 50_000
_ZERO, _HASH = b"\x00" * 20, b"\x00" * 32


@dataclass(frozen=True, eq=False)
class Transaction:
    """A signed type-2 transaction."""

    hash: bytes
    sender: bytes
    chain_id: int
    nonce: int
    max_priority_fee_per_gas: int
    max_fee_per_gas: int
    gas: int
    to: bytes
    value: int
    data: bytes
    type_id: int = 2


@dataclass(frozen=True)
class LogEntry:
    """One log, as py-evm shapes it: topics are integers."""

    address: bytes
    topics: tuple[int, ...]
    data: bytes


@dataclass(frozen=True)
class Receipt:
    """What became of a transaction."""

    gas_used: int
    """Up to and with this transaction in its block."""
    state_root: bytes
    """b"\\x01" if it succeeded."""
    logs: tuple[LogEntry, ...]
    bloom: int


@dataclass(frozen=True)
class Header:
    """A block's header: the fields that `keeper.testing.wire.block` shows."""

    block_number: int
    parent_hash: bytes
    timestamp: int
    base_fee_per_gas: int
    mix_hash: bytes
    hash: bytes = _HASH
    gas_used: int = 0
    gas_limit: int = BLOCK_GAS_LIMIT
    bloom: int = 0
    transaction_root: bytes = _HASH
    receipt_root: bytes = _HASH
    state_root: bytes = _HASH
    withdrawals_root: bytes = _HASH
    uncles_hash: bytes = _HASH
    parent_beacon_block_root: bytes = _HASH
    coinbase: bytes = _ZERO
    blob_gas_used: int = 0
    excess_blob_gas: int = 0
    extra_data: bytes = b""
    nonce: bytes = b"\x00" * 8


@dataclass
class State:
    """Balances, nonces and the house after a block.  Not changed once the block is made."""

    balances: dict[bytes, int]
    nonces: dict[bytes, int]
    house: House

    def copy(self) -> State:
        """One to change."""
        return State(dict(self.balances), dict(self.nonces), self.house.copy())

    def get_balance(self, address: bytes) -> int:
        """Wei."""
        return self.balances.get(address, 0)

    def get_nonce(self, address: bytes) -> int:
        """Transactions mined."""
        return self.nonces.get(address, 0)

    def get_code(self, address: bytes) -> bytes:
        """Something where the house is."""
        return b"\xfe" if address == _HOUSE else b""

    def get_storage(self, _address: bytes, _slot: int) -> int:
        """Nothing is kept in slots."""
        return 0


_HOUSE: Final = bytes.fromhex(HOUSE[2:])


@dataclass
class _Block:
    header: Header
    transactions: tuple[Transaction, ...]
    receipts: tuple[Receipt, ...]
    state: State
    index: dict[bytes, int] = field(default_factory=dict)


class Ledger:
    """One chain.  See `keeper.testing.evm.Evm` for the promises.

    Args:
        accounts: how many funded accounts of the test mnemonic.
    """

    first = 0
    chain_id = CHAIN_ID

    def __init__(self, *, accounts: int) -> None:
        self.keys = _keys(accounts)
        funded = {bytes.fromhex(Account.from_key(key).address[2:]): GENESIS_BALANCE_WEI for key in self.keys}
        genesis = Header(0, _HASH, GENESIS_TIMESTAMP, FIRST_BASE_FEE_WEI, _HASH)
        genesis = replace(genesis, hash=keccak(b"toy"))
        block = _Block(genesis, (), (), State(funded, {}, House()))
        self._blocks: dict[bytes, _Block] = {genesis.hash: block}
        self._canonical = [block]
        self.salt = 0

    # Blocks

    @property
    def head(self) -> Header:
        """Header of the newest block."""
        return self._canonical[-1].header

    def header(self, number: int) -> Header:
        """Canonical header at a height.  Raises: `UnknownBlock`."""
        if not 0 <= number < len(self._canonical):
            raise UnknownBlock(f"no block {number}")
        return self._canonical[number].header

    def header_by_hash(self, block_hash: bytes) -> Header:
        """Canonical header with a hash.  Raises: `UnknownBlock`."""
        found = self._blocks.get(block_hash)
        if found is None:
            raise UnknownBlock(f"no block 0x{block_hash.hex()}")
        if self.header(found.header.block_number).hash != block_hash:
            raise UnknownBlock(f"block 0x{block_hash.hex()} is not canonical")
        return found.header

    def next_header(self, *, timestamp: int, salt: int | None = None, base_fee_wei: int | None = None) -> Header:
        """Header of the block that would be mined on the head."""
        parent = self.head
        return Header(
            block_number=parent.block_number + 1,
            parent_hash=parent.hash,
            timestamp=timestamp,
            base_fee_per_gas=next_base_fee(parent) if base_fee_wei is None else base_fee_wei,
            mix_hash=keccak(parent.hash + (self.salt if salt is None else salt).to_bytes(8, "big")),
        )

    def transactions(self, header: Header) -> tuple[Transaction, ...]:
        """Transactions of a block, in order."""
        return self._blocks[header.hash].transactions

    def receipts(self, header: Header) -> tuple[Receipt, ...]:
        """Receipts of a block, in order."""
        return self._blocks[header.hash].receipts

    def locate(self, tx_hash: bytes) -> tuple[Header, int] | None:
        """Header and index of a canonical transaction; None if not mined."""
        for block in reversed(self._canonical):
            if tx_hash in block.index:
                return block.header, block.index[tx_hash]
        return None

    # Execution

    def decode(self, raw: bytes) -> Transaction:
        """Decode signed bytes.  Raises: `BadTransaction`."""
        return decoded(bytes(raw))

    def mine(
        self, transactions: Sequence[Transaction], *, timestamp: int, base_fee_wei: int | None = None
    ) -> tuple[Header, list[tuple[Transaction, str]]]:
        """Append one block.  Returns: its header, and the transactions that could not enter with the reason."""
        header = self.next_header(timestamp=timestamp, base_fee_wei=base_fee_wei)
        parent = self._canonical[-1]
        state = parent.state.copy() if transactions else parent.state
        included: list[Transaction] = []
        receipts: list[Receipt] = []
        refused: list[tuple[Transaction, str]] = []
        used = 0
        for transaction in transactions:
            problem = _misfit(transaction, state, header, used)
            if problem:
                refused.append((transaction, problem))
                continue
            receipt = _apply(transaction, state, header, used)
            used = receipt.gas_used
            included.append(transaction)
            receipts.append(receipt)
        header = replace(header, gas_used=used, bloom=_union(receipts))
        sealed = b"".join(
            (
                header.mix_hash,
                header.timestamp.to_bytes(8, "big"),
                header.base_fee_per_gas.to_bytes(32, "big"),
                *(transaction.hash for transaction in included),
            )
        )
        header = replace(header, hash=keccak(sealed))
        index = {transaction.hash: place for place, transaction in enumerate(included)}
        block = _Block(header, tuple(included), tuple(receipts), state, index)
        self._blocks[header.hash] = block
        self._canonical.append(block)
        return header, refused

    def call(self, call: Call, header: Header, *, after: Sequence[Transaction] = ()) -> tuple[bytes, int]:
        """Execute without keeping the result.  Raises: `ExecutionError`."""
        state = self._state_at(header).copy()
        for transaction in after:
            if not _misfit(transaction, state, header, 0, fees=False):
                _apply(transaction, state, header, 0)
        if call.to != _HOUSE:
            return b"", TRANSFER_GAS
        try:
            output, _ = state.house.call(call.sender, call.data)
        except Revert as error:
            raise ExecutionError("", error.data) from error
        return output, TRANSFER_GAS + EXECUTION_GAS

    def state(self, header: Header) -> State:
        """World state after a block."""
        return self._state_at(header)

    def _state_at(self, header: Header) -> State:
        """The state after a known block; of a pending header that of the head."""
        found = self._blocks.get(header.hash)
        return (self._canonical[-1] if found is None else found).state

    @property
    def house(self) -> House:
        """The contract at the head; not to be changed."""
        return self._canonical[-1].state.house

    # Rewinding

    def rewind(self, block_hash: bytes) -> None:
        """Make a known block the head."""
        block = self._blocks[block_hash]
        branch = [block]
        while (height := branch[-1].header.block_number) >= len(self._canonical) or (
            self._canonical[height] is not branch[-1]
        ):
            branch.append(self._blocks[branch[-1].header.parent_hash])
        self._canonical[height:] = reversed(branch)

    def fork_salt(self) -> None:
        """Make the blocks mined from now on differ from those mined before on the same parent."""
        self.salt += 1

    def prune(self) -> None:
        """Forget the blocks that are not canonical: what earlier scenarios left."""
        self._blocks = {block.header.hash: block for block in self._canonical}


def next_base_fee(parent: Header) -> int:
    """EIP-1559's rule, in its own integer arithmetic."""
    target = parent.gas_limit // ELASTICITY
    fee = parent.base_fee_per_gas
    if parent.gas_used == target:
        return fee
    if parent.gas_used > target:
        return fee + max(fee * (parent.gas_used - target) // target // DENOMINATOR, 1)
    return max(fee - fee * (target - parent.gas_used) // target // DENOMINATOR, 0)


@lru_cache(maxsize=4096)
def decoded(raw: bytes) -> Transaction:
    """A signed type-2 transaction from its bytes.  Raises: `BadTransaction`."""
    try:
        if raw[:1] != b"\x02":
            raise BadTransaction("cannot decode transaction: only type 2 is known here")
        fields = rlp.decode(raw[1:])
        message = keccak(b"\x02" + rlp.encode(fields[:-3]))
        signature = fields[10].rjust(32, b"\x00") + fields[11].rjust(32, b"\x00") + (fields[9] or b"\x00")
        public = PublicKey.from_signature_and_message(signature, message, hasher=None).format(compressed=False)
    except (rlp.DecodingError, ValueError, TypeError, IndexError) as error:
        raise BadTransaction(f"cannot decode transaction: {error}") from error
    chain_id, nonce, tip, fee, gas, value = (int.from_bytes(fields[at], "big") for at in (0, 1, 2, 3, 4, 6))
    return Transaction(
        hash=keccak(raw),
        sender=keccak(public[1:])[12:],
        chain_id=chain_id,
        nonce=nonce,
        max_priority_fee_per_gas=tip,
        max_fee_per_gas=fee,
        gas=gas,
        to=bytes(fields[5]),
        value=value,
        data=bytes(fields[7]),
    )


def _misfit(transaction: Transaction, state: State, header: Header, used: int, *, fees: bool = True) -> str:
    """Why a transaction may not enter a block now; empty if it may."""
    if state.get_nonce(transaction.sender) != transaction.nonce:
        return "wrong nonce"
    if fees and transaction.max_fee_per_gas < header.base_fee_per_gas:
        return "fee below the base fee"
    if state.get_balance(transaction.sender) < transaction.gas * transaction.max_fee_per_gas + transaction.value:
        return "insufficient funds"
    return "block gas limit" if used + transaction.gas > header.gas_limit else ""


def _apply(transaction: Transaction, state: State, header: Header, used: int) -> Receipt:
    succeeded, gas = True, TRANSFER_GAS
    logs: tuple[LogEntry, ...] = ()
    state.nonces[transaction.sender] = transaction.nonce + 1
    if transaction.to == _HOUSE:
        gas += EXECUTION_GAS
        try:
            _, found = state.house.call(transaction.sender, transaction.data)
            logs = tuple(LogEntry(_HOUSE, topics, data) for topics, data in found)
        except Revert:
            succeeded = False
    if succeeded and transaction.value:
        state.balances[transaction.sender] -= transaction.value
        state.balances[transaction.to] = state.get_balance(transaction.to) + transaction.value
    gas = min(gas, transaction.gas)
    price = min(transaction.max_fee_per_gas, header.base_fee_per_gas + transaction.max_priority_fee_per_gas)
    state.balances[transaction.sender] -= gas * price
    return Receipt(used + gas, b"\x01" if succeeded else b"", logs, _bloom(logs))


def _bloom(logs: Sequence[LogEntry]) -> int:
    bloom = BloomFilter()
    for entry in logs:
        bloom.add(entry.address)
        for topic in entry.topics:
            bloom.add(topic.to_bytes(32, "big"))
    return int(bloom)


def _union(receipts: Sequence[Receipt]) -> int:
    bloom = 0
    for receipt in receipts:
        bloom |= receipt.bloom
    return bloom


@lru_cache(maxsize=4)
def _keys(accounts: int) -> tuple[bytes, ...]:
    Account.enable_unaudited_hdwallet_features()
    return tuple(
        bytes(Account.from_mnemonic(MNEMONIC, account_path=f"{HD_PATH}/{index}").key) for index in range(accounts)
    )
