"""How much of a loan one liquidation repays, and what it earns, by the rule a preset publishes."""

from __future__ import annotations

from keeper.risk.kernel.preset import Liquidation
from keeper.risk.kernel.requirement import Requirement
from keeper.risk.partial_close import close_factor, incentive_factor


def repayable(rule: Liquidation, found: Requirement) -> float:
    """Most of its debt that one liquidation of the account repays, in its currency; 0 while it is healthy."""
    share = close_factor(
        max(found.health_factor, 0.0),
        collateral=max(found.equity + found.debt, 0.0),
        debt=found.debt,
        partial=rule.close_share,
        full_below=rule.full_below,
        small=rule.small_usd,
    )
    return float(share) * found.debt


def incentive(rule: Liquidation, threshold: float) -> float:
    """What a liquidator receives per unit repaid; `threshold` is the collateral's liquidation loan to value."""
    return float(incentive_factor(threshold, cursor=rule.incentive_cursor, most=rule.incentive_cap))
