"""Whether a key's next nonce may be believed before something is signed at it.

A nonce that moved by what we ourselves signed explains itself.  Any other move (a foreign transaction on our key, or a
node that says `+633`) is asked of every other endpoint: who answers must say the same, or nothing is signed.  Where no
other endpoint answers, a move too far to be filled must be seen at two heights; a nearer one costs a fill at worst.
At a process's first look nobody contradicting suffices.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from keeper.chain.asking.rpc import Rpc, pinned
from keeper.domain.block import BlockRef
from keeper.domain.tx import TxRecord
from keeper.errors import Retry


class NonceDoubted(Retry):
    """A key's nonce moved in a way that we cannot explain and nobody confirms."""


class Believed:
    """Each key's next nonce as far as it was explained or confirmed.

    Args:
        rpc: whose other endpoints are asked.
        near: by so many nonces a move is believed where nobody else can be asked.
    """

    def __init__(self, rpc: Rpc, *, near: int) -> None:
        self._rpc, self._near = rpc, near
        self._nonces: dict[str, int] = {}
        self._signed: defaultdict[str, set[int]] = defaultdict(set)
        #: Sender → a doubted nonce, and the height at which it was said first.
        self._doubted: dict[str, tuple[int, int]] = {}

    def signed(self, sender: str, nonce: int) -> None:
        """Something of ours was signed at a nonce."""
        self._signed[sender].add(nonce)

    def check(self, sender: str, nonce: int, open_records: Iterable[TxRecord], head: BlockRef) -> None:
        """Whether `nonce`, one endpoint's word, is the key's next.

        Args:
            sender: the key's address.
            nonce: what one endpoint said.
            open_records: of any key; what they hold may have mined or been reorganised away.
            head: the block to ask others about.

        Raises: `NonceDoubted` if another endpoint says otherwise, or nobody does and it was said only once.
        """
        known = self._nonces.get(sender)
        if known == nonce:
            return
        if known is None or not self._explained(sender, known, nonce, open_records):
            self._confirm(sender, nonce, head, near=known is None or abs(nonce - known) <= self._near)
        self._doubted.pop(sender, None)
        self._nonces[sender] = nonce
        # Far below what is final nothing is ever explained again.
        self._signed[sender] = {
            one for one in self._signed[sender] if one >= min(nonce, nonce if known is None else known)
        }

    def _explained(self, sender: str, known: int, nonce: int, open_records: Iterable[TxRecord]) -> bool:
        ours = self._signed[sender] | {
            one.nonce for one in open_records if one.sender == sender and one.nonce is not None
        }
        low, high = sorted((known, nonce))
        return high - low <= len(ours) and all(one in ours for one in range(low, high))

    def _confirm(self, sender: str, nonce: int, head: BlockRef, *, near: bool) -> None:
        said = self._rpc.second_opinions("eth_getTransactionCount", sender, pinned(head))
        others = [int(one, 16) for one in said if isinstance(one, str)]
        if any(other != nonce for other in others):
            raise NonceDoubted(
                f"one endpoint says that the next nonce of {sender} is {nonce}, others say {others}",
                sender=sender,
                nonce=nonce,
                others=others,
            )
        if near or len(others) > 1:
            return
        doubted, since = self._doubted.get(sender, (-1, 0))
        if doubted != nonce:
            self._doubted[sender] = nonce, head.number
        if doubted != nonce or head.number <= since:
            raise NonceDoubted(
                f"the next nonce of {sender} is suddenly {nonce}, which nobody else confirms: seen once more it counts",
                sender=sender,
                nonce=nonce,
            )
