"""Shares and rates as a person writes them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.control.drafts import signed_ppm
from keeper.control.shares import whole_ppm
from keeper.control.what_if import share_ppm
from keeper.errors import BadInput


@given(st.integers(-(10**12), 10**12), st.integers(0, 8), st.sampled_from([("%", 10_000), (" %", 10_000), ("ppm", 1)]))
def test_whole_ppm__any_decimal__is_the_fraction_or_nothing(digits, places, unit):
    """What is written counts exactly; what is no whole ppm, or beyond any share, is not rounded into one."""
    sign, text = "-" if digits < 0 else "", str(abs(digits)).rjust(places + 1, "0")
    written = f"{sign}{text[: len(text) - places]}.{text[len(text) - places :]}{unit[0]}"
    exact = Fraction(digits, 10**places) * unit[1]
    assert whole_ppm(written) == (int(exact) if exact.denominator == 1 and abs(exact) < 10**9 else None)


@pytest.mark.parametrize("text", ["", "%", "18", "1e999999999%", "nan%", "inf ppm", "1..2%", "18 % more", "0x10ppm"])
def test_whole_ppm__no_share__none_and_told_by_whoever_asked(text):
    """A slip is told as one, and never becomes a number."""
    assert whole_ppm(text) is None
    for asked in (signed_ppm, share_ppm):
        with pytest.raises(BadInput, match=r"is no (rate|share)"):
            asked(text)


def test_shares__nothing_and_less__a_rate_and_no_share():
    """A funding rate may be negative or nothing; a share of ours may be neither, nor more than ten wholes."""
    assert [signed_ppm(text) for text in ("-0.02%", "0%", "1_500 ppm")] == [-200, 0, 1_500]
    assert [share_ppm(text) for text in ("18%", "1000%")] == [180_000, 10_000_000]
    for text in ("-0.02%", "0%", "1000.01%"):
        with pytest.raises(BadInput, match="is no share"):
            share_ppm(text)
