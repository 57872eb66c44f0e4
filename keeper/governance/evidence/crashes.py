"""Evidence about the flash-crash breaker: how often its rule would have opened on recorded prices, now and then."""

from __future__ import annotations

from typing import Any

from keeper.domain.prices import PriceHistory
from keeper.domain.raw_units import field_key
from keeper.governance.evidence.records import Answer, Held, Question, Records
from keeper.risk.exact.breaker import BreakerRule, Round, move_ppm, openings

#: Prices that are looked at, the newest ones: the rule is walked price by price.
MOST_PRICES = 200_000


def breaker(q: Question, asset: str, records: Records) -> Answer:
    """Openings under either rule.  Feeds that disagree are no part of it: one feed's prices are recorded."""
    history = records.prices.get(asset)
    if history is None:
        return f"no prices of {asset} are at hand; give them with --prices"
    if q.key in ("disagree_ppm", "underlying", "has_underlying", "max_rounds"):
        return "the prices of one feed were recorded, as one path"
    told = records.chain.one("CircuitBreaker", "config", asset.encode().ljust(32, b"\0"))
    now = {field_key(key): one for key, one in told.items()}
    rules = [_rule(rule, records) for rule in (now, now | dict(records.wanted.get(("breaker", asset), {})))]
    if all(rule is None for rule in rules):
        return "the breaker is off, and stays off"
    if history.step_s > max(rule.window_s for rule in rules if rule is not None):
        return f"prices every {history.step_s} s are coarser than the breaker's window"
    path = _path(history)
    counts = [0 if rule is None else sum(1 for _ in openings(path, rule)) for rule in rules]
    return Held(
        of=q.of, name=q.key, asked="openings",
        history=f"{history.name}, every {history.step_s} s" + (", the newest" if len(path) < len(history) else ""),
        first_s=path[0].time, last_s=path[-1].time, windows=len(path), old_shown=q.old_shown, new_shown=q.new_shown,
        old_breaches=counts[0], new_breaches=counts[1], expected=None, p_old=None, p_new=None, worst="", said="",
    )  # fmt: skip


def _path(history: PriceHistory) -> list[Round]:
    rows = zip(history.time_s[-MOST_PRICES:].tolist(), history.close[-MOST_PRICES:].tolist(), strict=True)
    return [Round(time=at, wad=round(price * 10**18)) for at, price in rows]


def _rule(config: dict[str, Any], records: Records) -> BreakerRule | None:
    """The rule of a configuration; None if it is off."""
    if not config["window_s"]:
        return None
    psr = None
    if config["has_underlying"]:
        named = {number: symbol for symbol, number in records.chain.underlyings.items()}
        psr = records.in_force(named[config["underlying"]], "psr")
    return BreakerRule(
        move_ppm=move_ppm(psr_ppm=psr, k_ppm=config["k_ppm"], min_move_ppm=config["min_move_ppm"]),
        disagree_ppm=0,
        window_s=config["window_s"],
        hold_s=config["hold_s"],
        confirm_s=config["confirm_s"],
    )
