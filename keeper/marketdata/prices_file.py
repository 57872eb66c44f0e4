"""Price histories from files.

A file is CSV, plain or gzipped, with a header line.  Two columns are read, wherever they stand, in either case:

    time   `ts`, `time`, `timestamp`, `date` or `updatedat`: unix seconds (or milliseconds), or ISO 8601, UTC by default
    price  `close` or `price`: above 0, and such as somebody could pay (1e-18 to 1e15)

and `high` and `low` if both are there.  Other columns are ignored.  Rows ascend strictly in time.  Missing rows stay
missing: a gap is a gap.  A comment, a doubled time, a cell that is no number and a price that nobody can have paid are
refused with file and line.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from keeper.domain.prices import PriceHistory
from keeper.errors import BadInput
from keeper.marketdata.tables import Table

TIME: Final = ("ts", "time", "timestamp", "date", "updatedat")
PRICE: Final = ("close", "price")
#: From one row to the next; a larger one is a slip.  Source: no listed asset has come near in a day.
WILDEST_JUMP: Final = 1e6

_EXPECTED: Final = "CSV with a header line, a time column (ts or time) and a price column (close or price)"


def load_prices(path: Path, *, name: str | None = None) -> PriceHistory:
    """Read one price history.

    Args:
        path: CSV or CSV.gz.
        name: what the history is of; the file's name without its endings if left out.

    Raises: `BadInput` naming file, line and what is expected.
    """
    table = Table(path, expected=_EXPECTED)
    at, price = table.column(TIME), table.column(PRICE)
    bars = {label: table.optional((label,)) for label in ("high", "low")}
    with_bars = None not in bars.values()

    times: list[int] = []
    columns: dict[str, list[float]] = {"close": [], "high": [], "low": []}
    for row in table.rows():
        moment = row.moment(at, table.header[at])
        if times and moment <= times[-1]:
            raise row.refuse(f"the time {moment} does not come after {times[-1]}", "rows that ascend strictly in time")
        times.append(moment)
        close = row.price(price, table.header[price])
        last = columns["close"][-1] if columns["close"] else close
        if not last / WILDEST_JUMP <= close <= last * WILDEST_JUMP:
            raise row.refuse(
                f"{table.header[price]} is {close:g} after {last:g}",
                f"no jump by more than a factor of {WILDEST_JUMP:,.0f}: a slip of the point?",
            )
        columns["close"].append(close)
        if with_bars:
            for label, column in bars.items():
                columns[label].append(row.price(column or 0, label))
    if not times:
        raise BadInput(f"{path}:1: no rows below the header", hint=f"expected {_EXPECTED}")
    prices = {label: np.array(values, dtype=np.float64) for label, values in columns.items()}
    return PriceHistory(
        name=name or path.name.split(".")[0],
        time_s=np.array(times, dtype=np.int64),
        close=prices["close"],
        high=prices["high"] if with_bars else None,
        low=prices["low"] if with_bars else None,
    )
