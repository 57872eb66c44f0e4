"""What an answer says of its documents, what is refused for want of a rule, and that every field does something."""

import copy
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from keeper.documents.evaluate import Evaluation, evaluate
from keeper.documents.market import MarketDocument
from keeper.documents.portfolio import PortfolioDocument
from keeper.documents.read import check
from keeper.errors import BadInput
from keeper.risk.kernel.requirement import Requirement
from keeper.risk.presets import PRESETS

RANGE = {"price": 0.15, "vol_up": 0.45, "vol_down": 0.3}
MARKET: dict[str, Any] = {
    "as_of": "2026-01-15T08:00:00Z",
    "underlyings": {
        "ETH": {
            "spot": 3000,
            "rate": 0.04,
            "vol": 0.6,
            "scan_range": RANGE,
            "expiries": [{"expiry": "20260327", "forward": 3024, "smile": {"flat": 0.7}}],
            "perp": {"price": 3010, "funding_rate": 0.0002},
        }
    },
    "collaterals": {
        "WETH": {"underlying": "ETH", "haircut_mm": 0.05, "haircut_im": 0.1},
        "USDC": {"price": 1, "haircut_mm": 0.01},
    },
}
LONG = {"cash": 1e5, "positions": [{"instrument": "ETH-PERP", "size": 10}]}
SHORT = {"cash": 1e5, "positions": [{"instrument": "ETH-PERP", "size": -10}]}
DEBT = {"cash": 1e4, "collateral": {"WETH": -3.3}, "positions": []}


def changed(**fields: Any) -> dict[str, Any]:
    """The market with other fields of ETH."""
    market = copy.deepcopy(MARKET)
    market["underlyings"]["ETH"] |= fields
    return market


def ask(portfolio: dict[str, Any], market: dict[str, Any] = MARKET, preset: str = "keeper") -> Evaluation:
    return evaluate(
        PRESETS[preset],
        check(market, MarketDocument, where="market"),
        check(portfolio, PortfolioDocument, where="portfolio"),
        folder=Path(),
    )


def required(*args: Any, **more: Any) -> Requirement:
    found = ask(*args, **more).final
    assert isinstance(found, Requirement), found
    return found


def close_out(portfolio: dict[str, Any], book: dict[str, Any]) -> float:
    lines = required(portfolio, changed(book=book)).initial.lines
    return sum(line.amount for line in lines if line.what == "close-out ETH")


NO_RULE = {"span16", "paradex", "dydx", "synthetix", "drift"}


@pytest.mark.parametrize("preset", sorted(NO_RULE))
def test_debt_in_a_token__preset_that_moves_no_collateral__refused(preset: str):
    """DOC-8: a debt that grows when its token rises never requires nothing."""
    with pytest.raises(BadInput) as refused:
        ask(DEBT, preset=preset)
    assert refused.value.message.startswith(f"portfolio: collateral.WETH: {preset} has no rule for a debt in a token")
    assert refused.value.hint


@pytest.mark.parametrize("preset", sorted(set(PRESETS) - NO_RULE))
def test_debt_in_a_token__any_other_preset__is_near_or_beyond_its_limit(preset: str):
    """DOC-8: 100 USD of equity beside a debt of 9,900."""
    if preset == "deribit_pm":  # owes what it is counted in
        found = required({"currency": "ETH", "cash": 1, "collateral": {"WETH": -3.3}, "positions": []}, preset=preset)
        assert found.equity == pytest.approx(-2.3, rel=1e-12)
    else:
        assert required(DEBT, preset=preset).health < 1.02


def test_debt_in_a_token__that_follows_nothing__is_refused():
    with pytest.raises(BadInput, match=r"collateral\.USDC: keeper has no rule for a debt in a token whose price"):
        ask({"cash": 1e4, "collateral": {"USDC": -5}, "positions": []})


@pytest.mark.parametrize("preset", ["aave", "morpho"])
def test_loan__debt_in_a_token_and_cash__health_is_the_health_factor(preset: str):
    """3.3 WETH of 3000 owed, 10,000 of cash that counts in full: 10,000 / 9,900."""
    found = required(DEBT, preset=preset)
    assert found.health == found.health_factor == pytest.approx(10_000 / 9_900, rel=1e-12)


def test_loan__any_balance__at_or_above_one_exactly_while_nothing_is_missing():
    """DOC-9: both say the same of an account."""
    for cash, weth, usdc in itertools.product((-9000, -5, 0, 8000), (-3, -1e-6, 0, 2), (0, 5000)):
        found = required({"cash": cash, "collateral": {"WETH": weth, "USDC": usdc}, "positions": []}, preset="aave")
        assert (found.health >= 1.0) == (found.mm_excess >= 0.0)


@pytest.mark.parametrize("preset", ["span16", "paradex", "dydx"])
def test_haircuts__preset_has_none__the_answer_says_so(preset: str):
    found = ask(LONG | {"collateral": {"WETH": 3}}, preset=preset)
    assert f"WETH at full value: {preset} does not count the market's haircuts" in found.notes
    assert not ask(LONG, preset=preset).notes


def test_haircuts__preset_counts_them__nothing_to_say():
    for preset in ("drift", "synthetix"):
        assert ask(LONG | {"collateral": {"WETH": 3}}, preset=preset).notes == ()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"expiries": [{"expiry": "20260327", "forward": 30.24}]}, "expiry 20260327 forward 30.24 beside spot 3000"),
        ({"perp": {"price": 30.1}}, "perp.price 30.1 beside spot 3000"),
        ({"perp": {"price": 6100}}, "perp.price 6100 beside spot 3000"),
        ({"book": {"bids": [[30, 5]], "asks": []}}, "book.bids 30 beside spot 3000"),
    ],
)
def test_price__far_from_spot__used_and_named(fields, said: str):
    """A slip of the pen makes an account look healthy; a real price is used all the same."""
    assert any(said in note for note in ask(LONG, changed(**fields)).notes)
    assert not any("slip" in note for note in ask(LONG).notes)


def test_token__price_far_from_what_it_follows__named():
    market = copy.deepcopy(MARKET)
    market["collaterals"]["WETH"]["price"] = 30
    assert any("collaterals.WETH: price 30 beside spot 3000" in note for note in ask(LONG, market).notes)


@pytest.mark.parametrize("preset", ["keeper", "span16"])
def test_scan_range__none_in_the_market__the_presets_own_is_named(preset: str):
    market = changed()
    del market["underlyings"]["ETH"]["scan_range"]
    (note,) = (note for note in ask(LONG, market, preset).notes if "scan_range" in note)
    assert f"ETH: no scan_range in the market, {preset} takes its own: price ±" in note
    assert not any("scan_range" in note for note in ask(LONG, preset=preset).notes)


def test_scan_range__preset_has_its_own_always__nothing_to_say():
    market = changed()
    del market["underlyings"]["ETH"]["scan_range"]
    assert ask(LONG, market, "paradex").notes == ()


def test_deribit_pm__coin_that_the_market_does_not_have__refused():
    with pytest.raises(BadInput, match=r"portfolio: currency: .* the market has no FOO"):
        ask({"currency": "FOO", "cash": 1, "positions": []}, preset="deribit_pm")


@pytest.mark.parametrize(
    ("market", "portfolio"),
    [
        (MARKET, {"positions": [{"instrument": "ETH-21260327-3000-C", "size": 1}]}),
        (changed(expiries=[{"expiry": "99990101"}]), LONG),
    ],
)
def test_expiry__in_another_century__refused(market, portfolio):
    with pytest.raises(BadInput, match="more than a hundred years after as_of"):
        ask(portfolio, market)


def test_rate__grows_a_forward_beyond_measure__refused():
    with pytest.raises(BadInput, match="makes spot 3000 a forward of"):
        ask({"positions": [{"instrument": "ETH-20990327", "size": 1}]}, changed(rate=5))


def test_close_out__one_side_straddles_spot__measured_from_its_best_level():
    """Selling 0.2: 0.1 at 3001 and 0.1 two dollars lower; buying likewise."""
    bids = {"bids": [[3001, 0.1], [2999, 0.1]], "asks": []}
    asks = {"bids": [], "asks": [[2999, 0.1], [3001, 0.1]]}
    held = [{"instrument": "ETH-PERP", "size": 0.2}]
    assert close_out({"cash": 1e4, "positions": held}, bids) == pytest.approx(0.2, rel=1e-9)
    held = [{"instrument": "ETH-PERP", "size": -0.2}]
    assert close_out({"cash": 1e4, "positions": held}, asks) == pytest.approx(0.2, rel=1e-9)


@pytest.mark.parametrize(
    ("portfolio", "book"),
    [(LONG, {"bids": [[4000, 100]], "asks": []}), (SHORT, {"bids": [], "asks": [[2000, 100]]})],
)
def test_close_out__better_than_spot__costs_nothing(portfolio, book):
    """A favourable book is no loss."""
    assert close_out(portfolio, book) == 0.0


def test_close_out__what_a_favourable_book_does_not_hold__pays_the_edge_of_spot():
    """1 of 10 is offered below spot; the other 9 pay 15 % of 3000, not of that offer."""
    assert close_out(SHORT, {"bids": [], "asks": [[2000, 1]]}) == pytest.approx(9 * 0.15 * 3000, rel=1e-12)


OPTIONS = {"cash": 1e5, "positions": [{"instrument": "ETH-20260327-3500-C", "size": -10}]}


@pytest.mark.parametrize(
    ("portfolio", "fields", "line"),
    [
        (LONG, {"sell_crowding": 0.5}, "crowding ETH"),
        (SHORT, {"buy_crowding": 0.5}, "crowding ETH"),
        (
            OPTIONS,
            {"expiries": [MARKET["underlyings"]["ETH"]["expiries"][0] | {"vol_half_spread": 0.01}]},
            "vol spread",
        ),
        (LONG, {"book": {"bids": [[2990, 100]], "asks": []}}, "close-out ETH"),
        (LONG, {"adv": 10, "daily_vol": 0.03}, "close-out ETH"),
        (LONG, {"adv": 10}, "concentration ETH"),
        (LONG, {"open_interest": 100, "safe_open_interest": 200}, "open interest ETH"),
    ],
)
def test_field_of_liquidity__given__a_line_and_no_smaller_requirement(portfolio, fields, line: str):
    """Every key has an effect."""
    before, after = required(portfolio), required(portfolio, changed(**fields))
    assert not any(one.what.startswith(line) for one in before.initial.lines)
    (found,) = (one for one in after.initial.lines if one.what.startswith(line))
    assert found.amount > 0.0
    assert after.im > before.im


def test_vol_half_spread__short_calls__its_share_of_net_vega():
    """κ of it for MM, all of it for IM, at half a spread of one point."""
    expiry = MARKET["underlyings"]["ETH"]["expiries"][0]
    lines = [required(OPTIONS, changed(expiries=[expiry | {"vol_half_spread": wide}])) for wide in (0.01, 0.02)]
    small, large = (
        [line.amount for level in (one.initial, one.maintenance) for line in level.lines if "vol spread" in line.what]
        for one in lines
    )
    assert small[1] == pytest.approx(0.8 * small[0], rel=1e-12)
    assert large == pytest.approx([2 * amount for amount in small], rel=1e-12)


def test_settlement__token_that_may_lose_its_peg__a_row_of_its_own():
    """Debts in other tokens grow by as much as the settlement token falls."""
    before, after = required(DEBT), required(DEBT, MARKET | {"settlement": "USDC"})
    loss = {row.name: row.loss for row in after.initial.worst}["depeg"]
    assert {row.name: row.loss for row in before.initial.worst}["depeg"] == 0.0
    assert loss > 0.0
    assert ask(DEBT, MARKET | {"settlement": "USDC"}).notes == ask(DEBT).notes


def test_settlement__token_of_which_nothing_is_known__the_answer_says_so():
    (note,) = (note for note in ask(DEBT, MARKET | {"settlement": "FOO"}).notes if "settlement" in note)
    assert "nothing is known of FOO losing its peg" in note


def test_market__itself__is_a_document():
    """What these tests change is what a person could write."""
    assert json.loads(json.dumps(MARKET)) == MARKET
