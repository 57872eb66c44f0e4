"""How much gas money may go out in a day."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from keeper.domain.tx import SignerRole, TxRecord, TxState
from keeper.errors import Halt, Refused

DAY_S = 86_400
#: Part of the day's money that publishing may use: a market that has us publish all day still lets us liquidate.
PUBLISHER_SHARE: Final = 0.5


def most_it_costs_wei(record: TxRecord) -> int:
    """The most a record has cost or can cost, wei: gas used once known, else its limit, at the dearest attempt."""
    if not record.attempts or record.state is TxState.REPLACED:
        return 0
    gas = record.gas_used if record.gas_used is not None else record.intent.gas_limit
    return gas * max(attempt.max_fee_wei for attempt in record.attempts)


class DailyCap:
    """A rolling 24-hour cap over everything the outbox signed.

    Counted at the ceiling of each attempt, never below what was really paid, so the cap cannot be exceeded.

    Args:
        cap_wei: the most that may be spent in 24 hours.
        records: what earlier processes left behind.
    """

    def __init__(self, cap_wei: int, records: Iterable[TxRecord]) -> None:
        self._cap_wei = cap_wei
        self._spent: dict[str, tuple[int, int, SignerRole]] = {}
        for record in records:
            self.note(record)

    def note(self, record: TxRecord) -> None:
        """Remember what a record costs by now."""
        cost = most_it_costs_wei(record)
        if cost:
            self._spent[record.intent.key] = (record.intent.decided_at.timestamp, cost, record.intent.role)

    def check(self, record: TxRecord, *, now_s: int) -> None:
        """Whether `record`, with its newest attempt, still fits.

        Raises:
            Refused: publishing has used its part; liquidation goes on.
            Halt: the whole would be exceeded.
        """
        self._spent = {key: entry for key, entry in self._spent.items() if entry[0] > now_s - DAY_S}
        role, cost = record.intent.role, most_it_costs_wei(record)
        others = [entry for key, entry in self._spent.items() if key != record.intent.key]
        total = cost + sum(spent for _, spent, _ in others)
        if total > self._cap_wei:
            raise Halt(
                f"sending {record.intent.key} would bring the day's gas to {total} wei, the cap is {self._cap_wei} wei",
                hint="find out why so much was sent; raise the cap only if that was right",
                total_wei=total,
                cap_wei=self._cap_wei,
            )
        part = int(self._cap_wei * PUBLISHER_SHARE)
        own = cost + sum(spent for _, spent, by in others if by is role)
        if role is SignerRole.PUBLISHER and own > part:
            raise Refused(
                f"publishing {record.intent.key} would bring its gas of the day to {own} wei, its part is {part} wei",
                hint="liquidation goes on; find out why so much is published, or raise fees.max_spend_eth_per_day",
                total_wei=own,
                cap_wei=part,
            )
