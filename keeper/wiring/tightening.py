"""Whom a call of the quorum brings down that tightens everybody's margins without a publication."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from keeper.domain.council import Order
from keeper.domain.snapshot import Usable
from keeper.errors import KeeperError
from keeper.policy.effect import Effect
from keeper.policy.tightened import at_peak, under_rules, widened
from keeper.protocols.clearinghouse.council import PARAMETERS
from keeper.protocols.clearinghouse.markets import rules_of
from keeper.protocols.clearinghouse.views import Views
from keeper.settings import Settings
from keeper.wiring.cosigning import newest

#: Functions of the quorum's contract that do.
TIGHTENING: Final = frozenset({"tighten", "setStateAddOn"})


def effect_of(settings: Settings, environ: Mapping[str, str], views: Views, order: Order) -> Effect | str:
    """Whom an emergency or an add-on brings down; in words why nobody can tell, empty of all else.

    Args:
        settings: validated.
        environ: where keys named by variable are looked up.
        views: the contracts' views.
        order: what a paper has the quorum do.

    Raises: nothing: an emergency is not held up because its effect is not known.
    """
    if order.function not in TIGHTENING:
        return ""
    try:
        snapshot = newest(settings, environ).inputs.snapshot
        u = next((u for u in snapshot.underlyings if u.underlying == order.underlying), None)
        if u is None or u.live is None or not isinstance(u.spot, Usable):
            why = u.spot.reason if u is not None and not isinstance(u.spot, Usable) else "nothing is in force"
            return f"whom it brings down is not known: {why}"
        of = snapshot.block, PARAMETERS
        standing = views.one(*of, "controls", order.underlying)
        bare = rules_of(views.one(*of, "config", order.underlying))
    except KeeperError as error:
        return f"whom it brings down is not known: {error.message}"
    if order.function == "tighten":
        rules = at_peak(u.rules, bare, im_ppm=standing["emergencyImPpm"], peak_ppm=int(order.arguments["peakPpm"]))
    else:
        rules = widened(u.rules, standing_ppm=standing["stateAddOnPpm"], add_on_ppm=int(order.arguments["addOnPpm"]))
    return under_rules(snapshot, u, rules)
