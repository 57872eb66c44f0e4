"""Files of option quotes: tables with several snapshots of several underlyings, or one saved answer of a venue.

CSV, CSV.gz and Parquet have the columns of `keeper.marketdata.quotes_columns`; JSON is the answer of Deribit's
`get_book_summary_by_currency`, whole or its list (`keeper.marketdata.book_summary`).
"""

from __future__ import annotations

from codecs import BOM_UTF8
from pathlib import Path

import numpy as np
import numpy.typing as npt

from keeper.errors import BadInput, Retry
from keeper.marketdata.book_summary import read_summary
from keeper.marketdata.quotes_columns import EXPECTED, Columns, columns_of_csv, columns_of_parquet, is_parquet
from keeper.marketdata.web import parsed
from keeper.risk.surface.quotes import Quote, QuoteSnapshot

Floats = npt.NDArray[np.float64]


class QuoteFile:
    """The snapshots of a file: a `QuoteHistory`."""

    def __init__(self, path: Path) -> None:
        """Read it.  Raises: `BadInput` naming the file and what is wrong with it."""
        self.path = path
        self._ready: dict[tuple[str, int], QuoteSnapshot] = {}
        self._columns: Columns | None = None
        if is_parquet(path):
            self._columns = columns_of_parquet(path)
        elif _looks_like_json(path):
            self._ready = _summaries(path)
        else:
            self._columns = columns_of_csv(path)
        found: set[tuple[str, int]] = set(self._ready)
        if self._columns is not None:
            found = set(zip(self._columns.underlying.tolist(), self._columns.time_s.tolist(), strict=True))
        self.keys = tuple(sorted(found, key=lambda key: (key[1], key[0])))

    @property
    def underlyings(self) -> tuple[str, ...]:
        """Their names, sorted."""
        return tuple(sorted({name for name, _ in self.keys}))

    def times(self, underlying: str) -> tuple[int, ...]:
        """When it was quoted, ascending, unix seconds.  Raises: `BadInput` if the file never quotes it."""
        found = tuple(time for name, time in self.keys if name == underlying.upper())
        if not found:
            have = ", ".join(self.underlyings)
            raise BadInput(f"{self.path}: has no quotes on {underlying}", hint=f"it has {have}")
        return found

    def at(self, underlying: str, time_s: int) -> QuoteSnapshot:
        """One snapshot, of `times`."""
        key = (underlying.upper(), time_s)
        if self._columns is None:
            return self._ready[key]
        return _snapshot(self._columns, *key)


def load_quotes(path: Path) -> QuoteFile:
    """Read a file of quotes.  Raises: `BadInput` naming the file, its line if it has lines, and what is expected."""
    if path.is_dir():
        raise BadInput(f"{path}: is a directory", hint="name a file of quotes in it")
    if not path.is_file():
        raise BadInput(f"{path}: there is no such file", hint="name a CSV, CSV.gz, Parquet or JSON file of quotes")
    return QuoteFile(path)


def _looks_like_json(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(64).removeprefix(BOM_UTF8).lstrip()[:1] in (b"{", b"[")


def _summaries(path: Path) -> dict[tuple[str, int], QuoteSnapshot]:
    tree = parsed(path.read_bytes().removeprefix(BOM_UTF8))
    rows = tree.get("result") if isinstance(tree, dict) else tree
    hint = (
        "a JSON file is a venue's answer to get_book_summary_by_currency: a list of summaries, or an object whose "
        "result is one; quotes may also be CSV, CSV.gz or Parquet: see keeper surface --help"
    )
    if tree is None:
        raise BadInput(f"{path}: begins like JSON and is none: cut short, or damaged", hint=hint)
    if not isinstance(rows, list):
        keys = ", ".join(map(str, tree))[:80] if isinstance(tree, dict) else ""
        raise BadInput(f"{path}: is JSON without option quotes" + (f": an object of {keys}" if keys else ""), hint=hint)
    names = {str(row.get("instrument_name", "")).partition("-")[0] for row in rows if isinstance(row, dict)} - {""}
    out = {}
    for name in sorted(names):
        try:
            chain = read_summary(rows, source=path.name, underlying=name)
        except Retry:
            continue  # futures and perpetuals alone
        newest = max(quote.time_s for quote in chain.quotes)
        out[name, newest] = QuoteSnapshot(underlying=name, time_s=newest, quotes=chain.quotes, index=chain.index)
    if not out:
        raise BadInput(f"{path}: quotes no option", hint="ask the venue with kind=option")
    return out


def _snapshot(columns: Columns, underlying: str, time_s: int) -> QuoteSnapshot:
    here = np.flatnonzero((columns.underlying == underlying) & (columns.time_s == time_s))
    if not len(here):
        raise BadInput(f"no quotes on {underlying} at {time_s}", hint=f"expected {EXPECTED}")
    expiry, strike, is_call = columns.expiry_s[here], columns.strike[here], columns.is_call[here]
    numbers = {name: values[here] for name, values in columns.numbers.items()}
    forward = _forwards(expiry, strike, is_call, numbers["fut"], numbers["mark"])
    quotes = [
        Quote(
            expiry_s=int(expiry[i]),
            strike=float(strike[i]),
            is_call=bool(is_call[i]),
            forward=float(forward[i]),
            time_s=time_s,
            mark_vol=_or_none(numbers["iv"][i]),
            bid=_or_none(numbers["bid"][i]),
            ask=_or_none(numbers["ask"][i]),
            open_interest=_or_none(numbers["oi"][i]) or 0.0,
        )
        for i in range(len(here))
    ]
    said = numbers["index"][np.isfinite(numbers["index"]) & (numbers["index"] > 0.0)]
    index = float(np.median(said)) if len(said) else None
    return QuoteSnapshot(underlying=underlying, time_s=time_s, quotes=tuple(quotes), index=index)


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) and value > 0.0 else None


def _forwards(
    expiry: npt.NDArray[np.int64], strike: Floats, is_call: npt.NDArray[np.bool_], given: Floats, mark: Floats
) -> Floats:
    """Each row's forward: its own, else the middle one of its expiry, else from marks of calls and puts.

    Premia over forward differ by 1 − K/F, so F = K/(1 − (C − P)); the middle one over the strikes.  NaN if there is
    none: such an expiry is refused later, with that reason.
    """
    out = np.where(np.isfinite(given) & (given > 0.0), given, np.nan)
    for one in np.unique(expiry):
        rows = expiry == one
        known = out[rows & np.isfinite(out)]
        if len(known):
            out[rows & np.isnan(out)] = np.median(known)
            continue
        calls, puts = (
            {float(k): float(v) for k, v in zip(strike[side], mark[side], strict=True) if np.isfinite(v)}
            for side in (rows & is_call, rows & ~is_call)
        )
        both = [k / (1.0 - (calls[k] - puts[k])) for k in calls if k in puts and calls[k] - puts[k] < 1.0]
        if both:
            out[rows] = np.median(both)
    return out
