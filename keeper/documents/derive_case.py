"""Derive's published test portfolios: a case, or one of a file of them, into the kernel and back into four figures.

    {"name": …, "inputs": {cash, spot, …, options, feeds}, "param_overrides": {…}}
    {"param_set_P0": {…}, "cases": [case, …]}

`param_overrides` is a nested part of the parameter set, merged key by key; lists are replaced.  Where a file brings no
`param_set_P0`, the preset's own set is the base.  An option without a `vol` reads its feed's SVI.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from keeper.documents.derive_inputs import CaseInput, CollateralInput, FeedInput, Inputs
from keeper.documents.derive_own import own_parameters
from keeper.documents.derive_params import Parameters, preset_of
from keeper.documents.read import check
from keeper.errors import BadInput
from keeper.risk.kernel.margin import margin
from keeper.risk.kernel.market import Collateral, Expiry, Market, Perp, Underlying
from keeper.risk.kernel.portfolio import Holding, OptionPosition, PerpPosition, Portfolio
from keeper.risk.kernel.preset import Preset
from keeper.risk.kernel.requirement import Requirement, Unpriced

#: A case is of one underlying and does not name it.
SYMBOL: Final = "UNDERLYING"
#: Most that a total variance may be, and how far from the money a smile is read in units of √(a + bσ).
_MAX_VARIANCE: Final = 144.0
_WING: Final = 4.0


@dataclass(frozen=True, kw_only=True)
class DeriveCase:
    """A case for the kernel."""

    name: str
    preset: Preset
    market: Market
    portfolio: Portfolio


def parse_case(tree: Any, *, name: str | None = None, where: str = "case") -> DeriveCase:
    """Read a case object, or one of a file of cases.

    Args:
        tree: the JSON value.
        name: which case of a file; may be left out where there is one.
        where: opens each message.

    Raises:
        BadInput: naming the field that is wrong, or the cases there are to choose from.
    """
    base, case = _chosen(tree, name, where)
    kept = {key: value for key, value in case.items() if key in {"name", "inputs", "param_overrides"}}
    document = check(kept, CaseInput, where=where)
    merged = merge(base, document.param_overrides, where=f"{where}: param_overrides")
    parameters = check(merged, Parameters, where=f"{where}: parameters")
    return DeriveCase(
        name=document.name,
        preset=preset_of(parameters),
        market=_market(document.inputs, where),
        portfolio=_portfolio(document.inputs, where),
    )


def answer(found: Requirement) -> dict[str, float | str]:
    """The four figures: excesses over IM and MM, mark to market with cash, and the kind of the worst row."""
    return {
        "IM": found.im_excess,
        "MM": found.mm_excess,
        "mtm": found.equity,
        # Where nothing loses it is the block that gains least, the first of equals.
        "worst": found.initial.binding or min(found.initial.worst, key=lambda one: one.gain).name,
    }


def margin_of(case: DeriveCase) -> Requirement:
    """The kernel's answer to a case.  Raises: `BadInput` if it cannot be priced."""
    found = margin(case.market, case.portfolio, case.preset)
    if isinstance(found, Unpriced):
        raise BadInput(f"{case.name}: {found.reason}", hint="each option needs a feed of the same sec_to_expiry")
    return found


def merge(base: Mapping[str, Any], overrides: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """`base` with the parts of `overrides`, key by key; what is no mapping is replaced.

    Raises: `BadInput` naming a key that `base` does not have.
    """
    out = dict(base)
    for key, value in overrides.items():
        if key not in base:
            near = difflib.get_close_matches(key, list(base), n=1)
            hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(base)}"
            raise BadInput(f"{where}: unknown key {key}", hint=hint)
        both = isinstance(base[key], Mapping), isinstance(value, Mapping)
        out[key] = merge(base[key], value, where=f"{where}.{key}") if all(both) else value
    return out


def _chosen(tree: Any, name: str | None, where: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The parameter set and the case."""
    if not isinstance(tree, Mapping):
        raise BadInput(f"{where}: not a case", hint="a case is an object with inputs, a file one with cases")
    if "cases" not in tree:
        if name is not None and tree.get("name", name) != name:
            raise BadInput(f"{where}: holds the case {tree.get('name')}, not {name}", hint="leave --case out")
        return own_parameters(), tree
    cases, base = tree["cases"], tree.get("param_set_P0")
    if not isinstance(cases, list) or not all(isinstance(one, Mapping) for one in cases):
        raise BadInput(f"{where}: cases is not a list of cases", hint="write {cases: [{name, inputs}, …]}")
    if base is not None and not isinstance(base, Mapping):
        raise BadInput(f"{where}: param_set_P0 is not an object", hint="leave it out for the preset's own set")
    names = [str(one.get("name", "")) for one in cases]
    found = [one for one, called in zip(cases, names, strict=True) if name in {None, called}]
    if len(found) != 1:
        what = f"holds no case {name}" if not found else f"holds {len(found)} cases" + (f" {name}" if name else "")
        raise BadInput(f"{where}: {what}", hint=f"choose with --case NAME from: {', '.join(names)}")
    return own_parameters() if base is None else base, found[0]


def _market(inputs: Inputs, where: str) -> Market:
    feeds = {_seconds(feed.sec_to_expiry): feed for feed in inputs.feeds}
    if len(feeds) != len(inputs.feeds):
        raise BadInput(f"{where}: inputs.feeds: two feeds of one expiry", hint="give each sec_to_expiry once")
    return Market(
        stable=inputs.stable,
        underlyings=(
            Underlying(
                symbol=SYMBOL,
                spot=inputs.spot,
                confidence=inputs.spot_conf,
                perp=Perp(price=inputs.perp_price, confidence=inputs.perp_conf),
                expiries=tuple(
                    Expiry(
                        name=_expiry(seconds),
                        seconds=seconds,
                        forward=feed.forward,
                        rate=feed.rate,
                        forward_confidence=feed.fwd_conf,
                        rate_confidence=feed.rate_conf,
                        vol_confidence=feed.vol_conf,
                    )
                    for seconds, feed in feeds.items()
                ),
            ),
        ),
        collaterals=tuple(
            Collateral(
                symbol=symbol,
                price=token.price,
                confidence=token.conf,
                underlying=SYMBOL if token.risk_cancelling else None,
                mm_haircut=token.mm_haircut,
                im_haircut=token.im_haircut,
            )
            for symbol, token in _tokens(inputs)
        ),
    )


def _tokens(inputs: Inputs) -> list[tuple[str, CollateralInput]]:
    """Each balance under a symbol of its own: two of one name may have two prices."""
    names = [token.name for token in inputs.collateral]
    return [
        (token.name if names.count(token.name) == 1 else f"{token.name}#{i}", token)
        for i, token in enumerate(inputs.collateral, start=1)
    ]


def _portfolio(inputs: Inputs, where: str) -> Portfolio:
    feeds = {_seconds(feed.sec_to_expiry): feed for feed in inputs.feeds}
    options = []
    for i, option in enumerate(inputs.options):
        seconds = _seconds(option.sec_to_expiry)
        at = f"{where}: inputs.options[{i}]"
        if seconds not in feeds:
            raise BadInput(f"{at}: no feed of sec_to_expiry {seconds:g}", hint="add it to inputs.feeds")
        options.append(
            OptionPosition(
                underlying=SYMBOL,
                expiry=_expiry(seconds),
                strike=option.strike,
                is_call=option.call,
                size=option.amount,
                vol=_svi_vol(feeds[seconds], option.strike, at) if option.vol is None else option.vol,
            )
        )
    return Portfolio(
        cash=inputs.cash,
        collateral=tuple(Holding(symbol=symbol, amount=token.amount) for symbol, token in _tokens(inputs)),
        perps=(PerpPosition(underlying=SYMBOL, size=inputs.perps, unrealised=inputs.upnl, funding=inputs.funding),),
        options=tuple(options),
    )


def _seconds(written: float) -> float:
    return max(written, 0.0)


def _expiry(seconds: float) -> str:
    return f"{seconds!r}s"


def _svi_vol(feed: FeedInput, strike: float, at: str) -> float:
    """√(w/τ) of raw SVI with the feed's own forward and τ."""
    if feed.svi_a_b_rho_m_sigma_fwd_tau is None:
        raise BadInput(f"{at}: has no vol, and its feed no SVI", hint="give one of them")
    a, b, rho, m, sigma, forward, tau = feed.svi_a_b_rho_m_sigma_fwd_tau
    reach = _WING * math.sqrt(max(a + b * sigma, 0.0))
    k = math.log(strike / forward) if strike > 0.0 and forward > 0.0 else -math.inf
    k = min(max(k, -reach), reach)
    total = min(a + b * (rho * (k - m) + math.sqrt((k - m) ** 2 + sigma**2)), _MAX_VARIANCE)
    if not (tau > 0.0 and total >= 0.0):
        raise BadInput(f"{at}: the feed's SVI gives no volatility", hint="its tau must be positive, its variance too")
    return math.sqrt(total / tau)
