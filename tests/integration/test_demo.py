"""The demo: short lives that do everything a long one does.

One is lived whole on the embedded chain, as `keeper demo` lives it; what takes several lives or a longer one runs the
same code over anvil, where the same contracts cost a tenth of the time.
"""

from types import SimpleNamespace

import pytest

from keeper.abis import load
from keeper.demo.control import three_lives
from keeper.demo.opening import RISK, policy
from keeper.demo.paths import recorded
from keeper.demo.run import Conduct, Keeping, live
from keeper.demo.stage import Outcome, Request, show
from keeper.demo.stylised import stylised_crash
from keeper.demo.tally import Tally
from keeper.demo.verdict import verdict
from keeper.demo.view import Silent
from keeper.demo.world import open_world
from keeper.deploy import BreakerSpec
from keeper.domain.margin import Band
from keeper.protocols.abi import Abi
from keeper.testing.anvil import AnvilChain
from keeper.testing.evm import GENESIS_TIMESTAMP
from keeper.wiring import assemble

pytestmark = [pytest.mark.chain, pytest.mark.timeout(900)]

WAD = 10**18
BLOCKS, ACCOUNTS = 12, 20
#: What `--json` promises.
PROMISED = {
    "blocks", "accounts", "updates_pushed", "margin_calls", "liquidations", "bad_debt", "fund_before", "fund_after",
    "parity_max_wei", "cycle_ms_p50", "cycle_ms_p99", "breaker_openings", "flags_deferred",
}  # fmt: skip


@pytest.fixture(scope="module")
def a_life():
    """A crash in twelve blocks as the command lives it, and everything that can be asked of its chain afterwards."""
    seen = SimpleNamespace()

    def assembling(**parts):
        """The composition root; who assembles learns where the chain is, and when the market opened."""
        seen.rpc, seen.deployment, seen.opened = parts["rpc"], parts["deployment"], parts["rpc"].block()
        seen.keeper = assemble(**parts)
        return seen.keeper

    seen.outcome = show(Request(blocks=BLOCKS, accounts=ACCOUNTS, seed=1), assembling, Silent())
    (seen.life,) = seen.outcome.lives
    seen.head = seen.rpc.block()
    seen.tally = Tally(seen.rpc, seen.deployment, since=seen.opened)
    seen.events = seen.tally.advance(seen.head)
    return seen


@pytest.fixture
def anvil():
    """A chain of a program, younger than every path."""
    with AnvilChain(accounts=6, extra=("--timestamp", str(GENESIS_TIMESTAMP))) as chain:
        yield chain


def test_demo__every_account__parity_to_the_wei(a_life):
    """Python's equity, MM and IM are the contract's for every account at several blocks, before and in the crash."""
    summary = a_life.life.summary
    checks = summary.parity
    assert len(checks) >= 3
    assert {c.max_wei for c in checks} == {0}
    assert a_life.outcome.parity_max_wei == 0
    # Members, the insurance fund and the keeper's own account; one that was closed out whole is an account no more.
    everybody = ACCOUNTS + 2
    assert checks[0].accounts == everybody
    assert all(everybody - summary.liquidations <= c.accounts <= everybody for c in checks)


def test_demo__crash__the_keeper_does_its_whole_job(a_life):
    """It publishes, calls, liquidates and settles; what it says it did is what the chain's events say."""
    summary, frames = a_life.life.summary, a_life.life.frames
    assert summary.updates_pushed >= 2
    assert summary.margin_calls >= 1
    assert summary.liquidations >= 1
    assert summary.settled >= 1
    assert summary.liquidations == len(a_life.tally.flagged)
    assert summary.updates_pushed == a_life.tally.pushes
    assert frames[-1].underlyings[0].psr > frames[0].underlyings[0].psr
    assert ACCOUNTS - summary.liquidations <= sum(frames[-1].bands.values()) <= ACCOUNTS
    assert frames[-1].bands[Band.UNKNOWN] == 0
    # Most survive: a crash is not the end of the market.
    assert summary.liquidations < ACCOUNTS * 2 // 3


def test_demo__leap__breaker_opens_is_told_and_flags_wait_for_its_release(a_life):
    """BRK-13: the contract is told of each; no flag goes out while it lasts, and those that waited go out after it."""
    summary, frames = a_life.life.summary, a_life.life.frames
    openings = [one for f in frames for one in f.openings]
    assert summary.breaker_openings == len(openings) == a_life.tally.tripped >= 2
    assert summary.flags_deferred == sum(one.waited for one in openings) >= 1
    spec = BreakerSpec()
    for one in openings:
        assert one.why == "jump"
        assert abs(one.move) * 1e6 > spec.min_move_ppm
        assert one.until_s - one.since_s <= spec.hold_s
        assert one.flagged == one.waited, "prices stand still until the release: who was short still is"
    (leap,) = (f for f in frames if len(f.openings) == len(f.underlyings))
    # Chain time and market time are the same on a path of the future.
    shut = range(leap.openings[0].since_s, leap.openings[0].until_s)
    put_up = [
        a_life.rpc.block(log.block_number).timestamp
        for log in a_life.rpc.logs(a_life.opened.number, a_life.head.number, [auction_of(a_life)])
        if log.topics[0] == flagged_topic()
    ]
    assert len(put_up) == summary.liquidations
    assert not [time for time in put_up if time in shut]
    released = [time for time in put_up if shut.stop <= time < shut.stop + 60]
    assert len(released) >= sum(one.flagged for one in leap.openings) >= 1
    assert any(line.startswith("breaker ETH: leapt -") for line in leap.decisions)


def auction_of(a_life):
    """Where auctions are."""
    return a_life.deployment.addresses["LiquidationAuction"]


def flagged_topic():
    """Topic of `Flagged`."""
    return Abi("LiquidationAuction", load("LiquidationAuction").abi).topic("Flagged")


def test_demo__fund__changes_by_what_events_say(a_life):
    """The fund gains interest, pays shortfalls, and nothing else moves it but the wei of roundings."""
    summary = a_life.life.summary
    change = (a_life.tally.interest - a_life.tally.from_fund) / WAD
    assert summary.fund_after - summary.fund_before == pytest.approx(change, abs=0.02)


def test_demo__tokens__house_holds_what_was_paid_in(a_life):
    """Nothing was withdrawn, so the house holds every token of every deposit, and its books say the same."""
    views, house = a_life.keeper.views, a_life.deployment.addresses["ClearingHouse"]
    held = views.one(a_life.head, "ClearingHouse", "houseState")["held"]
    assert len(held) == len(a_life.deployment.collaterals) == 3
    for i, units in enumerate(held):
        token = views.one(a_life.head, "ClearingHouse", "collateral", i)["token"]
        data = bytes.fromhex("70a08231") + bytes(12) + bytes.fromhex(house[2:])
        assert int.from_bytes(a_life.rpc.call_at(a_life.head, token, data), "big") == units > 0


def test_demo__json__has_what_was_promised(a_life):
    """Scripts find every promised key, with numbers in them, and every parameter at every block."""
    answer = a_life.outcome.as_json()
    assert set(answer) >= PROMISED
    assert all(isinstance(answer[key], int | float) for key in PROMISED)
    assert answer["blocks"] == BLOCKS
    assert answer["accounts"] == ACCOUNTS
    assert len(answer["breaker"]) == answer["breaker_openings"]
    assert {(c["symbol"], c["parameter"]) for c in answer["parameters"]} == {
        (symbol, name) for symbol in ("ETH", "BTC") for name in ("psr", "vsr_up", "vsr_down", "sigma")
    }
    for column in answer["parameters"]:
        for field in ("target_ppm", "published_ppm", "in_force_ppm", "left_up_ppm", "left_down_ppm", "arrives_s"):
            assert len(column[field]) == BLOCKS, (column["symbol"], column["parameter"], field)


@pytest.mark.needs_anvil
def test_demo__control__same_path_three_times(anvil):
    """One snapshot, three lives: nobody does nothing, static never publishes, and all see the same prices."""
    path = stylised_crash(seed=3, blocks=BLOCKS)
    world = open_world(path, accounts=ACCOUNTS, seed=3, chain=anvil, breaker=BreakerSpec())
    found = three_lives(world, assemble, Silent())
    outcome = Outcome(lives=found, verdict=verdict(found))
    lives = {life.summary.name: life for life in found}
    assert list(lives) == ["no keeper", "static", "recalibrating"]
    paths = {tuple(u.price for f in life.frames for u in f.underlyings) for life in lives.values()}
    assert len(paths) == 1
    nobody, static, ours = (lives[name].summary for name in lives)
    assert (nobody.transactions, nobody.liquidations, nobody.margin_calls, nobody.updates_pushed) == (0, 0, 0, 0)
    assert nobody.parity_max_wei is None
    assert nobody.flags_deferred == 0
    assert static.updates_pushed == 0 < ours.updates_pushed
    assert static.parity_max_wei == ours.parity_max_wei == 0
    published = {
        p.published_ppm for f in lives["static"].frames for p in f.underlyings[0].parameters if p.name == "psr"
    }
    assert len(published) == 1
    # Equal by construction over the recalibrating run's accounts; the lives then differ in who is left.
    assert static.mean_margin == pytest.approx(ours.mean_margin, rel=0.35)
    assert len(outcome.verdict) == 3
    assert "wins in" in outcome.verdict[1]
    assert "loses in" in outcome.verdict[1]
    assert set(outcome.as_json()) == {"runs", "verdict"}
    page = outcome.page()
    assert page.count("<svg") == 7
    assert "Published parameters: target, budget and ramp" in page


@pytest.mark.needs_anvil
@pytest.mark.needs_market_data
def test_demo__october_2025__replayed(market_data, anvil):
    """The real crash of 2025-10-10, closes of both underlyings: parity holds, a leap opens the breaker, people fall."""
    sources = {s: market_data / "spot_5m" / f"{s}USDT_5m_2025-2026.csv.gz" for s in ("ETH", "BTC")}
    path = recorded(sources, start="2025-10-10T20:25", end="2025-10-10T22:05")
    world = open_world(path, accounts=34, seed=2, chain=anvil, breaker=BreakerSpec())
    conduct = Conduct(keeping=Keeping.RECALIBRATING, risk=RISK, policy=policy(path.block_s))
    life = live(world, assemble, conduct, Silent()).life
    assert life.summary.parity_max_wei == 0
    assert life.summary.liquidations >= 1
    assert life.summary.breaker_openings >= 1
    assert path.fall("ETH") > 0.1
    assert min(f.underlyings[0].price for f in life.frames) == pytest.approx(
        min(p.prices["ETH"] for p in path.points), rel=1e-8
    )
