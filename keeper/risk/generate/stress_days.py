"""Named days: how far prices and volatilities were from those of 24 hours before, at the worst hour.

One rule for all of them.  The hour is the one in which the leader of the day traded lowest (of a fall) or highest (of a
rise); each move is that hour's lowest (highest) trade of the underlying over its opening price 24 hours before, so that
all moves of a day belong to one instant.  Rounded to a tenth of a percent.  An underlying that was not traded, or whose
hours were not recorded, is not listed.  Computed from the public hourly spot bars, against USDT, of the largest
exchange; a test recomputes them from recorded data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, kw_only=True)
class StressDay:
    """One day as it happened."""

    tag: str
    """Date, and what people remember it by."""
    hour: str
    """The hour of the moves, UTC: `2020-03-13T02:00`."""
    leader: str
    """The underlying whose extreme names the hour."""
    moves: Mapping[str, float]
    """Of spot over 24 hours, fractions, by symbol."""
    vols: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Of a 30-day volatility over 24 hours, relative, by symbol, where it was recorded."""
    vol_source: str = ""
    """Where those come from."""

    @property
    def is_fall(self) -> bool:
        """Whether the leader fell."""
        return self.moves[self.leader] < 0.0


def _day(tag: str, hour: str, leader: str, moves: str, *, vols: str = "", vol_source: str = "") -> StressDay:
    """`moves` and `vols` as people write them: `BTC -0.345, ETH -0.402`."""
    return StressDay(
        tag=tag, hour=hour, leader=leader, moves=_figures(moves), vols=_figures(vols), vol_source=vol_source
    )


def _figures(text: str) -> Mapping[str, float]:
    pairs = (pair.split() for pair in text.split(",") if pair.strip())
    return MappingProxyType({name: float(figure) for name, figure in pairs})


#: In order of time.
STRESS_DAYS: Final = (
    _day(
        "2018-01-16 the bubble of 2017 breaks",
        "2018-01-16T22:00",
        "BTC",
        "BTC -0.345, ETH -0.402, BNB -0.490",
    ),
    _day(
        "2019-10-26 the largest rise of BTC",
        "2019-10-26T01:00",
        "BTC",
        "BTC +0.397, ETH +0.217, XRP +0.131, BNB +0.165, DOGE +0.160, LINK +0.065",
    ),
    _day(
        "2020-03-12 the pandemic",
        "2020-03-13T02:00",
        "BTC",
        "BTC -0.510, ETH -0.535, XRP -0.499, BNB -0.594, DOGE -0.463, LINK -0.609",
    ),
    _day(
        "2021-01-29 DOGE eleven times higher",
        "2021-01-29T04:00",
        "DOGE",
        "BTC +0.080, ETH +0.030, SOL +0.017, XRP +0.092, BNB +0.013, DOGE +10.142, LINK -0.004, AVAX +0.055, "
        "AAVE +0.033",
    ),
    _day(
        "2021-05-19 leverage unwinds",
        "2021-05-19T13:00",
        "BTC",
        "BTC -0.317, ETH -0.447, SOL -0.443, XRP -0.460, BNB -0.455, DOGE -0.526, LINK -0.429, AVAX -0.486, "
        "UNI -0.496, AAVE -0.410",
    ),
    _day(
        "2021-05-24 the rebound",
        "2021-05-24T20:00",
        "ETH",
        "BTC +0.208, ETH +0.359, SOL +0.404, XRP +0.354, BNB +0.481, DOGE +0.301, LINK +0.487, AVAX +0.403, "
        "UNI +0.629, AAVE +0.582",
    ),
    _day(
        "2021-12-04 a Saturday night",
        "2021-12-04T05:00",
        "BTC",
        "BTC -0.258, ETH -0.227, SOL -0.265, XRP -0.381, BNB -0.206, DOGE -0.371, LINK -0.379, AVAX -0.286, "
        "UNI -0.403, AAVE -0.342",
    ),
    _day(
        "2022-05-12 Terra",
        "2022-05-12T05:00",
        "BTC",
        "BTC -0.145, ETH -0.235, SOL -0.383, XRP -0.346, BNB -0.299, DOGE -0.355, LINK -0.335, AVAX -0.386, "
        "UNI -0.316, AAVE -0.361",
    ),
    _day(
        "2022-06-13 Celsius",
        "2022-06-13T23:00",
        "BTC",
        "BTC -0.188, ETH -0.198, SOL -0.138, XRP -0.125, BNB -0.154, DOGE -0.188, LINK -0.128, AVAX -0.140, "
        "UNI -0.160, AAVE -0.213",
    ),
    _day(
        "2022-11-09 FTX",
        "2022-11-09T23:00",
        "BTC",
        "BTC -0.156, ETH -0.186, SOL -0.430, XRP -0.196, BNB -0.174, DOGE -0.164, LINK -0.172, AVAX -0.200, "
        "UNI -0.197, AAVE -0.194",
    ),
    _day(
        "2023-07-13 the XRP ruling",
        "2023-07-13T18:00",
        "XRP",
        "BTC +0.034, ETH +0.066, SOL +0.209, XRP +0.993, BNB +0.059, DOGE +0.084, LINK +0.109, AVAX +0.089, "
        "UNI +0.102, AAVE +0.051",
    ),
    _day(
        "2024-05-20 the ETH fund",
        "2024-05-21T00:00",
        "ETH",
        "BTC +0.086, ETH +0.212, SOL +0.112, XRP +0.066, AAVE +0.172",
    ),
    _day(
        "2024-08-05 the yen",
        "2024-08-05T06:00",
        "BTC",
        "BTC -0.194, ETH -0.259, SOL -0.234, XRP -0.218, AAVE -0.284",
        vols="ETH +0.443",
        vol_source="public volatility index of the largest options exchange, same hours",
    ),
    _day(
        "2025-05-08 ETH runs",
        "2025-05-09T08:00",
        "ETH",
        "BTC +0.047, ETH +0.292, SOL +0.121, XRP +0.109, BNB +0.046, DOGE +0.182, LINK +0.139, AVAX +0.136, "
        "UNI +0.291, AAVE +0.176",
    ),
    _day(
        "2025-10-10 the largest auto-deleveraging",
        "2025-10-10T21:00",
        "BTC",
        "BTC -0.158, ETH -0.208, SOL -0.229, XRP -0.551, BNB -0.310, DOGE -0.616, LINK -0.637, AVAX -0.696, "
        "UNI -0.743, AAVE -0.708",
    ),
    _day(
        "2026-02-05 the slide to 60,000",
        "2026-02-06T00:00",
        "BTC",
        "BTC -0.180, ETH -0.186, SOL -0.267, XRP -0.261, BNB -0.182, DOGE -0.229, LINK -0.228, AVAX -0.222, "
        "UNI -0.252, AAVE -0.255",
        vols="BTC +0.549, ETH +0.275",
        vol_source="30-day at-the-money volatility of the largest options exchange, 2026-02-04 21:33 to 02-05 21:29",
    ),
)
