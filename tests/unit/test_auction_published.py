"""The auction's integers against another venue's published numbers, and against the closed form in fractions."""

from fractions import Fraction

import hypothesis
import pytest
from hypothesis import strategies as st

from keeper.domain.snapshot import AuctionRules
from keeper.policy.auction import PPM, SLACK_WAD, WAD, discount_ppm, max_fraction_wad
from tests.cases.published import published


def rules(*, start: float, cutoff: float, fast: int, slow: int) -> AuctionRules:
    """Rules of which only the discount matters."""
    return AuctionRules(
        fast_s=fast,
        slow_s=slow,
        start_ppm=round(start * PPM),
        cutoff_ppm=round(cutoff * PPM),
        insolvent_s=1,
        buffer_ppm=0,
        dust_usd=0,
    )


def test_discount__published_moments__met():
    """Fast to the cutoff, then slowly to zero."""
    given = published("AUCTION-DISCOUNT-1")
    found = [discount_ppm(rules(**given.inputs), elapsed) / PPM for elapsed in (300, 600, 960)]
    assert found == pytest.approx(given.expected, abs=given.tol)


def test_max_fraction__published_account__fraction_and_bid():
    """Largest fraction and its price, from equity and requirement in wad."""
    given = published("AUCTION-FMAX-1")
    mtm, excess, d = (Fraction(given.inputs[name]) for name in ("mtm", "mm", "discount"))
    # Their margin is an excess; nothing is lost to haircuts, so equity is the mark.
    equity, mm = mtm, mtm - excess
    buffer_ppm = round(given.inputs["buffer"] * PPM)
    assert float(equity - mm * (PPM + buffer_ppm) / PPM) == pytest.approx(given.expected["bm"], abs=given.tol)
    found = max_fraction_wad(
        equity=round(equity * WAD),
        mm=round(mm * WAD),
        buffer_ppm=buffer_ppm,
        mtm=round(mtm * WAD),
        d_ppm=round(d * PPM),
        reserved=round(given.inputs["reserved_cash"] * WAD),
    )
    # The contract's slack lets a bidder end a hair above health 1 + b; the closed form has none.
    fraction = Fraction(found - SLACK_WAD, WAD)
    assert float(fraction) == pytest.approx(given.expected["fmax"], abs=given.tol)
    assert float(d * mtm * fraction) == pytest.approx(given.expected["bid"], abs=given.tol)


@hypothesis.given(
    st.integers(1, 10**24), st.integers(0, 10**24), st.integers(0, 10**24), st.integers(0, PPM), st.integers(0, PPM)
)
def test_max_fraction__closed_form__rounded_up_with_slack(equity, shortfall, haircut, d_ppm, buffer_ppm):
    """AUC-1: f = BM/(BM − d·G − (1 − d)·R) in exact fractions, and what is left has health 1 + b after the bid."""
    mm, mtm = equity + shortfall, equity + haircut
    reserved = mtm // 3
    found = max_fraction_wad(equity=equity, mm=mm, buffer_ppm=buffer_ppm, mtm=mtm, d_ppm=d_ppm, reserved=reserved)
    b, d = Fraction(buffer_ppm, PPM), Fraction(d_ppm, PPM)
    bm = equity - (1 + b) * mm
    if bm >= 0:
        assert found == 0
        return
    exact = bm / (bm - d * mtm - (1 - d) * reserved)
    assert exact <= Fraction(found, WAD) or found == WAD
    assert Fraction(found, WAD) <= exact + Fraction(SLACK_WAD + 1, WAD)
    f = Fraction(found, WAD)
    # The bidder takes f of everything but the reserved cash, and pays d of its worth.
    left_equity = equity - f * (equity - reserved) + f * d * (mtm - reserved)
    assert left_equity >= (1 + b) * (1 - f) * mm
