"""Whether documents hold what a preset needs: each refusal names the field."""

from __future__ import annotations

from collections.abc import Iterable

from keeper.documents.market import MarketDocument
from keeper.documents.names import InstrumentName, Kind
from keeper.documents.numbers import LATEST_S
from keeper.documents.portfolio import PortfolioDocument
from keeper.errors import BadInput
from keeper.risk.kernel.preset import Currency, Netting, Preset
from keeper.risk.kernel.rows import Depegs, Historical, Linear, Listed, Scanned, Simulated, Thresholds

#: Rows that are made from a market's history.
OF_HISTORY = (Historical, Simulated)


def check_fit(
    preset: Preset, market: MarketDocument, portfolio: PortfolioDocument, names: Iterable[InstrumentName]
) -> None:
    """Refuse documents that a preset has no rule for.

    Args:
        preset: the rule.
        market: as written.
        portfolio: as written.
        names: instruments of the portfolio and of orders.

    Raises: `BadInput` naming the field.
    """
    traded = tuple(dict.fromkeys(names))
    involved = involved_in(traded, market, portfolio)
    _check_expiries(market, traded)
    _check_currency(preset, market, portfolio, involved)
    _check_rules(preset, traded)
    _check_debts(preset, market, portfolio)
    _check_ranges(preset, market, involved)
    _check_history(preset, market, involved)


def involved_in(
    names: Iterable[InstrumentName], market: MarketDocument, portfolio: PortfolioDocument
) -> tuple[str, ...]:
    """Underlyings that the account or its orders depend on, in the market's order."""
    of_tokens = {
        market.collaterals[symbol].underlying for symbol in portfolio.collateral if symbol in market.collaterals
    }
    involved = {name.symbol for name in names} | of_tokens
    return tuple(symbol for symbol in market.underlyings if symbol in involved)


def _check_expiries(market: MarketDocument, traded: tuple[InstrumentName, ...]) -> None:
    listed = [
        (one.expiry_s, f"market: expiry {one.expiry}") for of in market.underlyings.values() for one in of.expiries
    ]
    named = [(name.expiry_s, f"portfolio: positions: {name}") for name in traded if name.expiry_s is not None]
    for expiry_s, where in (*listed, *named):
        if expiry_s - market.as_of_s > LATEST_S:
            raise BadInput(f"{where} is more than a hundred years after as_of", hint="correct the year")


def _check_currency(
    preset: Preset, market: MarketDocument, portfolio: PortfolioDocument, involved: tuple[str, ...]
) -> None:
    if preset.currency is Currency.USD:
        if portfolio.currency != "USD":
            raise BadInput(
                f"portfolio: currency: {preset.name} counts in USD, the portfolio in {portfolio.currency}",
                hint="leave currency out and write amounts in USD, or take a preset that counts in coin: deribit_pm",
            )
        return
    if len(involved) > 1:
        raise BadInput(
            f"portfolio: positions: {preset.name} counts in the coin of one underlying, "
            f"these are of {', '.join(involved)}",
            hint="write one portfolio per coin",
        )
    coin = involved[0] if involved else portfolio.currency
    if coin not in market.underlyings:
        raise BadInput(
            f"portfolio: currency: {preset.name} counts in the coin of an underlying, and the market has no {coin}",
            hint=f"take one of: {', '.join(market.underlyings)}",
        )
    if portfolio.currency != coin:
        raise BadInput(
            f"portfolio: currency: {preset.name} counts in {coin}, the portfolio in {portfolio.currency}",
            hint=f'write "currency": "{coin}", and cash, funding and the sizes of perpetuals and futures in {coin}',
        )


def _check_rules(preset: Preset, traded: tuple[InstrumentName, ...]) -> None:
    """A lending market has no rule for a perpetual, a linear one none for an option."""
    sources = [block.rows for block in preset.blocks]
    if all(isinstance(rows, Thresholds | Depegs) for rows in sources):
        ruled: tuple[Kind, ...] = ()
    elif all(isinstance(rows, Linear | Thresholds | Depegs) for rows in sources):
        ruled = (Kind.PERP, Kind.FUTURE)
    else:
        return
    stranger = next((name for name in traded if name.kind not in ruled), None)
    if stranger is not None:
        known = "perpetuals and futures" if ruled else "collateral and debt"
        raise BadInput(
            f"portfolio: positions: {preset.name} has no rule for {stranger}, only for {known}",
            hint="take it out, or value it under another preset",
        )


def _check_debts(preset: Preset, market: MarketDocument, portfolio: PortfolioDocument) -> None:
    """A debt in a token loses when the token rises: where no row can make it rise, it would cost nothing."""
    if any(isinstance(block.rows, Thresholds) for block in preset.blocks):
        return
    moves = any(
        block.netting is Netting.ACCOUNT and isinstance(block.rows, Scanned | Listed | Linear)
        for block in preset.blocks
    )
    for symbol, amount in portfolio.collateral.items():
        if amount >= 0.0 or symbol not in market.collaterals:  # what the market does not know makes it unknown
            continue
        if not moves:
            raise BadInput(
                f"portfolio: collateral.{symbol}: {preset.name} has no rule for a debt in a token",
                hint="write a debt in the settlement token as negative cash, or take keeper, aave or morpho",
            )
        if market.collaterals[symbol].underlying is None:
            raise BadInput(
                f"portfolio: collateral.{symbol}: {preset.name} has no rule for a debt in a token whose price follows "
                "no underlying",
                hint=f"name the underlying in the market's collaterals.{symbol}, or write it as negative cash",
            )


def _check_ranges(preset: Preset, market: MarketDocument, involved: tuple[str, ...]) -> None:
    scanned = [block.rows for block in preset.blocks if isinstance(block.rows, Scanned)]
    if all(rows.fixed or rows.fallback for rows in scanned):
        return
    absent = next((symbol for symbol in involved if market.underlyings[symbol].scan_range is None), None)
    if absent is not None:
        raise BadInput(
            f"market: underlyings.{absent}.scan_range: {preset.name} needs it and has none of its own",
            hint="keeper calibrate finds one from a price history",
        )


def _check_history(preset: Preset, market: MarketDocument, involved: tuple[str, ...]) -> None:
    """All or none: a joint past that lacks one of the account's underlyings would count its risk as nothing."""
    if not any(isinstance(block.rows, OF_HISTORY) for block in preset.blocks):
        return
    absent = [symbol for symbol in involved if market.underlyings[symbol].history is None]
    named = [symbol for symbol, one in market.underlyings.items() if one.history is not None]
    if absent and named:
        raise BadInput(
            f"market: underlyings.{absent[0]}.history: {preset.name} looks at the joint past, and only "
            f"{', '.join(named)} names one",
            hint="name a file of past prices for each underlying, or for none of them",
        )
