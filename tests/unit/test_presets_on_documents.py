"""Every preset over the shipped documents: the kernel's laws hold at the door where people come in."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keeper.documents.evaluate import Evaluation, evaluate
from keeper.documents.example import write_examples
from keeper.documents.market import MarketDocument
from keeper.documents.portfolio import OrdersDocument, PortfolioDocument
from keeper.documents.read import check
from keeper.errors import BadInput
from keeper.risk.kernel.requirement import Level, LineKind, Requirement
from keeper.risk.kernel.rows import Scanned
from keeper.risk.presets import PRESETS
from keeper.risk.pricing import black76

#: The example that each preset has rules for.
PORTFOLIO = {
    "keeper": "portfolio",
    "span16": "portfolio",
    "derive_pmrm2": "portfolio",
    "paradex": "portfolio",
    "deribit_pm": "portfolio-coin",
    "dydx": "portfolio-perps",
    "synthetix": "portfolio-perps",
    "drift": "portfolio-perps",
    "aave": "portfolio-loan",
    "morpho": "portfolio-loan",
}
#: What one order in each example may be.
ORDER = {
    "portfolio": "ETH-20260327-4000-C",
    "portfolio-coin": "ETH-20260327-4000-C",
    "portfolio-perps": "ETH-PERP",
    "portfolio-loan": None,
}
EVERY = pytest.mark.parametrize("preset", PORTFOLIO)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("desk")
    write_examples(folder)
    return folder


def tree(desk: Path, name: str) -> Any:
    return json.loads((desk / f"{name}.json").read_text())


def ask(desk: Path, preset: str, *, market: Any = None, portfolio: Any = None, orders: Any = None) -> Evaluation:
    written = portfolio if portfolio is not None else tree(desk, PORTFOLIO[preset])
    return evaluate(
        PRESETS[preset],
        check(market if market is not None else tree(desk, "market"), MarketDocument, where="market"),
        check(written, PortfolioDocument, where="portfolio"),
        None if orders is None else check({"orders": orders}, OrdersDocument, where="orders"),
        folder=desk,
    )


def required(*args: Any, **more: Any) -> Requirement:
    found = ask(*args, **more).final
    assert isinstance(found, Requirement), found
    return found


def levels(one: Requirement) -> tuple[Level, Level]:
    return one.initial, one.maintenance


def test_presets__each__has_an_example():
    """A new preset comes with a portfolio that it has rules for."""
    assert set(PORTFOLIO) == set(PRESETS)


@EVERY
def test_each_preset__its_example__every_figure_is_the_sum_of_its_lines(desk: Path, preset: str):
    """DOC-7, KER-4, MAR-5: lines sum to requirements, IM ≥ MM, the binding row is the worst."""
    one = required(desk, preset)
    assert one.im >= one.mm > 0.0
    assert one.health == pytest.approx(one.health_factor if one.is_loan else one.equity / one.mm, rel=1e-15)
    for level in levels(one):
        assert math.fsum(line.amount for line in level.lines) == pytest.approx(level.requirement, rel=1e-12)
        legs = [line.amount for line in level.lines if line.kind is LineKind.LEG]
        assert math.fsum(legs) == pytest.approx(level.scenario, rel=1e-12)
        assert level.binding_row is not None
        assert level.binding_row.loss == max(row.loss for row in level.worst)
        assert level.binding_row.rows


@EVERY
def test_each_preset__more_cash__moves_both_excesses_by_it(desk: Path, preset: str):
    """KER-1."""
    portfolio = tree(desk, PORTFOLIO[preset])
    before = required(desk, preset)
    after = required(desk, preset, portfolio=portfolio | {"cash": portfolio["cash"] + 1234.5})
    assert after.im_excess - before.im_excess == pytest.approx(1234.5, rel=1e-9)
    assert after.mm_excess - before.mm_excess == pytest.approx(1234.5, rel=1e-9)


@EVERY
def test_each_preset__other_order_and_split_lots__the_same(desk: Path, preset: str):
    """KER-5."""
    portfolio = tree(desk, PORTFOLIO[preset])
    halves = [lot | {"size": lot["size"] / 2} for lot in reversed(portfolio["positions"])]
    halves = [lot | ({"funding": lot["funding"] / 2} if "funding" in lot else {}) for lot in halves]
    one, other = required(desk, preset), required(desk, preset, portfolio=portfolio | {"positions": halves * 2})
    for figure in ("equity", "im", "mm"):
        assert getattr(other, figure) == pytest.approx(getattr(one, figure), rel=1e-12)


@EVERY
def test_each_preset__again__the_same_to_the_last_bit(desk: Path, preset: str):
    """KER-11: seeded rows included."""
    assert required(desk, preset) == required(desk, preset)


@EVERY
def test_each_preset__oracle_peg_and_strangers_worsen__mm_stays_and_im_does_not_fall(desk: Path, preset: str):
    """KER-8: nobody is liquidated because an oracle widened or strangers added open interest."""
    market = tree(desk, "market")
    # Collateral is worth amount · price / stable: without it the peg is the only thing that changes.
    portfolio = tree(desk, PORTFOLIO[preset]) | ({} if "loan" in PORTFOLIO[preset] else {"collateral": {}})
    before = required(desk, preset, market=market, portfolio=portfolio)
    for underlying in market["underlyings"].values():
        underlying["confidence"] = dict.fromkeys(("spot", "perp", "forward", "rate", "vol"), 0.1)
        underlying["open_interest"] = underlying["safe_open_interest"]
    if "loan" not in PORTFOLIO[preset]:
        market["stable_price"] = 0.9
    after = required(desk, preset, market=market, portfolio=portfolio)
    assert after.equity == pytest.approx(before.equity, rel=1e-12)
    assert after.mm == pytest.approx(before.mm, rel=1e-12)
    assert after.im >= before.im - 1e-9


@pytest.mark.parametrize("preset", [name for name, example in PORTFOLIO.items() if ORDER[example]])
def test_each_preset__order_at_the_mark__costs_its_fee(desk: Path, preset: str):
    """DOC-6, whatever the account is counted in."""
    order = {"instrument": ORDER[PORTFOLIO[preset]], "side": "sell", "amount": 0.5}
    found = ask(desk, preset, orders=[order])
    assert isinstance(found.before, Requirement)
    assert isinstance(found.after, Requirement)
    (fill,) = found.fills
    assert fill.fee > 0.0
    assert found.after.equity - found.before.equity == pytest.approx(-fill.fee, rel=1e-9)


@pytest.mark.parametrize(
    ("preset", "portfolio", "field"),
    [
        ("aave", "portfolio", "positions"),
        ("morpho", "portfolio-perps", "positions"),
        ("dydx", "portfolio", "positions"),
        ("deribit_pm", "portfolio-perps", "positions"),
        ("span16", "portfolio-coin", "currency"),
    ],
)
def test_preset__has_no_rule_for_the_portfolio__the_field_is_named(desk: Path, preset, portfolio, field):
    """A rule is not stretched to what its venue does not trade: that would require nothing."""
    with pytest.raises(BadInput) as refused:
        ask(desk, preset, portfolio=tree(desk, portfolio))
    assert refused.value.message.startswith(f"portfolio: {field}: {preset}")
    assert refused.value.hint


def test_deribit_pm__account_in_dollars__says_which_coin(desk: Path):
    portfolio = tree(desk, "portfolio-coin")
    del portfolio["currency"]
    with pytest.raises(BadInput, match="counts in ETH, the portfolio in USD"):
        ask(desk, "deribit_pm", portfolio=portfolio)


def test_keeper__history_for_one_underlying_only__the_other_is_named(desk: Path):
    market = tree(desk, "market")
    del market["underlyings"]["BTC"]["history"]
    with pytest.raises(BadInput, match=r"market: underlyings\.BTC\.history"):
        ask(desk, "keeper", market=market)


def test_keeper__no_history__answers_and_says_what_is_left_out(desk: Path):
    """Less is seen without a past, and the answer says so."""
    market = tree(desk, "market")
    for underlying in market["underlyings"].values():
        del underlying["history"]
    whole, less = ask(desk, "keeper"), ask(desk, "keeper", market=market)
    assert whole.notes == ()
    assert "history" in less.notes[0]
    assert isinstance(whole.before, Requirement)
    assert isinstance(less.before, Requirement)
    gone = {row.name for row in whole.before.initial.worst} - {row.name for row in less.before.initial.worst}
    assert {"history", "simulation"} <= gone
    assert less.before.initial.scenario <= whole.before.initial.scenario


def test_span16__straddle_and_perp__sixteen_rows_by_hand(desk: Path):
    """The whole way from words to a figure, against Black-76 and the published order of rows."""
    psr, up, down, vol, days = 0.15, 0.45, 0.3, 0.6, 30
    market = {
        "as_of": "2026-03-01T08:00:00Z",
        "underlyings": {
            "ETH": {
                "spot": 3000.0,
                "rate": 0.05,
                "vol": vol,
                "scan_range": {"price": psr, "vol_up": up, "vol_down": down},
            }
        },
    }
    sizes = {"ETH-31MAR26-3000-C": -2.0, "ETH-31MAR26-3000-P": -1.0, "ETH-PERP": 1.5}
    portfolio = {"cash": 500.0, "positions": [{"instrument": name, "size": size} for name, size in sizes.items()]}
    years = days / 365
    df = math.exp(-0.05 * years)

    def worth(move: float, shock: float) -> float:
        forward, sigma = 3000.0 * math.exp(0.05 * years) * (1 + move), vol * (1 + shock)
        options = -2.0 * black76.call(forward, 3000.0, sigma, years, df) - black76.put(
            forward, 3000.0, sigma, years, df
        )
        return float(options) + 1.5 * 3000.0 * move

    steps = [0, 1 / 3, -1 / 3, 2 / 3, -2 / 3, 1, -1]
    rows = [(step * psr, shock, 1.0) for step in steps for shock in (up, -down)]
    rows += [(3 * psr, 0.0, 0.33), (-3 * psr, 0.0, 0.33)]
    assert len(rows) == 16
    losses = [weight * (worth(0.0, 0.0) - worth(move, shock)) for move, shock, weight in rows]
    found = required(desk, "span16", market=market, portfolio=portfolio)
    assert found.im == pytest.approx(max(losses), rel=1e-12)
    assert found.equity == pytest.approx(500.0 + worth(0.0, 0.0), rel=1e-13)
    leg = {line.what: line.amount for line in found.initial.lines}
    assert set(leg) == {"ETH-20260331-3000-C", "ETH-20260331-3000-P", "ETH-PERP"}


def test_preset_without_ranges__market_without_them__the_field_is_named(desk: Path):
    """What a rule needs and neither it nor the market gives is asked for, by its path."""
    span = PRESETS["span16"]
    (block,) = span.blocks
    assert isinstance(block.rows, Scanned)
    bare = replace(span, blocks=(replace(block, rows=replace(block.rows, fallback=None)),))
    written = tree(desk, "market")
    del written["underlyings"]["ETH"]["scan_range"]
    market = check(written, MarketDocument, where="market")
    portfolio = check(tree(desk, "portfolio"), PortfolioDocument, where="portfolio")
    with pytest.raises(BadInput, match=r"market: underlyings\.ETH\.scan_range: span16 needs it"):
        evaluate(bare, market, portfolio, folder=desk)
