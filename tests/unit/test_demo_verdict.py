"""The comparison counts what it says, and says so when recalibrating is no better."""

from dataclasses import replace

from keeper.demo.frames import Frame
from keeper.demo.summary import Life, RunSummary
from keeper.demo.verdict import verdict
from keeper.domain.margin import Band


def a_life(name, seed, *, bad_debt, liquidations, margin):
    """A run of four identical blocks."""
    frame = Frame(
        index=0, blocks=4, block=1, time=1_772_438_400, underlyings=(), requirement=0.0, mean_margin=margin,
        bands={Band.HEALTHY: 1}, auctions=0, fund=100.0, bad_debt=bad_debt, pushes=0, refreshes=0, margin_calls=0,
        liquidations=liquidations, settled=0, decisions=(), alerts=(), cycle_ms=1.0,
    )  # fmt: skip
    summary = RunSummary(
        name=name, seed=seed, path="p", blocks=4, accounts=9, updates_pushed=0, margin_calls=0,
        liquidations=liquidations, bad_debt=bad_debt, fund_before=100.0, fund_after=100.0 - bad_debt, socialised=0.0,
        settled=0, transactions=0, mean_margin=margin, parity_max_wei=0, cycle_ms_p50=1.0, cycle_ms_p99=1.0, took_s=1.0,
    )  # fmt: skip
    return Life(summary=summary, frames=tuple(replace(frame, index=i) for i in range(4)))


def lives(seed, *, static, ours):
    """Three lives of one seed; debts of the keepers, in USD."""
    return [
        a_life("no keeper", seed, bad_debt=5_000.0, liquidations=0, margin=700.0),
        a_life("static", seed, bad_debt=static, liquidations=10, margin=900.0),
        a_life("recalibrating", seed, bad_debt=ours, liquidations=12, margin=880.0),
    ]


def test_verdict__one_seed_worse__says_worse():
    """A defeat is called one."""
    text = " ".join(verdict(lives(1, static=0.0, ours=50.0)))
    assert "wins in mean margin held (880 against 900)" in text
    assert "loses in bad debt (50 against 0), fund used (50 against 0), accounts liquidated (12 against 10)" in text
    assert "equal in" not in text
    assert "Without a keeper 5,000 USD" in text


def test_verdict__several_seeds__counts_each_way():
    """Lower, equal and higher are counted seed by seed, and differences of cents are none."""
    found = verdict(
        [*lives(1, static=90.0, ours=10.0), *lives(2, static=7.0, ours=7.3), *lives(3, static=0.0, ours=40.0)]
    )
    assert "bad debt (19.10 against 32.33 on average; of 3 seeds 1 better, 1 equal, 1 worse)" in found[1]
    assert found[1].index("wins in") < found[1].index("bad debt") < found[1].index("loses in")


def test_verdict__no_difference__said():
    """What is equal is neither won nor lost, and a win in nothing is said too."""
    even = [replace(life, summary=replace(life.summary, liquidations=10)) for life in lives(1, static=7.0, ours=7.3)]
    even[2] = replace(even[2], summary=replace(even[2].summary, mean_margin=950.0))
    found = verdict(even)[1]
    assert "wins in nothing; loses in mean margin held (950 against 900)" in found
    assert "is equal in bad debt (7.30 against 7), fund used (7.30 against 7), accounts liquidated" in found


def test_verdict__one_life__nothing_to_compare():
    """A plain run has no verdict."""
    assert verdict(lives(1, static=0.0, ours=0.0)[2:]) == ()
