"""What the last day brought and cost, from the store alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_low

from keeper.domain.cycle import CycleInputs
from keeper.domain.worth import PRIVATE, PUBLIC, Realised
from keeper.policy.worth import Judge
from keeper.ports import Store

DAY_S = 86_400


@dataclass(frozen=True, kw_only=True)
class Earned:
    """All outcomes of one kind.  wad USD; what is unknown is left out of the sums and counted."""

    kind: str
    count: int
    gain_usd: int
    gas_usd: int
    gas_wei: int
    unknown: int
    """Outcomes whose gain or gas could not be told in USD."""

    @property
    def profit_usd(self) -> int:
        """Gain less gas, of what is known."""
        return self.gain_usd - self.gas_usd


@dataclass(frozen=True, kw_only=True)
class Way:
    """How transactions for which a relay is configured were included."""

    via: str
    count: int
    median_blocks: int


@dataclass(frozen=True, kw_only=True)
class Money:
    """The last 24 hours."""

    earned: tuple[Earned, ...]
    """One per kind of action, ascending."""
    ways: tuple[Way, ...]
    """By the relay, then in public; empty where there is no relay."""
    budget_usd: int | None
    """The day's loss budget, whole USD; None if no block is stored."""
    left_usd: int | None
    """What it has left, wad USD; None if it cannot be told: nothing was weighed against gas, or gas has no price."""
    notes: tuple[str, ...]
    """Why something is unknown, newest first."""


def money(store: Store, inputs: CycleInputs | None, *, now_s: int) -> Money:
    """Add up the last day's outcomes.

    Args:
        store: where they are.
        inputs: what the newest cycle saw: the budget, and the price of gas money.
        now_s: unix seconds.
    """
    outcomes = store.realised(since_s=now_s - DAY_S)
    kinds = sorted({one.kind for one in outcomes})
    return Money(
        earned=tuple(_earned(kind, [one for one in outcomes if one.kind == kind]) for kind in kinds),
        ways=tuple(_ways(outcomes)),
        budget_usd=None if inputs is None else inputs.policy.loss_budget_usd_per_day,
        left_usd=_left(inputs),
        notes=tuple(f"{one.kind} {one.subject}: {one.note}" for one in reversed(outcomes) if one.note),
    )


def _earned(kind: str, outcomes: Sequence[Realised]) -> Earned:
    known = [one for one in outcomes if one.profit_usd is not None]
    return Earned(
        kind=kind,
        count=len(outcomes),
        gain_usd=sum(one.gain_usd or 0 for one in known),
        gas_usd=sum(one.gas_usd or 0 for one in known),
        gas_wei=sum(one.gas_wei for one in outcomes),
        unknown=len(outcomes) - len(known),
    )


def _ways(outcomes: Sequence[Realised]) -> list[Way]:
    found = []
    for via in (PRIVATE, PUBLIC):
        waits = [one.waited_blocks for one in outcomes if one.via == via and one.waited_blocks is not None]
        if waits:
            found.append(Way(via=via, count=len(waits), median_blocks=median_low(waits)))
    return found


def _left(inputs: CycleInputs | None) -> int | None:
    if inputs is None or inputs.economics is None:
        return None
    judge = Judge(inputs.snapshot, {}, inputs.policy, inputs.economics)
    return judge.left_usd if judge.known else None
