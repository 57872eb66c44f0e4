"""A market that names a whole quoted chain."""

import math
from datetime import UTC, datetime
from pathlib import Path

import pytest

from keeper.documents.evaluate import evaluate
from keeper.documents.market import MarketDocument
from keeper.documents.names import expiry_name, parse
from keeper.documents.portfolio import PortfolioDocument
from keeper.documents.quoted import with_quotes
from keeper.documents.read import check
from keeper.documents.to_market import price_market
from keeper.domain.expiry import parse_expiry
from keeper.errors import BadInput
from keeper.marketdata.quotes_file import load_quotes
from keeper.risk.kernel.requirement import Requirement
from keeper.risk.presets import PRESETS
from keeper.risk.surface.fit import fit_surface

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
FORWARDS = {"20260327": 3024.0, "20260626": 3056.0}
STRIKES = (1800, 2200, 2600, 3000, 3600, 4200, 5000)


def smile(strike: float, forward: float) -> float:
    return 0.6 + 0.1 * math.log(strike / forward) ** 2


def a_market(**eth: object) -> MarketDocument:
    tree = {"as_of": NOW.isoformat(), "underlyings": {"ETH": {"spot": 3000.0, "quotes_file": "chain.csv"} | eth}}
    return check(tree, MarketDocument, where="market")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two snapshots: one an hour after the valuation, which must not be known, with other volatilities."""
    rows = ["snap,cur,expiry,cp,strike,fut,iv"]
    for seconds, lift in ((-600, 0.0), (3_600, 0.3)):
        for day, forward in FORWARDS.items():
            rows += [
                f"{int(NOW.timestamp()) + seconds},ETH,{parse_expiry(day)},{'P' if strike < forward else 'C'},"
                f"{strike},{forward},{smile(strike, forward) + lift}"
                for strike in STRIKES
            ]
    (tmp_path / "chain.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


@pytest.mark.parametrize("day", FORWARDS)
def test_quotes_file__newest_before_as_of__forwards_and_smiles(folder: Path, day: str):
    """A valuation reads what was quoted, and nothing that was quoted later."""
    priced = price_market(with_quotes(a_market(), folder), folder, traded=())
    assert priced.mark(parse(f"ETH-{day}")) == FORWARDS[day]
    for strike in STRIKES:
        assert priced.vol(parse(f"ETH-{day}-{strike}-C")) == pytest.approx(smile(strike, FORWARDS[day]), abs=0.005)


def test_quotes_file__what_is_written__goes_before(folder: Path):
    own = [{"expiry": "27MAR26", "forward": 3100.0, "smile": {"flat": 0.5}}, {"expiry": "20260130", "forward": 3001.0}]
    document = with_quotes(a_market(expiries=own, vol=0.7), folder)
    priced = price_market(document, folder, traded=())
    assert {one.expiry for one in document.underlyings["ETH"].expiries} == {"27MAR26", "20260130", "20260626"}
    assert priced.mark(parse("ETH-20260327")) == 3100.0
    assert priced.vol(parse("ETH-20260327-3000-C")) == 0.5
    assert priced.vol(parse("ETH-20260130-3000-C")) == 0.7


@pytest.mark.parametrize("hours", [-1, 3], ids=["before it began", "stale"])
def test_quotes_file__nothing_of_the_last_hour__refused(folder: Path, hours: int):
    document = a_market().model_copy(update={"as_of": NOW.replace(hour=12 + hours)})
    with pytest.raises(BadInput, match=r"market: underlyings\.ETH\.quotes_file"):
        with_quotes(document, folder)


@pytest.mark.needs_market_data
@pytest.mark.parametrize("preset", ["keeper", "span16", "derive_pmrm2", "paradex"])
def test_quotes_file__real_chain_in_a_crash__every_expiry_has_a_margin(market_data: Path, preset: str):
    """On 2026-02-05, as ETH fell: a calendar of straddles over every quoted expiry is priced, and its lines sum."""
    path = market_data / "options" / "deribit_chain_4xday_2026-02-05_2026-02-12.parquet"
    quotes = load_quotes(path)
    at = quotes.times("ETH")[0]
    chain = quotes.at("ETH", at)
    assert chain.index is not None
    index = chain.index
    nearest = {
        day: min({one.strike for one in chain.quotes if one.expiry_s == day}, key=lambda strike: abs(strike - index))
        for day in {one.expiry_s for one in chain.quotes}
    }
    positions = [
        {"instrument": f"ETH-{expiry_name(day)}-{strike:g}-{kind}", "size": -1.0 if kind == "C" else 1.5}
        for day, strike in nearest.items()
        for kind in "CP"
    ]
    market = {
        "as_of": datetime.fromtimestamp(at, UTC).isoformat(),
        "underlyings": {"ETH": {"spot": index, "quotes_file": str(path)}},
    }
    found = evaluate(
        PRESETS[preset],
        check(market, MarketDocument, where="market"),
        check({"cash": 10_000.0, "positions": positions}, PortfolioDocument, where="portfolio"),
        folder=market_data,
    ).before
    assert isinstance(found, Requirement), found
    assert len(nearest) >= 8
    for level in (found.initial, found.maintenance):
        assert math.fsum(line.amount for line in level.lines) == pytest.approx(level.requirement, rel=1e-12)
    assert found.im >= found.mm > 0.0


@pytest.mark.needs_market_data
def test_quotes_file__real_chain__the_volatilities_of_keeper_surface(market_data: Path):
    """What margins an account is what `keeper surface` shows of the same file."""
    path = market_data / "options" / "deribit_chain_4xday_2026-02-05_2026-02-12.parquet"
    quotes = load_quotes(path)
    at = quotes.times("BTC")[5]
    chain = quotes.at("BTC", at)
    shown = fit_surface(chain.quotes, now_s=at).surface
    assert shown is not None
    tree = {
        "as_of": datetime.fromtimestamp(at, UTC).isoformat(),
        "underlyings": {"BTC": {"spot": chain.index, "quotes_file": str(path)}},
    }
    priced = price_market(with_quotes(check(tree, MarketDocument, where="market"), market_data), market_data, traded=())
    for one in shown.slices:
        strikes = sorted({quote.strike for quote in chain.quotes if quote.expiry_s == one.expiry_s})
        for strike in strikes[:: max(1, len(strikes) // 5)]:
            name = parse(f"BTC-{expiry_name(one.expiry_s)}-{strike:.0f}-C")
            assert priced.vol(name) == pytest.approx(float(one.vol(strike)), abs=1e-4)
