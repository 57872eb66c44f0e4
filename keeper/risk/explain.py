"""Why an account must hold what it must: every figure of it as lines that add up to it, to the wei."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from keeper.domain.margin import AccountMargin, UnderlyingMargin, Unpriced
from keeper.domain.market import MarketModel, UnderlyingMarket
from keeper.domain.snapshot import AccountState, Rules, Snapshot, Usable
from keeper.errors import LawBroken
from keeper.risk import margin
from keeper.risk.exact.riskfile import PPM
from keeper.risk.explain_grid import Line, UnderlyingExplanation, completing, explain_grid
from keeper.risk.one_by_one import Holding, holdings


@dataclass(frozen=True, kw_only=True)
class AccountExplanation:
    """Every figure of an account taken apart."""

    margin: AccountMargin
    underlyings: tuple[UnderlyingExplanation, ...]
    equity: tuple[Line, ...]
    mm: tuple[Line, ...]
    im: tuple[Line, ...]


def explain(
    account: AccountState, found: AccountMargin | Unpriced, snapshot: Snapshot, market: MarketModel
) -> AccountExplanation | Unpriced:
    """Take an account of a report apart.

    Args:
        account: its state.
        found: what the report says about it.
        snapshot: the block.
        market: the market of that block.

    Raises:
        LawBroken: the lines do not add up to the report.
    """
    if isinstance(found, Unpriced):
        return found
    held = holdings(account, market.now)
    rules = {u.underlying: u.rules for u in snapshot.underlyings}
    explained = tuple(
        part
        for u in found.underlyings
        if (part := _underlying(held[u.underlying], market.of(u.underlying), market.now)) is not None
    )
    out = AccountExplanation(
        margin=found,
        underlyings=explained,
        equity=_equity(account, found, snapshot),
        mm=_maintenance(found, rules),
        im=_initial(
            found,
            rules,
            uplift={u.underlying: u.file.im_uplift_ppm for u in market.underlyings if u.file is not None},
            stale={u for u, h in held.items() if h.legs and market.of(u).stale},
        ),
    )
    for name, lines, total in (
        ("equity", out.equity, found.equity),
        ("MM", out.mm, found.mm),
        ("IM", out.im, found.im),
    ):
        if sum(line.amount for line in lines) != total:
            raise LawBroken(f"lines of {name} do not add up to it", account=found.account, total=total)
    return out


def _underlying(held: Holding, u: UnderlyingMarket, now: int) -> UnderlyingExplanation | None:
    if not (held.legs or held.perp_size) or u.file is None or u.spot is None:
        return None
    return explain_grid(u.file, held.legs, held.perp_size, underlying=u.underlying, spot=u.spot, now=now)


def _equity(account: AccountState, found: AccountMargin, snapshot: Snapshot) -> tuple[Line, ...]:
    assets = {c.collateral: c for c in snapshot.collaterals}
    lines = [Line(what="cash", amount=account.cash), Line(what="interest owed", amount=found.cash - account.cash)]
    for c, units in account.collateral:
        asset = assets[c]
        if isinstance(asset.price, Usable):  # it is: the account was priced
            counted, _ = margin.collateral_value(units, asset, price=asset.price.wad)
            lines.append(Line(what=f"{asset.symbol} after haircut", amount=counted))
    symbols = {u.underlying: u.symbol for u in snapshot.underlyings}
    for u in found.underlyings:
        lines += [
            Line(what=f"{symbols[u.underlying]} options at mark", amount=u.option_mark),
            Line(what=f"{symbols[u.underlying]} expired options", amount=u.expired_value),
            Line(what=f"{symbols[u.underlying]} perp", amount=u.perp_value),
        ]
    lines.append(Line(what="socialised loss", amount=-found.pending_loss))
    return tuple(line for line in lines if line.amount)


def _maintenance(found: AccountMargin, rules: Mapping[int, Rules]) -> tuple[Line, ...]:
    lines: list[Line] = []
    for u in found.underlyings:
        r = rules[u.underlying]
        lines += _scaled(u, "maintenance", r.kappa_ppm) + _scaled(u, "flag fee", r.flag_fee_ppm)
    return (*lines, *completing("rounding", lines, found.mm))


def _initial(
    found: AccountMargin, rules: Mapping[int, Rules], *, uplift: Mapping[int, int], stale: AbstractSet[int]
) -> tuple[Line, ...]:
    lines: list[Line] = []
    for u in found.underlyings:
        r = rules[u.underlying]
        lines += _scaled(u, "initial", PPM) + _scaled(u, "initial add-on", r.im_add_on_ppm)
        lines += _scaled(u, "scan ranges still rising", uplift.get(u.underlying, 0))
        if u.underlying in stale:
            lines += _scaled(u, "stale file add-on", r.stale_add_on_ppm)
    return (*lines, *completing("rounding", lines, found.im))


def _scaled(u: UnderlyingMargin, what: str, factor_ppm: int) -> list[Line]:
    """`factor_ppm` of the grid and of the short-option minimum, each rounded down; none for zero."""
    named = (("grid", u.grid), ("short-option minimum", u.short_minimum))
    return [
        Line(what=f"{what}: {factor_ppm / 1e4:g} % of the {name}, underlying {u.underlying}", amount=amount)
        for name, base in named
        if (amount := base * factor_ppm // PPM)
    ]
