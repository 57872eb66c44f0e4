"""The demo on its embedded chain: short lives that do everything a long one does."""

from types import SimpleNamespace

import pytest

from keeper.demo.opening import RISK, policy
from keeper.demo.paths import recorded
from keeper.demo.run import Conduct, Keeping, live
from keeper.demo.stage import Request, show
from keeper.demo.stylised import stylised_crash
from keeper.demo.tally import Tally
from keeper.demo.view import Silent
from keeper.demo.world import open_world
from keeper.domain.margin import Band
from keeper.wiring import assemble

pytestmark = [pytest.mark.chain, pytest.mark.timeout(900)]

WAD = 10**18
#: What `--json` promises.
PROMISED = {
    "blocks", "accounts", "updates_pushed", "margin_calls", "liquidations", "bad_debt", "fund_before", "fund_after",
    "parity_max_wei", "cycle_ms_p50", "cycle_ms_p99",
}  # fmt: skip


@pytest.fixture(scope="module")
def a_life():
    """A crash in twenty blocks, with everything that can be asked of the chain afterwards."""
    world = open_world(stylised_crash(seed=5, blocks=18), accounts=30, seed=5)
    opened = world.chain.block()
    conduct = Conduct(keeping=Keeping.RECALIBRATING, risk=RISK, policy=policy(world.path.block_s))
    lived = live(world, assemble, conduct, Silent())
    tally = Tally(world.rpc, world.deployment, since=opened)
    tally.advance(world.chain.block())
    return SimpleNamespace(world=world, opened=opened, life=lived.life, tally=tally)


def view_of(world, contract, function, *args):
    """A view at the head."""
    keeper = assemble(
        rpc=world.rpc, store=None, deployment=world.deployment, risk=RISK, policy=policy(600), sender=lambda *_: None
    )
    return keeper.views.one(world.chain.block(), contract, function, *args)


def test_demo__every_account__parity_to_the_wei(a_life):
    """Python's equity, MM and IM are the contract's for every account at several blocks, before and in the crash."""
    checks = a_life.life.summary.parity
    assert len(checks) >= 3
    assert {c.max_wei for c in checks} == {0}
    # Members, the insurance fund and the keeper's own account; one that was closed out whole is an account no more.
    assert checks[0].accounts == 32
    assert all(32 - a_life.life.summary.liquidations <= c.accounts <= 32 for c in checks)


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
    assert 30 - summary.liquidations <= sum(frames[-1].bands.values()) <= 30
    assert frames[-1].bands[Band.UNKNOWN] == 0
    # Most survive: a crash is not the end of the market.
    assert summary.liquidations < 18


def test_demo__fund__changes_by_what_events_say(a_life):
    """The fund gains interest, pays shortfalls, and nothing else moves it but the wei of roundings."""
    summary = a_life.life.summary
    change = (a_life.tally.interest - a_life.tally.from_fund) / WAD
    assert summary.fund_after - summary.fund_before == pytest.approx(change, abs=0.02)


def test_demo__tokens__house_holds_what_was_paid_in(a_life):
    """Nothing was withdrawn, so the house holds every token of every deposit, and its books say the same."""
    world = a_life.world
    held = view_of(world, "ClearingHouse", "houseState")["held"]
    for i, collateral in enumerate(world.spec.collaterals):
        data = bytes.fromhex("70a08231") + bytes(12) + bytes.fromhex(world.deployment.addresses["ClearingHouse"][2:])
        balance = int.from_bytes(world.rpc.call_at(world.chain.block(), collateral.token, data), "big")
        assert balance == held[i] > 0


def test_demo__json__has_what_was_promised(a_life):
    """Scripts find every promised key, with numbers in them."""
    answer = a_life.life.summary.as_json()
    assert set(answer) >= PROMISED
    assert all(isinstance(answer[key], int | float) for key in PROMISED)
    assert answer["blocks"] == 18
    assert answer["accounts"] == 30


def test_demo__control__same_path_three_times():
    """One snapshot, three lives: nobody does nothing, static never publishes, and all see the same prices."""
    outcome = show(Request(control=True, blocks=12, accounts=20, seed=3), assemble, Silent())
    lives = {life.summary.name: life for life in outcome.lives}
    assert list(lives) == ["no keeper", "static", "recalibrating"]
    paths = {tuple(u.price for f in life.frames for u in f.underlyings) for life in lives.values()}
    assert len(paths) == 1
    nobody, static, ours = (lives[name].summary for name in lives)
    assert (nobody.transactions, nobody.liquidations, nobody.margin_calls, nobody.updates_pushed) == (0, 0, 0, 0)
    assert nobody.parity_max_wei is None
    assert static.updates_pushed == 0 < ours.updates_pushed
    assert static.parity_max_wei == ours.parity_max_wei == 0
    published = {
        p.published_ppm for f in lives["static"].frames for p in f.underlyings[0].parameters if p.name == "psr"
    }
    assert len(published) == 1
    # Equal by construction over the recalibrating run's accounts; the lives then differ in who is left.
    assert static.mean_margin == pytest.approx(ours.mean_margin, rel=0.35)
    assert outcome.verdict
    assert set(outcome.as_json()) == {"runs", "verdict"}
    assert outcome.page().count("<svg") == 7


@pytest.mark.needs_market_data
def test_demo__october_2025__replayed(market_data):
    """The real crash of 2025-10-10, five-minute closes of both underlyings: parity holds and people are liquidated."""
    sources = {s: market_data / "spot_5m" / f"{s}USDT_5m_2025-2026.csv.gz" for s in ("ETH", "BTC")}
    path = recorded(sources, start="2025-10-10T19:40", end="2025-10-10T22:40")
    world = open_world(path, accounts=34, seed=2)
    conduct = Conduct(keeping=Keeping.RECALIBRATING, risk=RISK, policy=policy(path.block_s))
    life = live(world, assemble, conduct, Silent()).life
    assert life.summary.parity_max_wei == 0
    assert life.summary.liquidations >= 1
    assert path.fall("ETH") > 0.1
    assert min(f.underlyings[0].price for f in life.frames) == pytest.approx(
        min(p.prices["ETH"] for p in path.points), rel=1e-8
    )
