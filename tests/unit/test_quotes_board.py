"""From a venue's answer to what crosses into a cycle: read, cut down, kept, and never in anybody's way."""

import json
import math
import threading
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.domain import codec
from keeper.domain.knobs import ImpliedKnobs
from keeper.domain.quotes import QuoteSheet, Unquoted
from keeper.domain.snapshot import Listing
from keeper.errors import BadInput, KeeperError, Retry
from keeper.marketdata import venues
from keeper.marketdata.board import NoSource, QuoteBoard
from keeper.marketdata.book_summary import STRAGGLER_S, read_summary
from keeper.marketdata.chain import Chain, around, sheet
from keeper.marketdata.venues import QuotesFile
from keeper.risk.calibration.implied import View, see
from keeper.risk.surface.quotes import Quote
from keeper.testing.builders import DAY, EXPIRY, NOW, a_snapshot, an_underlying, usd

WEEK_MS = NOW * 1_000
#: 2023-11-24 08:00 UTC, in the week after NOW.
NOVEMBER = 1_700_812_800


def a_row(name="ETH-24NOV23-3000-C", **fields):
    """One summary as Deribit gives it; what is not read is left out."""
    return {
        "instrument_name": name,
        "underlying_price": 3_010.0,
        "estimated_delivery_price": 3_000.0,
        "creation_timestamp": WEEK_MS,
        "mark_iv": 62.5,
        "bid_price": 0.04,
        "ask_price": 0.041,
        "mark_price": 0.0405,
        "quote_currency": "ETH",
        "open_interest": 12.5,
    } | fields


def read(*rows, underlying="ETH"):
    return read_summary({"jsonrpc": "2.0", "result": list(rows)}, source="venue.example", underlying=underlying)


def test_read_summary__a_row__in_our_units():
    """Percent to a fraction, milliseconds to seconds, the name to strike and expiry."""
    chain = read(a_row(), a_row("ETH-24NOV23-0d5-P", bid_price=None, mark_iv=0))
    assert (chain.taken_s, chain.index) == (NOW, 3_000.0)
    call, put = chain.quotes
    assert call == Quote(
        expiry_s=NOVEMBER, strike=3_000.0, is_call=True, forward=3_010.0, time_s=NOW, mark_vol=0.625,
        bid=0.04, ask=0.041, open_interest=12.5,
    )  # fmt: skip
    assert (put.strike, put.is_call, put.bid, put.mark_vol) == (0.5, False, None, None)


def test_read_summary__quoted_in_dollars__over_the_forward():
    (quote,) = read(
        a_row("ETH_USDC-24NOV23-3000-C", quote_currency="USDC", bid_price=120.4), underlying="ETH_USDC"
    ).quotes
    assert quote.bid == pytest.approx(0.04)


ILLEGIBLE = {
    "no name": {"instrument_name": None},
    "a future": {"instrument_name": "ETH-24NOV23"},
    "no such day": {"instrument_name": "ETH-31NOV23-3000-C"},
    "another coin": {"instrument_name": "BTC-24NOV23-3000-C"},
    "no forward": {"underlying_price": None},
    "forward in words": {"underlying_price": "3010"},
    "forward is no number": {"underlying_price": math.nan},
    "no index": {"estimated_delivery_price": 0},
    "no time": {"creation_timestamp": True},
    "time of the distant future": {"creation_timestamp": 10**300},
}


@pytest.mark.parametrize("name", ILLEGIBLE)
def test_read_summary__illegible_row__passed_over_and_the_rest_read(name):
    """One row that makes no sense spoils no other; if none does, there is no answer."""
    bad = a_row(**ILLEGIBLE[name])
    assert len(read(a_row(), bad, None, 5).quotes) == 1
    with pytest.raises(Retry, match="quotes no option on ETH"):
        read(bad)


@pytest.mark.parametrize(
    "tree", [{"error": {"code": 10_028, "message": "too_many_requests"}}, {}, None, 5, "x", {"result": {}}]
)
def test_read_summary__no_result__retry(tree):
    with pytest.raises(Retry, match="without a result"):
        read_summary(tree, source="venue.example", underlying="ETH")


def test_read_summary__a_dead_book__left_out_and_does_not_age_the_others():
    """The sheet is as old as the oldest quote it keeps."""
    dead = a_row("ETH-24NOV23-2000-P", creation_timestamp=WEEK_MS - (STRAGGLER_S + 1) * 1_000)
    slow = a_row("ETH-24NOV23-2500-P", creation_timestamp=WEEK_MS - STRAGGLER_S * 1_000)
    chain = read(a_row(), dead, slow)
    assert [q.strike for q in chain.quotes] == [3_000.0, 2_500.0]
    assert chain.taken_s == NOW - STRAGGLER_S


def test_read_summary__one_clock_ahead__passed_over():
    """A row of the future makes no stragglers of the others, and the answer none of the future."""
    rows = [a_row(f"ETH-24NOV23-{k}-C") for k in range(2_000, 4_000, 100)]
    chain = read(*rows, a_row("ETH-24NOV23-9000-C", creation_timestamp=WEEK_MS * 2))
    assert (chain.taken_s, len(chain.quotes)) == (NOW, 20)


def a_chain(*, taken_s=NOW, dates=(EXPIRY,), strikes=tuple(range(1_500, 6_000, 100)), forward=3_000.0):
    quoted = (
        Quote(expiry_s=e, strike=float(k), is_call=c, forward=forward, time_s=taken_s, mark_vol=0.6, bid=0.01, ask=0.02)
        for e in dates for k in strikes for c in (True, False)
    )  # fmt: skip
    return Chain(source="venue.example", taken_s=taken_s, index=3_000.0, quotes=tuple(quoted))


def cut(chain, listed=(EXPIRY,), *, most=16, **fields):
    found = sheet(chain, 1, listed, max_per_expiry=most, **fields)
    assert isinstance(found, QuoteSheet)
    return found


def test_sheet__a_whole_chain__out_of_the_money_near_and_few():
    """One option per strike, calls above the forward and puts below, within four deviations, at most so many."""
    (one,) = cut(a_chain()).expiries
    strikes = [q.strike / 10**8 for q in one.quotes]
    assert strikes == sorted(set(strikes))
    assert all(q.is_call == (q.strike >= 3_000 * 10**8) for q in one.quotes)
    assert len(strikes) == 16
    deviation = 0.6 * math.sqrt(7 / 365)
    assert all(abs(math.log(k / 3_000)) <= 4 * deviation for k in strikes)
    assert (one.quotes[0].vol_ppm, one.quotes[0].bid_ppb, one.quotes[0].ask_ppb) == (600_000, 10**7, 2 * 10**7)


def test_sheet__few_strikes_quoted__those_kept():
    """Marks that nobody bids for are not fitted beside quotes, so they take no place from them."""
    chain = a_chain()
    quoted = range(2_600, 3_500, 100)
    quotes = tuple(q if q.strike in quoted else replace(q, bid=None, ask=None) for q in chain.quotes)
    (one,) = cut(replace(chain, quotes=quotes)).expiries
    assert [q.strike // 10**8 for q in one.quotes] == list(quoted)
    (one,) = cut(replace(chain, quotes=tuple(replace(q, bid=None, ask=None) for q in chain.quotes))).expiries
    assert len(one.quotes) == 16, "a file of marks alone"


@pytest.mark.parametrize("wrong", [1e-6, 1e6])
def test_sheet__wrong_mark_at_the_money__no_other_strike_lost(wrong):
    """One row decides neither how wide the smile is nor whether there is one."""
    chain = a_chain()
    quotes = tuple(replace(q, mark_vol=wrong) if q.strike == 3_000 else q for q in chain.quotes)
    (one,), (sound,) = cut(replace(chain, quotes=quotes)).expiries, cut(chain).expiries
    assert [q.strike for q in one.quotes] == [q.strike for q in sound.quotes]


def test_sheet__what_it_costs__bounded():
    """Sixteen listed expiries among a hundred quoted ones: at most two neighbours each, and the codec takes it."""
    chain = a_chain(dates=tuple(NOW + d * DAY for d in range(1, 101)))
    listed = [NOW + d * 6 * DAY + DAY // 2 for d in range(1, 17)]
    found = cut(chain, listed)
    assert len(found.expiries) <= 32
    assert codec.loads(QuoteSheet, codec.dumps(found)) == found
    assert len(codec.dumps(found)) < 100 * 16 * 32 + 2_000


@pytest.mark.parametrize(
    ("listed", "expected"),
    [([5], [5]), ([6], [5, 9]), ([1], [2]), ([99], [9]), ([1, 5, 6], [2, 5, 9]), ([], [])],
)
def test_around__listed_expiries__themselves_or_their_neighbours(listed, expected):
    assert around([2, 5, 9], listed) == expected


def a_quote(**fields):
    return replace(
        Quote(
            expiry_s=EXPIRY, strike=3_000.0, is_call=True, forward=3_000.0, time_s=NOW, mark_vol=0.6, bid=0.01, ask=0.02
        ),
        **fields,
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"bid": 0.03},
        {"mark_vol": None, "bid": None},
        {"mark_vol": math.inf},
        {"forward": math.nan},
        {"strike": -1.0},
        {"strike": 1e-9},
        {"ask": 1e300},
        {"expiry_s": NOW},
    ],
)
def test_sheet__quote_that_says_nothing__left_out(wrong):
    """Crossed, empty, infinite, absurd or expired: it does not cross into the pure half."""
    sound = a_quote(strike=3_100.0)
    chain = Chain(source="v", taken_s=NOW, index=3_000.0, quotes=(a_quote(**wrong), sound))
    (one,) = cut(chain).expiries
    assert [q.strike for q in one.quotes] == [3_100 * 10**8]


NUMBERS = st.one_of(st.floats(), st.integers(), st.none(), st.booleans(), st.text(max_size=3))
#: Values around those of a real answer, at its edges, and beyond them.
LIKELY = st.one_of(st.floats(0.0, 1e4), st.sampled_from([1e-300, 1e-8, 1e12, 1e300]), NUMBERS)
ROWS = st.fixed_dictionaries(
    {"instrument_name": st.sampled_from(["ETH-24NOV23-3000-C", "ETH-1DEC23-0d000001-P", "ETH-29DEC23-2000-P"])},
    optional={
        "underlying_price": LIKELY, "estimated_delivery_price": LIKELY, "mark_iv": LIKELY, "bid_price": LIKELY,
        "ask_price": LIKELY, "quote_currency": st.sampled_from(["ETH", "USDC", None]),
        "creation_timestamp": st.one_of(st.integers(WEEK_MS - 10**6, WEEK_MS), NUMBERS),
    },
)  # fmt: skip


@given(st.lists(ROWS, min_size=1, max_size=12))
def test_answer__any_numbers__a_sheet_or_a_reason_and_a_block_goes_on(rows):
    """VEN-2: whatever numbers a stranger sends, reading, cutting and judging end in a value."""
    try:
        chain = read(*rows)
    except Retry:
        return
    found = sheet(chain, 1, [EXPIRY, NOVEMBER], max_per_expiry=16)
    assert codec.loads(type(found), codec.dumps(found)) == found
    seen = see(found, spot=usd(3_000), now=NOW, knobs=ImpliedKnobs(max_index_gap_ppm=500_000))
    assert isinstance(seen, View) or seen.reason


def test_sheet__absurd_index__a_reason():
    found = sheet(replace(a_chain(), index=1e300), 1, [EXPIRY], max_per_expiry=16)
    assert found == Unquoted(underlying=1, reason="venue.example gives an index of 1e+300")


def test_sheet__nothing_near__a_reason():
    found = sheet(a_chain(dates=(NOW - 5,)), 1, [EXPIRY], max_per_expiry=16)
    assert found == Unquoted(underlying=1, reason="venue.example quotes no option near a listed expiry")


@dataclass
class FakeVenue:
    """Answers what it is told to, in turn; the last answer stands."""

    answers: list[Chain | KeeperError]
    name: str = "venue.example"
    asked: list[str] = field(default_factory=list)

    def fetch(self, underlying):
        self.asked.append(underlying)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, KeeperError):
            raise answer
        return answer


def a_board(*answers, names=None, poll_every_s=30):
    venue = FakeVenue(list(answers))
    board = QuoteBoard(venue, names or {"ETH": "ETH"}, poll_every_s=poll_every_s, max_per_expiry=16)
    return board, venue


SNAPSHOT = a_snapshot(underlying=an_underlying())


def test_board__before_the_first_answer__says_so():
    board, _ = a_board(a_chain())
    assert board.read(SNAPSHOT) == (Unquoted(underlying=1, reason="venue.example has not answered yet"),)


def test_board__after_an_answer__reads_from_memory():
    """The venue is asked by `refresh` and never by `read`."""
    board, venue = a_board(a_chain())
    board.refresh()
    (found,) = board.read(SNAPSHOT)
    assert isinstance(found, QuoteSheet)
    assert (found.index, found.taken_s, found.trouble) == (usd(3_000), NOW, "")
    board.read(SNAPSHOT)
    assert venue.asked == ["ETH"]


def test_board__venue_falls_silent__the_last_quotes_stay_with_the_reason():
    """Their age, not our line, decides whether they are used."""
    board, _ = a_board(a_chain(), Retry("venue.example did not answer: Timeout"))
    board.refresh()
    board.refresh()
    (found,) = board.read(SNAPSHOT)
    assert (found.taken_s, found.trouble) == (NOW, "venue.example did not answer: Timeout")


@pytest.mark.parametrize("error", [Retry("no"), BadInput("no")])
def test_board__any_failure__never_raised(error):
    board, _ = a_board(error)
    board.refresh()
    assert board.read(SNAPSHOT) == (Unquoted(underlying=1, reason="no"),)


def test_board__an_older_answer__does_not_replace_a_newer():
    board, _ = a_board(a_chain(taken_s=NOW), a_chain(taken_s=NOW - 60))
    board.refresh()
    board.refresh()
    assert board.read(SNAPSHOT)[0].taken_s == NOW


def test_board__an_answer_of_the_future__gives_way_to_the_next():
    """Kept for being newest it would keep every right one out until the process ends."""
    board, _ = a_board(a_chain(taken_s=NOW + 10**9), a_chain(taken_s=NOW))
    board.refresh()
    assert isinstance(board.read(SNAPSHOT)[0], Unquoted)
    board.refresh()
    assert board.read(SNAPSHOT)[0].taken_s == NOW


def test_board__older_answers__said():
    """A cache that is stuck is named when the quotes have aged."""
    board, _ = a_board(a_chain(taken_s=NOW), a_chain(taken_s=NOW - 60))
    board.refresh()
    board.read(SNAPSHOT)
    board.refresh()
    assert board.read(SNAPSHOT)[0].trouble == "venue.example answers with older quotes than before"


@dataclass
class PartialVenue:
    """Quotes ETH alone; what it says of anything else is `other`."""

    other: Exception
    name: str = "venue.example"
    asked: list[str] = field(default_factory=list)

    def fetch(self, underlying):
        self.asked.append(underlying)
        if underlying != "ETH":
            raise self.other
        return a_chain()


@pytest.mark.parametrize("other", [Retry("quotes no option on ARB"), ZeroDivisionError("float division")])
def test_board__one_underlying_fails__the_others_asked_as_often(other):
    """What is not quoted there, or breaks us, is asked less and less; it takes no quotes from another."""
    venue = PartialVenue(other)
    board = QuoteBoard(venue, {"ARB": "ARB", "ETH": "ETH"}, poll_every_s=30, max_per_expiry=16)
    for _ in range(16):
        board.refresh()
    assert (venue.asked.count("ETH"), venue.asked.count("ARB")) == (16, 4), "ARB at polls 1, 2, 6, 14"
    assert isinstance(board.read(SNAPSHOT)[0], QuoteSheet)


def test_board__two_threads_ask__one_after_the_other():
    """The first look and the job's may meet; a venue, or a file, is never asked twice at once."""
    entered, leave, inside = threading.Event(), threading.Event(), []

    class SlowVenue:
        name = "venue.example"

        def fetch(self, underlying):
            inside.append(underlying)
            assert len(inside) == 1
            entered.set()
            assert leave.wait(30)
            inside.pop()
            return a_chain()

    board = QuoteBoard(SlowVenue(), {"ETH": "ETH"}, poll_every_s=30, max_per_expiry=16)
    threads = [threading.Thread(target=board.refresh) for _ in range(2)]
    threads[0].start()
    assert entered.wait(30)
    threads[1].start()
    leave.set()
    for thread in threads:
        thread.join(30)
    assert board.read(SNAPSHOT)[0].trouble == ""


def test_board__told_to_wait__waits_so_many_polls():
    """HTTP 429 with a plea for 90 s, polled every 30 s: two polls are left out, the third asks."""
    board, venue = a_board(Retry("limited", retry_after_s=90), a_chain())
    asked = []
    for _ in range(5):
        board.refresh()
        asked.append(len(venue.asked))
    assert asked == [1, 1, 1, 2, 3]


def test_board__failing_again_and_again__asked_less_and_less_and_then_as_before():
    board, venue = a_board(*[Retry("no")] * 4, a_chain())
    asked = []
    for _ in range(24):
        board.refresh()
        asked.append(len(venue.asked))
    assert [asked.count(n) for n in (1, 2, 3, 4)] == [1, 4, 8, 8], "skips 0, 3, 7, 7 polls"
    assert asked[-3:] == [5, 6, 7]


def test_board__names__as_the_venue_says_them_and_not_where_it_has_none():
    board, venue = a_board(a_chain(), names={"WETH": "ETH", "ARB": "ARB"})
    board.refresh()
    assert venue.asked == ["ARB", "ETH"]
    assert board.read(SNAPSHOT) == (), "ETH is not among the names"


def test_board__underlying_without_options__no_word():
    """A market of perps alone needs no quotes, so nobody is alarmed that there are none."""
    board, _ = a_board(a_chain())
    assert board.read(a_snapshot(underlying=replace(an_underlying(), listings=()))) == ()
    expired = (Listing(expiry=NOW - 1, strikes=(1,)),)
    assert board.read(a_snapshot(underlying=replace(an_underlying(), listings=expired))) == ()


def test_board__new_sheet__prepared_before_a_cycle_reads_it():
    """The slow part, the fit, is done where nobody waits: of the very sheet that is read next."""
    prepared = []
    venue = FakeVenue([a_chain(taken_s=NOW - 60), a_chain(taken_s=NOW), Retry("no")])
    board = QuoteBoard(venue, {"ETH": "ETH"}, poll_every_s=30, max_per_expiry=16, prepare=prepared.append)
    board.refresh()
    assert [one.taken_s for one in prepared] == [NOW - 60], "before the first cycle, of what is quoted"
    board.read(SNAPSHOT)
    board.refresh()
    assert prepared[1:] == list(board.read(SNAPSHOT))
    board.refresh()
    assert len(prepared) == 2, "nothing new, nothing to prepare"


def test_no_source__nothing_to_say():
    NoSource().refresh()
    assert NoSource().read(SNAPSHOT) == ()


def test_file__renewed_and_half_written__read_again_or_said(tmp_path):
    """What renews the file may be caught in the middle; the next look finds it whole."""
    path = tmp_path / "quotes.json"
    venue = QuotesFile(path)
    with pytest.raises(Retry, match=r"quotes\.json cannot be read: FileNotFoundError"):
        venue.fetch("ETH")
    for broken in (b'{"result": [{"instr', b"\xff\xfe\x00", b""):
        path.write_bytes(broken)
        with pytest.raises(KeeperError):
            venue.fetch("ETH")
    path.write_text(json.dumps({"result": [a_row()]}))
    assert venue.fetch("ETH").index == 3_000.0
    path.write_text(json.dumps([a_row(estimated_delivery_price=3_005.0), a_row("BTC-24NOV23-90000-C")]))
    assert venue.fetch("ETH").index == 3_005.0
    assert venue.fetch("BTC").quotes[0].strike == 90_000.0


def test_file__a_table_with_history__its_newest_snapshot(tmp_path):
    """Rows of several times: the last one is what is quoted."""
    path = tmp_path / "quotes.csv"
    head = "snap,cur,expiry,cp,strike,fut,index,iv\n"
    path.write_text(
        head + "".join(f"{t},ETH,{EXPIRY},{cp},{k},3010,{i},0.6\n"
                       for t, i in ((NOW - 60, 2_990), (NOW, 3_000)) for cp in "CP" for k in (2_800, 3_200))
    )  # fmt: skip
    chain = QuotesFile(path).fetch("ETH")
    assert (chain.taken_s, chain.index, len(chain.quotes)) == (NOW, 3_000.0, 4)
    path.write_text(head.replace("index,", "") + f"{NOW},ETH,{EXPIRY},C,3000,3010,0.6\n")
    assert QuotesFile(path).fetch("ETH").index == 3_010.0
    with pytest.raises(BadInput, match="no quotes on BTC"):
        QuotesFile(path).fetch("BTC")


def test_file__gone_between_two_looks__retry(tmp_path, monkeypatch):
    """What renews the file may remove it first, or write it for itself alone."""
    path = tmp_path / "quotes.json"
    path.write_text("[]")

    def gone(path):
        raise PermissionError(13, "denied", str(path))

    monkeypatch.setattr(venues, "load_quotes", gone)
    with pytest.raises(Retry, match=r"quotes\.json cannot be read: PermissionError"):
        QuotesFile(path).fetch("ETH")
