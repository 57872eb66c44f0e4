"""Defect 22: off-chain rounding differed from the contract's, by a wei here and a wei there.

Each mutant is one rounding the other way round, as it is easily written: the sign taken before or after a division, a
haircut taken off instead of a share kept.
"""

import numpy as np
import pytest

from keeper.cycle import think
from keeper.domain.cycle import CycleInputs
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.policy import auction
from keeper.risk import margin
from keeper.risk.exact import sweep
from keeper.risk.exact.book import Book
from keeper.testing.harness import Harness
from keeper.testing.portfolios import NOW, Style, a_file, a_portfolio
from keeper.testing.small_house import SmallHouse
from tests.defects.frame import defect
from tests.defects.houses import watching
from tests.defects.rewritten import rewrite

pytestmark = pytest.mark.chain

WAD, PPM = 10**18, 10**6
STYLES = (Style.MIXED, Style.WEI, Style.SHORT, Style.BOX, Style.PERP) * 3


@pytest.fixture(scope="module")
def contracts():
    """The contracts' own arithmetic."""
    return Harness()


# --- requirements -----------------------------------------------------------------------------------------------------


def rounds_losses_down(patch):
    """−pnl · weight / PPM, and not −(pnl · weight / PPM): the account keeps what is left of the division."""
    rewrite(
        patch,
        sweep._exact_loss,
        "-((value * ref // unit - mark + perp * move // WAD) * weight // PPM)",
        "-(value * ref // unit - mark + perp * move // WAD) * weight // PPM",
    )


def rounds_the_minimum_down(patch):
    """Plain floor division where the contract rounds up."""
    rewrite(
        patch,
        sweep._by_numpy,
        "-(-book.naked * (spot * file.short_min_ppm) // (WAD * PPM))",
        "book.naked * (spot * file.short_min_ppm) // (WAD * PPM)",
    )


def requires_the_same(contracts):
    """Portfolios of single wei, odd lots and naked shorts, at a spot that divides nothing."""
    rng, file = np.random.default_rng(22), a_file(150_000)
    spot = file.ref_spot + file.ref_spot // 97 + 1
    drawn = [a_portfolio(rng, file, style) for style in STYLES]
    found = contracts.assess([file], [(0, p, spot, NOW) for p in drawn])
    ours = sweep.assess_book(file, Book.of([(p.legs, p.perp_size) for p in drawn]), spot=spot, now=NOW)
    columns = (ours.option_mark, ours.grid, ours.short_minimum, ours.worst_row)
    assert [tuple(one.values()) for one in found] == list(zip(*columns, strict=True)), "PAR-2"


@defect(22, mutant=rounds_losses_down)
def test_losses__same_to_the_wei(contracts):
    """PAR-2: mark, grid, short minimum and worst row of each portfolio are the contract's."""
    requires_the_same(contracts)


@defect(22, mutant=rounds_the_minimum_down)
def test_short_minimum__same_to_the_wei(contracts):
    """PAR-2: the same, where an account pays for what is short and naked."""
    requires_the_same(contracts)


# --- equity -----------------------------------------------------------------------------------------------------------


def takes_the_haircut_off(patch):
    """Value less haircut, and not the share that is kept: what is left of the division counts as collateral."""
    rewrite(
        patch,
        margin.collateral_value,
        "counted * (PPM - asset.haircut_ppm) // PPM",
        "counted - counted * asset.haircut_ppm // PPM",
    )


@defect(22, mutant=takes_the_haircut_off)
def test_equity__same_to_the_wei():
    """PAR-5: odd units of a coin under a haircut, at a price with eight decimals: equity is the house's own."""
    house = SmallHouse()
    house.do("MockAggregator", "push", 3_000_12345679, to=house.feeds[0])
    accounts = [int(house.hand.address, 16) << 96 | sub for sub in (1, 2, 3)]
    for account, units in zip(accounts, (1, WAD + 7, 123_456_789_123_456_789), strict=True):
        house.do("MockERC20", "mint", house.hand.address, units, to=house.tokens["WETH"])
        house.do("MockERC20", "approve", house.deployment.addresses["ClearingHouse"], units, to=house.tokens["WETH"])
        house.do("ClearingHouse", "deposit", account, 1, units)
    keeper, block = watching(house), house.chain.block()
    snapshot = keeper.reader.read(block)
    inputs = CycleInputs(snapshot=snapshot, in_flight=(), called=(), risk=RiskKnobs(), policy=PolicyKnobs())
    ours = {m.account: m.equity for m in think(inputs).report.accounts}
    theirs = {a: keeper.views.one(block, "ClearingHouse", "margin", a, 0)["equity"] for a in accounts}
    assert {account: ours[account] for account in accounts} == theirs, "PAR-5"


# --- auctions ---------------------------------------------------------------------------------------------------------


def rounds_the_fraction_down(patch):
    """Plain floor division: the slice leaves the account a wei short of the health that ends its auction."""
    rewrite(patch, auction.max_fraction_wad, "-(-missing * WAD // whole)", "missing * WAD // whole")


@defect(22, mutant=rounds_the_fraction_down)
def test_largest_fraction__same_to_the_wei(contracts):
    """PAR-3: how much of an account may be bid on at most."""
    rng, cases, ours = np.random.default_rng(23), [], []
    for _ in range(50):
        mm = int(rng.integers(1, 10**6)) * WAD + int(rng.integers(0, WAD))
        equity = mm * int(rng.integers(0, PPM)) // PPM
        mtm, d_ppm = equity + int(rng.integers(0, 10**6)) * WAD, int(rng.integers(0, PPM))
        cases.append((equity, mm, 100_000, mtm, d_ppm, 0))
        ours.append(
            auction.max_fraction_wad(equity=equity, mm=mm, buffer_ppm=100_000, mtm=mtm, d_ppm=d_ppm, reserved=0)
        )
    assert list(contracts.auction("maxFractions", cases)) == ours, "PAR-3"
