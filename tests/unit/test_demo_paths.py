"""Price files are read in every usual form, and refused with file, line and what to do."""

import gzip

import pytest

from keeper.demo.paths import BETA, BLOCK_S, WARMUP_BLOCKS, parse_sources, recorded
from keeper.demo.pricefile import parse_time, read_ticks
from keeper.demo.stylised import stylised_crash
from keeper.errors import BadInput

START = 1_760_000_400  # a multiple of 600


def rows(n, *, step=300, price=lambda i: 3000.0):
    """A plain file of n rows."""
    return "ts,open,close\n" + "".join(f"{START + i * step},1,{price(i)}\n" for i in range(n))


@pytest.fixture
def a_file(tmp_path):
    def write(text, name="prices.csv"):
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
        return path

    return write


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1760000400", 1_760_000_400),
        ("1760000400.25", 1_760_000_400),
        ("1760000400123", 1_760_000_400),
        ("1760000400123456", 1_760_000_400),
        ("1760000400123456789", 1_760_000_400),
        ("2025-10-09T09:00:00Z", 1_760_000_400),
        ("2025-10-09 11:00:00+02:00", 1_760_000_400),
        ("2025-10-09 09:00", 1_760_000_400),
    ],
)
def test_time__usual_forms__unix_seconds(text, seconds):
    """Seconds, milliseconds, finer units and ISO name the same moment; without a zone it is UTC."""
    assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "yesterday", "20251009", "-5", "nan", "inf", "1e30"])
def test_time__no_time__refused(text):
    """What is no moment of this century is refused, not guessed."""
    with pytest.raises(ValueError, match="is not a time"):
        parse_time(text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "Date;Close\n2025-10-09T09:00;3000.5\n2025-10-09T09:05;2990\n"),
        ("b.csv.gz", "updatedAt,round_id,price\n1760000400,1,3000.5\n1760000700,2,2990\n"),
        ("c.csv", "\ufeffOpen Time,close\r\n1760000400000,3000.5\r\n\r\n1760000700000,2990\r\n"),
        ("newest_first.csv", "ts,close\n1760000700,2990\n1760000400,3000.5\n"),
    ],
)
def test_read__usual_files__same_ticks(a_file, name, text):
    """Delimiter, column names, compression, byte order mark and direction do not matter."""
    assert [(t.time, t.price) for t in read_ticks(a_file(text, name))] == [(START, 3000.5), (START + 300, 2990.0)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("ts,close\n1760000400,1\n", "1 row"),
        ("when,close\n1,2\n", "line 1: no column named ts"),
        ("ts,volume\n1,2\n", "line 1: no column named close"),
        ("ts,close\n1760000400,3000\nsoon,3000\n", "line 3: ts 'soon' is not a time"),
        ("ts,close\n1760000400,3000\n1760000700,cheap\n", "line 3: close 'cheap' is not a number"),
        ("ts,close\n1760000400,3000\n1760000700,-1\n", "line 3: close -1 is not a positive price"),
        ("ts,close\n1760000400,3000\n1760000700,nan\n", "line 3: close nan is not a positive price"),
        (
            "ts,close\n1760000400,3000\n1760000700,1e300\n",
            "line 3: close 1e300 is not between 0.01 and 100,000,000",
        ),
        ("ts,close\n1760000400,3000\n1760000700,1e-12\n", "line 3: close 1e-12 is not between 0.01"),
        ("ts,close\n" + "1" * 200_000 + ",3000\n", "field larger than field limit"),
        ("ts,close\n1760000400,3000\n1760000700\n", "line 3: 1 columns, the header has 2"),
        ("ts,close\n1760000400,3000\n1760001000,1\n1760000700,1\n1760001300,1\n", "line 4"),
    ],
)
def test_read__malformed__names_file_and_line(a_file, text, says):
    """A person can repair the file from the message alone."""
    path = a_file(text)
    with pytest.raises(BadInput) as refusal:
        read_ticks(path)
    assert str(path) in refusal.value.message
    assert says in refusal.value.message
    assert refusal.value.hint


def test_read__damaged_or_absent__refused(a_file, tmp_path):
    """A cut gzip, a binary and a missing file are the operator's input too: never a traceback."""
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(gzip.compress(rows(500).encode())[:200])
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"ts,close\n\xff\xfe\x00\x81")
    for path in (cut, binary, tmp_path / "absent.csv", tmp_path):
        with pytest.raises(BadInput):
            read_ticks(path)


def test_recorded__five_minutes__last_known_at_each_block(a_file):
    """A block shows the price known at its time, never a later one."""
    path = a_file(rows(600, price=lambda i: 3000 + i))
    run = recorded({"ETH": path}, start=str(START + WARMUP_BLOCKS * BLOCK_S), blocks=20)
    assert run.block_s == BLOCK_S
    assert len(run.points) == 20
    assert len(run.warmup) == WARMUP_BLOCKS
    for point in (*run.warmup, *run.points):
        assert point.prices["ETH"] == 3000 + (point.time - START) // 300
    assert not run.stylised


def test_recorded__one_file__follower_has_stated_beta(a_file):
    """The second underlying moves by beta per log return of the first, and the label says so."""
    path = a_file(rows(600, price=lambda i: 3000 - 3 * i))
    run = recorded({"ETH": path}, start=str(START + WARMUP_BLOCKS * BLOCK_S), blocks=50)
    first, last = run.points[0].prices, run.points[-1].prices
    assert last["BTC"] / first["BTC"] == pytest.approx((last["ETH"] / first["ETH"]) ** BETA["ETH"])
    assert "BTC follows ETH with beta" in run.label


def test_recorded__no_window__deepest_fall_is_inside(a_file):
    """Without --start the window holds the file's crash, warm-up before it."""
    path = a_file(rows(4000, price=lambda i: 3000.0 if i < 2500 else 2000.0))
    run = recorded({"ETH": path}, blocks=60)
    assert run.fall("ETH") == pytest.approx(1 / 3)
    assert run.points[0].prices["ETH"] == 3000.0


def test_recorded__start_and_end__longer_blocks_not_more(a_file):
    """A long cut keeps the number of blocks, so that a run stays short; blocks get longer."""
    path = a_file(rows(4000))
    run = recorded({"ETH": path}, start=str(START + 400_000), end=str(START + 400_000 + 300_000), blocks=100)
    assert len(run.points) <= 101
    assert run.block_s >= 3000


@pytest.mark.parametrize(
    ("kwargs", "says"),
    [
        ({"start": "soon"}, "--start"),
        ({"start": "2025-10-12", "end": "2025-10-11"}, "not after"),
        ({"start": "2020-03-12"}, "covers"),
        ({"start": "2025-10-12", "blocks": 100_000}, "covers"),
    ],
)
def test_recorded__window_not_covered__says_what_is(a_file, kwargs, says):
    """The message tells which window would do."""
    path = a_file(rows(4000))
    with pytest.raises(BadInput, match=says) as refusal:
        recorded({"ETH": path}, **kwargs)
    assert refusal.value.hint


@pytest.mark.parametrize(("n", "says"), [(60, "too short: a run of 100 blocks needs 23 h"), (90, "at most 10 blocks")])
def test_recorded__file_too_short__hint_is_one_that_helps(a_file, n, says):
    """No --start is proposed that lies behind the file's end."""
    with pytest.raises(BadInput) as refusal:
        recorded({"ETH": a_file(rows(n))}, blocks=100)
    assert says in refusal.value.hint


def test_recorded__hole__refused_inside_the_window_only(a_file):
    """A price older than a few blocks is not carried on; a hole elsewhere does not matter."""
    text = rows(300) + "".join(f"{START + (300 + 100 + i) * 300},1,3000\n" for i in range(600))
    path = a_file(text)
    with pytest.raises(BadInput, match="no price within 60 min"):
        recorded({"ETH": path}, start=str(START + 100 * 300), blocks=150)
    after = START + 500 * 300
    assert len(recorded({"ETH": path}, start=str(after), blocks=50).points) == 50


def test_recorded__daily_rows__refused(a_file):
    """Too coarse a series would jump over expiries."""
    with pytest.raises(BadInput, match="24 h apart"):
        recorded({"ETH": a_file(rows(400, step=86_400))})


def test_sources__bare_named_unknown_twice():
    """A bare BTC file is BTC; an unknown symbol and a second file for one symbol are refused."""
    assert list(parse_sources(["data/BTCUSDT_1h.csv"])) == ["BTC"]
    assert list(parse_sources(["data/prices.csv"])) == ["ETH"]
    assert list(parse_sources(["btc=x.csv", "ETH=y.csv"])) == ["BTC", "ETH"]
    for values in (["LUNA=x.csv"], ["ETH=x.csv", "eth.csv"]):
        with pytest.raises(BadInput):
            parse_sources(values)


@pytest.mark.parametrize("seed", range(8))
def test_stylised__any_seed__falls_and_recovers_in_part(seed):
    """The crash is where it should be: 35–45 % in ETH, less in BTC, part of it made good, and labelled made up."""
    path = stylised_crash(seed=seed)
    eth = [point.prices["ETH"] for point in path.points]
    assert 0.33 <= path.fall("ETH") <= 0.47
    assert 0.22 <= path.fall("BTC") <= 0.34
    assert min(eth) < eth[-1] < eth[0]
    assert path.stylised
    assert "made up" in path.label


def test_stylised__same_seed__same_path():
    """A seed names one path, and another seed another."""
    assert stylised_crash(seed=3) == stylised_crash(seed=3)
    assert stylised_crash(seed=3).points != stylised_crash(seed=4).points


@pytest.mark.needs_market_data
def test_recorded__october_2025__real_fall(market_data):
    """The crash of 2025-10-10 is found in both series, and BTC fell less than ETH."""
    run = recorded(
        {
            "ETH": market_data / "spot_5m" / "ETHUSDT_5m_2025-2026.csv.gz",
            "BTC": market_data / "spot_5m" / "BTCUSDT_5m_2025-2026.csv.gz",
        },
        start="2025-10-10T12:00",
        end="2025-10-11T12:00",
    )
    assert len(run.points) == 145
    assert run.fall("ETH") > run.fall("BTC") > 0.1
