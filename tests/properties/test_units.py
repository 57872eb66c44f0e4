"""UNIT-1 and its neighbours: amounts are exact, and roundings bracket the exact value."""

from __future__ import annotations

import operator
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from keeper.errors import BadInput, LawBroken
from keeper.units import (
    Amount,
    Bps,
    Gas,
    Ppm,
    Ray,
    Wad,
    Wei,
    ceil_div,
    floor_div,
    mul_div_down,
    mul_div_up,
    trunc_div,
)

UNITS = [Wad, Ray, Bps, Ppm, Wei, Gas]
units = st.sampled_from(UNITS)
raws = st.integers(min_value=-(2**255), max_value=2**256 - 1)
amounts = st.builds(lambda unit, raw: unit(raw), units, raws)


@given(amounts, amounts)
def test_mul__any_signs__brackets_the_exact_product(x: Amount, y: Amount):
    """UNIT-1: x.mul_down(y) <= exact <= x.mul_up(y), and they differ by at most 1."""
    exact = Fraction(x.raw) * Fraction(y.raw, y.SCALE)
    down, up = x.mul_down(y), x.mul_up(y)
    assert down.raw <= exact <= up.raw, "UNIT-1"
    assert up.raw - down.raw == (0 if exact.denominator == 1 else 1), "UNIT-1"
    assert type(down) is type(up) is type(x)


@given(amounts, amounts)
def test_div__any_signs__brackets_the_exact_quotient(x: Amount, y: Amount):
    """UNIT-1 for division."""
    assume(y.raw)
    exact = Fraction(x.raw) / Fraction(y.raw, y.SCALE)
    assert x.div_down(y).raw <= exact <= x.div_up(y).raw, "UNIT-1"
    assert x.div_up(y).raw - x.div_down(y).raw <= 1, "UNIT-1"


@given(amounts)
def test_text__any_amount__round_trips(x: Amount):
    """What is shown is every digit."""
    assert type(x).parse(str(x)) == x
    assert Fraction(str(x)) == Fraction(x.raw, x.SCALE)


@given(raws, raws)
def test_int_division__any_signs__matches_fractions(a: int, b: int):
    """Floor, ceiling and truncation are what their names say."""
    assume(b)
    exact = Fraction(a, b)
    assert floor_div(a, b) == exact.__floor__()
    assert ceil_div(a, b) == exact.__ceil__()
    assert trunc_div(a, b) == int(exact)
    assert mul_div_down(a, 3, b) <= exact * 3 <= mul_div_up(a, 3, b)


@given(units, raws, raws)
def test_arithmetic__same_unit__is_integer_arithmetic(unit: type[Amount], a: int, b: int):
    assert unit(a) + unit(b) - unit(b) == unit(a)
    assert (-unit(a)).raw == -a
    x, y = unit(a), unit(b)
    assert (x < y, x <= y, x > y, x >= y) == (a < b, a <= b, a > b, a >= b)


@pytest.mark.parametrize("op", [operator.add, operator.sub, operator.lt, operator.le, operator.gt, operator.ge])
@pytest.mark.parametrize("other", [Bps(1), 1, 1.0])
def test_arithmetic__other_unit_or_bare_number__type_error(op, other):
    """Wad + Bps has no meaning, and a bare number has no unit."""
    with pytest.raises(TypeError):
        op(Wad(1), other)


def test_equality__same_raw_other_unit__differs():
    assert Wad(1) != Bps(1)
    assert len({Wad(1), Bps(1), Wad(1)}) == 2


@pytest.mark.parametrize("text", ["", "1e3", "0x10", "1.", ".5", "1,5", "nan", "0.00001", "１"])
def test_parse__not_a_plain_decimal__bad_input(text: str):
    with pytest.raises(BadInput):
        Bps.parse(text)


def test_parse__examples():
    assert Wad.parse("1.5").raw == 15 * 10**17
    assert Bps.parse("0.025") == Bps(250)
    assert str(Wad(-15 * 10**17)) == "-1.5"
    assert Wei(30).mul_up(Gas(21_000)) == Wei(630_000)


def test_division__by_zero__law_broken():
    for divide in (floor_div, ceil_div, trunc_div):
        with pytest.raises(LawBroken):
            divide(1, 0)
    with pytest.raises(LawBroken):
        Wad(1).div_up(Bps(0))


def test_amount__is_frozen():
    with pytest.raises(AttributeError):
        Wad(1).raw = 2  # type: ignore[misc]
