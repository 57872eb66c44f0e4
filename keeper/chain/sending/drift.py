"""`keeper nonce`: the outbox's own view of its keys, told and repaired by its own steps.

What the outbox does by itself at each block is the same: a gap is filled, what is too far ahead is given up, what is
stuck is raised.  A person can look at it while no keeper runs, and cancel at once what would only be raised.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from keeper.chain.sending.nonces import Lane
from keeper.chain.sending.outbox import Outbox
from keeper.domain.block import BlockRef
from keeper.domain.nonces import HeldNonce, KeyNonces, Repair, RepairKind
from keeper.domain.tx import TxRecord, TxState
from keeper.errors import KeeperError

#: Missing nonces named one by one.
NAMED = 20


def survey(outbox: Outbox, head: BlockRef, pending: Mapping[str, int | None]) -> tuple[KeyNonces, ...]:
    """Every configured key, in order.

    Args:
        outbox: whose keys and store; nothing is written.
        head: the newest block.
        pending: the node's opinion of each key's next nonce.

    Raises: `Retry` if the node cannot be asked.
    """
    lanes, abandoned = outbox.lanes(head), outbox.abandoned()
    used = outbox.used(lanes, head)
    found = []
    for address in outbox.pool.addresses:
        lane, role = lanes[address], outbox.pool.role_of(address)
        assert role is not None
        stuck, seen = lane.stuck_for(head), pending.get(address)
        found.append(
            KeyNonces(
                address=address,
                role=role,
                latest=lane.next_nonce,
                pending=seen,
                held=tuple(_held(record, lane, head) for record in lane.held.values()),
                gaps=tuple(islice(lane.gaps(), NAMED)),
                gap_count=lane.width,
                stuck_since=head.number - stuck if stuck >= outbox.stuck_after_blocks else None,
                mined=_nonces(record for record in used if record.sender == address and record.mined is not None),
                overtaken=_nonces(record for record in used if record.sender == address and record.mined is None),
                foreign_pending=0 if seen is None else max(0, seen - lane.free),
                abandoned=_nonces(record for record in abandoned if record.sender == address),
            )
        )
    return tuple(found)


def _nonces(records: Iterable[TxRecord]) -> tuple[int, ...]:
    return tuple(sorted(record.nonce or 0 for record in records))


def _held(record: TxRecord, lane: Lane, head: BlockRef) -> HeldNonce:
    return HeldNonce(
        nonce=record.nonce or 0,
        key=record.intent.key,
        kind=record.intent.kind,
        subject=record.intent.subject,
        state=str(record.state),
        attempts=len(record.attempts),
        waited_blocks=max(0, lane.waited(record, head, since_attempt=0)),
    )


def plan(keys: Sequence[KeyNonces], *, gap_at_most: int) -> Iterator[Repair]:
    """The steps that bring the keys in order, lowest nonce first.

    Args:
        keys: from `survey`.
        gap_at_most: missing nonces that are filled; above more than that, what is held is given up.
    """
    for key in keys:
        for nonce in key.overtaken:
            yield Repair(address=key.address, nonce=nonce, kind=RepairKind.SETTLE, what="used by a foreign transaction")
        if 0 < key.gap_count <= gap_at_most:
            for nonce in key.gaps:
                yield Repair(address=key.address, nonce=nonce, kind=RepairKind.FILL, what="nobody holds it")
        missing, expected = 0, key.latest
        for position, held in enumerate(key.held):
            missing, expected = missing + held.nonce - expected, held.nonce + 1
            about = f"{held.kind} {held.subject} ({held.state}, {held.attempts} attempts, {held.key})"
            if missing > gap_at_most:
                yield Repair(address=key.address, nonce=held.nonce, kind=RepairKind.ABANDON, what=about)
            elif position == 0 and key.stuck_since is not None and held.state != TxState.MINED:
                yield Repair(address=key.address, nonce=held.nonce, kind=RepairKind.CANCEL, what=about)


def repair(outbox: Outbox, head: BlockRef, steps: Sequence[Repair]) -> tuple[Repair, ...]:
    """Carry the steps out.

    Returns: each with what came of it; one that fails does not stop the next.
    Raises: `Halt` if a spending cap is hit or no key can pay.
    """
    outbox.settle(head)  # fills, gives up and looks, as it would at any block
    return tuple(_carried(outbox, head, step) for step in steps)


def _carried(outbox: Outbox, head: BlockRef, step: Repair) -> Repair:
    try:
        if step.kind is RepairKind.CANCEL:
            after = outbox.cancel(step.address, step.nonce, head, why="cancelled by keeper nonce repair")
            done = after is not None and after.cancelled
            return replace(step, done=done, said="cancelling" if done else "outbidding it does not fit under the caps")
        record = outbox.at(step.address, step.nonce, head)
    except KeeperError as error:
        return replace(step, said=error.message)
    if step.kind is RepairKind.FILL:
        return replace(step, done=record is not None, said=f"{record.intent.kind}: {record.state}" if record else "")
    if step.kind is RepairKind.ABANDON:
        return replace(step, done=record is None, said="given up" if record is None else str(record.state))
    return replace(
        step, done=True, said="looked at" if record is None else f"{record.state}, until that block is final"
    )
