"""Target parameters, with the reasons for them, for a person and for a script."""

from __future__ import annotations

from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from keeper.cli.show import words
from keeper.cli.show.tables import table as plain_table
from keeper.domain.market import ExpiryTarget, UnderlyingTarget
from keeper.domain.raw_units import moment
from keeper.ops.status import Status

PPB = 10**9


def targets_view(status: Status) -> list[RenderableType]:
    """What would be published per expiry if nothing held it back, then why."""
    if status.last is None or status.snapshot is None:
        return []
    symbols = {u.underlying: u.symbol for u in status.snapshot.underlyings}
    table = plain_table("target", "expiry", "forward", "at the money", "lowest strike", "highest strike")
    reasons = Text(style="bright_black")
    for target in status.last.decision.targets:
        symbol = symbols.get(target.underlying, str(target.underlying))
        for one in target.expiries:
            table.add_row(Text(symbol, style="bold"), *_cells(one))
        reasons.append("".join(f"{symbol}: {reason}\n" for reason in target.reasons))
    reasons.rstrip()
    return [table, Padding(reasons, (0, 0, 0, 2))] if table.row_count else []


def _cells(one: ExpiryTarget) -> list[str]:
    ends = (one.sigmas_ppm[0], one.sigmas_ppm[-1]) if one.sigmas_ppm else (one.params.sigma_atm_ppm,) * 2
    return [
        moment(one.params.expiry),
        f"{(one.params.phi_ppb / PPB - 1) * 100:+.2f} %",
        *(words.percent(sigma) for sigma in (one.params.sigma_atm_ppm, *ends)),
    ]


def targets_tree(target: UnderlyingTarget | None) -> dict[str, Any] | None:
    """One target, as an object."""
    if target is None:
        return None
    return {
        "psr_ppm": target.ranges.psr_ppm,
        "vsr_up_ppm": target.ranges.vsr_up_ppm,
        "vsr_down_ppm": target.ranges.vsr_down_ppm,
        "expiries": [
            {
                "expiry": one.params.expiry,
                "phi_ppb": one.params.phi_ppb,
                "df_ppb": one.params.df_ppb,
                "sigma_atm_ppm": one.params.sigma_atm_ppm,
                "sigmas_ppm": list(one.sigmas_ppm),
            }
            for one in target.expiries
        ],
        "reasons": list(target.reasons),
    }
