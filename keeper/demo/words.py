"""Decisions in words: one line each, names instead of ids."""

from __future__ import annotations

from collections.abc import Mapping

from keeper.demo.breakers import Opening
from keeper.demo.panels import money
from keeper.demo.pricefile import show_time
from keeper.domain.action import (
    Bid,
    Flag,
    MarginCall,
    Publish,
    Refresh,
    Remeasure,
    SetAddOn,
    SettleExpiry,
    SyncBreaker,
    Touch,
    Unflag,
)
from keeper.domain.cycle import Handed

WAD, PPM = 10**18, 10**6
#: How a simulation ends where a publication of the same block came first: what was priced before it is priced anew.
_OUTPACED = "simulation: WrongEpoch("
#: States of a transaction that is on its way or done; anything else is said.
FINE = ("sent", "mined", "final", "notice", "signed")


def say(handed: Handed, *, names: Mapping[int, str], symbols: Mapping[int, str], shift_s: int) -> str:
    """One action and, if it did not go through, what became of it; empty for chores that nobody reads.

    Args:
        handed: the action.
        names: member name by account.
        symbols: ticker by underlying.
        shift_s: chain time less market time.
    """
    text = _action(handed, names, symbols, shift_s)
    if not text or handed.state in FINE:
        return text
    if handed.reason.startswith(_OUTPACED):
        again = "bids" if isinstance(handed.action, Bid) else "tried"
        return f"{text} (parameters moved in this block; {again} again next)"
    return f"{text} ({handed.state}: {handed.reason.splitlines()[0] if handed.reason else 'no reason given'})"


def _action(handed: Handed, names: Mapping[int, str], symbols: Mapping[int, str], shift_s: int) -> str:
    action = handed.action
    match action:
        case Publish():
            return f"publish {action.why}{_surface(action)}"
        case Refresh() | SetAddOn():
            return f"{'refresh' if isinstance(action, Refresh) else 'widen'} {action.why}"
        case SettleExpiry():
            return f"settle {symbols[action.underlying]} expiry of {show_time(action.expiry - shift_s)}"
        case Flag():
            return f"flag {_name(names, action.account)}: {action.why}"
        case Unflag() | Remeasure():
            verb = "release" if isinstance(action, Unflag) else "note insolvency of"
            return f"{verb} {_name(names, action.account)}: {action.why}"
        case Bid():
            part = f"{action.fraction_wad * 100 / WAD:.0f} %"
            verb = "for at most" if action.max_cost >= 0 else "if paid"
            return f"bid {_name(names, action.account)}: {part} {verb} {money(abs(action.max_cost) / WAD)} USD"
        case MarginCall():
            return (
                f"margin call {_name(names, action.account)}: health {action.health_ppm / PPM:.3f}, "
                f"{money((action.equity - action.mm) / WAD)} USD above maintenance"
            )
        case Touch() | SyncBreaker():
            return ""


def say_opening(one: Opening) -> str:
    """What a breaker did, in one line."""
    cause = "its two feeds disagree" if one.why == "feeds" else f"leapt {_leap(one.move)} in one round"
    if not one.waited:
        return f"breaker {one.symbol}: {cause}; no flag had to wait"
    people = f"{one.waited} flag{'s' if one.waited > 1 else ''}"
    end = f"until {show_time(one.until_s)[-5:]}, {one.flagged} sent then" if one.flagged else "for the next round"
    return f"breaker {one.symbol}: {cause}; {people} waited {end}"


def _leap(move: float | None) -> str:
    return "" if move is None else f"{move * 100:+.1f} %"


def _surface(action: Publish) -> str:
    """The smile and the forward that went out with it, of the latest expiry."""
    if not action.params.expiries:
        return ""
    last = action.params.expiries[-1]
    smile = "/".join(f"{sigma / 1e4:.0f}" for sigma in last.sigmas_ppm if sigma)
    return f"; last expiry {smile} %, forward {(last.params.phi_ppb / 10**9 - 1) * 100:+.2f} %"


def _name(names: Mapping[int, str], account: int) -> str:
    return names.get(account, f"{account:#066x}"[:14] + "…")
