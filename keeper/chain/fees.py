"""What we offer for inclusion: EIP-1559 fees under a cap that is really enforced."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median_low

from keeper.chain.errors import FeeAboveCap
from keeper.chain.records import FeeHistory
from keeper.domain.tx import TxAttempt

#: Every node's pool wants at least 10 % more on both fields; 12.5 % also passes those that want an eighth.
SAFE_BUMP_PPM, LEGAL_BUMP_PPM = 125_000, 100_000


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

    def offer(self, history: FeeHistory) -> FeeOffer:
        """The fees for a first attempt.

        Raises: `FeeAboveCap` if the cap leaves nothing for a tip above the next base fee.
        """
        base = history.next_base_fee_wei
        room = self.max_fee_wei - base
        if room < 1:
            raise FeeAboveCap(
                f"the base fee is {base} wei, the cap {self.max_fee_wei} wei per gas",
                base_fee_wei=base,
                cap_wei=self.max_fee_wei,
            )
        wished = median_low(history.tips_wei) if history.tips_wei else self.default_priority_fee_wei
        tip = min(max(wished, 1), self.max_priority_fee_wei, room)
        return FeeOffer(min(self.max_fee_wei, self.base_fee_multiple * base + tip), tip)

    def bump(self, last: TxAttempt, history: FeeHistory) -> FeeOffer | None:
        """The fees for a replacement of `last`.

        Returns: an eighth more on both fields or today's offer, whichever is higher; a tenth more where only that fits
            under the caps; None if not even that does, and then the last attempt stays.
        """
        try:
            fresh = self.offer(history)
        except FeeAboveCap:
            return None
        for ppm in (SAFE_BUMP_PPM, LEGAL_BUMP_PPM):
            offer = FeeOffer(
                max(fresh.max_fee_wei, _raised(last.max_fee_wei, ppm)),
                max(fresh.priority_fee_wei, _raised(last.priority_fee_wei, ppm)),
            )
            if offer.max_fee_wei <= self.max_fee_wei and offer.priority_fee_wei <= self.max_priority_fee_wei:
                return offer
        return None


def _raised(fee_wei: int, ppm: int) -> int:
    """`fee_wei` plus `ppm`, rounded up, so that the rule holds to the wei."""
    return -(-fee_wei * (1_000_000 + ppm) // 1_000_000)
