"""Names of instruments: every spelling, and the way back."""

from datetime import UTC, datetime
from decimal import Decimal

import hypothesis.strategies as st
import pytest
from hypothesis import given

from keeper.documents.names import InstrumentName, Kind, parse
from keeper.errors import BadInput

SYMBOLS = st.from_regex(r"\A[A-Za-z][A-Za-z0-9_.]{0,9}\Z")
SECONDS = st.integers(min_value=int(datetime(1000, 1, 1, tzinfo=UTC).timestamp()), max_value=253_402_300_799)
AT_EIGHT = st.integers(min_value=10_000, max_value=40_000).map(lambda day: day * 86_400 + 8 * 3_600)
STRIKES = st.decimals(min_value=Decimal("1e-12"), max_value=Decimal(999999999999999), places=12)
PERPS = st.builds(InstrumentName, symbol=SYMBOLS, kind=st.just(Kind.PERP))
FUTURES = st.builds(InstrumentName, symbol=SYMBOLS, kind=st.just(Kind.FUTURE), expiry_s=SECONDS | AT_EIGHT)
OPTIONS = st.builds(
    InstrumentName,
    symbol=SYMBOLS,
    kind=st.sampled_from([Kind.CALL, Kind.PUT]),
    expiry_s=SECONDS | AT_EIGHT,
    strike=STRIKES,
)


@given(PERPS | FUTURES | OPTIONS)
def test_parse__canonical_name__the_way_back(name: InstrumentName):
    """DOC-1: a name written out reads as the very instrument, to the last digit of its strike."""
    assert parse(str(name)) == name
    assert str(parse(str(name))) == str(name)


@given(SYMBOLS, AT_EIGHT, STRIKES, st.booleans())
def test_parse__deribits_spelling__the_same_instrument(symbol: str, expiry_s: int, strike: Decimal, is_call: bool):
    """DOC-1: Deribit's name of an option of this century, with d for the point, is ours."""
    when = datetime.fromtimestamp(expiry_s, UTC)
    if not 2000 <= when.year < 2100:
        return
    kind = Kind.CALL if is_call else Kind.PUT
    own = InstrumentName(symbol=symbol, kind=kind, expiry_s=expiry_s, strike=strike)
    text = f"{symbol}-{when.day}{when:%b}{when:%y}-{strike.normalize():f}-{kind}".upper().replace(
        symbol.upper(), symbol, 1
    )
    assert parse(text) == own
    head, strike_text, tail = text.rsplit("-", 2)
    assert parse(f"{head}-{strike_text.replace('.', 'd')}-{tail}") == own


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("ETH-20260327-3000-C", "ETH-20260327-3000-C"),
        ("ETH-27MAR26-3000-C", "ETH-20260327-3000-C"),
        ("ETH-7mar26-3000-p", "ETH-20260307-3000-P"),
        ("XRP_USDC-27MAR26-0d5-C", "XRP_USDC-20260327-0.5-C"),
        ("XRP-20260327-0.5000-C", "XRP-20260327-0.5-C"),
        ("ETH-20260327T0800-3000-C", "ETH-20260327-3000-C"),
        ("ETH-20260327T1600-3000.50-C", "ETH-20260327T1600-3000.5-C"),
        ("ETH-20260327T160030-3000-C", "ETH-20260327T160030-3000-C"),
        ("ETH-PERPETUAL", "ETH-PERP"),
        ("ETH-perp", "ETH-PERP"),
        ("BTC-27MAR26", "BTC-20260327"),
        ("stETH-PERP", "stETH-PERP"),
    ],
)
def test_parse__each_spelling__one_name(text: str, canonical: str):
    assert str(parse(text)) == canonical


def test_parse__no_time_of_day__eight_in_the_morning_utc():
    """An expiry without a time is at 08:00 UTC, as the venues settle."""
    assert parse("ETH-20260327-3000-C").expiry_s == int(datetime(2026, 3, 27, 8, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "''"),
        ("ETH", "'ETH'"),
        ("-PERP", "'-PERP'"),
        ("ETH-20260230-3000-C", "20260230"),
        ("ETH-30FEB26-3000-C", "30FEB26"),
        ("ETH-27XXX26-3000-C", "27XXX26"),
        ("ETH-tomorrow-3000-C", "tomorrow"),
        ("ETH-20260327T2500-3000-C", "20260327T2500"),
        ("ETH-20260327-0-C", "'0'"),
        ("ETH-20260327--3000-C", "strike and C or P"),
        ("ETH-20260327-3e3-C", "'3e3'"),
        ("ETH-20260327-٣-C", "'٣'"),
        ("ETH-20260327-3000-X", "strike and C or P"),
        ("ETH-20260327-3000", "strike and C or P"),
        ("ETH-20260327-3000-C-1", "strike and C or P"),
    ],
)
def test_parse__not_a_name__says_which_part(text: str, part: str):
    with pytest.raises(BadInput) as refused:
        parse(text)
    assert part in refused.value.message
    assert refused.value.hint
