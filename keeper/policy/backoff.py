"""Leave alone for a while what came to nothing, so that false positives cost ever less and delay nobody.

An action that was refused n times in a row (no longer wanted, dropped by simulation, reverted; a push: held by the
impact gate) waits
min(2^(n−1), `policy.refused_wait_max_blocks`) blocks before it is decided again.  It starts anew as soon as its
subject's state changes, and after a success.  Everything here follows from the cycle's stored inputs, so a replay
leaves out the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from hashlib import sha256

from keeper.domain import codec
from keeper.domain.knobs import PolicyKnobs
from keeper.domain.margin import AccountMargin, Unpriced
from keeper.domain.roster import Roster
from keeper.domain.snapshot import AccountState
from keeper.domain.worth import Refusal

#: What is left alone for a while: what liquidates.  A duty that is refused is not worth less for it, and they are few.
KINDS = frozenset({"flag", "bid"})
#: A push that the impact gate held: every account is replayed to weigh one, so it is not weighed in every block.
GATE = "gate"
#: Exponent beyond which doubling means nothing: every ceiling is below 2^20 blocks.
_LARGEST = 20


def gated(underlying: int) -> tuple[str, str]:
    """(kind, subject) of a push that the gate held."""
    return GATE, f"underlying:{underlying}"


def wait_blocks(count: int, knobs: PolicyKnobs) -> int:
    """Blocks to wait after `count` refusals in a row."""
    return min(1 << min(max(count, 1) - 1, _LARGEST), knobs.refused_wait_max_blocks)


def held_until(refusal: Refusal, *, about: str, knobs: PolicyKnobs) -> int:
    """First height at which the action may be decided again; 0 if its subject changed since it was refused."""
    if refusal.about and about and refusal.about != about:
        return 0
    # After one refusal the very next block may try again: a price that flickered is no reason to wait.
    return refusal.last_block + wait_blocks(refusal.count, knobs)


def counted(old: Refusal | None, *, kind: str, subject: str, at_block: int, about: str) -> Refusal:
    """The refusal after one more: on top of the old one, unless the subject changed in between."""
    again = old is not None and not (old.about and about and old.about != about)
    count = old.count + 1 if again and old is not None else 1
    return Refusal(kind=kind, subject=subject, count=count, last_block=at_block, about=about)


def account_of(subject: str) -> int | None:
    """The account that a subject names; None if it names none.  Inverse of `keeper.domain.action.subject`."""
    what, _, number = subject.partition(":")
    return int(number, 16) if what == "account" else None


def states(accounts: Sequence[AccountState], wanted: AbstractSet[int]) -> dict[int, AccountState]:
    """The states of a few accounts of a large book."""
    if isinstance(accounts, Roster):
        found = {account: accounts.get(account) for account in wanted}
        return {account: state for account, state in found.items() if state is not None}
    return {state.account: state for state in accounts if state.account in wanted}


def fingerprint(state: AccountState, margin: AccountMargin | Unpriced | None) -> str:
    """What counts as an account's state: what it holds, and the band it stands in.

    Not its equity, which moves with every price: an account that our arithmetic and the contract's judge differently
    would never be left alone.
    """
    band = margin.band if isinstance(margin, AccountMargin) else "unknown"
    return sha256(codec.dumps(state) + f":{band}".encode()).hexdigest()[:16]
