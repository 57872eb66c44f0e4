"""What we offer for inclusion: EIP-1559 fees under caps that are really enforced.

Three ceilings, and the lowest binds: the operator's per gas, the tip's, and what the action is worth over its gas.
Three floors, and the highest binds: today's market, a legal replacement of what the pool may hold at this nonce, and
what the node itself said it wants.  Where a floor is above a ceiling there is no offer.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median_low

from keeper.chain.errors import FeeAboveCap
from keeper.chain.records import FeeHistory
from keeper.chain.sending.node_rules import NodeRule
from keeper.domain.tx import TxAttempt

#: Every node's pool wants at least 10 % more on both fields; 12.5 % also passes those that want an eighth.
SAFE_BUMP_PPM, LEGAL_BUMP_PPM = 125_000, 100_000

_NO_RULE = NodeRule()


@dataclass(frozen=True)
class FeeOffer:
    """The two fee fields of a transaction, wei per gas."""

    max_fee_wei: int
    priority_fee_wei: int


@dataclass(frozen=True, kw_only=True)
class FeePolicy:
    """How much we may pay to be included."""

    max_fee_wei: int
    """Ceiling per gas, base fee and tip together.  Never exceeded, by replacements neither: we wait instead."""

    max_priority_fee_wei: int
    """Ceiling of the tip per gas."""

    default_priority_fee_wei: int = 10**9
    """Tip where the chain has no history of tips."""

    base_fee_multiple: int = 2
    """Headroom: six full blocks in a row double the base fee."""

    def ceiling_wei(self, *, gas: int, worth_wei: int | None) -> int:
        """The most per gas for an action: never above the cap, nor above its worth over the gas it is likely to use."""
        return self.max_fee_wei if worth_wei is None else min(self.max_fee_wei, max(0, worth_wei) // gas)

    def offer(self, history: FeeHistory, *, ceiling_wei: int | None = None, held: FeeOffer | None = None) -> FeeOffer:
        """The fees for a first attempt.

        Args:
            history: what recent blocks cost.
            ceiling_wei: from `ceiling_wei`; the cap if left out.
            held: the dearest fees that a pool may still hold at this nonce, from a transaction that was abandoned.

        What was abandoned is a memory of what a pool *may* still hold.  Where outbidding it does not fit under the
        ceilings they are offered whole: a node that still holds it refuses ours and may mine the other, one that lost
        it takes ours.  Waiting for the memory to fade would stop the key for a day.

        Raises: `FeeAboveCap` if the ceilings leave nothing for a tip above the next base fee.
        """
        ceiling = self.max_fee_wei if ceiling_wei is None else ceiling_wei
        fresh = self._fresh(history, ceiling)
        if held is None:
            return fresh
        over = self._over(held, fresh, ceiling, SAFE_BUMP_PPM) or self._over(held, fresh, ceiling, LEGAL_BUMP_PPM)
        if over is not None:
            return over
        tip = max(fresh.priority_fee_wei, _raised(held.priority_fee_wei, SAFE_BUMP_PPM))
        return FeeOffer(ceiling, min(tip, self.max_priority_fee_wei, ceiling))

    def bump(
        self,
        last: TxAttempt | FeeOffer,
        history: FeeHistory,
        *,
        ceiling_wei: int | None = None,
        rule: NodeRule = _NO_RULE,
    ) -> FeeOffer | None:
        """The fees for a replacement of `last`.

        Returns: an eighth more on both fields or today's offer, whichever is higher, and no less than `rule` wants; a
            tenth more where only that fits under the ceilings; None if not even that does: the last attempt stays.
        """
        ceiling = self.max_fee_wei if ceiling_wei is None else ceiling_wei
        try:
            fresh = self._fresh(history, ceiling)
        except FeeAboveCap:
            return None
        for ppm in (SAFE_BUMP_PPM, LEGAL_BUMP_PPM):
            if offer := self._over(last, fresh, ceiling, max(ppm, rule.bump_ppm), rule):
                return offer
        return None

    def outbid(self, last: TxAttempt | FeeOffer, history: FeeHistory, *, ceiling_wei: int) -> FeeOffer | None:
        """The fees for another try against a pending transaction that is not ours, whose fees we do not know.

        Returns: twice `last` on both fields, each no higher than its cap; None if `last` is at both caps.
        """
        try:
            fresh = self._fresh(history, ceiling_wei)
        except FeeAboveCap:
            return None
        fee = min(ceiling_wei, max(fresh.max_fee_wei, 2 * last.max_fee_wei))
        tip = min(self.max_priority_fee_wei, fee, max(fresh.priority_fee_wei, 2 * last.priority_fee_wei))
        dearer = fee > last.max_fee_wei or tip > last.priority_fee_wei
        return FeeOffer(fee, tip) if dearer and tip >= last.priority_fee_wei else None

    def _fresh(self, history: FeeHistory, ceiling: int) -> FeeOffer:
        base = history.next_base_fee_wei
        room = ceiling - base
        if room < 1:
            raise FeeAboveCap(
                f"the base fee is {base} wei, the cap {ceiling} wei per gas", base_fee_wei=base, cap_wei=ceiling
            )
        wished = median_low(history.tips_wei) if history.tips_wei else self.default_priority_fee_wei
        tip = min(max(wished, 1), self.max_priority_fee_wei, room)
        return FeeOffer(min(ceiling, self.base_fee_multiple * base + tip), tip)

    def _over(
        self, last: TxAttempt | FeeOffer, fresh: FeeOffer, ceiling: int, ppm: int, rule: NodeRule = _NO_RULE
    ) -> FeeOffer | None:
        tip = max(fresh.priority_fee_wei, _raised(last.priority_fee_wei, ppm), rule.priority_fee_wei)
        fee = max(fresh.max_fee_wei, _raised(last.max_fee_wei, ppm), rule.max_fee_wei, tip)
        return FeeOffer(fee, tip) if fee <= ceiling and tip <= self.max_priority_fee_wei else None


def _raised(fee_wei: int, ppm: int) -> int:
    """`fee_wei` plus `ppm`, rounded up, so that the rule holds to the wei."""
    return -(-fee_wei * (1_000_000 + ppm) // 1_000_000)
