"""From documents to prices, positions and fills: the values, each against its definition."""

import math
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from keeper.documents.history import daily_volatility, joint_history
from keeper.documents.market import MarketDocument
from keeper.documents.names import expiry_name, parse
from keeper.documents.portfolio import OrdersDocument, PortfolioDocument
from keeper.documents.priced import Priced
from keeper.documents.read import check
from keeper.documents.to_market import price_market
from keeper.documents.to_portfolio import portfolio_of
from keeper.documents.trade import Traded, traded
from keeper.errors import BadInput
from keeper.risk.kernel.portfolio import Portfolio
from keeper.risk.kernel.requirement import Unpriced
from keeper.risk.pricing import black76

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
MARCH = int(datetime(2026, 3, 27, 8, tzinfo=UTC).timestamp())
YEARS = (MARCH - NOW.timestamp()) / (365 * 86_400)
SVI = {"a": 0.03, "b": 0.12, "rho": -0.25, "m": 0.02, "sigma": 0.35}
QUOTES = [
    {"strike": strike, "kind": "P" if strike <= 3000 else "C", "vol": vol}
    for strike, vol in ((1800, 0.742), (2200, 0.693), (2600, 0.661), (3000, 0.643), (3600, 0.638), (5000, 0.669))
]


def a_market(**underlying: object) -> MarketDocument:
    """One underlying, ETH at 3,000, flat at 60 % unless told otherwise."""
    eth = {"spot": 3000.0, "rate": 0.04, "vol": 0.6} | underlying
    tree = {
        "as_of": NOW.isoformat(),
        "underlyings": {"ETH": {key: value for key, value in eth.items() if value is not None}},
        "collaterals": {"WETH": {"underlying": "ETH", "haircut_mm": 0.05, "haircut_im": 0.15}},
        "fees": {"perp": 0.0005, "option": 0.0003, "option_cap": 0.125},
    }
    return check(tree, MarketDocument, where="market")


def priced(document: MarketDocument, *names: str, in_coin: bool = False) -> Priced:
    return price_market(document, Path(), traded=[parse(name) for name in names], in_coin=in_coin)


def an_account(*positions: dict[str, object], **fields: object) -> PortfolioDocument:
    return check({"positions": list(positions), **fields}, PortfolioDocument, where="portfolio")


def kernel_account(written: PortfolioDocument, market: Priced) -> Portfolio:
    found = portfolio_of(written, market)
    assert isinstance(found, Portfolio), found
    return found


def orders(*each: dict[str, object]) -> OrdersDocument:
    return check({"orders": list(each)}, OrdersDocument, where="orders")


def trade(written: PortfolioDocument, wanted: OrdersDocument, market: Priced) -> Traded:
    done = traded(written, wanted, market)
    assert isinstance(done, Traded), done
    return done


def test_forward__none_given__spot_grown_at_the_rate():
    market = priced(a_market(), "ETH-27MAR26")
    assert market.mark(parse("ETH-27MAR26")) == pytest.approx(3000 * math.exp(0.04 * YEARS), rel=1e-15)


def test_forward__given__used_as_it_is_and_rate_discounts():
    """A forward of its own does not change what a dollar at expiry is worth."""
    document = a_market(expiries=[{"expiry": "20260327", "forward": 3100.0, "rate": 0.1}])
    market = priced(document)
    name = parse("ETH-20260327-3000-C")
    expected = black76.call(3100.0, 3000.0, 0.6, YEARS, math.exp(-0.1 * YEARS))
    assert market.mark(parse("ETH-20260327")) == 3100.0
    assert market.mark(name) == pytest.approx(float(expected), rel=1e-14)


@pytest.mark.parametrize("tau_years", [None, 0.25])
def test_vol__svi__square_root_of_total_variance_over_its_time(tau_years):
    smile = {"svi": SVI | ({"tau_years": tau_years} if tau_years else {})}
    market = priced(a_market(expiries=[{"expiry": "20260327", "forward": 3024.0, "smile": smile}]))
    x = math.log(3500 / 3024) - SVI["m"]
    w = SVI["a"] + SVI["b"] * (SVI["rho"] * x + math.sqrt(x * x + SVI["sigma"] ** 2))
    assert market.vol(parse("ETH-20260327-3500-C")) == pytest.approx(math.sqrt(w / (tau_years or YEARS)), rel=1e-12)


def test_vol__quotes__within_a_point_of_the_marks():
    """Fitted as `keeper surface` does: six marks on a smile are met to a vol point."""
    market = priced(a_market(expiries=[{"expiry": "20260327", "forward": 3024.0, "smile": {"quotes": QUOTES}}]))
    for quote in QUOTES:
        assert market.vol(parse(f"ETH-20260327-{quote['strike']}-C")) == pytest.approx(quote["vol"], abs=0.01)


def test_vol__bid_and_ask__the_vol_in_the_middle_of_them():
    """A quote in money says the volatility that a quote in vol would have said."""
    forward, df = 3024.0, math.exp(-0.04 * YEARS)
    in_money = []
    for quote in QUOTES:
        formula = black76.put if quote["kind"] == "P" else black76.call
        premium = [float(formula(forward, quote["strike"], quote["vol"] + off, YEARS, df)) for off in (-0.005, 0.005)]
        in_money.append({"strike": quote["strike"], "kind": quote["kind"], "bid": premium[0], "ask": premium[1]})
    by_vol, by_money = (
        priced(a_market(expiries=[{"expiry": "20260327", "forward": forward, "smile": {"quotes": each}}]))
        for each in (QUOTES, in_money)
    )
    for quote in QUOTES:
        name = parse(f"ETH-20260327-{quote['strike']}-C")
        assert by_money.vol(name) == pytest.approx(by_vol.vol(name), abs=1e-3)


@pytest.mark.parametrize(
    ("instrument", "underlying", "reason"),
    [
        ("BTC-PERP", {}, "no underlying BTC"),
        ("ETH-20260115-3000-C", {}, "expired by 2026-01-15 12:00"),
        ("ETH-20200115", {}, "expired by"),
        ("ETH-20260327-3000-C", {"vol": None}, "no expiry 20260327 of ETH, and no vol"),
        ("ETH-20260327", {"vol": None}, "no expiry 20260327 of ETH"),
        (
            "ETH-20260327-3000-C",
            {"vol": None, "expiries": [{"expiry": "20260327"}]},
            "no smile for this expiry, and ETH has no vol",
        ),
        (
            "ETH-20260327-3000-C",
            {"expiries": [{"expiry": "20260327", "smile": {"svi": SVI | {"b": 3.0, "rho": -0.9}}}]},
            "its smile allows arbitrage",
        ),
        (
            "ETH-20260626-3000-C",
            {
                "expiries": [
                    {"expiry": "20260327", "smile": {"flat": 0.9}},
                    {"expiry": "20260626", "smile": {"flat": 0.4}},
                ]
            },
            "its smile allows arbitrage: calendar",
        ),
        (
            "ETH-20260327-3000-C",
            {"expiries": [{"expiry": "20260327", "smile": {"quotes": QUOTES[:3]}}]},
            "ETH-20260327-3000-C: ",
        ),
    ],
)
def test_portfolio__leg_without_a_price__unknown_with_the_reason(instrument, underlying, reason):
    """DOC-4: what cannot be priced is a value with a reason, never left out and never an exception."""
    market = priced(a_market(**underlying), instrument)
    written = an_account({"instrument": "ETH-PERP", "size": 1.0}, {"instrument": instrument, "size": 1.0})
    found = portfolio_of(written, market)
    assert isinstance(found, Unpriced)
    assert reason in found.reason
    order = {"instrument": instrument, "side": "buy", "amount": 1.0}
    assert isinstance(traded(an_account(), orders(order), market), Unpriced)


def test_portfolio__unknown_collateral__unknown():
    found = portfolio_of(an_account(collateral={"DOGE": 1.0}), priced(a_market()))
    assert isinstance(found, Unpriced)
    assert "DOGE" in found.reason


def test_portfolio__calendar_arbitrage__refuses_the_later_expiry_alone():
    expiries = [{"expiry": "20260327", "smile": {"flat": 0.9}}, {"expiry": "20260626", "smile": {"flat": 0.4}}]
    market = priced(a_market(expiries=expiries))
    assert market.unpriceable(parse("ETH-20260327-3000-C")) == ""


@given(st.lists(st.integers(min_value=-30, max_value=30), min_size=1, max_size=6))
def test_portfolio__lots__one_position_of_their_exact_sum(tenths: list[int]):
    """DOC-5: lots add up in decimals; what adds up to nothing is closed, and its profit is cash."""
    lots = [{"instrument": "ETH-PERP", "size": n / 10, "entry_price": 2900.0} for n in tenths]
    account = kernel_account(an_account(*lots, cash=5.0), priced(a_market()))
    gain = sum(n / 10 for n in tenths) * 100.0
    if sum(tenths):
        (perp,) = account.perps
        assert perp.size == sum(tenths) / 10
        assert (account.cash, perp.unrealised) == (5.0, pytest.approx(gain, abs=1e-9))
    else:
        assert account.perps == ()
        assert account.cash == pytest.approx(5.0 + gain, abs=1e-9)


def test_portfolio__both_spellings__the_same_position():
    written = an_account(
        {"instrument": "ETH-27MAR26-3000-C", "size": 1.0}, {"instrument": "ETH-20260327-3000.0-C", "size": 2.0}
    )
    (option,) = kernel_account(written, priced(a_market(), "ETH-27MAR26-3000-C")).options
    assert (option.size, option.name) == (3.0, "ETH-20260327-3000-C")


def test_unrealised__linear_and_inverse__by_definition():
    """Linear: size · (mark − entry).  Inverse, N USD: N/entry − N/mark coins."""
    document = a_market(perp={"price": 3010.0})
    lot = {"instrument": "ETH-PERP", "size": 2.0, "entry_price": 2800.0}
    (linear,) = kernel_account(an_account(lot), priced(document)).perps
    (inverse,) = kernel_account(an_account(lot), priced(document, in_coin=True)).perps
    notional = 2.0 * 3010.0
    assert linear.unrealised == pytest.approx(2.0 * 210.0, rel=1e-15)
    assert inverse.unrealised == pytest.approx(notional / 2800.0 - notional / 3010.0, rel=1e-12)


def test_haircuts__of_im__in_all_not_besides():
    (weth,) = priced(a_market()).market.collaterals
    assert (weth.price, weth.underlying) == (3000.0, "ETH")
    assert (weth.mm_haircut, weth.im_haircut) == (0.05, pytest.approx(0.10, abs=1e-15))


def test_traded__at_mark__only_fees_are_lost():
    """DOC-6: an order at the mark changes what the account is worth by its fee."""
    option = "ETH-20260327-3500-C"
    market = priced(a_market(), option)
    done = trade(
        an_account(cash=1000.0),
        orders(
            {"instrument": option, "side": "sell", "amount": 3.0},
            {"instrument": "ETH-PERP", "side": "buy", "amount": 2.0},
        ),
        market,
    )
    mark = market.mark(parse(option))
    sold, bought = done.fills
    assert (sold.price, sold.amount, sold.premium) == (mark, -3.0, pytest.approx(3.0 * mark, rel=1e-15))
    assert sold.fee == pytest.approx(3.0 * 0.0003 * 3000.0)
    assert (bought.price, bought.premium, bought.fee) == (3000.0, 0.0, pytest.approx(0.0005 * 6000.0))
    account = kernel_account(done.portfolio, market)
    worth = account.cash + sum(one.size for one in account.options) * mark + account.perps[0].unrealised
    assert worth == pytest.approx(1000.0 - sold.fee - bought.fee, abs=1e-9)


def test_traded__at_a_price__the_difference_to_the_mark_is_gained():
    market = priced(a_market(), "ETH-20260327-9000-C")
    done = trade(
        an_account(),
        orders(
            {"instrument": "ETH-PERP", "side": "sell", "amount": 2.0, "price": 3050.0},
            {"instrument": "ETH-20260327-9000-C", "side": "buy", "amount": 1.0, "price": 0.0},
        ),
        market,
    )
    (perp,) = kernel_account(done.portfolio, market).perps
    assert perp.unrealised == pytest.approx(2.0 * 50.0)
    far = done.fills[1]
    assert (far.at_mark, far.premium) == (False, 0.0)
    assert far.fee == 0.0  # capped at a share of the premium, and there is none


def test_traded__closing__leaves_cash_alone():
    """What is closed at its mark is cash: profit, funding and premium, less fees."""
    market = priced(a_market(), "ETH-20260327-3000-P")
    put = market.mark(parse("ETH-20260327-3000-P"))
    written = an_account(
        {"instrument": "ETH-PERP", "size": 2.0, "entry_price": 2900.0, "funding": -3.0},
        {"instrument": "ETH-20260327-3000-P", "size": -1.0},
        cash=100.0,
    )
    wanted = orders(
        {"instrument": "ETH-PERP", "side": "sell", "amount": 2.0},
        {"instrument": "ETH-27MAR26-3000-P", "side": "buy", "amount": 1.0},
    )
    done = trade(written, wanted, market)
    account = kernel_account(done.portfolio, market)
    assert account.positions == ()
    fees = sum(fill.fee for fill in done.fills)
    assert account.cash == pytest.approx(100.0 + 200.0 - 3.0 - put - fees, rel=1e-12)


def test_traded__in_coin__premium_is_a_share_of_the_forward():
    option = "ETH-20260327-3500-C"
    market = priced(a_market(), option, in_coin=True)
    done = trade(an_account(currency="ETH"), orders({"instrument": option, "side": "buy", "amount": 1.0}), market)
    forward = market.mark(parse("ETH-20260327"))
    assert done.fills[0].premium == pytest.approx(-market.mark(parse(option)) / forward, rel=1e-14)


def write_history(path: Path, closes: list[float], *, last: datetime) -> None:
    rows = [
        f"{int(last.timestamp()) - 86_400 * age},{close}"
        for age, close in zip(range(len(closes) - 1, -1, -1), closes, strict=True)
    ]
    path.write_text("\n".join(["time,close", *rows]) + "\n")


def test_history__nothing_after_as_of__is_used(tmp_path: Path):
    """A valuation never knows the future: rows after `as_of` change nothing."""
    closes = [3000.0 * (1.01 if day % 2 else 1.0) for day in range(100)]
    write_history(tmp_path / "a.csv", closes, last=NOW.replace(hour=8))
    write_history(tmp_path / "b.csv", [*closes, 1.0, 9e5], last=NOW.replace(day=17, hour=8))
    a, b = (joint_history(a_market(history=name), tmp_path) for name in ("a.csv", "b.csv"))
    assert a is not None
    assert b is not None
    assert (a.tags, a.returns.tolist()) == (b.tags, b.returns.tolist())
    assert len(a.tags) == 99
    assert daily_volatility(a, "ETH") == pytest.approx(math.log(1.01), rel=1e-9)


@pytest.mark.parametrize(
    ("days", "last", "said"),
    [(30, NOW, "29 days in common"), (100, NOW.replace(year=2027), "after as_of")],
    ids=["short", "future"],
)
def test_history__of_no_use__refused(tmp_path: Path, days, last, said):
    write_history(tmp_path / "a.csv", [3000.0 + day for day in range(days)], last=last)
    with pytest.raises(BadInput, match=said):
        joint_history(a_market(history="a.csv"), tmp_path)


def test_history__volatilities__move_as_they_did(tmp_path: Path):
    """A 30-day index beside the prices gives each day's change of volatility; by symbol, by day."""
    days = 100
    write_history(tmp_path / "a.csv", [3000.0 + day for day in range(days)], last=NOW.replace(hour=8))
    last = int(NOW.replace(hour=8).timestamp())
    vols = [0.5 * 1.02 ** (day % 3) for day in range(days)]
    rows = [f"{last - 86_400 * (days - 1 - day)},{vol}" for day, vol in enumerate(vols)]
    (tmp_path / "v.csv").write_text("\n".join(["ts,vol", *rows]) + "\n")
    found = joint_history(a_market(history="a.csv", vol_history="v.csv"), tmp_path)
    assert found is not None
    assert found.vol_returns is not None
    assert found.vol_returns[:, 0] == pytest.approx([math.log(b / a) for a, b in pairwise(vols)], abs=1e-12)


def test_history__volatilities_of_many_tenors__refused(tmp_path: Path):
    write_history(tmp_path / "a.csv", [3000.0 + day for day in range(100)], last=NOW.replace(hour=8))
    (tmp_path / "v.csv").write_text(f"ts,cur,t,atm_iv\n{int(NOW.timestamp()) - 86_400},ETH,0.1,0.5\n")
    with pytest.raises(BadInput, match=r"market: underlyings\.ETH\.vol_history"):
        joint_history(a_market(history="a.csv", vol_history="v.csv"), tmp_path)


def test_price_market__expiry_at_another_hour__its_own_seconds():
    market = priced(a_market(), "ETH-20260115T1300-3000-C")
    (expiry,) = market.market.underlyings[0].expiries
    assert (expiry.name, expiry.seconds) == ("20260115T1300", 3600.0)
    assert expiry_name(MARCH) == "20260327"


def test_priced__is_a_value():
    """Pricing twice gives equal markets: nothing is read from a clock."""
    document = a_market()
    assert priced(document, "ETH-27MAR26").market == priced(document, "ETH-27MAR26").market
    assert replace(priced(document), in_coin=True).in_coin
