"""The market document: prices, forwards, volatilities and the state of the venue, at one time."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AwareDatetime, ConfigDict, Field, model_validator

from keeper.documents.numbers import (
    NotNegative,
    Positive,
    Price,
    Rate,
    Share,
    Vol,
    Wide,
    WideNotNegative,
)
from keeper.documents.read import Document, Part
from keeper.domain.expiry import parse_expiry
from keeper.errors import BadInput

#: Of notional, over one funding period.
FundingRate = Annotated[float, Field(ge=-10.0, le=10.0)]


class Svi(Part):
    """Raw SVI of one expiry: w(k) = a + b·(ρ·(k − m) + √((k − m)² + σ²)), k = ln(strike / forward)."""

    a: Wide
    """Level of total variance (variance times years)."""
    b: WideNotNegative
    """Steepness of the wings."""
    rho: Annotated[float, Field(ge=-1.0, le=1.0)]
    """Turn: negative where puts are dearer."""
    m: Wide
    """Log-moneyness around which the smile lies."""
    sigma: WideNotNegative
    """Roundness at the bottom."""
    tau_years: Annotated[float, Field(ge=1e-9, le=100.0)] | None = None
    """Years with which a and b were fitted; from `as_of` to expiry if left out."""


class Quote(Part):
    """One quoted option: by its volatility, or by bid and ask."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["vol"]}, {"required": ["bid", "ask"]}]})

    strike: Price
    """USD."""
    kind: Annotated[str, Field(pattern="^[CP]$")] = "C"
    """C or P; of both at one strike the one out of the money counts."""
    vol: Vol | None = None
    """Mark, annual, as a fraction: 0.65 is 65 %."""
    bid: NotNegative | None = None
    """Premium, USD."""
    ask: Positive | None = None
    """Premium, USD."""

    @model_validator(mode="after")
    def _says_a_volatility(self) -> Self:
        if self.vol is None and (self.bid is None or self.ask is None):
            raise ValueError("a quote needs vol, or both bid and ask")
        return self


class Smile(Part):
    """Volatility by strike: exactly one of the three."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    flat: Vol | None = None
    """One annual volatility for every strike: 0.65 is 65 %."""
    svi: Svi | None = None
    """Raw SVI."""
    quotes: Annotated[tuple[Quote, ...], Field(min_length=1)] | None = None
    """Quoted options, at least five strikes: fitted with SVI, checked for arbitrage, repaired or refused."""

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if sum(one is not None for one in (self.flat, self.svi, self.quotes)) != 1:
            raise ValueError("give exactly one of flat, svi and quotes")
        return self


class Confidence(Part):
    """How sure the oracle is of each input, from 0 to 1."""

    spot: Share = 1.0
    perp: Share = 1.0
    forward: Share = 1.0
    rate: Share = 1.0
    vol: Share = 1.0


class Expiry(Part):
    """One expiry of one underlying."""

    expiry: str
    """20260327, 2026-03-27, 27MAR26 (08:00 UTC), or 20260327T1600."""
    forward: Price | None = None
    """Of the settlement price; spot·e^(rate·years) if left out."""
    rate: Rate | None = None
    """Annual, continuous, for discounting; the underlying's if left out."""
    smile: Smile | None = None
    """Volatilities; the underlying's if left out."""
    vol_half_spread: Annotated[float, Field(ge=0.0, le=1e3)] = 0.0
    """Half of ask less bid of its volatilities: 0.01 where they are 60 % and 62 %.  What closing its options costs."""
    confidence: Confidence | None = None
    """The oracle's, where it differs from the underlying's."""

    @property
    def expiry_s(self) -> int:
        """Unix seconds."""
        return parse_expiry(self.expiry)

    @model_validator(mode="after")
    def _is_a_day(self) -> Self:
        try:
            parse_expiry(self.expiry)
        except BadInput as error:
            raise ValueError(f"expiry {error.message}: {error.hint}") from None
        return self


class Perp(Part):
    """The perpetual of one underlying."""

    price: Price | None = None
    """Mark; spot if left out."""
    funding_rate: FundingRate = 0.0
    """What longs pay shorts over one funding period, as a fraction of notional."""


class Book(Part):
    """Resting orders, best first: [price, size] each, sizes in units of the underlying."""

    bids: tuple[tuple[Price, Positive], ...] = ()
    """Where a long is closed; prices descending."""
    asks: tuple[tuple[Price, Positive], ...] = ()
    """Where a short is closed; prices ascending."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        bids, asks = [price for price, _ in self.bids], [price for price, _ in self.asks]
        if bids != sorted(bids, reverse=True) or asks != sorted(asks):
            raise ValueError("bids go down from the best, asks go up")
        if bids and asks and bids[0] >= asks[0]:
            raise ValueError(f"the best bid {bids[0]:g} is not below the best ask {asks[0]:g}")
        return self


class ScanRange(Part):
    """How far one underlying is scanned, instead of the preset's own range."""

    price: Annotated[float, Field(gt=0.0, lt=1.0)]
    """Price scan range, fraction of spot."""
    vol_up: Annotated[float, Field(ge=0.0, le=1e3)]
    """Full rise of a 30-day volatility, relative: 0.45 is up by 45 %."""
    vol_down: Share
    """Full fall of it, relative."""


class Underlying(Part):
    """One underlying and all that is listed on it."""

    spot: Price
    """Index price, USD."""
    rate: Rate = 0.0
    """Annual, continuous: grows forwards that are not given, and discounts."""
    vol: Vol | None = None
    """Annual volatility of options whose expiry has no smile: 0.65 is 65 %.  With it any expiry can be priced, without
    it those of `expiries`."""
    expiries: tuple[Expiry, ...] = ()
    """Those of which more is known than `rate` and `vol`."""
    quotes_file: str | None = None
    """File of quoted options as `keeper surface` reads it, relative to this document.  Its newest quotes, not after
    `as_of` nor more than an hour before, give expiries with forwards and smiles; what `expiries` says goes before."""
    perp: Perp = Perp()
    """The perpetual."""
    history: str | None = None
    """File of past prices, relative to this document: CSV with a header, a time and a close."""
    vol_history: str | None = None
    """File of past 30-day at-the-money volatilities, with a time and a vol: volatilities then move as they did."""
    scan_range: ScanRange | None = None
    """Calibrated range; the preset's own if left out."""
    daily_vol: Vol | None = None
    """Volatility of a day's return, as a fraction; from the history if left out."""
    adv: Positive | None = None
    """Average volume of a day, in units of the underlying."""
    open_interest: NotNegative | None = None
    """Of the whole venue, in units of the underlying."""
    safe_open_interest: Positive | None = None
    """What the depth could absorb in a liquidation of it all, in units of the underlying."""
    book: Book = Book()
    """Depth near spot."""
    sell_crowding: Share = 0.0
    """Delta-weighted skew of liquidity: how much of the bids everybody who is net long would need, from 0 to 1."""
    buy_crowding: Share = 0.0
    """The same of the asks, by everybody who is net short."""
    confidence: Confidence = Confidence()
    """The oracle's."""

    @model_validator(mode="after")
    def _each_expiry_once(self) -> Self:
        seen = [one.expiry_s for one in self.expiries]
        twice = next((one.expiry for one in self.expiries if seen.count(one.expiry_s) > 1), None)
        if twice is not None:
            raise ValueError(f"expiry {twice} is given twice")
        return self


class Collateral(Part):
    """One token that is accepted as collateral."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["price"]}, {"required": ["underlying"]}]})

    price: Price | None = None
    """USD; spot of `underlying` if left out."""
    underlying: str | None = None
    """The underlying whose price it follows, such as ETH for WETH: it moves with it in every scenario."""
    haircut_mm: Share = 0.0
    """Share of the value that does not count for maintenance margin."""
    haircut_im: Share | None = None
    """Share of the value that does not count for initial margin; as `haircut_mm` if left out, and never below it."""
    confidence: Share = 1.0
    """The oracle's."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.price is None and self.underlying is None:
            raise ValueError("give a price, or the underlying whose price it follows")
        if self.haircut_im is not None and self.haircut_im < self.haircut_mm:
            raise ValueError(f"haircut_im {self.haircut_im:g} is below haircut_mm {self.haircut_mm:g}")
        return self


class Fees(Part):
    """What a trade costs, as a fraction of notional."""

    perp: NotNegative = 0.0
    """Perpetuals and futures."""
    option: NotNegative = 0.0
    """Options, of the underlying's spot."""
    option_cap: Share = 1.0
    """Of the premium: no option's fee is higher."""


class MarketDocument(Document):
    """A market at one time."""

    as_of: AwareDatetime
    """The time of valuation, ISO 8601 with its zone: 2026-01-15T12:00:00Z."""
    stable_price: Price = 1.0
    """Of the settlement token, USD."""
    settlement: str | None = None
    """Which token that is, such as USDC: `keeper` then asks what would happen if it lost its peg."""
    underlyings: Annotated[dict[str, Underlying], Field(min_length=1)]
    """By symbol, as instruments name it."""
    collaterals: dict[str, Collateral] = Field(default_factory=dict)
    """By symbol, as the portfolio names it."""
    fees: Fees = Fees()
    """Charged on what-if orders."""

    @property
    def as_of_s(self) -> float:
        """Unix seconds."""
        return self.as_of.timestamp()

    @model_validator(mode="after")
    def _names_what_is_there(self) -> Self:
        for symbol, token in self.collaterals.items():
            if token.underlying is not None and token.underlying not in self.underlyings:
                raise ValueError(f"collateral {symbol} follows {token.underlying}, which is no underlying here")
        return self
