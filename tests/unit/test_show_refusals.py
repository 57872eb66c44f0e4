"""What the fences say, in words: of the contract's own errors, encoded by its ABI."""

from __future__ import annotations

import pytest
from eth_abi import encode

from keeper.abis import load
from keeper.cli.show.refusals import in_words
from keeper.protocols.abi import Abi, explain_revert, type_of

ABI = Abi("RiskParameters", load("RiskParameters").abi)
PSR, SIGMA, PHI, SMILE = (name.ljust(32, b"\0") for name in (b"psr", b"sigmaAtm", b"phi", b"smile"))


def said(name, *values):
    """An error as the keeper keeps it."""
    selector, entry = next((s, e) for s, e in ABI.errors.items() if e["name"] == name)
    return explain_revert(selector + encode([type_of(i) for i in entry["inputs"]], values), [ABI])


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (("OutOfRange", PSR, 450_000, 50_000, 400_000), "scan range of 45 % is beyond its bounds, 5 % … 40 %"),
        (
            ("StepTooLarge", PSR, 144_000, 180_000, 28_800),
            "scan range from 14.4 % to 18 % is more than a step, 2.88 % now",
        ),
        (
            ("StepTooLarge", PHI, 1_003_000_000, 1_004_000_000, 666_666),
            "forward from 1.003 × spot to 1.004 × spot is more than a step, 0.000666666 × spot now",
        ),
        (
            ("BudgetExceeded", SIGMA, 600_000, 945_000, 450_000),
            "volatility at the money of 94.5 % is beyond the day's budget, 45 % of its logarithm from 60 % a day ago",
        ),
        (
            ("JointMove", 2, 90_000, 130_000, 220_000),
            "together the ranges take what a short straddle 7 d requires from 9 % to 13 % of spot, by more than 22 %",
        ),
        (
            ("SmileOutOfBand", 1_800_000_000, 1_700 * 10**8, 419_999, 600_000),
            "the strike of 1,700 USD at 41.9999 % is beyond the band around 60 % at the money",
        ),
        (
            ("CalendarArbitrage", 1_700_000_000, 1_800_000_000),
            "total variance would fall from 2023-11-14 22:13:20 UTC to 2027-01-15 08:00 UTC",
        ),
        (
            ("ButterflyArbitrage", 1_800_000_000, 1_700 * 10**8),
            "marks around the strike of 1,700 USD would be out of order (a butterfly that pays)",
        ),
        (("Vetoed", 1_800_000_000), "the guardian vetoed loosening until 2027-01-15 08:00 UTC"),
    ],
    ids=lambda case: case[0] if isinstance(case, tuple) else "",
)
def test_refusal__of_the_fences__in_words_with_units(error, words):
    """TAB-5: a person reads what is refused, by which fence and how far, in the number's own unit."""
    assert in_words(said(*error)) == words


@pytest.mark.parametrize(
    "other",
    [
        "",
        "Frozen(underlying=0)",
        "StepTooLarge(what=new, oldValue=1, newValue=2, limit=0)",
        "StepTooLarge()",
        "Error: no",
    ],
)
def test_refusal__anything_else__as_it_is(other):
    """TAB-5: what is not known is not made up."""
    assert in_words(other) == other
