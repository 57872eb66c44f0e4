"""What must hold of a life's records once all is calm again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from keeper.domain.tx import TxRecord, TxState
from keeper.testing.toy import ToyWorld
from keeper.testing.toy.house import reference
from keeper.testing.toy.keeper import FEES

_ENDED = (TxState.FINAL, TxState.REVERTED)


def breaches(records: Sequence[TxRecord], world: ToyWorld, *, daily_cap_wei: int) -> Iterator[str]:
    """Laws that do not hold, one line each.

    Args:
        records: everything in the store.
        world: the chain as it really is.
        daily_cap_wei: the most that may have been spent; a life is shorter than a day.
    """
    for record in records:
        if record.state.is_open:
            yield f"not drained: {record.intent.key} is {record.state}: {record.reason}"
    used = Counter((tx.sender, tx.nonce) for tx in records if tx.state in _ENDED)
    for (sender, nonce), count in used.items():
        if count > 1:
            yield f"{count} records of {sender} end with nonce {nonce}"
    for record in records:
        yield from _acted(record, world)
        yield from _offered(record)
    spent = sum((tx.gas_used or 0) * tx.attempt(tx.mined_hash).max_fee_wei for tx in records if tx.mined_hash)
    if spent > daily_cap_wei:
        yield f"{spent} wei were spent, the cap is {daily_cap_wei} wei"


def _acted(record: TxRecord, world: ToyWorld) -> Iterator[str]:
    """What happened on the chain is what the record says, and no intent acts twice."""
    key = record.intent.key
    if record.intent.data:
        done, wanted = world.done(reference(key)), int(record.state is TxState.FINAL)
        if done != wanted:
            yield f"{key} is {record.state} and happened {done} times: {record.reason}"
    if record.state in _ENDED and not world.mined(record.mined_hash or ""):
        yield f"{key} is {record.state} in {record.mined_hash}, which is in no block"


def _offered(record: TxRecord) -> Iterator[str]:
    """Fees stay within the caps; a replacement pays a tenth more on both fields.

    Only where a field is at its cap it may be raised by less: where nothing of ours was ever taken at the nonce, since
    somebody else's transaction sits there, the last offer is both caps, whatever the one before it was.
    """
    key = record.intent.key
    for attempt in record.attempts:
        if attempt.max_fee_wei > FEES.max_fee_wei or attempt.priority_fee_wei > FEES.max_priority_fee_wei:
            yield f"{key} offered {attempt.max_fee_wei} and {attempt.priority_fee_wei} wei, above the caps"
    for last, after in pairwise(record.attempts):
        fee = after.max_fee_wei * 10 >= last.max_fee_wei * 11 or after.max_fee_wei == FEES.max_fee_wei
        tip = after.priority_fee_wei * 10 >= last.priority_fee_wei * 11 or (
            after.priority_fee_wei == FEES.max_priority_fee_wei
        )
        if not fee or not tip:
            yield f"{key} was raised by less than a tenth: {last.max_fee_wei} to {after.max_fee_wei} wei"
