"""How well each endpoint does, as far as its answers show.  Pure: every method is told the time.

Four things keep an endpoint out, from the mildest to the strictest:

    resting     it failed; others go first until a look at the side finds it well again, and a pool without others
                asks it all the same
    outvoted    more endpoints vouch for another block than for its own; as resting
    stale       its newest block is too old by the wall's clock, or too far behind the others': no answer of its is used
    limited     it named a time before which it will not answer: it is not asked

The wall's clock counts in both directions: a block of the future is as little the present as one of the past.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from keeper.domain.block import BlockRef

#: Weight of the newest answer in the averages.
_WEIGHT = 0.2
#: Seconds of rest after a failure: doubled from the first up to the second.
REST_S = (1.0, 120.0)
#: Seconds of rest for an endpoint that serves another chain, or was outvoted.
WRONG_CHAIN_REST_S, OUTVOTED_REST_S = 60.0, 30.0
#: Longest that a provider can ask us to stay away, seconds: a day's quota is looked at again after an hour.
LONGEST_LIMIT_S = 3_600.0
#: Seconds of latency that an endpoint which always fails counts for.
_ERROR_COST_S = 4.0


@dataclass(frozen=True, kw_only=True)
class Fitness:
    """What the head of an endpoint must be like for its answers to count."""

    max_head_age_s: float | None = None
    """Most seconds between its head's timestamp and the wall's clock, either way; None for chains that stand still."""
    max_head_lag_blocks: int | None = None
    """Most blocks behind the best of the others; None to leave that alone."""

    @property
    def demanded(self) -> bool:
        """Whether heads have to be looked at, at all."""
        return self.max_head_age_s is not None or self.max_head_lag_blocks is not None

    def too_old(self, head: BlockRef, *, wall_s: float) -> str:
        """Why a head is not of the present; empty if it is."""
        if self.max_head_age_s is None:
            return ""
        age_s = wall_s - head.timestamp
        if abs(age_s) <= self.max_head_age_s:
            return ""
        when = f"{age_s:,.0f} s old" if age_s > 0 else f"{-age_s:,.0f} s in the future"
        return f"head {head.number:,} is {when}, limit {self.max_head_age_s:,.0f} s"

    def stale(self, head: BlockRef, others: Sequence[BlockRef], *, wall_s: float) -> str:
        """Why an endpoint with this head is not to be believed about the present; empty if it is.

        Args:
            head: its newest block.
            others: newest blocks of the other endpoints of the right chain.
            wall_s: unix seconds.
        """
        why = self.too_old(head, wall_s=wall_s)
        best = self.reference(others, wall_s=wall_s)
        if why or best is None or self.max_head_lag_blocks is None:
            return why
        behind = best - head.number
        if behind <= self.max_head_lag_blocks:
            return ""
        return f"head {head.number:,} is {behind:,} blocks behind {best:,}, limit {self.max_head_lag_blocks:,}"

    def reference(self, others: Sequence[BlockRef], *, wall_s: float) -> int | None:
        """The height that an endpoint is held against: the best of the others, unless that one runs ahead by itself.

        A single node that invents a height would otherwise push out every honest one.  Where two or more others are
        demonstrably of the present (an age limit is set) and a third is far ahead of all of them, it has no say.
        """
        present = sorted(head.number for head in others if not self.too_old(head, wall_s=wall_s))
        if not present:
            return None
        if self.max_head_age_s is None or self.max_head_lag_blocks is None or len(present) < 2:
            return present[-1]
        return present[-1] if present[-1] - present[-2] <= self.max_head_lag_blocks else present[-2]


@dataclass(kw_only=True)
class Health:
    """The record of one endpoint.  Times are of a steady clock, seconds."""

    error_rate: float = 0.0
    """Share of failures among its answers, the newest counting most."""
    latency_s: float | None = None
    """Seconds an answer takes, the newest counting most; None before the first."""
    failures: int = 0
    """Failures since it last answered well."""
    head: BlockRef | None = None
    """The newest block it told."""
    looked_s: float = float("-inf")
    """When it told."""
    checked_s: float = float("-inf")
    """When its chain id was last seen to be right."""
    wrong_chain: int | None = None
    """The chain it serves instead of ours; None if ours, or not known."""
    limits: int = field(default=0, repr=False)
    """Rate limits since it last answered well."""
    rests_until_s: float = float("-inf")
    """Others go first until then."""
    limited_until_s: float = float("-inf")
    """It must not be asked before then."""

    def answered(self, *, took_s: float) -> None:
        """It answered, be it with a refusal."""
        self.error_rate *= 1 - _WEIGHT
        self.latency_s = took_s if self.latency_s is None else self.latency_s + _WEIGHT * (took_s - self.latency_s)
        self.failures = self.limits = 0
        self.rests_until_s = float("-inf")

    def failed(self, *, now_s: float) -> None:
        """It gave no answer that can be used."""
        self.error_rate += _WEIGHT * (1 - self.error_rate)
        first, longest = REST_S
        self.rest(until_s=now_s + min(longest, first * 2.0 ** min(self.failures, 30)))
        self.failures += 1

    def limited(self, *, now_s: float, retry_after_s: float | None) -> None:
        """It wants to be left alone.  A time it names is kept to; where it names none, it rests as after failures."""
        first, longest = REST_S
        if retry_after_s is not None:
            self.limited_until_s = max(self.limited_until_s, now_s + min(retry_after_s, LONGEST_LIMIT_S))
        self.rest(until_s=now_s + min(longest, first * 2.0 ** min(self.limits, 30)))
        self.limits += 1

    def rest(self, *, until_s: float) -> None:
        """Let others go first until then."""
        self.rests_until_s = max(self.rests_until_s, until_s)

    def saw(self, head: BlockRef, *, now_s: float) -> None:
        """It told its newest block."""
        self.head, self.looked_s = head, now_s

    def outvoted(self, *, now_s: float) -> None:
        """More endpoints vouch for another block than for the one it told."""
        self.failures += 1
        self.rest(until_s=now_s + OUTVOTED_REST_S)

    def serves(self, found: int, *, ours: int, now_s: float) -> None:
        """It told its chain id."""
        if found == ours:
            self.wrong_chain, self.checked_s = None, now_s
            return
        self.wrong_chain, self.head = found, None
        self.failures += 1
        self.rest(until_s=now_s + WRONG_CHAIN_REST_S)

    @property
    def cost_s(self) -> float:
        """What asking it is expected to cost, in seconds: its latency, and a share of what a failure costs."""
        return (self.latency_s or 0.0) + _ERROR_COST_S * self.error_rate
