"""The breaker's replay, on made-up paths whose answer is plain."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from keeper.domain.bars import Bars
from keeper.errors import BadInput
from keeper.lab.breaker import Episode, episodes, frequency, outcome
from keeper.lab.paths import Feed, between, rounds, ticks
from keeper.marketdata.bars_file import bars_in, load_bars
from keeper.risk.exact.breaker import BreakerRule, Event, Round, openings, verdict

T, WAD = 1_780_000_000, 10**18
RULE = BreakerRule(move_ppm=50_000, disagree_ppm=0, window_s=600, hold_s=300, confirm_s=60)


def path(*points):
    """(seconds after T, USD) each."""
    return tuple(Round(time=T + at, wad=round(usd * WAD)) for at, usd in points)


def quiet_then(*points, until=20_000):
    """Two hours at 2,000, then this, then quiet at the last price."""
    last = points[-1]
    after = [(at, last[1]) for at in range(last[0] + 600, until, 600)]
    return path(*[(at, 2_000) for at in range(0, 7_200, 600)], *points, *after)


def bars(*rows, bar_s=300, name="made up"):
    times = np.array([T + i * bar_s for i in range(len(rows))], dtype=np.int64)
    o, h, low, c = np.array(rows, dtype=np.float64).T
    return Bars(name=name, bar_s=bar_s, start_s=times, open=o, high=h, low=low, close=c)


def test_openings__any_path__are_the_seconds_at_which_the_verdict_is_open():
    """LAB-1: the fast list of stretches says what the contract's verdict says, second by second."""
    rng = np.random.default_rng(11)
    seen = set()
    for _ in range(12):
        clock, found = T, []
        for _ in range(14):
            clock += int(rng.integers(5, 200))
            price = 2_000 * (1 + 0.08 * rng.uniform(-1, 1))
            found.append(Round(time=clock, wad=round(price * WAD), second=bool(rng.random() < 0.3)))
        rule = BreakerRule(move_ppm=60_000, disagree_ppm=30_000, window_s=240, hold_s=120, confirm_s=40)
        stretches = list(openings(found, rule))
        for now in range(T, clock + 200, 7):
            inside = [one for one in stretches if one.since_s <= now < one.until_s]
            said = verdict(found, rule, now)
            assert len({one.why for one in inside}) == len(inside), "LAB-1 one of a kind at a time"
            assert (said is None) == (not inside), "LAB-1"
            if said is not None:
                assert (said.since_s, said.why) == (inside[-1].since_s, inside[-1].why), "LAB-1 the newest"
                seen.add(said.why)
    assert seen == {Event.JUMP, Event.FEEDS}


def test_ticks__a_bar__open_first_close_last_nearer_extreme_before():
    """LAB-2: no price of a bar is lost, none is moved out of it."""
    times, prices = ticks(bars((100, 110, 99, 105), (105, 106, 90, 91)))
    assert prices.tolist() == [100, 99, 110, 105, 105, 106, 90, 91], "LAB-2"
    assert (times - T).tolist() == [0, 100, 200, 299, 300, 400, 500, 599], "LAB-2"


def test_rounds__feed__speaks_at_its_deviation_and_its_heartbeat():
    """LAB-3: small moves are silent until the heartbeat."""
    calm = bars(*[(100.0, 100.1, 99.9, 100.0)] * 25)
    assert [r.time - T for r in rounds(calm, Feed(heartbeat_s=3_600))] == [0, 3_600, 7_200], "LAB-3"
    moved = rounds(bars((100, 100, 100, 100), (100, 100.6, 100, 100.6)), Feed())
    assert [r.wad / WAD for r in moved] == [100.0, 100.6], "LAB-3"
    assert between(moved, T + 250, T + 300) == moved[:1]


def test_stretches__hole__is_not_a_jump():
    """LAB-4: what a hole hides is not replayed as a leap."""
    whole = bars((100, 100, 100, 100), (100, 100, 100, 100))
    late = Bars(**{**vars(whole), "start_s": whole.start_s + np.array([0, 86_400])})
    assert [len(part) for part in late.stretches(hole_s=3_600)] == [1, 1], "LAB-4"
    assert [len(part) for part in whole.stretches(hole_s=3_600)] == [2]


def test_frequency__a_wick_and_a_crash__counted_and_told_apart():
    """LAB-5: both open it once; half an hour later the wick was taken back."""
    wick = quiet_then((7_500, 1_800), (7_600, 2_000))
    crash = quiet_then((7_500, 1_800), (7_600, 1_790))
    for points, back in ((wick, 1), (crash, 0)):
        found = frequency(points, RULE)
        assert (found.openings, found.taken_back, found.open_s) == (1, back, 100), "LAB-5"


def an_episode(points):
    (found,) = episodes(points)
    return found


def live(points, rule=RULE, *, psr_ppm=60_000):
    return outcome(points, an_episode(points), rule, psr_ppm=psr_ppm, accounts=400, rng=np.random.default_rng(3))


def test_episode__measured_from_before_it():
    """LAB-6: base, extreme and what was left half an hour later."""
    found = an_episode(quiet_then((7_500, 1_800), (7_700, 1_990)))
    assert found == Episode(since_s=T + 7_500, base=2_000.0, extreme=1_800.0, after=1_990.0), "LAB-6"


def test_outcome__one_round_wick__nobody_dies_with_the_breaker():
    """LAB-7: without it the wick alone kills, with it nobody; those saved were levered and long."""
    found = live(quiet_then((7_500, 1_800), (7_600, 2_000)))
    assert found.by_wick == found.flagged > 50, "LAB-7"
    assert found.by_wick_guarded == 0, "LAB-7"
    assert found.saved == found.by_wick
    low, high = found.leverage
    assert 1 / (4 * 0.0486) < low < high < 1 / 0.0486, "LAB-7"
    assert found.deficit_ppm == found.deficit_guarded_ppm == 0


def test_outcome__real_crash__the_same_die_a_little_later_at_a_price_of_their_own():
    """LAB-8: when the move is real the breaker saves nobody and the delay costs what the price fell in it."""
    found = live(quiet_then((7_500, 1_880), (7_600, 1_500)))
    assert found.by_wick == found.by_wick_guarded == 0, "LAB-8"
    assert 0 < found.late_s < 100, "LAB-8: the first round's wait, the second round's do not"
    assert found.deficit_guarded_ppm > found.deficit_ppm, "LAB-8: the second round is deeper"
    gentle = live(quiet_then((7_500, 1_700), (7_600, 1_705)))
    assert gentle.deficit_guarded_ppm <= gentle.deficit_ppm, "LAB-8: the second round is higher"


def test_outcome__still_waiting_at_the_end__flagged_at_the_release():
    """LAB-16: a feed that fell silent, or a second leap at the end, hides nobody's deficit."""
    silent = live(path(*[(at, 2_000) for at in range(0, 7_200, 600)], (7_500, 1_500), (12_000, 1_500)))
    assert silent.late_s == RULE.hold_s, "LAB-16: no round confirms it, so it lasts"
    assert silent.deficit_guarded_ppm == silent.deficit_ppm > 0, "LAB-16"
    twice = live(quiet_then((7_500, 1_900), (7_600, 1_900), (9_290, 1_500), (9_320, 1_300), until=20_000))
    assert twice.deficit_guarded_ppm > twice.deficit_ppm > 0, "LAB-16: the second leap's wait ends after the half hour"


def test_episode__more_than_half_left__is_real():
    """LAB-17: what the delay costs is told of moves that stayed, apart from those that were taken back."""
    assert an_episode(quiet_then((7_500, 1_800), (7_600, 1_890))).real, "LAB-17"
    assert not an_episode(quiet_then((7_500, 1_800), (7_600, 1_910))).real, "LAB-17"


def test_outcome__long_wick__outlives_the_confirmation_and_kills():
    """LAB-9: a wick that a second round confirms is a move like any other."""
    found = live(quiet_then((7_500, 1_800), (7_600, 1_800), (8_200, 2_000)))
    assert found.by_wick_guarded == found.by_wick > 0, "LAB-9"


@pytest.fixture
def folder(tmp_path):
    """A crash of one bar in five-minute bars, a file of daily prices, and one of something else."""
    rows = [f"{T + 300 * i},2000,2001,1999,2000" for i in range(60)]
    rows[30] = f"{T + 300 * 30},2000,2001,1790,2000"
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "eth.csv").write_text("ts,open,high,low,close\n" + "\n".join(rows) + "\n")
    (tmp_path / "daily.csv").write_text(f"ts,open,high,low,close\n{T},1,1,1,1\n{T + 86_400},1,1,1,1\n")
    (tmp_path / "other.csv").write_text("who,what\nA,B\n")
    return tmp_path


def test_bars_in__folder__series_of_short_bars_only(folder, tmp_path):
    """LAB-10: what is no series is passed over, prefixes make a series each, a bar without a trade is left out."""
    (one,) = bars_in(folder, longest_bar_s=900)
    assert (one.name, one.bar_s, len(one)) == ("eth", 300, 60), "LAB-10"
    two = tmp_path / "two.csv"
    header = "ts," + ",".join(f"{p}_{x}" for p in ("a", "b") for x in ("open", "high", "low", "close"))
    two.write_text(f"{header}\n0,1,1,1,1,2,2,2,2\n60,1,1,1,1,,,,\n120,1,1,1,1,nan,2,2,2\n180,1,1,1,1,2,2,2,2\n")
    assert [(b.name, len(b)) for b in load_bars(two)] == [("two a", 4), ("two b", 2)], "LAB-10"
    with pytest.raises(BadInput, match="no bars"):
        list(bars_in(folder / "deep", longest_bar_s=60))


@pytest.fixture
def script(monkeypatch, capsys):
    """Runs the script in this process.  Returns: its exit code, what it printed, what it complained of."""
    place = Path(__file__).parents[2] / "scripts" / "breaker_replay.py"

    def run(*args):
        monkeypatch.setattr("sys.argv", [str(place), *map(str, args)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(place), run_name="__main__")
        return ended.value.code, *capsys.readouterr()

    return run


def test_script__folder__tables_and_json(folder, script):
    """LAB-11: the report runs on anybody's bars, and says plainly when there are none."""
    code, told, _ = script("--data", folder, "--psr-ppm", 60_000, "--json")
    assert code == 0
    report = json.loads(told)
    assert {one["openings"] for one in report["frequency"] if one["k_ppm"] == 500_000} == {1}, "LAB-11"
    code, told, _ = script("--data", folder, "--psr-ppm", 60_000)
    three = ("How often it opens", "Whom a wick alone would have killed", "What the delay costs when the move is real")
    assert all(question in told for question in three), "LAB-11: one command answers all three"
    code, told, complaint = script("--data", folder, "--longest-bar-s", 60)
    assert (code, told) == (2, "")
    assert "no bars of at most 60 s" in complaint
