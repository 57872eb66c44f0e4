"""State that is read from another chain where nothing was written here.

py-evm keeps accounts in one trie and each account's storage in another.  Here both start (almost) empty and hold only
what changed since the fork; what they lack is read through.  Reading writes nothing, so a revert or a rewind has
nothing to undo.  A word set to zero here must hide the other chain's: it is kept as `TOMBSTONE`.

Where py-evm wants its own kinds of bytes, `Any` stands here.

An account that is destroyed here stays as an empty one, which since EIP-161 means the same: without it the other
chain's would be read again, with the ether that its address had before there was a contract.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

import rlp
from eth.constants import EMPTY_SHA3
from eth.db.account import AccountDB
from eth.db.storage import AccountStorageDB
from eth.exceptions import HeaderNotFound
from eth.rlp.accounts import Account
from eth.vm.interrupt import MissingBytecode
from eth_utils import keccak

from keeper.testing.fork.upstream import Upstream

#: Stands for zero in a storage trie, where zeros cannot be: no word of 256 bits is this large.
TOMBSTONE: Final = 2**256


class ForkedStorage(AccountStorageDB):
    """One account's words: those written here, else those of the other chain."""

    def __init__(self, db: Any, root: Any, address: Any, upstream: Upstream) -> None:
        super().__init__(db, root, address)
        self._upstream = upstream

    def get(self, slot: int, from_journal: bool = True) -> int:  # noqa: FBT001, FBT002 - py-evm's signature
        """One word."""
        value = int(super().get(slot, from_journal))
        if value == TOMBSTONE:
            return 0
        return value or self._upstream.storage(self._address, slot)

    def set(self, slot: int, value: int) -> None:
        """Write one word."""
        super().set(slot, value or TOMBSTONE)


class ForkedAccounts(AccountDB):
    """Accounts written here, else those of the other chain.  `over` makes the class of one fork."""

    upstream: ClassVar[Upstream]
    roots: ClassVar[dict[bytes, bytes]]
    """State roots of the other chain that a local overlay stands for."""

    def __init__(self, db: Any, state_root: Any) -> None:
        super().__init__(db, self.roots.get(state_root, state_root))

    def _get_encoded_account(self, address: Any, from_journal: bool = True) -> bytes:  # noqa: FBT001, FBT002 - py-evm's
        own: bytes = super()._get_encoded_account(address, from_journal)
        if own:
            return own
        balance, nonce, code = self.upstream.account(address)
        if not (balance or nonce or code):
            return b""
        code_hash = keccak(code) if code else EMPTY_SHA3
        encoded: bytes = rlp.encode(Account(nonce=nonce, balance=balance, code_hash=code_hash), sedes=Account)
        return encoded

    def delete_account(self, address: Any) -> None:
        """Take an account away, the other chain's too."""
        super().delete_account(address)
        if any(self.upstream.account(address)):
            self._set_account(address, Account())

    def get_code(self, address: Any) -> bytes:
        """Code, from here or there."""
        try:
            return bytes(super().get_code(address))
        except MissingBytecode:
            return self.upstream.code_of(address, self.get_code_hash(address))

    def _get_address_store(self, address: Any) -> Any:
        if address not in self._account_stores:
            root = self._get_storage_root(address)
            self._account_stores[address] = ForkedStorage(self._raw_store_db, root, address, self.upstream)
        return self._account_stores[address]


def forked_vm(rules: type[Any], upstream: Upstream, roots: dict[bytes, bytes], *, parent: bytes) -> type[Any]:
    """A virtual machine whose state reads through to `upstream`.

    Args:
        rules: py-evm's machine of the hard fork.
        upstream: the other chain.
        roots: filled by the caller once the overlay's root is known.
        parent: hash of the block that is forked; its transactions stay where they are.
    """
    accounts = type("Accounts", (ForkedAccounts,), {"upstream": upstream, "roots": roots})
    state = type("State", (rules.get_state_class(),), {"account_db_class": accounts})

    def previous(last_block_hash: bytes, chaindb: Any) -> Any:
        """Hashes of the last 256 blocks for BLOCKHASH: ours, then those of the other chain."""
        told, last = 0, last_block_hash
        try:
            for block_hash in rules.get_prev_hashes(last_block_hash, chaindb):
                told, last = told + 1, block_hash
                yield block_hash
        except HeaderNotFound:  # a call in the forked block itself: its parent is the other chain's already
            told = 1
            yield last_block_hash
        for _ in range(told, 256):
            block = upstream.ancestor(last)
            if block is None or int(block["number"], 16) == 0:
                return
            last = bytes.fromhex(block["parentHash"][2:])
            yield last

    def block_of(vm: Any) -> Any:
        header = vm.get_header()
        if header.hash == parent:
            return vm.block_class(header, transactions=[], uncles=[], withdrawals=[])
        return rules.get_block(vm)

    own = {"_state_class": state, "get_prev_hashes": staticmethod(previous), "get_block": block_of}
    return type("ForkedVM", (rules,), own)
