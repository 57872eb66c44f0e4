"""Files of option quotes: every format gives the same quotes, and a bad file says where it is bad."""

import datetime as dt
import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from keeper.errors import BadInput
from keeper.marketdata.quotes_file import load_quotes

ROWS = """snap,cur,expiry,cp,strike,fut,index,bid,ask,mark,iv,oi,extra
2026-01-28T04:00:47,ETH,2026-02-06T08:00,C,3000,3010.5,3001,0.03,0.04,0.035,0.65,12,x
2026-01-28T04:00:47,ETH,2026-02-06T08:00,P,3000,3010.5,3001,,0.04,0.0315,0.65,nan,x
2026-01-28T10:00:47,ETH,2026-02-06T08:00,C,3000,,3001,0.03,0.04,0.035,0.66,12,x
2026-01-28T10:00:47,ETH,2026-02-06T08:00,P,3000,,3001,0.03,0.04,0.0315,0.66,12,x
2026-01-28T04:00:47,BTC,2026-02-06T08:00,C,90000,89000,89010,0.03,0.04,0.035,0.4,12,x
"""
FIRST, SECOND = 1_769_572_847, 1_769_594_447
EXPIRY = 1_770_364_800


@pytest.fixture(params=["csv", "gz", "parquet"])
def chain(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The same rows in each format."""
    path = tmp_path / f"chain.{request.param}"
    if request.param == "csv":
        path.write_text(ROWS)
    elif request.param == "gz":
        path.write_bytes(gzip.compress(ROWS.encode()))
    else:
        lines = [line.split(",") for line in ROWS.splitlines()]
        columns: dict[str, object] = dict(zip(lines[0], zip(*lines[1:], strict=True), strict=True))
        for name in ("strike", "fut", "index", "bid", "ask", "mark", "iv", "oi"):
            columns[name] = pa.array([float(v) if v else None for v in columns[name]], pa.float32())
        for name in ("snap", "expiry"):
            columns[name] = pa.array(np.array(columns[name], dtype="datetime64[ms]"))
        columns["cur"] = pa.array(columns["cur"]).dictionary_encode()
        parquet.write_table(pa.table(columns), path)
    return path


def test_load_quotes__every_format__same_snapshots(chain):
    """Underlyings, times and quotes are those of the rows; what has no number is None."""
    file = load_quotes(chain)
    assert file.underlyings == ("BTC", "ETH")
    assert file.times("eth") == (FIRST, SECOND)
    call, put = file.at("ETH", FIRST).quotes
    assert (call.expiry_s, call.strike, call.is_call, call.time_s) == (EXPIRY, 3000.0, True, FIRST)
    assert (call.forward, call.mark_vol, call.bid, call.ask) == pytest.approx((3010.5, 0.65, 0.03, 0.04))
    assert (put.is_call, put.bid, put.open_interest) == (False, None, 0.0)


def test_load_quotes__no_forward__from_the_marks_of_call_and_put(chain):
    """Premia over forward differ by 1 − K/F."""
    call, put = load_quotes(chain).at("ETH", SECOND).quotes
    assert call.forward == put.forward == pytest.approx(3000.0 / (1.0 - 0.0035), rel=1e-6)


def test_load_quotes__unknown_underlying__says_what_there_is(chain):
    """The complaint names what the file has."""
    with pytest.raises(BadInput, match="no quotes on SOL") as error:
        load_quotes(chain).times("SOL")
    assert "BTC, ETH" in error.value.hint


def test_load_quotes__venue_answer__read_as_it_is(tmp_path):
    """A saved answer of get_book_summary_by_currency is a file of one snapshot; volatilities come in percent."""
    row = {
        "instrument_name": "ETH-6FEB26-3000-C",
        "mark_iv": 65.0,
        "bid_price": 0.03,
        "ask_price": None,
        "underlying_price": 3010.5,
        "estimated_delivery_price": 3001.0,
        "creation_timestamp": FIRST * 1000 + 5,
        "open_interest": 3.0,
    }
    path = tmp_path / "answer.json"
    path.write_text(json.dumps({"jsonrpc": "2.0", "result": [row, {"instrument_name": "ETH-PERPETUAL"}]}))
    file = load_quotes(path)
    (quote,) = file.at("ETH", file.times("ETH")[-1]).quotes
    assert (quote.expiry_s, quote.mark_vol, quote.bid, quote.ask) == (EXPIRY, 0.65, 0.03, None)


def test_load_quotes__other_names__known(tmp_path):
    """Columns may be named as venues name them; mark_iv is in percent; a file without underlyings has its own name."""
    path = tmp_path / "sol.chain.csv"
    path.write_text(
        "timestamp,expiration,option_type,strike,underlying_price,mark_iv\n1769572847,1770364800000,call,100,99,80\n"
    )
    file = load_quotes(path)
    (quote,) = file.at("SOL", FIRST).quotes
    assert (quote.expiry_s, quote.is_call, quote.mark_vol) == (EXPIRY, True, 0.8)


@pytest.mark.parametrize(
    ("written", "hour"),
    [
        ("2026-02-06", 8),
        ("20260206", 8),
        ("20260206.0", 8),
        ("6FEB26", 8),
        ("06feb26", 8),
        ("2026-02-06T00:00", 0),
        ("2026-02-06 09:00:00", 9),
        ("2026-02-06T09:00+01:00", 8),
        ("20260206T1600", 16),
        (str(EXPIRY), 8),
        (f"{EXPIRY}000", 8),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_load_quotes__day_alone__0800_utc_as_in_documents(tmp_path, kind, written, hour):
    """SRF-9: an expiry without a time of day is at 08:00 UTC, in every form that a document may write; else as said."""
    path = tmp_path / f"chain.{kind}"
    if kind == "csv":
        path.write_text(f"snap,expiry,strike,cp,fut,iv\n{FIRST},{written},3000,C,3010,0.6\n")
    else:
        columns = {"snap": [FIRST], "expiry": [written], "strike": [3000.0], "cp": ["C"], "fut": [3010.0], "iv": [0.6]}
        parquet.write_table(pa.table(columns), path)
    (quote,) = load_quotes(path).at("CHAIN", FIRST).quotes
    assert quote.expiry_s == EXPIRY + (hour - 8) * 3_600


@pytest.mark.parametrize(
    "expiry",
    [
        pa.array([20260206], pa.int64()),
        pa.array([dt.date(2026, 2, 6)]),
        pa.array([EXPIRY], pa.int64()),
        pa.array([EXPIRY * 1_000], pa.int64()),
        pa.array([EXPIRY * 10**9], pa.timestamp("ns", "UTC")),
    ],
    ids=str,
)
def test_load_quotes__parquet_types_of_a_day__0800_utc(tmp_path, expiry):
    """Dates and whole numbers that are days are read like text; seconds, milliseconds and timestamps as they are."""
    path = tmp_path / "chain.parquet"
    parquet.write_table(
        pa.table({"snap": [FIRST], "expiry": expiry, "strike": [3e3], "cp": ["C"], "fut": [3e3], "iv": [0.6]}), path
    )
    (quote,) = load_quotes(path).at("CHAIN", FIRST).quotes
    assert quote.expiry_s == EXPIRY


def test_load_quotes__byte_order_mark__passed_over(tmp_path):
    """What spreadsheets put before text changes nothing: CSV, CSV.gz and a venue's answer."""
    marked = ROWS.encode("utf-8-sig")
    row = {"instrument_name": "ETH-6FEB26-3000-C", "mark_iv": 65.0, "underlying_price": 3010.5}
    row |= {"estimated_delivery_price": 3001.0, "creation_timestamp": FIRST * 1000}
    for name, raw in (
        ("a.csv", marked),
        ("a.csv.gz", gzip.compress(marked, mtime=0)),
        ("a.json", json.dumps([row]).encode("utf-8-sig")),
    ):
        path = tmp_path / name
        path.write_bytes(raw)
        assert "ETH" in load_quotes(path).underlyings


def test_load_quotes__directory__is_called_one(tmp_path):
    """A folder is there; saying that it is not would mislead."""
    with pytest.raises(BadInput, match="is a directory"):
        load_quotes(tmp_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no column snap"),
        ("snap,expiry,strike,cp,iv\n1,20260231,3,C,0.5\n", r"chain.csv:2: expiry is '20260231', no day of"),
        ("snap,expiry,strike,cp,iv\n1,31FEB26,3,C,0.5\n", r"chain.csv:2: expiry is '31FEB26', no day of"),
        ("snap,expiry,strike,cp,iv\n1e300,2,3,C,0.5\n", r"chain.csv:2: snap is '1e300'"),
        ("snap,expiry,strike,cp,iv\n", "no quotes below the header"),
        ("snap,expiry,strike,cp,bid\n1,2,3,C,4\n", "neither a column iv nor bid and ask"),
        ("snap,expiry,strike,cp,iv\n1,2,3,X,0.5\n", r"chain.csv:2: an option of type 'X'"),
        ("snap,expiry,strike,cp,iv\n1,2,-3,C,0.5\n", r"chain.csv:2: strike is -3"),
        ("snap,expiry,strike,cp,iv\n1,2,3,C,high\n", r"chain.csv:2: iv is 'high'"),
        ("snap,expiry,strike,cp,iv\nsoon,2,3,C,0.5\n", r"chain.csv:2: snap is 'soon'"),
        ("snap,expiry,strike,cp,iv\n1,2,3,C\n", r"chain.csv:2: 4 cells under 5 columns"),
        ("[1, 2]", "quotes no option"),
        ('{"error": "x"}', "is JSON without option quotes: an object of error"),
        ('{"result": [{"a": 1}', "cut short, or damaged"),
    ],
)
def test_load_quotes__bad_text__names_the_place(tmp_path, text, says):
    """A complaint names file and line and what is expected, and is the operator's to act on."""
    path = tmp_path / "chain.csv"
    path.write_text(text)
    with pytest.raises(BadInput, match=says) as error:
        load_quotes(path)
    assert error.value.hint


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"expiry": [1], "strike": [2.0]}, "no column snap"),
        ({"snap": [1], "expiry": [2], "strike": [3.0], "cp": ["X"], "iv": [0.5]}, "cannot be used"),
        ({"snap": [1], "expiry": [2], "strike": [-3.0], "cp": ["C"], "iv": [0.5]}, "not a number above 0"),
        ({"snap": [None], "expiry": [2], "strike": [3.0], "cp": ["C"], "iv": [0.5]}, "cannot be used"),
        ({"snap": [1], "expiry": [2], "strike": ["x"], "cp": ["C"], "iv": [0.5]}, "cannot be used"),
    ],
)
def test_load_quotes__bad_parquet__names_the_column(tmp_path, columns, says):
    """The same of Parquet."""
    path = tmp_path / "chain.parquet"
    parquet.write_table(pa.table(columns), path)
    with pytest.raises(BadInput, match=says):
        load_quotes(path)


def test_load_quotes__broken_files__bad_input(tmp_path):
    """No file, a folder, cut Parquet, bytes: each is said, none is a traceback."""
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(b"PAR1 and no more")
    noise = tmp_path / "noise.csv"
    noise.write_bytes(b"\xff\xfe\x00\x9c" * 9)
    for path in (tmp_path / "none.csv", tmp_path, cut, noise):
        with pytest.raises(BadInput):
            load_quotes(path)
