"""How much gas money may go out in a day.

The cap is over the worst case, so that no run of luck, no restart and no replacement can exceed it:

1. What is open may still be paid, in full and at its dearest attempt, whenever it was decided.
2. What ended is what its gas cost at the fee cap of the attempt that mined, for a day after its block.
3. Records with one nonce exclude each other: of them only the dearest counts.
4. What was abandoned counts like open, until a day after it was decided; pools forget within hours.

What would exceed it waits while only reservations stand in its way; a person is called when the money is really gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from keeper.domain.tx import CANCEL_GAS, SignerRole, TxAttempt, TxRecord, TxState
from keeper.errors import Halt, Refused, Retry

DAY_S: Final = 86_400
#: Part of the day's money that publishing may use: a market that has us publish all day still lets us liquidate.
PUBLISHER_SHARE: Final = 0.5

_UNDERWAY: Final = (TxState.PLANNED, TxState.SIGNED, TxState.SENT, TxState.MINED, TxState.ABANDONED)


def gas_of(record: TxRecord, attempt: TxAttempt) -> int:
    """The gas limit that an attempt was signed with."""
    return CANCEL_GAS if attempt.cancels else record.intent.gas_limit


def most_it_costs_wei(record: TxRecord) -> int:
    """The most a record has cost or can cost, wei.

    Until its end is final that is the dearest of its attempts with all its gas: a reorg may let another one mine.
    """
    if not record.attempts:
        return 0
    if record.state in _UNDERWAY:
        return max(gas_of(record, attempt) * attempt.max_fee_wei for attempt in record.attempts)
    if record.mined_hash is None or record.gas_used is None:
        return 0  # another transaction used its nonce
    return record.gas_used * record.attempt(record.mined_hash).max_fee_wei


def of_the_last_day(page: Callable[[int], Sequence[TxRecord]]) -> tuple[TxRecord, ...]:
    """The records that may still matter to the cap, from a store that lists its newest first.

    Args:
        page: the newest records, at most so many.
    """
    limit = 1_000
    while True:
        found = page(limit)
        if len(found) < limit:
            return tuple(found)
        # A day after its block, which comes at most a few hours after the decision; a third day is room to spare.
        if found[-1].intent.decided_at.timestamp < found[0].intent.decided_at.timestamp - 3 * DAY_S:
            return tuple(found)
        limit *= 4


class Reserved(Retry):
    """The day's gas is not spent, but what is open may still spend it."""


@dataclass(frozen=True, slots=True)
class _Entry:
    nonce: tuple[str | None, int | None]
    role: SignerRole
    cost_wei: int
    until_s: int | None
    """When it stops to count; None while it is open."""
    mined: bool
    """Whether its end is final, so that it was really paid."""


class DailyCap:
    """A rolling 24-hour cap over everything the outbox signed.

    Counted at the ceiling of each attempt, never below what was really paid, so the cap cannot be exceeded.

    Args:
        cap_wei: the most that may be spent in 24 hours.
        records: what earlier processes left behind.
    """

    def __init__(self, cap_wei: int, records: Iterable[TxRecord]) -> None:
        self._cap_wei = cap_wei
        self._entries: dict[str, _Entry] = {}
        for record in records:
            self.note(record)

    def note(self, record: TxRecord) -> None:
        """Remember what a record costs by now."""
        entry = _entry(record)
        if entry is None:
            self._entries.pop(record.intent.key, None)
        else:
            self._entries[record.intent.key] = entry

    def spent_wei(self, *, now_s: int) -> int:
        """What the last day has cost for good: the part of `committed_wei` that is not only reserved."""
        ended = [entry for entry in self._entries.values() if entry.mined and (entry.until_s or 0) > now_s]
        return sum(entry.cost_wei for entry in ended)

    def committed_wei(self, *, now_s: int, role: SignerRole | None = None, but: str = "") -> int:
        """What the last day cost and what is open may still cost, at worst.

        Args:
            now_s: block time, Unix seconds.
            role: of one role only, if given.
            but: leave out the record with this key.
        """
        dearest: dict[tuple[object, ...], int] = {}
        for key, entry in self._entries.items():
            if key == but or (role is not None and entry.role is not role):
                continue
            if entry.until_s is not None and entry.until_s <= now_s:
                continue
            slot = (*entry.nonce,) if entry.nonce[0] else (key,)
            dearest[slot] = max(dearest.get(slot, 0), entry.cost_wei)
        return sum(dearest.values())

    def check(self, record: TxRecord, *, now_s: int) -> None:
        """Whether `record`, with its newest attempt, still fits.

        Raises:
            Refused: publishing has used its part; liquidation goes on.
            Reserved: the whole would be exceeded, at worst, by what is still open: some of it will cost less.
            Halt: what is really spent leaves no room.
        """
        self._forget(now_s)
        key, role = record.intent.key, record.intent.role
        before = self._entries.get(key)
        self.note(record)
        total, own = self.committed_wei(now_s=now_s), self.committed_wei(now_s=now_s, role=role)
        if before is None:
            del self._entries[key]
        else:
            self._entries[key] = before
        cost, spent = most_it_costs_wei(record), self.spent_wei(now_s=now_s)
        if total > self._cap_wei >= spent + cost:
            raise Reserved(
                f"sending {key} could bring the day's gas to {total} wei, the cap is {self._cap_wei} wei: it waits for"
                " what is in flight",
                total_wei=total,
                spent_wei=spent,
                cap_wei=self._cap_wei,
            )
        if total > self._cap_wei:
            raise Halt(
                f"sending {key} would bring the day's gas to {total} wei, the cap is {self._cap_wei} wei",
                hint="find out why so much was sent; raise the cap only if that was right",
                total_wei=total,
                cap_wei=self._cap_wei,
            )
        part = int(self._cap_wei * PUBLISHER_SHARE)
        if role is SignerRole.PUBLISHER and own > part:
            raise Refused(
                f"publishing {key} would bring its gas of the day to {own} wei, its part is {part} wei",
                hint="liquidation goes on; find out why so much is published, or raise fees.max_spend_eth_per_day",
                total_wei=own,
                cap_wei=part,
            )

    def _forget(self, now_s: int) -> None:
        over = [key for key, entry in self._entries.items() if entry.until_s is not None and entry.until_s <= now_s]
        for key in over:
            del self._entries[key]


def _entry(record: TxRecord) -> _Entry | None:
    cost = most_it_costs_wei(record)
    if not cost:
        return None
    until: int | None = None
    if record.state is TxState.ABANDONED:
        until = record.intent.decided_at.timestamp + DAY_S
    elif record.state not in _UNDERWAY:
        assert record.mined is not None
        until = record.mined.timestamp + DAY_S
    ended = record.state not in _UNDERWAY
    return _Entry((record.sender, record.nonce), record.intent.role, cost, until, ended)
