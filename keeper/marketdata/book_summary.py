"""Deribit's public book summary, and whoever answers like it.

    GET …/public/get_book_summary_by_currency?currency=ETH&kind=option
    {"result": [{"instrument_name": "ETH-27MAR26-3000-C", "mark_iv": 62.1, "bid_price": 0.041, "ask_price": null,
                 "underlying_price": 3012.4, "estimated_delivery_price": 3005.9, "creation_timestamp": 1767225600123,
                 "quote_currency": "ETH", "open_interest": 120.0, …}, …]}

`mark_iv` is in percent.  Premia are in the coin, which is over the forward; where `quote_currency` is a dollar they are
divided by it.  `underlying_price` is the forward of that expiry and `estimated_delivery_price` the index.  Expiries are
at 08:00 UTC.
"""

from __future__ import annotations

import math
import re
from bisect import bisect, bisect_left
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any, Final

from keeper.domain.expiry import expiry_or_none
from keeper.errors import Retry
from keeper.marketdata.chain import Chain
from keeper.marketdata.web import said_by
from keeper.risk.surface.quotes import Quote

_NAME: Final = re.compile(r"([A-Z0-9_]+)-(\d{1,2}[A-Z]{3}\d{2})-(\d{1,15}(?:d\d{1,12})?)-([CP])", re.ASCII)
#: A quote this much older than the newest of the answer is left out, seconds: one dead book must not age the others.
STRAGGLER_S: Final = 60
#: A time that fewer than one quote in so many are near is not the time of an answer.
FEW: Final = 10
_DOLLARS: Final = ("USD", "USDC", "USDT")


def read_summary(tree: Any, *, source: str, underlying: str) -> Chain:
    """Read an answer.

    Args:
        tree: parsed JSON: the whole answer, or its list of summaries.
        source: what the venue is called.
        underlying: its name, as options' names begin; rows of another are passed over.

    Raises:
        Retry: it is an error, or no option of `underlying` in it can be read.
    """
    rows = tree.get("result") if isinstance(tree, dict) else tree
    if not isinstance(rows, list):
        raise Retry(f"{source} answered without a result{said_by(tree)}")
    found = list(_rows(rows, underlying))
    if not found:
        raise Retry(f"{source} quotes no option on {underlying}")
    newest = _newest([quote.time_s for quote, _ in found])
    fresh = [(quote, index) for quote, index in found if newest - STRAGGLER_S <= quote.time_s <= newest]
    return Chain(
        source=source,
        taken_s=min(quote.time_s for quote, _ in fresh),
        index=median(index for _, index in fresh),
        quotes=tuple(quote for quote, _ in fresh),
    )


def _rows(rows: list[Any], underlying: str) -> Iterator[tuple[Quote, float]]:
    """Each option that says its forward, its time and the index, with the index.  Others are passed over."""
    for row in rows:
        if not isinstance(row, dict):
            continue
        name = _NAME.fullmatch(str(row.get("instrument_name")))
        forward, index, at_ms = (
            _positive(row.get(key)) for key in ("underlying_price", "estimated_delivery_price", "creation_timestamp")
        )
        if name is None or name[1] != underlying or forward is None or index is None or at_ms is None:
            continue
        expiry_s = _expiry(name[2])
        if expiry_s is None:
            continue
        vol, unit = _positive(row.get("mark_iv")), forward if row.get("quote_currency") in _DOLLARS else 1.0
        bid, ask = _positive(row.get("bid_price")), _positive(row.get("ask_price"))
        quote = Quote(
            expiry_s=expiry_s,
            strike=float(name[3].replace("d", ".")),
            is_call=name[4] == "C",
            forward=forward,
            time_s=int(at_ms // 1000),
            mark_vol=None if vol is None else vol / 100,
            bid=None if bid is None else bid / unit,
            ask=None if ask is None else ask / unit,
            open_interest=_positive(row.get("open_interest")) or 0.0,
        )
        yield quote, index


def _newest(times_s: Sequence[int]) -> int:
    """The time of the answer: the newest that part of the quotes are near.

    One clock that is ahead would make all others stragglers, and the answer one of the future.
    """
    ascending = sorted(times_s)
    few = max(1, len(ascending) // FEW)
    near = (t for t in reversed(ascending) if bisect(ascending, t) - bisect_left(ascending, t - STRAGGLER_S) >= few)
    return next(near, ascending[-1])


def _positive(value: Any) -> float | None:
    """A finite number above zero; None for anything else, which is how a venue says that there is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    number = float(value) if abs(value) < 1e15 else math.nan
    return number if number > 0.0 else None


def _expiry(day: str) -> int | None:
    try:
        return expiry_or_none(day)
    except ValueError:
        return None
