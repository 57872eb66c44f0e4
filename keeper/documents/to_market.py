"""From a market document to the kernel's market."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from keeper.documents import market as doc
from keeper.documents.history import daily_volatility, joint_history
from keeper.documents.names import InstrumentName, expiry_name
from keeper.documents.numbers import LARGEST, LEAST_PRICE
from keeper.documents.priced import Priced
from keeper.documents.volatility import YEAR_S, NoVol, slices_of
from keeper.errors import BadInput
from keeper.risk.kernel import market as kernel
from keeper.risk.surface.smile import Slice


def price_market(
    document: doc.MarketDocument, folder: Path, *, traded: Iterable[InstrumentName], in_coin: bool = False
) -> Priced:
    """The kernel's market, with every expiry that is listed or held.

    Args:
        document: as written.
        folder: where its histories are relative to.
        in_coin: whether the account is counted in coin: perpetuals are inverse then.
        traded: instruments whose expiries are needed, listed or not.

    Raises: `BadInput` if a history cannot be used.
    """
    now_s = document.as_of_s
    history = joint_history(document, folder)
    wanted = [(name.symbol, name.expiry_s) for name in traded if name.expiry_s is not None]
    underlyings: list[kernel.Underlying] = []
    smiles: dict[tuple[str, int], Slice | NoVol] = {}
    for symbol, one in document.underlyings.items():
        listed = {expiry.expiry_s: expiry for expiry in one.expiries}
        days = sorted({day for day in (*listed, *(day for of, day in wanted if of == symbol)) if day > now_s})
        expiries = tuple(_expiry(one, listed.get(day), expiry_s=day, now_s=now_s) for day in days)
        underlyings.append(_underlying(symbol, one, expiries, history, in_coin=in_coin))
        by_day = dict(zip(days, expiries, strict=True))
        smiles |= {(symbol, day): smile for day, smile in slices_of(one, now_s=now_s, expiries=by_day).items()}
    return Priced(
        document=document,
        market=kernel.Market(
            underlyings=tuple(underlyings),
            collaterals=tuple(_collateral(symbol, token, document) for symbol, token in document.collaterals.items()),
            stable=document.stable_price,
            settlement=document.settlement,
            history=history,
        ),
        smiles=smiles,
        in_coin=in_coin,
    )


def _expiry(underlying: doc.Underlying, written: doc.Expiry | None, *, expiry_s: int, now_s: float) -> kernel.Expiry:
    seconds = expiry_s - now_s
    rate, forward, sure, spread = underlying.rate, None, underlying.confidence, 0.0
    if written is not None:
        rate = underlying.rate if written.rate is None else written.rate
        forward, sure, spread = written.forward, written.confidence or sure, written.vol_half_spread
    if forward is None:
        forward = underlying.spot * math.exp(rate * seconds / YEAR_S)
        if not LEAST_PRICE <= forward <= LARGEST:
            raise BadInput(
                f"market: a rate of {rate:g} makes spot {underlying.spot:g} a forward of {forward:.3g} by "
                f"{expiry_name(expiry_s)}",
                hint="correct the rate or the expiry, or give that expiry a forward",
            )
    return kernel.Expiry(
        name=expiry_name(expiry_s),
        seconds=seconds,
        forward=forward,
        rate=rate,
        forward_confidence=sure.forward,
        rate_confidence=sure.rate,
        vol_confidence=sure.vol,
        vol_half_spread=spread,
    )


def _underlying(
    symbol: str,
    one: doc.Underlying,
    expiries: tuple[kernel.Expiry, ...],
    history: kernel.History | None,
    *,
    in_coin: bool,
) -> kernel.Underlying:
    in_history = history is not None and symbol in history.underlyings
    daily_vol = one.daily_vol
    if daily_vol is None and history is not None and in_history:
        daily_vol = daily_volatility(history, symbol)
    scan = one.scan_range
    return kernel.Underlying(
        symbol=symbol,
        spot=one.spot,
        confidence=one.confidence.spot,
        perp=kernel.Perp(
            price=one.spot if one.perp.price is None else one.perp.price,
            confidence=one.confidence.perp,
            kind=kernel.PerpKind.INVERSE if in_coin else kernel.PerpKind.LINEAR,
            funding_rate=one.perp.funding_rate,
        ),
        expiries=expiries,
        scan=None if scan is None else kernel.ScanRange(price=scan.price, vol_up=scan.vol_up, vol_down=scan.vol_down),
        liquidity=kernel.Liquidity(
            bids=one.book.bids,
            asks=one.book.asks,
            daily_volume_usd=_usd(one.adv, one.spot),
            daily_volatility=daily_vol,
            open_interest_usd=_usd(one.open_interest, one.spot),
            safe_open_interest_usd=_usd(one.safe_open_interest, one.spot),
            sell_crowding=one.sell_crowding,
            buy_crowding=one.buy_crowding,
        ),
    )


def _usd(units: float | None, spot: float) -> float | None:
    return None if units is None else units * spot


def _collateral(symbol: str, token: doc.Collateral, document: doc.MarketDocument) -> kernel.Collateral:
    price = token.price
    if price is None:
        assert token.underlying is not None
        price = document.underlyings[token.underlying].spot
    for_im = token.haircut_mm if token.haircut_im is None else token.haircut_im
    return kernel.Collateral(
        symbol=symbol,
        price=price,
        confidence=token.confidence,
        underlying=token.underlying,
        mm_haircut=token.haircut_mm,
        im_haircut=for_im - token.haircut_mm,  # the kernel's is what IM leaves out besides
    )
