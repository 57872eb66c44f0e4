"""Which changes of a transaction record are legal.  Every store checks them, so a bug cannot be written down.

What a step may never do: jump to a state that the diagram in `keeper.domain.tx` does not reach, change the intent, move
to another nonce or sender once one is chosen, or forget an attempt, since a forgotten attempt could mine unseen.
"""

from __future__ import annotations

from keeper.domain.tx import TxRecord, TxState
from keeper.errors import LawBroken

_LANDED = frozenset({TxState.FINAL, TxState.REVERTED, TxState.REPLACED})
_GIVEN_UP = frozenset({TxState.ABANDONED})

#: Where each state may go next.  An open state may also stay, e.g. to gain an attempt.
#: SIGNED reaches MINED and the ends directly: we may have died between broadcast and record and slept for an hour.
NEXT_STATES: dict[TxState, frozenset[TxState]] = {
    TxState.PLANNED: frozenset({TxState.PLANNED, TxState.SIGNED, TxState.EXPIRED, TxState.DROPPED}),
    TxState.SIGNED: frozenset({TxState.SIGNED, TxState.SENT, TxState.MINED}) | _LANDED | _GIVEN_UP,
    TxState.SENT: frozenset({TxState.SENT, TxState.MINED}) | _LANDED | _GIVEN_UP,
    TxState.MINED: frozenset({TxState.MINED, TxState.SENT}) | _LANDED,
    TxState.FINAL: frozenset(),
    TxState.REVERTED: frozenset(),
    TxState.REPLACED: frozenset(),
    TxState.EXPIRED: frozenset(),
    TxState.DROPPED: frozenset(),
    # Never back to MINED: a successor may hold its nonce by now, so it only ends once that nonce is final.
    TxState.ABANDONED: frozenset({TxState.ABANDONED}) | _LANDED,
}

_MINED = (TxState.MINED, TxState.FINAL, TxState.REVERTED)
_UNSIGNED = (TxState.PLANNED, TxState.EXPIRED, TxState.DROPPED)


def check_new(record: TxRecord) -> None:
    """A record starts as PLANNED, with nothing signed.  Raises: `LawBroken`."""
    if record.state is not TxState.PLANNED:
        raise _broken(record, f"a new record is planned, not {record.state}")
    check_whole(record)


def check_step(old: TxRecord, new: TxRecord) -> None:
    """Check that `new` may replace `old`.  Writing the same record again is always legal.  Raises: `LawBroken`."""
    if new == old:
        return
    if new.state not in NEXT_STATES[old.state]:
        raise _broken(new, f"{old.state} → {new.state} is not a legal step")
    if new.intent != old.intent:
        raise _broken(new, "the intent changed")
    if old.nonce is not None and (new.nonce, new.sender) != (old.nonce, old.sender):
        raise _broken(new, f"moved from nonce {old.nonce} of {old.sender} to {new.nonce} of {new.sender}")
    if new.attempts[: len(old.attempts)] != old.attempts:
        raise _broken(new, "an attempt was changed or forgotten")
    check_whole(new)


def check_whole(record: TxRecord) -> None:
    """Check that the record holds what its state says it holds.  Raises: `LawBroken`."""
    hashes = [attempt.tx_hash for attempt in record.attempts]
    if len(set(hashes)) != len(hashes):
        raise _broken(record, "two attempts have one hash")
    if record.state in _UNSIGNED:
        if hashes:
            raise _broken(record, f"{record.state}, but something was signed")
    elif record.nonce is None or record.sender is None or not hashes:
        raise _broken(record, f"{record.state} without nonce, sender or attempt")
    if record.state in _MINED and (record.mined is None or record.mined_hash not in hashes):
        raise _broken(record, f"{record.state} without the block and the attempt that mined")
    if record.state in (TxState.FINAL, TxState.REVERTED) and record.attempt(record.mined_hash or "").cancels:
        raise _broken(record, f"{record.state}, but what mined was its cancellation")


def _broken(record: TxRecord, problem: str) -> LawBroken:
    key = record.intent.key
    return LawBroken(f"transaction {key}: {problem}", key=key, state=str(record.state))
