"""Quoted chains that a market document names, written out as its expiries."""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from keeper.documents import market as doc
from keeper.documents.names import expiry_name
from keeper.documents.volatility import YEAR_S
from keeper.errors import BadInput
from keeper.risk.surface.quotes import Quote, QuoteSnapshot

#: Quotes older than this at `as_of` are of another market; seconds.
MAX_AGE_S: Final = 3_600


def with_quotes(document: doc.MarketDocument, folder: Path) -> doc.MarketDocument:
    """The document with the expiries of every `quotes_file`; what it says itself goes before.

    Args:
        document: as written.
        folder: where its files are relative to.

    Raises: `BadInput` if a file cannot be used, or has nothing of the last hour before `as_of`.
    """
    changed = {
        symbol: one.model_copy(
            update={"expiries": _expiries(one, _snapshot(symbol, one.quotes_file, document, folder))}
        )
        for symbol, one in document.underlyings.items()
        if one.quotes_file is not None
    }
    return document.model_copy(update={"underlyings": {**document.underlyings, **changed}}) if changed else document


def _snapshot(symbol: str, name: str, document: doc.MarketDocument, folder: Path) -> QuoteSnapshot:
    from keeper.marketdata.quotes_file import load_quotes  # noqa: PLC0415 - only where a file is named

    quotes = load_quotes(folder / name)
    past = [at for at in quotes.times(symbol) if at <= document.as_of_s]
    if not past or document.as_of_s - past[-1] > MAX_AGE_S:
        raise BadInput(
            f"market: underlyings.{symbol}.quotes_file: {folder / name} has no quotes of the hour before as_of",
            hint="correct as_of, or name a file of that time",
        )
    return quotes.at(symbol, past[-1])


def _expiries(written: doc.Underlying, snapshot: QuoteSnapshot) -> tuple[doc.Expiry, ...]:
    chains: dict[int, list[Quote]] = defaultdict(list)
    for quote in snapshot.quotes:
        chains[quote.expiry_s].append(quote)
    own = {one.expiry_s: one for one in written.expiries}
    rest = [one for one in written.expiries if one.expiry_s not in chains]
    return (*rest, *(_expiry(written, own.get(day), chains[day], snapshot.time_s) for day in sorted(chains)))


def _expiry(underlying: doc.Underlying, own: doc.Expiry | None, chain: list[Quote], now_s: int) -> doc.Expiry:
    one = own or doc.Expiry(expiry=expiry_name(chain[0].expiry_s))
    forward = chain[0].forward if one.forward is None else one.forward
    rate = underlying.rate if one.rate is None else one.rate
    smile = one.smile
    if smile is None:
        # A premium in the file is a share of the forward; the document's are discounted USD.
        worth = forward * math.exp(-rate * (chain[0].expiry_s - now_s) / YEAR_S)
        quotes = tuple(found for quote in chain if (found := _quote(quote, worth)) is not None)
        smile = doc.Smile(quotes=quotes) if quotes else None
    return one.model_copy(update={"forward": forward, "smile": smile})


def _quote(quote: Quote, worth: float) -> doc.Quote | None:
    """One row of the chain; None if it says no volatility."""
    if quote.mark_vol is None and (quote.bid is None or quote.ask is None):
        return None
    try:
        return doc.Quote(
            strike=quote.strike,
            kind="C" if quote.is_call else "P",
            vol=quote.mark_vol,
            bid=None if quote.bid is None else quote.bid * worth,
            ask=None if quote.ask is None else quote.ask * worth,
        )
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        raise BadInput(
            f"market: quotes_file: the quote of strike {quote.strike:g} for {expiry_name(quote.expiry_s)} has "
            f"{wrong['loc'][-1] if wrong['loc'] else 'numbers'} {wrong['input']}: {wrong['msg'].lower()}",
            hint="correct or remove that row",
        ) from None
