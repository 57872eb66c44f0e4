"""What a bid takes over, and the trades that end its risk, for a person and for a script."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from keeper.cli.show import words
from keeper.domain.action import Action, Bid
from keeper.domain.takeover import TakenOver
from keeper.units import Wad


def takeover_lines(action: Action, symbols: dict[int, str]) -> list[Text]:
    """Two lines an underlying: greeks taken over, and the plan; none for anything but a bid."""
    if not isinstance(action, Bid):
        return []
    lines = []
    for t in action.taken:
        name = symbols.get(t.underlying, f"underlying {t.underlying}")
        lines += [Text(f"takes over {_greeks(t, name)}"), Text(f"hedge: {_plan(t, name)}", style="cyan")]
    return lines


def takeover_tree(action: Bid) -> list[dict[str, Any]]:
    """The same as objects, in full digits."""
    return [
        {
            "underlying": t.underlying,
            "delta": _contracts(t.delta),
            "gamma_per_percent": _contracts(t.gamma),
            "vega_per_point": words.money(t.vega),
            "theta_per_day": words.money(t.theta),
            "hedge": {
                "perp": _contracts(t.hedge_perp),
                "straddles": [
                    {"expiry": s.expiry, "size": _contracts(s.size), "vega_per_point": words.money(s.vega)}
                    for s in t.straddles
                ],
                "cost": words.money(t.hedge_cost),
                "drift": words.money(t.drift),
            },
        }
        for t in action.taken
    ]


def _greeks(t: TakenOver, name: str) -> str:
    said = f"delta {_amount(t.delta)} {name}"
    if t.straddles:
        said += f" · gamma {_amount(t.gamma)} a % · vega {words.usd(t.vega)} a point · theta {words.usd(t.theta)} a day"
    return said


def _plan(t: TakenOver, name: str) -> str:
    trades = [_trade(t.hedge_perp, f"{name} perp")] if t.hedge_perp else []
    trades += [_trade(s.size, f"{name} straddles {words.day(s.expiry)}") for s in t.straddles if s.size]
    if not trades:
        return "nothing to trade"
    return (
        f"{', '.join(trades)} · costs about {words.usd(t.hedge_cost)} · spot may move {words.usd(t.drift)} until then"
    )


def _trade(size: int, what: str) -> str:
    return f"{'buy' if size > 0 else 'sell'} {_amount(abs(size))} {what}"


def _amount(wad: int) -> str:
    return f"{wad / 10**18:,.4g}"


def _contracts(wad: int) -> dict[str, str]:
    return {"contracts": str(Wad(wad)), "wad": str(wad)}
