"""What add-ons read of an account, and what they give back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from keeper.risk.kernel.legs import Legs
from keeper.risk.kernel.market import Market

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Account:
    """What charges read."""

    market: Market
    legs: Legs
    deltas: Floats
    """Of each leg, signed, in units of its underlying, shape (L,)."""
    vegas: Floats
    """Of each leg, signed, USD per 1.00 of volatility, shape (L,)."""
    notionals: Floats
    """Of each leg, in the account's currency, shape (L,)."""
    units: Floats
    """What one unit of each underlying is worth in the account's currency: spot, or 1 in coin.  Shape (U,)."""
    numeraire: float
    """Price of the account's currency, USD."""
    scenario: float
    """Scenario part of IM before its factor."""
    edges: Floats
    """Price scan range of each underlying, fraction; NaN where the preset has none.  Shape (U,)."""

    def losing(self, scenario: float) -> Account:
        """The same account with its scenario part."""
        return replace(self, scenario=scenario)


@dataclass(frozen=True, kw_only=True)
class Charged:
    """One line."""

    what: str
    maintenance: float
    initial: float
    detail: str = ""


class Rates(Protocol):
    """A charge with a rate for each requirement."""

    @property
    def maintenance(self) -> float:
        """For MM."""

    @property
    def initial(self) -> float:
        """For IM."""


def rated(what: str, rates: Rates, amount: float, detail: str = "") -> Charged:
    """Both rates of one amount."""
    return Charged(
        what=what, maintenance=rates.maintenance * float(amount), initial=rates.initial * float(amount), detail=detail
    )
