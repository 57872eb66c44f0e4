"""What was recorded says about a proposal: each number that moves is counted over a record, or it is said why not.

prices     scan ranges, maintenance, haircuts, a feed's bounds: how often prices moved further
paces      steps, budgets, the slew rate: how often an honest scan range did
vols       bounds, steps and budgets of volatilities
crashes    how often the breaker would have opened
limits     how much of a cap is in use
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Final

import numpy as np

from keeper.domain.knobs import RiskKnobs
from keeper.domain.prices import PriceHistory
from keeper.domain.snapshot import Observation
from keeper.domain.vols import VolHistory
from keeper.governance.chain import ChainView
from keeper.governance.evidence import crashes, limits, paces, prices, vols
from keeper.governance.evidence.records import Answer, Evidence, Held, Missing, Question, Records, Used
from keeper.governance.items import Difference

__all__ = ["Evidence", "Held", "Missing", "Used", "evidence_of", "histories_of"]

#: Who judges which number: by table and key in CHANGES.toml, the first that fits; the star in it is the ticker.
JUDGES: Final[tuple[tuple[str, Callable[[Question, str, Records], Answer]], ...]] = (
    ("underlying.*.fence.psr.m[ai][xn]", prices.scan_range),
    ("new_underlying.*.psr_ppm", prices.scan_range),
    ("underlying.*.fence.psr.*", paces.range_fence),
    ("underlying.*.fence.*.m[ai][xn]", vols.vol_range),
    ("new_underlying.*.vsr_*_ppm", vols.vol_range),
    ("underlying.*.fence.*", lambda *_: "volatility ranges are not estimated day by day"),
    ("underlying.*.joint_fence.*", paces.joint_fence),
    ("underlying.*.vol_fences.sigma_*", vols.bound),
    ("underlying.*.vol_fences.atm_*", vols.fence),
    ("new_*.sigma_atm_ppm", vols.bound),
    ("underlying.*.config.vol_floor_ppm", vols.bound),
    ("underlying.*.config.kappa_ppm", prices.maintenance),
    ("underlying.*.config.flag_fee_ppm", prices.maintenance),
    ("underlying.*.config.slew_ppm_per_hour", paces.slew),
    ("underlying.*.market.max_open_interest_perp", limits.open_interest),
    ("*collateral.*.haircut_ppm", prices.haircut),
    ("collateral.*.cap_total", limits.deposits),
    ("oracle.*.m[ai][xn]_price", prices.price_bound),
    ("new_feed.*.m[ai][xn]_price", prices.price_bound),
    ("oracle.*.max_age_s", prices.feed_age),
    ("new_feed.*.max_age_s", prices.feed_age),
    ("breaker.*", crashes.breaker),
)
_STRIKES: Final = "recorded volatilities are those at the money, none of single strikes"
_FORWARDS: Final = "no forwards or discounts were recorded"
_PEOPLE: Final = "it says who may do what, and no price judges that"
_ONCE: Final = "nothing of this kind was recorded over time"
#: Why no record says anything, by the head of the table or by its key there.
_WHY: Final = {
    "role": _PEOPLE,
    "keepers": "how many keepers must agree rests on who they are, and no price judges that",
    "house.guardian": _PEOPLE,
    "house.breaker": "it says which contract is asked; its rule is judged where it is set",
    "house.fee": "what a fee does to trading was not recorded",
    "house.interest": "what a rate does to borrowing was not recorded",
    "house.min_equity": "accounts that would have opened with less were not recorded",
    "frozen": "a freeze is decided by what went wrong, which no record of prices tells",
    "timelock": "a delay gives people time, and no price judges how much they need",
    "sequencer": "no outages of the sequencer were recorded",
    "auction": "auctions are too rare to have a record",
    "fund": "what auctions took from the fund is too rare to have a record",
    "new_strikes": _STRIKES,
    "new_collateral": "nothing of it is deposited yet",
    "call": "what any function does is known to nobody but its contract",
    "strikes": _STRIKES,
    "smile_min_ppm": _STRIKES, "smile_max_ppm": _STRIKES, "smile_step_ppm": _STRIKES, "smile_budget_ppm": _STRIKES,
    "phi_min_ppb": _FORWARDS, "phi_max_ppb": _FORWARDS, "phi_step_ppb": _FORWARDS, "phi_budget_ppb": _FORWARDS,
    "carry_max_ppm": _FORWARDS, "phi_ppb": _FORWARDS,
    "df_min_ppb": _FORWARDS, "df_step_ppb": _FORWARDS, "df_budget_ppb": _FORWARDS, "df_ppb": _FORWARDS,
    "min_delay_s": "it is a matter of how often the keeper speaks, not of how far prices go",
    "primary": "what another feed would have answered was not recorded",
    "secondary": "what another feed would have answered was not recorded",
    "max_deviation_ppm": "the answers of one feed were recorded",
    "tail_ppm": "losses of far options were not recorded",
    "short_min_ppm": "losses of far options were not recorded",
    "id": "it is a number and no choice", "listed": "what is not listed yet has no record here",
    "decimals": "it is what the token says", "token": "the token's price is judged under its haircut",
    "asset": "it names a price feed",
}  # fmt: skip


def evidence_of(
    differences: Sequence[Difference],
    histories: Mapping[str, PriceHistory],
    knobs: RiskKnobs,
    chain: ChainView,
    *,
    rounds: Mapping[str, PriceHistory] | None = None,
    vol_histories: Mapping[str, VolHistory] | None = None,
) -> Evidence:
    """Judge every difference that moves.

    Args:
        differences: of a proposal.
        histories: recorded prices by ticker; of a collateral under its own or its feed's.
        knobs: horizon, level and floors of the calibration.
        chain: the present.
        rounds: the oracle's own rounds by ticker.
        vol_histories: volatilities at the money by ticker.
    """
    wanted: dict[tuple[str, ...], dict[str, int]] = {}
    for one in differences:
        number = _number(one.new)
        if number is not None:
            wanted.setdefault(_path(one), {})[one.name] = number
    records = Records(
        prices=histories, rounds=rounds or {}, vols=vol_histories or {}, chain=chain, knobs=knobs, wanted=wanted
    )
    held: list[Held] = []
    used: list[Used] = []
    missing: list[Missing] = []
    for one in differences:
        q = Question(
            of=one.of,
            key=one.name,
            path=_path(one),
            old=_number(one.old),
            new=_number(one.new),
            old_shown=one.old_shown,
            new_shown=one.new_shown,
        )
        found = _answer(q, records)
        if isinstance(found, Held):
            held.append(found)
        elif isinstance(found, Used):
            used.append(found)
        else:
            missing.append(Missing(of=one.of, name=one.name, why=found))
    return Evidence(held=tuple(held), used=tuple(used), missing=tuple(missing))


def _path(one: Difference) -> tuple[str, ...]:
    return tuple(one.path.split("."))


def _number(raw: str) -> int | None:
    return int(raw) if raw.removeprefix("-").isdigit() else None


def _answer(q: Question, records: Records) -> Answer:
    """Ask whoever judges numbers of its kind."""
    where = ".".join((*q.path, q.key))
    for pattern, judge in JUDGES:
        if fnmatchcase(where, pattern):
            return judge(q, q.path[1], records)
    return _WHY.get(q.key) or _WHY.get(".".join(q.path)) or _WHY.get(q.path[0]) or _ONCE


def histories_of(observed: Mapping[str, Sequence[Observation]]) -> Iterator[tuple[str, PriceHistory]]:
    """Oracle rounds as price histories; those of one round say nothing and are left out.

    Args:
        observed: rounds by ticker, ascending.
    """
    for symbol, rounds in observed.items():
        if len(rounds) > 1:
            yield (
                symbol,
                PriceHistory(
                    name=symbol,
                    time_s=np.array([one.time for one in rounds], dtype=np.int64),
                    close=np.array([one.price / 1e18 for one in rounds], dtype=np.float64),
                ),
            )
