"""The inputs of a published Derive case, field by field."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from keeper.documents.numbers import LATEST_S, NotNegative, Number, Price, Rate, Share, VolOrNone
from keeper.documents.read import Part

#: Below 0 is past.
Seconds = Annotated[float, Field(ge=-LATEST_S, le=LATEST_S)]


class CollateralInput(Part):
    """A balance of one token, with its price."""

    name: str
    amount: NotNegative
    price: NotNegative
    """USD."""
    conf: Share
    risk_cancelling: bool
    """Whether it moves with spot in the rows."""
    mm_haircut: Share
    im_haircut: Share
    """Besides the one of MM."""


class OptionInput(Part):
    """One option position."""

    sec_to_expiry: Seconds
    """Of a feed below; at or below 0 it has expired."""
    strike: NotNegative
    call: bool
    amount: Number
    """Signed."""
    vol: VolOrNone | None = None
    """Of this strike; the feed's SVI if left out."""


class FeedInput(Part):
    """What is known of one expiry."""

    sec_to_expiry: Seconds
    forward: NotNegative
    fwd_conf: Share
    rate: Rate
    rate_conf: Share
    vol_conf: Share
    svi_a_b_rho_m_sigma_fwd_tau: Annotated[list[Number], Field(min_length=7, max_length=7)] | None = None
    """In this order; a and b are total variances."""


class Inputs(Part):
    """One account and its market."""

    cash: Number
    spot: Price
    spot_conf: Share
    stable: Price
    """Price of the settlement token, USD."""
    perps: Number
    """Signed."""
    perp_price: NotNegative
    perp_conf: Share
    upnl: Number
    funding: Number
    collateral: list[CollateralInput]
    options: list[OptionInput]
    feeds: list[FeedInput]


class CaseInput(Part):
    """A case.  What else it carries (figures to expect, tolerances, where it is from) is nobody's input."""

    name: str = "case"
    inputs: Inputs
    param_overrides: dict[str, Any] = Field(default_factory=dict)
