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
    assert "bad debt higher (worse), 50 against 0" in text
    assert "accounts liquidated higher (worse), 12 against 10" in text
    assert "mean margin held lower (better), 880 against 900" in text
    assert "Without a keeper 5,000 USD" in text


def test_verdict__several_seeds__counts_each_way():
    """Lower, equal and higher are counted seed by seed, and differences of cents are none."""
    found = verdict(
        [*lives(1, static=90.0, ours=10.0), *lives(2, static=7.0, ours=7.3), *lives(3, static=0.0, ours=40.0)]
    )
    assert "bad debt lower in 1, equal in 1, higher in 1 of 3 seeds" in found[1]


def test_verdict__one_life__nothing_to_compare():
    """A plain run has no verdict."""
    assert verdict(lives(1, static=0.0, ours=0.0)[2:]) == ()
