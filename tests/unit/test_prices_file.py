"""Price histories from files: what loads, what is refused and where, and that gaps stay gaps (CAL-1)."""

import gzip

import numpy as np
import pytest

from keeper.domain.prices import PriceHistory
from keeper.errors import BadInput, LawBroken
from keeper.marketdata.prices_file import load_prices

HOUR = 3_600
CRASH = 1_584_057_600
"""2020-03-13 00:00 UTC."""


def write(folder, text, name="eth.csv"):
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "text",
    [
        f"ts,close\n{CRASH},100\n{CRASH + HOUR},90.5\n",
        "time,price\n2020-03-13T00:00:00,100\n2020-03-13T01:00:00Z,90.5\n",
        "Date , volume, Close\n2020-03-13,1,100\n2020-03-13 02:00+01:00,,90.5\n",
        f"updatedAt,round_id,price\n{CRASH}000,x,100\r\n\r\n{CRASH + HOUR}000.0,y,9.05e1",
    ],
)
def test_load__each_documented_form__the_same_history(tmp_path, text):
    """Unix seconds, milliseconds or ISO; ts, time or date; close or price; other columns are ignored."""
    found = load_prices(write(tmp_path, text))
    assert found.name == "eth"
    assert found.time_s.tolist() == [CRASH, CRASH + HOUR]
    assert found.close.tolist() == [100.0, 90.5]
    assert found.high is None


def test_load__bars_gzipped__high_and_low_too(tmp_path):
    path = tmp_path / "BTC.csv.gz"
    path.write_bytes(gzip.compress(b"ts,open,high,low,close\n0,1,4,0.5,2\n60,2,3,1,2.5\n"))
    found = load_prices(path, name="BTC")
    assert (found.name, found.high.tolist(), found.low.tolist()) == ("BTC", [4.0, 3.0], [0.5, 1.0])


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", 1, "no column ts or time"),
        ("ts,open\n1,2\n", 1, "no column close or price; the header has ts, open"),
        ("ts,close\n", 1, "no rows below the header"),
        ("ts,close\n1,2\n# a comment\n", 3, "1 cells under 2 columns"),
        ("ts,close\n# note,7\n", 2, "ts is '# note'"),
        ("ts,close\n1,abc\n", 2, "close is 'abc'"),
        ("ts,close\n1,nan\n", 2, "close is 'nan'"),
        ("ts,close\n1,inf\n", 2, "close is 'inf'"),
        ("ts,close\n1,2\n3,0\n", 3, "close is 0"),
        ("ts,close\n1,-2\n", 2, "close is -2"),
        ("ts,close\n-1,2\n", 2, "ts is '-1'"),
        ("ts,close\n5,2\n5,2\n", 3, "the time 5 does not come after 5"),
        ("ts,close\n5,2\n4,2\n", 3, "the time 4 does not come after 5"),
        ("ts,close\nyesterday,2\n", 2, "ts is 'yesterday'"),
        ("ts,close\n1,2,3\n", 2, "3 cells under 2 columns"),
        ("ts,close\n1,2\n2,1e308\n", 3, "close is 1e308"),
        ("ts,close\n1,1e-300\n", 2, "close is 1e-300"),
        ("ts,close\n1,2000\n2,2100\n3,21500000000.0\n", 4, "close is 2.15e+10 after 2100"),
        ("ts,close\n1,2000\n2,0.0001\n", 3, "close is 0.0001 after 2000"),
        ("ts,close\n1e300,2\n", 2, "ts is '1e300'"),
    ],
)
def test_load__bad_row__file_line_and_what_is_expected(tmp_path, text, line, said):
    """An operator can open the file at the line and knows what should stand there."""
    path = write(tmp_path, text)
    with pytest.raises(BadInput) as refused:
        load_prices(path)
    assert f"{path}:{line}: " in refused.value.message
    assert said in refused.value.message
    assert refused.value.hint.startswith("expected ")


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff\xfe\x00\x01",
        gzip.compress(b"ts,close\n1,2\n", mtime=0)[:-12],
        b"\x1f\x8bgarbage",
        gzip.compress(b"x" * 99, mtime=0)[:10] + b"\xff" * 40,
    ],
)
def test_load__no_text__refused(tmp_path, raw):
    path = tmp_path / "x.csv.gz"
    path.write_bytes(raw)
    with pytest.raises(BadInput, match=r"x\.csv\.gz"):
        load_prices(path)


def test_load__no_file__refused(tmp_path):
    with pytest.raises(BadInput, match="No such file"):
        load_prices(tmp_path / "none.csv")


def a_history(times, closes=None):
    times = np.array(times, dtype=np.int64)
    return PriceHistory(name="x", time_s=times, close=np.ones(len(times)) if closes is None else np.array(closes))


def test_known__in_a_gap__nothing():
    """CAL-1: half a step late is the same bar; a missing bar is missing, and nothing is known inside the gap."""
    found = a_history([0, HOUR, 2 * HOUR, 10 * HOUR, 11 * HOUR])
    assert found.gaps() == [(2 * HOUR, 10 * HOUR)]
    at = [-1, 0, 10, HOUR, 2 * HOUR + HOUR // 2, 2 * HOUR + HOUR * 3 // 2 + 1, 9 * HOUR, 10 * HOUR, 99 * HOUR]
    assert found.known(at).tolist() == [-1, 0, 0, 1, 2, -1, -1, 3, -1], "CAL-1"


def test_between__a_period__both_ends_included():
    found = a_history([0, 10, 20, 30], [1.0, 2.0, 3.0, 4.0]).between(10, 20)
    assert found.close.tolist() == [2.0, 3.0]


@pytest.mark.parametrize(("times", "closes"), [([], []), ([1, 1], [1, 1]), ([2, 1], [1, 1]), ([1, 2], [1, np.nan])])
def test_history__that_is_none__law_broken(times, closes):
    with pytest.raises(LawBroken):
        a_history(times, closes)


@pytest.mark.needs_market_data
def test_load__recorded_files__directly(market_data):
    """The recorded bars load as they lie there, and the 21.5 days without data are one gap."""
    btc = load_prices(market_data / "spot_1h" / "BTCUSDT_1h.csv.gz")
    assert (btc.step_s, len(btc)) == (HOUR, 73_949)
    assert max(after - before for before, after in btc.gaps()) == pytest.approx(21.5 * 86_400, rel=0.01)
    for folder in ("daily", "perp_1h", "perp_1m"):
        for path in sorted((market_data / folder).glob("*.csv.gz"))[:2]:
            assert len(load_prices(path)) > 1_000
