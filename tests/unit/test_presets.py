"""Presets are data, all of them run through the kernel, and reproduce their venues' published numbers."""

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import keeper.risk.presets
from keeper.errors import LawBroken
from keeper.risk.kernel import reduce
from keeper.risk.kernel.arrays import risk_arrays
from keeper.risk.kernel.closing import incentive, repayable
from keeper.risk.kernel.margin import margin
from keeper.risk.kernel.market import Collateral, Expiry, Liquidity, Market, Perp, PerpKind, ScanRange, Underlying
from keeper.risk.kernel.portfolio import FuturePosition, Holding, OptionPosition, PerpPosition, Portfolio
from keeper.risk.kernel.requirement import Unpriced
from keeper.risk.kernel.rows import Linear, Rate
from keeper.risk.presets import PRESETS
from keeper.risk.tail import expected_shortfall
from tests.cases.kernel_worlds import a_history, a_market, an_underlying, deep
from tests.cases.published import published

MODULES = sorted(Path(keeper.risk.presets.__file__).parent.glob("*.py"))
YEAR = 365 * 86_400


def an_account(name):
    """One that each preset requires something of."""
    if name in {"aave", "morpho"}:
        return Portfolio(cash=-100.0, collateral=(Holding(symbol="USDC", amount=1_000.0),))
    return Portfolio(perps=(PerpPosition(underlying="ETH", size=-3.0),))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_preset__module__defines_no_function_and_no_class(path):
    """A preset is data: its module assigns and imports, and does nothing else."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    code = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    assert [node.lineno for node in ast.walk(tree) if isinstance(node, code)] == []
    allowed = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.Expr)
    assert all(isinstance(node, allowed) for node in tree.body)
    assert all(isinstance(node.value, ast.Constant) for node in tree.body if isinstance(node, ast.Expr))


def test_presets__registry__names_every_module():
    """Each module is in the registry under its own name."""
    assert sorted(PRESETS) == [path.stem for path in MODULES if path.stem != "__init__"]
    assert all(preset.name == name and preset.source for name, preset in PRESETS.items())


@pytest.mark.parametrize("name", PRESETS)
def test_presets__without_the_reducer__none_works(name, monkeypatch):
    """Every requirement passes through the kernel's reducer: without it none can be computed."""
    market, account = a_market(), an_account(name)
    found = margin(market, account, PRESETS[name])
    assert found.im > 0.0
    assert found.mm > 0.0
    monkeypatch.delattr(reduce, "reduce")
    with pytest.raises(AttributeError, match="reduce"):
        margin(market, account, PRESETS[name])


@pytest.mark.parametrize("name", PRESETS)
def test_presets__a_reducer_that_sees_nothing__requires_nothing(name, monkeypatch):
    """No scenario part comes from anywhere else: a reducer that finds no loss leaves add-ons and floors alone."""
    real = reduce.reduce
    monkeypatch.setattr(reduce, "reduce", lambda losses, **how: real(np.zeros_like(losses), **how))
    found = margin(a_market(), an_account(name), replace(PRESETS[name], floor=None))
    assert found.initial.scenario == found.maintenance.scenario == 0.0
    assert found.initial.binding == ""


@pytest.mark.parametrize("level", [None, 0.5, 0.9, 0.975, 0.99])
@pytest.mark.parametrize("weighted", [False, True])
def test_reduce__tail__equal_to_the_plain_twin(level, weighted):
    """The reducer's shares are a distribution over rows whose mean is the maximum, or the twin's expected shortfall."""
    rng = np.random.default_rng(3)
    losses = rng.standard_t(3, (40, 300)).round(2)
    weights = rng.random(300) if weighted else np.ones(300)
    weights /= weights.sum()
    found = reduce.reduce(losses, level=level, probability=weights if weighted else None)
    for i, row in enumerate(losses):
        plain = row.max() if level is None else expected_shortfall(row, level, weights)
        assert found.loss[i] == pytest.approx(max(plain, 0.0), rel=1e-12)
        assert found.loss[i] == pytest.approx(found.share[i] @ row, rel=1e-12, abs=1e-300)
        assert found.row[i] == (row.argmax() if plain > 0.0 else -1)


def test_span16__published_array__row_by_row():
    """SPAN16: sixteen rows of a long future and a short call, scan risk and the worst row."""
    case = published("SPAN16")
    i = case.inputs
    future = Underlying(
        symbol="X",
        spot=i["F"],
        expiries=(Expiry(name="e", seconds=i["T"] * YEAR, forward=i["F"], rate=i["r"]),),
        scan=ScanRange(price=i["PSR"] / i["F"], vol_up=i["VSR_rel"], vol_down=i["VSR_rel"]),
    )
    account = Portfolio(
        futures=(FuturePosition(underlying="X", expiry="e", size=i["multiplier"]),),
        options=(
            OptionPosition(
                underlying="X", expiry="e", strike=i["K"], is_call=True, size=-i["multiplier"], vol=i["sigma"]
            ),
        ),
    )
    market = Market(underlyings=(future,))
    (found,) = risk_arrays(market, account, PRESETS["span16"])
    assert found.pnl == pytest.approx(case.expected["array"], abs=case.tol)
    required = margin(market, account, PRESETS["span16"])
    assert required.im == pytest.approx(case.expected["scan_risk"], abs=case.tol)
    assert required.initial.binding_row.rows == (found.tags[case.expected["worst"] - 1],)


def an_inverse_account(q):
    eth = Underlying(symbol="ETH", spot=1_949.34, perp=Perp(price=1_949.49, kind=PerpKind.INVERSE))
    return Market(underlyings=(eth,)), Portfolio(perps=(PerpPosition(underlying="ETH", size=q),))


def test_deribit__published_example__buckets():
    """DERIBIT-INVERSE: P&L of a short inverse perpetual in coin over the eight moved buckets."""
    case = published("DERIBIT-INVERSE")
    (found,) = risk_arrays(*an_inverse_account(case.inputs["q_coin"]), PRESETS["deribit_pm"])
    buckets = found.pnl[:27].reshape(9, 3)
    assert (buckets == buckets[:, :1]).all()
    assert np.delete(buckets[:, 0], 4) == pytest.approx(case.expected, abs=1e-15)
    assert buckets[4, 0] == 0.0


def test_deribit__published_example__margin():
    """DERIBIT-IM: worst bucket and roll shock give IM, and 0.8 of both MM."""
    case = published("DERIBIT-IM")
    found = margin(*an_inverse_account(case.inputs["q_coin"]), PRESETS["deribit_pm"])
    assert found.initial.scenario == pytest.approx(case.expected["worst"], abs=1e-15)
    (roll,) = (line.amount for line in found.initial.lines if line.what == "roll")
    assert roll == pytest.approx(case.expected["roll"], abs=1e-15)
    assert found.im == pytest.approx(case.expected["IM"], abs=case.tol)
    assert found.mm == pytest.approx(case.expected["MM"], abs=case.tol)
    assert found.currency == "ETH"
    assert found.initial.binding_row.rows == ("+1 PSR, vol up",)


def test_deribit__extended_rows__pay_what_the_edge_pays():
    """The example's extended vector: a perpetual's far rows equal its edge buckets, −66 % and −33 % the lower one."""
    (found,) = risk_arrays(*an_inverse_account(-0.999487053), PRESETS["deribit_pm"])
    assert found.pnl[27:] == pytest.approx([0.219399597] * 2 + [-0.15246412672881357] * 6, abs=1e-15)


def test_deribit__two_coins__unpriced():
    """An account in coin has one coin; two are a value with the reason, never a number."""
    account = Portfolio(perps=tuple(PerpPosition(underlying=one, size=1.0) for one in ("ETH", "BTC")))
    found = margin(a_market(), account, PRESETS["deribit_pm"])
    assert isinstance(found, Unpriced)
    assert "BTC" in found.reason


def test_paradex__rows__as_published():
    """24 rows; the tail law gives the published weights 24, 48, 32, 16, 8, 5.33, 4 and 3.2 %."""
    account = Portfolio(perps=(PerpPosition(underlying="ETH", size=1.0),))
    (found,) = risk_arrays(a_market(), account, PRESETS["paradex"])
    assert len(found.pnl) == 24
    price = 2_500.0 * 1.0005
    moves = [-0.66, -0.33, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0]
    weights = [0.24, 0.48, 0.32, 0.16, 0.08, 0.0533, 0.04, 0.032]
    assert found.pnl[16:] == pytest.approx([price * s * w for s, w in zip(moves, weights, strict=True)], rel=0.02)
    assert found.pnl[0] == pytest.approx(0.16 * price)


def test_paradex__hedged_account__least_for_its_delta():
    """A straddle of perpetual and future nets in every row; 1 % of the hedged delta stays, half of it for MM."""
    account = Portfolio(
        perps=(PerpPosition(underlying="ETH", size=10.0),),
        futures=(FuturePosition(underlying="ETH", expiry="soon", size=-10.0),),
    )
    eth = an_underlying(expiries=(Expiry(name="soon", seconds=86_400.0, forward=2_500.0),), perp=Perp(price=2_500.0))
    found = margin(Market(underlyings=(eth,)), account, replace(PRESETS["paradex"], charges=()))
    assert found.im == pytest.approx(0.01 * 10 * 2_500.0)
    assert found.mm == pytest.approx(0.5 * found.im)
    assert found.initial.binding == "delta minimum"


def test_dydx__published_fractions__through_the_preset():
    """DYDX-OIMF: the initial fraction rises with open interest, MM stays on the base."""
    case = published("DYDX-OIMF")
    i = case.inputs
    base, lower, upper = i["base_ppm"] / 1e6, i["lower"], i["upper"]
    blocks = PRESETS["dydx"].blocks
    rules = (Rate(base=base, ramp_lower_usd=lower, ramp_upper_usd=upper), Rate(base=base, scale=0.5))
    preset = replace(
        PRESETS["dydx"],
        blocks=tuple(replace(b, rows=Linear(default=rate)) for b, rate in zip(blocks, rules, strict=True)),
    )
    account = Portfolio(perps=(PerpPosition(underlying="ETH", size=-2.0),))
    for interest, ppm in zip((0.0, 1e6, 1.234567e6, 1.5e6, 2e6), case.expected, strict=True):
        eth = an_underlying(liquidity=deep(open_interest_usd=interest), perp=Perp(price=2_500.0))
        found = margin(Market(underlyings=(eth,)), account, preset)
        # The chain rounds the increase down to a whole ppm.
        assert int(found.im / 5_000.0 * 1e6 + 1e-6) == ppm
        assert found.mm == pytest.approx(0.5 * base * 5_000.0)


def test_synthetix__fraction__grows_with_size():
    """|size| / skewScale · ratio + minimum, and the published part of it for maintenance."""
    account = Portfolio(perps=(PerpPosition(underlying="ETH", size=-100_000.0),))
    found = margin(a_market(), account, PRESETS["synthetix"])
    fraction = 100_000 / 2e6 * 1.264 + 0.05
    assert found.im == pytest.approx(fraction * 100_000 * 2_500 * 1.0005)
    assert found.mm == pytest.approx(0.317 * found.im)


def test_drift__fraction__grows_with_the_root_of_size():
    """max(base, 0.8·base + imf·√size) and weights on collateral."""
    account = Portfolio(
        perps=(PerpPosition(underlying="ETH", size=1e6),), collateral=(Holding(symbol="USDC", amount=100.0),)
    )
    found = margin(a_market(), account, PRESETS["drift"])
    notional = 1e6 * 2_500 * 1.0005
    assert found.im == pytest.approx((0.08 + 0.00045 * 1_000) * notional + 3.0)
    assert found.mm == pytest.approx((0.04 + 0.00045 * 1_000) * notional + 2.0)


def a_loan(price, *, lt, debt, amount=10.0):
    token = Collateral(symbol="WETH", price=price, underlying="ETH", mm_haircut=1.0 - lt, im_haircut=0.02)
    eth = Underlying(symbol="ETH", spot=price)
    account = Portfolio(cash=-debt, collateral=(Holding(symbol="WETH", amount=amount),))
    return Market(underlyings=(eth,), collaterals=(token,)), account


def test_aave__published_loan__health_factor_and_close_factor():
    """AAVE-CLOSE: health factors of one loan at three prices, and what one liquidation repays."""
    case = published("AAVE-CLOSE")
    i, preset = case.inputs, PRESETS["aave"]
    found = [
        margin(*a_loan(price, lt=i["lt"], debt=i["debt"], amount=i["coll"]), preset) for price in (2000, 1750, 1700)
    ]
    repaid = [repayable(preset.liquidation, one) for one in found]
    health = [one.health_factor for one in found]
    figures = [health[0], health[1], repaid[1], health[2], repaid[2]]
    assert figures == pytest.approx(case.expected, abs=case.tol)
    assert repaid[0] == 0.0
    assert [one.mm_excess < 0.0 for one in found] == [False, True, True]
    assert found[0].im - found[0].mm == pytest.approx(0.02 * 20_000)


def test_morpho__published_incentives__from_the_preset():
    """MORPHO-LIF: liquidation incentive factors by LLTV."""
    case = published("MORPHO-LIF")
    found = [incentive(PRESETS["morpho"].liquidation, lltv) for lltv in case.inputs["lltv"]]
    assert found == pytest.approx(case.expected, abs=case.tol)


def test_morpho__loan__liquidatable_exactly_below_lltv():
    """A loan is healthy up to LLTV of its collateral and liquidatable beyond, a debt in a token included."""
    preset = PRESETS["morpho"]
    for debt, healthy in ((8_600.0, True), (8_600.1, False)):
        found = margin(*a_loan(1_000.0, lt=0.86, debt=debt), preset)
        assert (found.mm_excess >= -1e-9) is healthy
        assert (found.health_factor >= 1.0 - 1e-12) is healthy
    owing = Portfolio(collateral=(Holding(symbol="WETH", amount=4.0), Holding(symbol="USDC", amount=-5_000.0)))
    found = margin(a_market(), owing, preset)
    assert found.debt == pytest.approx(5_000.0)
    assert found.health_factor == pytest.approx(4 * 2_500 * 0.9 / 5_000)


@pytest.mark.parametrize("name", PRESETS)
def test_presets__position_the_market_does_not_know__unpriced(name):
    """An unknown underlying, expiry or token makes the account unknown, with the reason; never a number."""
    strangers = (
        Portfolio(perps=(PerpPosition(underlying="DOGE", size=1.0),)),
        Portfolio(futures=(FuturePosition(underlying="ETH", expiry="never", size=1.0),)),
        Portfolio(collateral=(Holding(symbol="UST", amount=1.0),)),
    )
    for account, what in zip(strangers, ("DOGE", "never", "UST"), strict=True):
        found = margin(a_market(), account, PRESETS[name])
        assert isinstance(found, Unpriced)
        assert what in found.reason


@pytest.mark.parametrize("name", PRESETS)
def test_presets__numbers_that_overflow__law_broken(name):
    """What overflows stops at once; it is never a requirement."""
    huge = 1.7e308
    account = an_account(name)
    account = replace(
        account,
        collateral=tuple(replace(one, amount=huge) for one in account.collateral),
        perps=tuple(replace(one, size=-huge) for one in account.perps),
    )
    market = a_market(collaterals=(Collateral(symbol="USDC", price=3.0, mm_haircut=0.5),))
    market = replace(market, underlyings=tuple(replace(u, perp=replace(u.perp, price=1e9)) for u in market.underlyings))
    with pytest.raises(LawBroken):
        margin(market, account, replace(PRESETS[name], charges=PRESETS[name].charges))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1.0, 0.0])
def test_market__spot_that_is_none__law_broken(bad):
    """A NaN, an infinity or a price that is not positive never enters the kernel."""
    with pytest.raises(LawBroken):
        Market(underlyings=(Underlying(symbol="ETH", spot=bad),))


def test_keeper__every_generator__has_its_worst_row():
    """With a history, ours reports the worst row of each of its seven generators, and IM covers each of them."""
    account = Portfolio(
        perps=(PerpPosition(underlying="ETH", size=5.0),),
        options=(
            OptionPosition(underlying="ETH", expiry="week", strike=2_300.0, is_call=False, size=-10.0, vol=0.6),
            OptionPosition(underlying="ETH", expiry="year", strike=3_000.0, is_call=True, size=5.0, vol=0.6),
        ),
        collateral=(Holding(symbol="USDC", amount=1e4),),
    )
    market = a_market(history=a_history("ETH", "BTC"))
    found = margin(market, account, PRESETS["keeper"])
    assert [one.generator.value for one in found.initial.worst] == [
        "grid", "history", "simulation", "stress", "basis", "skew", "depeg",
    ]  # fmt: skip
    assert all(one.loss > 0.0 and one.rows for one in found.initial.worst)
    assert found.initial.scenario == pytest.approx(max(one.loss for one in found.initial.worst))
    assert [one.name for one in found.maintenance.worst] == ["grid", "basis", "skew", "depeg"]
    assert {line.what for line in found.initial.lines} >= {"ETH-PERP", "short options", "haircut USDC"}


def test_keeper__liquid_market__charges_size_and_state():
    """Close-out, concentration and the open-interest ramp are lines of their own where the market tells its depth."""
    eth = an_underlying(
        liquidity=deep(bids=((2_499.0, 5.0), (2_490.0, 20.0)), asks=((2_501.0, 5.0),), open_interest_usd=4e8),
        confidence=0.4,
    )
    account = Portfolio(perps=(PerpPosition(underlying="ETH", size=1e6),))
    found = margin(a_market(underlyings=(eth,), stable=0.9), account, PRESETS["keeper"])
    lines = {line.what: line for line in found.initial.lines}
    names = ["close-out ETH", "concentration ETH", "open interest ETH", "oracle confidence ETH-PERP", "peg"]
    assert [name for name in names if name not in lines] == []
    assert "book" in lines["close-out ETH"].detail
    for_mm = {line.what for line in found.maintenance.lines}
    assert for_mm.isdisjoint({"open interest ETH", "oracle confidence ETH-PERP", "peg"})
    filled = 5.0 * 1.0 + 20.0 * 10.0
    assert lines["close-out ETH"].amount == pytest.approx(filled + (1e6 - 25.0) * 0.12 * 2_500.0)


def test_paradex__partly_hedged__net_and_hedged_delta():
    """2 % of the net delta and 1 % of the hedged one: ten long against four short is six net and four hedged."""
    account = Portfolio(
        perps=(PerpPosition(underlying="ETH", size=10.0),),
        futures=(FuturePosition(underlying="ETH", expiry="soon", size=-4.0),),
    )
    eth = an_underlying(expiries=(Expiry(name="soon", seconds=86_400.0, forward=2_500.0),), perp=Perp(price=2_500.0))
    found = margin(Market(underlyings=(eth,)), account, PRESETS["paradex"])
    (least,) = (one for one in found.initial.worst if one.name == "delta minimum")
    assert least.loss == pytest.approx((0.02 * 6 + 0.01 * 4) * 2_500.0)


def test_paradex__published_example__least_for_its_deltas():
    """The venue's: one long against 1.5 short at 70,000 is half a unit net and one hedged, 1,400 USD.

    Source: docs.paradex.trade, risk, portfolio margin (a perpetual against short calls of delta 0.3).
    """
    account = Portfolio(
        perps=(PerpPosition(underlying="BTC", size=1.0),),
        futures=(FuturePosition(underlying="BTC", expiry="soon", size=-1.5),),
    )
    soon = Expiry(name="soon", seconds=86_400.0, forward=70_000.0)
    btc = an_underlying("BTC", 70_000.0, expiries=(soon,), perp=Perp(price=70_000.0))
    found = margin(Market(underlyings=(btc,)), account, PRESETS["paradex"])
    (least,) = (one for one in found.initial.worst if one.name == "delta minimum")
    assert least.loss == pytest.approx(1_400.0)


@pytest.mark.parametrize("side", ["bids", "asks"])
def test_keeper__book_empty_on_the_side_to_trade__edge_on_all_of_it(side):
    """What a book does not fill pays the edge, all of it where nobody is there: never less than with a lone offer."""
    other = {"bids": {"asks": ((2_501.0, 50.0),)}, "asks": {"bids": ((2_499.0, 50.0),)}}[side]
    size = 10.0 if side == "bids" else -10.0
    eth = an_underlying(perp=Perp(price=2_500.0), liquidity=Liquidity(**other))
    account = Portfolio(perps=(PerpPosition(underlying="ETH", size=size),))
    found = margin(Market(underlyings=(eth,)), account, PRESETS["keeper"])
    (line,) = (one for one in found.initial.lines if one.what == "close-out ETH")
    assert line.amount == pytest.approx(0.12 * 10.0 * 2_500.0)


@pytest.mark.parametrize(("size", "rate", "owed"), [(2.0, 0.01, True), (-2.0, 0.01, False), (-2.0, -0.01, True)])
def test_paradex__funding__owed_is_provided_for_and_earned_is_not(size, rate, owed):
    """The side that would pay funding over the next period provides for it; the side that would earn it does not."""
    eth = an_underlying(perp=Perp(price=2_500.0, funding_rate=rate))
    account = Portfolio(perps=(PerpPosition(underlying="ETH", size=size),))
    found = margin(Market(underlyings=(eth,)), account, PRESETS["paradex"])
    provided = [line.amount for line in found.maintenance.lines if line.what == "funding provision"]
    assert provided == ([pytest.approx(50.0)] if owed else [])


def test_keeper__stress_days__weighed_by_the_markets_own_range():
    """A day's move weighs c·PSR over its size, PSR being the calibrated one where there is one."""
    account = Portfolio(perps=(PerpPosition(underlying="ETH", size=1.0),))
    for scan, psr in ((ScanRange(price=0.1, vol_up=0.4, vol_down=0.3), 0.1), (None, 0.15)):
        eth = an_underlying(scan=scan, perp=Perp(price=2_500.0))
        found = margin(Market(underlyings=(eth,)), account, PRESETS["keeper"])
        (worst,) = (one for one in found.initial.worst if one.name == "stress")
        assert worst.loss == pytest.approx(0.75 * psr * 2_500.0)


def test_keeper__concentration__open_interest_binds_initial_alone():
    """A size that volume absorbs and open interest does not is charged in IM only: the state of strangers."""
    eth = an_underlying(liquidity=deep(open_interest_usd=1e7, safe_open_interest_usd=None))
    account = Portfolio(perps=(PerpPosition(underlying="ETH", size=100_000.0),))
    found = margin(a_market(underlyings=(eth,)), account, PRESETS["keeper"])
    name = "concentration ETH"
    assert name in {line.what for line in found.initial.lines}
    assert name not in {line.what for line in found.maintenance.lines}


def test_deribit__second_coin_of_a_market__counted_in_itself():
    """An account of BTC is counted in BTC, whatever else the market lists; what it needs grows with its own coins."""
    account = Portfolio(
        cash=1.0,
        perps=(PerpPosition(underlying="BTC", size=-2.0),),
        options=(OptionPosition(underlying="BTC", expiry="year", strike=60_000.0, is_call=True, size=1.0, vol=0.5),),
    )
    found = margin(a_market(), account, PRESETS["deribit_pm"])
    assert found.currency == "BTC"
    alone = margin(a_market(underlyings=a_market().underlyings[1:], collaterals=()), account, PRESETS["deribit_pm"])
    assert (found.equity, found.im, found.mm) == (alone.equity, alone.im, alone.mm)
    assert 1.0 < found.equity < 1.5
