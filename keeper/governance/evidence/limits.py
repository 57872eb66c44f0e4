"""Evidence about limits: how much of each is in use at the block."""

from __future__ import annotations

from keeper.domain.raw_units import CONTRACTS, Scale, Unit, shown
from keeper.governance.evidence.records import Answer, Question, Records, Used, percent

#: Less than this part of a limit is told as that: its digits say nothing.
_LEAST_PART = 10_000


def open_interest(q: Question, asset: str, records: Records) -> Answer:
    """The cap on perps, against their open interest."""
    state = records.chain.one("ClearingHouse", "marketState", records.chain.underlyings[asset])
    return _used(q, int(state["perpOpenInterest"]), CONTRACTS)


def deposits(q: Question, token: str, records: Records) -> Answer:
    """The cap on a collateral, against what the house holds of it."""
    number = records.chain.collaterals[token]
    held = records.chain.one("ClearingHouse", "houseState")["held"]
    decimals = records.chain.one("ClearingHouse", "collateral", number)["decimals"]
    return _used(q, int(held[number]), Unit(scale=Scale.TOKENS, decimals=decimals, symbol=token))


def _used(q: Question, in_use: int, unit: Unit) -> Used:
    def share(limit: int | None) -> str:
        if not limit:
            return "–"
        return (
            percent(in_use / limit) if in_use * _LEAST_PART >= limit or not in_use else f"< {percent(1 / _LEAST_PART)}"
        )

    return Used(of=q.of, name=q.key, in_use=shown(in_use, unit), old_share=share(q.old), new_share=share(q.new))
