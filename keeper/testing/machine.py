"""What the node needs of a chain, whoever executes it: py-evm (`keeper.testing.evm`) or a ledger in plain Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from keeper.testing.evm import Call


class Machine(Protocol):
    """One chain: canonical blocks, and execution at any of them.  The promises are those of `keeper.testing.evm.Evm`.

    Headers, transactions, receipts and states have the attributes of py-evm's.
    """

    chain_id: int
    keys: tuple[bytes, ...]
    first: int
    """Height of the first block."""
    salt: int
    """What the hashes of blocks mined from now on depend on, beside their content."""

    @property
    def head(self) -> Any:
        """Header of the newest block."""

    def header(self, number: int) -> Any:
        """Canonical header at a height.  Raises: `UnknownBlock`."""

    def header_by_hash(self, block_hash: bytes) -> Any:
        """Canonical header with a hash.  Raises: `UnknownBlock`."""

    def next_header(self, *, timestamp: int, salt: int | None = None, base_fee_wei: int | None = None) -> Any:
        """Header of the block that would be mined on the head."""

    def transactions(self, header: Any) -> tuple[Any, ...]:
        """Transactions of a block, in order."""

    def receipts(self, header: Any) -> tuple[Any, ...]:
        """Receipts of a block, in transaction order."""

    def locate(self, tx_hash: bytes) -> tuple[Any, int] | None:
        """Header and index of a canonical transaction; None if not mined."""

    def decode(self, raw: bytes) -> Any:
        """Decode signed bytes.  Raises: `BadTransaction`."""

    def mine(
        self, transactions: Sequence[Any], *, timestamp: int, base_fee_wei: int | None = None
    ) -> tuple[Any, list[tuple[Any, str]]]:
        """Append one block.  Returns: its header, and the transactions that could not enter it with the reason."""

    def call(self, call: Call, header: Any, *, after: Sequence[Any] = ()) -> tuple[bytes, int]:
        """Execute without keeping the result.  Returns: output and gas used.  Raises: `ExecutionError`."""

    def state(self, header: Any) -> Any:
        """World state after a block: get_balance, get_nonce, get_code, get_storage."""

    def rewind(self, block_hash: bytes) -> None:
        """Make an earlier (or other) known block the head."""

    def fork_salt(self) -> None:
        """Make the blocks mined from now on differ from those mined before on the same parent."""
