"""What people see: the live screen, plain lines and the page."""

import io
import re
from dataclasses import asdict, replace
from html.parser import HTMLParser

import pytest
from rich.console import Console

from keeper.demo import panels, view
from keeper.demo.breakers import Opening
from keeper.demo.frames import Frame, UnderlyingFrame
from keeper.demo.report import render
from keeper.demo.summary import Life, ParityCheck, RunSummary, percentile
from keeper.demo.words import say, say_opening
from keeper.domain.action import Bid
from keeper.domain.cycle import Handed
from keeper.domain.margin import Band
from keeper.policy.standing import Standing

BLOCKS = 40


def a_frame(index, **changes):
    """A block in which ETH falls by a percent a block and one account is in trouble."""
    plain = Frame(
        index=index,
        blocks=BLOCKS,
        block=400 + index,
        time=1_772_438_400 + 600 * index,
        underlyings=(
            UnderlyingFrame(symbol="ETH", price=3200 * 0.99**index, psr=0.152, psr_target=0.181, ref_price=3200.0),
            UnderlyingFrame(symbol="BTC", price=64_000.0, psr=0.12, psr_target=0.12, ref_price=64_000.0),
        ),
        requirement=612_345.0,
        mean_margin=7_010.0,
        bands={Band.HEALTHY: 101, Band.WARNING: 6, Band.LIQUIDATABLE: 2, Band.INSOLVENT: 1, Band.UNKNOWN: 0},
        auctions=2,
        fund=398_766.0,
        bad_debt=1_234.0,
        pushes=3,
        refreshes=5,
        margin_calls=index,
        liquidations=index // 4,
        settled=1,
        decisions=(f"flag perp long {index}: health 0.93",),
        alerts=(),
        cycle_ms=88.0,
    )
    return replace(plain, **changes)


def a_standing(name="psr", **changes):
    """A scan range on its way up: half of it published, a little of that in force, little budget left."""
    plain = Standing(
        name=name,
        expiry=0,
        target_ppm=181_000,
        published_ppm=165_000,
        in_force_ppm=152_000,
        left_up_ppm=12_000,
        left_down_ppm=48_000,
        left_up_share_ppm=400_000,
        left_down_share_ppm=1_600_000,
        next_allowed_s=1_800,
        arrives_s=9 * 3_600,
    )
    return replace(plain, **changes)


def guarded(index):
    """A block whose parameters stand somewhere: ETH's are on their way."""
    names = ("psr", "vsr_up", "vsr_down", "sigma")
    eth, btc = a_frame(index).underlyings
    still = {"published_ppm": 152_000, "arrives_s": 0, "next_allowed_s": None}
    return a_frame(
        index,
        underlyings=(
            replace(eth, parameters=tuple(map(a_standing, names)), im_uplift_pct=9),
            replace(btc, parameters=tuple(a_standing(name, **still) for name in names)),
        ),
    )


def frames(n=BLOCKS):
    return [a_frame(i) for i in range(n)]


def shown(width, height, some_frames):
    """The screen as text lines."""
    console = Console(width=width, height=height, file=io.StringIO(), force_terminal=False)
    console.print(view.screen("a crash", some_frames, eta="0:41 left", width=width, height=height), height=height)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (76, 22), (120, 40), (200, 60)])
def test_screen__any_size__everything_is_on_it(width, height):
    """Prices, scan range with target, bands, auctions, fund, bad debt, decisions, progress and ETA fit, uncut."""
    lines = shown(width, height, frames(30))
    text = "\n".join(lines)
    assert len(lines) == height
    assert all(len(line) <= width for line in lines)
    assert "…" not in text.replace(" … ", "")  # nothing was cut off
    for part in (
        "block 30/40", "75%", "0:41 left", "2026-03-02 12:50 UTC", "ETH 2,390.95", "-25.3 %", "15.2 % ↗ 18.1 % target",
        "12.0 % = 12.0 % target", "accounts 110", "liquidatable    2", "398,766", "1,234", "612,345",
        "flag perp long 29", "3 published", "7 liquidated", "1 settled",
    ):  # fmt: skip
        assert part in text, part


def test_screen__parameters__scan_ranges_on_a_small_one_everything_on_a_tall_one():
    """Target, published, in force, budget left, when it may move on and when it is there, and what IM is widened by."""
    small = shown(80, 24, [guarded(i) for i in range(5)])
    assert len(small) == 24
    (line,) = (one for one in small if one.startswith("ETH scan range"))
    assert " ".join(line.split()) == "ETH scan range 18.10 % 16.50 % 15.20 % 40 % 160 % 30 min 9 h +9 %"
    (still,) = (one for one in small if one.startswith("BTC scan range"))
    assert " ".join(still.split()) == "BTC scan range 18.10 % 15.20 % 15.20 % 40 % 160 % – ✓"
    assert "flag perp long 4" in "\n".join(small)
    tall = "\n".join(shown(120, 40, [guarded(i) for i in range(5)]))
    for part in ("vol range ↑", "vol range ↓", "front vol", "+1.2 (40 %)", "−4.8 (160 %)", "flag perp long 4"):
        assert part in tall, part


def test_plain_line__ramp__in_force_and_published():
    """A log says where a scan range is and where it goes."""
    line = view.plain_line(guarded(3), "0:41 left")
    assert "scan 15.2 % → 16.5 %" in line
    assert "BTC 64,000.00 scan 12.0 %  |" in line


def test_report__parameters__a_line_each_and_columns_for_scripts():
    """The page has every parameter at the end of the run; `--json` has every parameter at every block."""
    summary = a_summary()
    life = Life(summary=summary, frames=tuple(guarded(i) for i in range(6)))
    page = render([life])
    assert "budget left, up" in page
    assert "+1.2 (40 %)" in page
    columns = life.as_json()["parameters"]
    assert [(c["symbol"], c["parameter"]) for c in columns] == [
        (symbol, name) for symbol in ("ETH", "BTC") for name in ("psr", "vsr_up", "vsr_down", "sigma")
    ]
    assert columns[0]["published_ppm"] == [165_000] * 6
    assert columns[0]["im_uplift_pct"] == [9] * 6


#: ETH falls by 6 % in a round; two flags wait for five minutes and go out.
OPENING = Opening(
    symbol="ETH", since_s=1_772_441_400, until_s=1_772_441_700, why="jump", move=-0.061, waited=2, flagged=2
)


def broken(index):
    """A block whose prices opened ETH's breaker."""
    eth, btc = a_frame(index).underlyings
    return a_frame(
        index,
        underlyings=(replace(eth, breaker="jump"), btc),
        openings=(OPENING,),
        decisions=("flag perp long 3: health 0.93", say_opening(OPENING)),
    )


@pytest.mark.parametrize(
    ("opening", "line"),
    [
        (OPENING, "breaker ETH: leapt -6.1 % in one round; 2 flags waited until 08:55, 2 sent then"),
        (replace(OPENING, flagged=0), "breaker ETH: leapt -6.1 % in one round; 2 flags waited for the next round"),
        (replace(OPENING, waited=0), "breaker ETH: leapt -6.1 % in one round; no flag had to wait"),
        (replace(OPENING, why="feeds", waited=1, flagged=1),
         "breaker ETH: its two feeds disagree; 1 flag waited until 08:55, 1 sent then"),
    ],
)  # fmt: skip
def test_opening__in_words__why_and_whose_flags_waited(opening, line):
    """A line says why a breaker opened, how many flags waited, until when, and what became of them."""
    assert say_opening(opening) == line


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
def test_screen__breaker_opens__when_why_and_whose_flags_waited(width, height):
    """The market's title, the house's auctions and the decisions tell of an opening; it is gone with the next block."""
    text = "\n".join(shown(width, height, [a_frame(4), broken(5)]))
    assert "breaker open" in text
    assert "auctions, 2 flags waited" in text
    assert "requirement, all accounts" in text
    assert "bad debt" in text
    assert "breaker ETH: leapt -6.1 %" in text
    after = "\n".join(shown(width, height, [broken(5), a_frame(6)]))
    assert "breaker open" not in after
    assert "auctions running" in after
    assert "auctions, " not in after


def test_plain__breaker_opens__said_even_between_its_lines():
    """A log never leaves an opening out."""
    console = Console(width=200, file=io.StringIO())
    plain = view.Plain(console)
    for frame in (replace(a_frame(i, blocks=400), liquidations=0) for i in range(3)):
        plain.frame(frame)
    plain.frame(replace(broken(3), blocks=400, liquidations=0))
    assert "breaker ETH: leapt -6.1 % in one round" in console.file.getvalue()


def test_report__breaker__openings_listed_or_said_to_be_none():
    """Page and `--json` have when each opening was, why, until when, how many flags waited and were sent."""
    summary = replace(a_summary(), breaker_openings=1, flags_deferred=2)
    life = Life(summary=summary, frames=(*frames(5), broken(5)))
    page = render([life])
    row = "".join(f"<td>{cell}</td>" for cell in ("2026-03-02 08:50", "ETH", "-6.1 %", "08:55", "2", "2"))
    assert row in page
    assert "<td>1 (2)</td>" in page
    assert "breaker opened" in page, "and the price has a mark there"
    assert life.as_json()["breaker"] == [asdict(OPENING)]
    assert "It did not open in this run." in render([Life(summary=a_summary(), frames=tuple(frames(5)))])


def test_screen__unusable_price__said_and_not_drawn():
    """A price that cannot be used is words, never a number."""
    dead = replace(a_frame(5).underlyings[0], price=None)
    last = a_frame(5, underlyings=(dead, a_frame(5).underlyings[1]), alerts=("ETH: price unusable",))
    text = "\n".join(shown(80, 24, [*frames(5), last]))
    assert "ETH no usable price" in text
    assert "ETH: price unusable" in text


def test_chart__rising_run__rises_and_leaves_the_future_blank():
    """Columns follow the values; what has not happened is blank; the lowest value is still visible."""
    rows = panels.chart([1.0, 2.0, 3.0, 4.0], width=8, height=3, total=8)
    assert [len(row) for row in rows] == [8, 8, 8]
    assert all(row[4:] == "    " for row in rows)
    filled = [sum(panels.EIGHTHS.index(row[x]) for row in rows) for x in range(4)]
    assert filled == sorted(set(filled))
    assert filled[0] > 0
    assert filled[-1] == 24


def test_plain__pipe__lines_with_the_state_and_each_liquidation():
    """A log shows start, progress, every block with a liquidation, and the end, without control characters."""
    console = Console(width=100, file=io.StringIO())
    with view.choose_view(console, plain=False) as watcher:
        watcher.begin("a crash")
        watcher.step("deploying contracts", 3, 9)
        watcher.step("deploying contracts", 9, 9)
        for frame in frames():
            watcher.frame(frame)
    text = console.file.getvalue()
    assert "\x1b" not in text
    assert "deploying contracts: 9 done" in text
    assert "block 40/40" in text
    for index in range(4, BLOCKS, 4):
        assert f"flag perp long {index}:" in text
    assert "fund 398,766 USD  bad debt 1,234 USD" in text


def test_choose__terminal__screen_unless_plain_or_small():
    """The live screen needs a terminal it fits on."""

    def chosen(*, width=80, terminal=True, plain=False):
        console = Console(width=width, height=24, file=io.StringIO(), force_terminal=terminal)
        return type(view.choose_view(console, plain=plain))

    assert chosen() is view.Screen
    assert chosen(terminal=False) is chosen(plain=True) is chosen(width=60) is view.Plain


class Page(HTMLParser):
    """What a page loads, and its ids."""

    def __init__(self):
        super().__init__()
        self.loads, self.ids, self.tags = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.ids += [value for name, value in attrs if name == "id"]
        self.loads += [value for name, value in attrs if name in ("src", "href", "xlink:href") and value[:1] != "#"]


def a_summary(name="recalibrating", seed=1, **changes):
    plain = RunSummary(
        name=name, seed=seed, path="stylised crash (made up), seed 1 <b>", blocks=BLOCKS, accounts=110,
        updates_pushed=3, margin_calls=39, liquidations=9, bad_debt=1_234.0, fund_before=400_000.0,
        fund_after=398_766.0, socialised=0.0, settled=1, transactions=31, mean_margin=7_010.0, parity_max_wei=0,
        cycle_ms_p50=88.0, cycle_ms_p99=130.0, took_s=12.0,
        parity=(ParityCheck(index=9, block=409, accounts=110, max_wei=0, worst_account=""),),
    )  # fmt: skip
    return replace(plain, **changes)


def test_report__one_run__self_contained_with_every_plot():
    """One file, nothing loaded, no script, ids unique, foreign text escaped, numbers of the summary in it."""
    html = render([Life(summary=a_summary(), frames=tuple(guarded(i) for i in range(BLOCKS)))])
    page = Page()
    page.feed(html)
    assert page.loads == []
    assert "script" not in page.tags
    assert page.tags.count("svg") == 6
    assert len(page.ids) == len(set(page.ids))
    assert "<b>" not in html
    assert "ETH fell 32 % below its opening" in html
    for cell in ("398,766", "400,000", "1,234", "88 · 130", "409"):
        assert f"<td>{cell}</td>" in html, cell
    assert set(re.findall(r"#01020[36]|#040506", html)) == set()
    assert "prefers-color-scheme: dark" in html


def test_report__control__each_run_of_each_seed_side_by_side():
    """Two seeds of three lives make two tables and two comparison plots, and the verdict is said."""
    lives = [
        Life(summary=a_summary(name, seed, bad_debt=debt), frames=tuple(frames()))
        for seed in (1, 2)
        for name, debt in (("no keeper", 91_000.0), ("static", 4_321.0), ("recalibrating", 1_234.0))
    ]
    html = render(lives, verdict=["Recalibrating lost less than static in 2 of 2 seeds."])
    assert html.count("<td>91,000</td><td>4,321</td><td>1,234</td>") == 2
    assert "Seed 2" in html
    assert "in 2 of 2 seeds" in html
    assert html.count("<svg") == 6


def test_report__same_data__same_bytes():
    """A page can be compared with another: nothing in it depends on when it was made."""
    lives = [Life(summary=a_summary(), frames=tuple(frames()))]
    assert render(lives) == render(lives)


def test_percentile__small_samples__a_value_that_occurred():
    """The 99th of 100 is the 99th of 100, and one value is every percentile."""
    values = [float(i) for i in range(1, 101)]
    assert percentile(values, 0.5) == 50
    assert percentile(values, 0.99) == 99
    assert percentile([7.0], 0.99) == 7.0
    assert percentile([], 0.5) == 0.0


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("simulation: WrongEpoch(underlying=0, given=3, live=4)", "(parameters moved in this block; bids again next)"),
        ("simulation: NoAuction(account=7)", "(dropped: simulation: NoAuction(account=7))"),
    ],
)
def test_say__a_bid_that_was_dropped__what_it_means_to_a_person(reason, said):
    """A bid that a publication of its own block outran is no trouble, and does not read like any."""
    bid = Bid(account=7, bidder="0x" + "11" * 20, fraction_wad=10**18, epochs=(), max_cost=50 * 10**18, why="")
    line = say(
        Handed(action=bid, intent_key="", state="dropped", reason=reason), names={7: "Ann"}, symbols={}, shift_s=0
    )
    assert line == f"bid Ann: 100 % for at most 50.00 USD {said}"
