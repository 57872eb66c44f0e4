"""Whatever finite numbers come in, out comes a finite requirement, `LawBroken` or `Unpriced`: no NaN and no warning."""

import math

import hypothesis
from hypothesis import strategies as st

from keeper.errors import LawBroken
from keeper.risk.kernel.book import book_losses
from keeper.risk.kernel.margin import margin
from keeper.risk.kernel.market import Collateral, Expiry, Liquidity, Market, Perp, ScanRange, Underlying
from keeper.risk.kernel.portfolio import FuturePosition, Holding, OptionPosition, PerpPosition, Portfolio
from keeper.risk.kernel.requirement import Requirement
from keeper.risk.presets import PRESETS

BIG = (0.0, 1e-300, 1e-9, 1.0, 2_500.0, 1e12, 1e150, 1e308)
positive = st.sampled_from(BIG[1:])
not_negative = st.sampled_from(BIG)
signed = st.builds(lambda size, sign: size * sign, not_negative, st.sampled_from([-1.0, 1.0]))
shares = st.sampled_from([0.0, 0.3, 1.0])


@st.composite
def worlds(draw):
    expiry = Expiry(
        name="e",
        seconds=draw(st.sampled_from([0.0, 1.0, 1e3, 1e7, 1e15])),
        forward=draw(not_negative),
        rate=draw(st.sampled_from([-1e3, -0.1, 0.0, 0.1, 5.0, 1e3])),
        vol_confidence=draw(shares),
        vol_half_spread=draw(shares),
    )
    depth = Liquidity(
        daily_volume_usd=draw(not_negative),
        daily_volatility=draw(not_negative),
        open_interest_usd=draw(not_negative),
        safe_open_interest_usd=draw(not_negative),
        sell_crowding=draw(shares),
    )
    eth = Underlying(
        symbol="ETH",
        spot=draw(positive),
        confidence=draw(shares),
        perp=Perp(price=draw(not_negative), funding_rate=draw(st.sampled_from([-1.0, 0.0, 1e300]))),
        expiries=(expiry,),
        scan=draw(st.sampled_from([None, ScanRange(price=0.1, vol_up=0.45, vol_down=0.3)])),
        liquidity=draw(st.sampled_from([None, depth])),
    )
    tokens = (
        Collateral(symbol="USDC", price=draw(not_negative), mm_haircut=draw(shares), im_haircut=draw(shares)),
        Collateral(symbol="WETH", price=draw(not_negative), underlying="ETH"),
    )
    market = Market(underlyings=(eth,), collaterals=tokens, stable=draw(positive))
    option = OptionPosition(
        underlying="ETH",
        expiry="e",
        strike=draw(not_negative),
        is_call=draw(st.booleans()),
        size=draw(signed),
        vol=draw(not_negative),
    )
    account = Portfolio(
        cash=draw(signed),
        collateral=tuple(
            Holding(symbol=name, amount=draw(signed)) for name in draw(st.sampled_from([(), ("USDC", "WETH")]))
        ),
        perps=draw(
            st.sampled_from([(), (PerpPosition(underlying="ETH", size=draw(signed), unrealised=draw(signed)),)])
        ),
        futures=draw(st.sampled_from([(), (FuturePosition(underlying="ETH", expiry="e", size=draw(signed)),)])),
        options=draw(st.sampled_from([(), (option,), (option, option)])),
    )
    return market, account


@hypothesis.given(worlds(), st.sampled_from(list(PRESETS)))
def test_kernel__any_finite_numbers__a_finite_answer_or_law_broken(world, name):
    """FIN-1: a requirement is finite in every figure and line, or there is none."""
    market, account = world
    preset = PRESETS[name]
    try:
        found = margin(market, account, preset)
        losses = book_losses(market, [account], preset)
    except LawBroken:
        return
    if isinstance(found, Requirement):
        figures = [found.equity, found.debt, found.im, found.mm, found.im_excess, found.mm_excess]
        figures += [line.amount for level in (found.initial, found.maintenance) for line in level.lines]
        assert all(math.isfinite(figure) for figure in figures), "FIN-1"
        assert not any(math.isnan(one) for block in losses for one in block.loss), "FIN-1"
        assert found.im >= 0.0, "FIN-1"
        assert found.mm >= 0.0, "FIN-1"
