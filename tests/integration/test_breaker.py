"""The breaker on the real contracts: read, told, waited for, and found by the look before sending."""

from io import StringIO
from types import SimpleNamespace

import pytest
from eth_account import Account
from rich.console import Console

from keeper.chain.asking.reads import BlockReads
from keeper.chain.signers import LocalSigner
from keeper.cli.show.status import status_tree, status_view
from keeper.cycle import cycle
from keeper.deploy import BreakerSpec
from keeper.domain.action import Flag, SyncBreaker, kind
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.tx import SignerRole
from keeper.ops.account import account_story
from keeper.ops.status import status
from keeper.protocols.clearinghouse.deployment import BREAKER
from keeper.protocols.clearinghouse.encoder import HouseEncoder
from keeper.protocols.clearinghouse.ids import account_id
from keeper.protocols.clearinghouse.probe import HouseProbe
from keeper.protocols.clearinghouse.short_sight import LOOK_EVERY_S
from keeper.protocols.clearinghouse.standing import HouseStanding
from keeper.protocols.clearinghouse.views import Views
from keeper.testing.house import ALONE, house_outbox
from keeper.testing.memory_store import MemoryStore
from keeper.testing.small_house import SmallHouse
from keeper.wiring import assemble

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300)]

WAD = 10**18
BORROWER = 4
KEYS = {SignerRole.PUBLISHER: 1, SignerRole.LIQUIDATOR: 2}
SPEC = BreakerSpec(k_ppm=1_000_000, window_s=600, hold_s=300, confirm_s=60)


@pytest.fixture
def story():
    """A borrower of 25,000 USD on ten ether at 3,000, in a market that was quiet for long."""
    house = SmallHouse(breaker=SPEC)
    borrower = house.chain.accounts[BORROWER]
    account = account_id(borrower, 0)
    at, weth = house.deployment.addresses["ClearingHouse"], house.tokens["WETH"]
    house.do("MockERC20", "mint", borrower, 10 * WAD, to=weth)
    house.do("MockERC20", "approve", at, 10 * WAD, sender=BORROWER, to=weth)
    house.do("ClearingHouse", "deposit", account, 1, 10 * WAD, sender=BORROWER)
    house.do("ClearingHouse", "withdraw", account, 0, 25_000 * 10**6, borrower, sender=BORROWER)
    house.chain.advance_to(house.chain.block().timestamp + 2 * SPEC.window_s + SPEC.hold_s)
    round_at(house, 3_000)
    store = MemoryStore()
    signers = {role: LocalSigner(Account.from_key(house.chain.key(i))) for role, i in KEYS.items()}
    keeper = assemble(
        rpc=house.rpc,
        store=store,
        deployment=house.deployment,
        risk=RiskKnobs(),
        policy=PolicyKnobs(),
        sender=lambda decode, recheck: house_outbox(house.rpc, store, signers, decode, recheck, policy=ALONE),
        reorg_depth=8,
    )
    return SimpleNamespace(house=house, keeper=keeper, account=account, store=store)


def round_at(house, usd, *, after_s=0):
    """The feed speaks, so many seconds from now."""
    if after_s:
        house.chain.advance_to(house.chain.block().timestamp + after_s)
    house.do("MockAggregator", "push", usd * 10**8, to=house.feeds[0])


def live(story):
    record = cycle(story.house.chain.block(), story.keeper.ports, story.keeper.risk, story.keeper.policy)
    story.house.chain.mine()
    return record


def printed(view):
    out = Console(width=200, record=True, file=StringIO())
    out.print(view)
    return out.export_text()


def kinds(record):
    return {kind(a) for a in record.decision.actions if kind(a) in ("flag", "sync")}


def test_wick__told_and_waited_out__then_nobody_was_flagged(story):
    """BRK-5, BRK-10, BRK-11: the keeper tells of the opening once, sends no flag, and the price comes back."""
    assert kinds(live(story)) == set()
    round_at(story.house, 2_600)
    record = live(story)
    assert kinds(record) == {"sync"}
    assert any("breaker is open" in alert for alert in record.decision.alerts)
    found = status(story.store, now_s=record.block.timestamp)
    (shown,) = status_tree(found)["markets"]
    assert shown["breaker"] == {"open": True, "until_s": record.block.timestamp + SPEC.hold_s, "why": "jump"}
    assert "at most" in printed(status_view(found)), "the table says for how long"
    told = account_story(story.store, story.account)
    assert told.reasons[0].said.startswith("its flag is deferred until"), "BRK-10: explain says so too"
    (market,) = story.keeper.reader.read(story.house.chain.block()).underlyings
    assert market.breaker.open
    assert market.breaker.told, "BRK-11: the contract knows"
    spec = story.house.spec.underlyings[0]
    assert market.rules.im_add_on_ppm == spec.im_add_on_ppm + spec.breaker_add_on_ppm, "BRK-11: and IM is wider"
    assert kinds(live(story)) == set(), "once"
    round_at(story.house, 3_000, after_s=30)
    assert kinds(live(story)) == set()
    assert not [tx for tx in story.store.txs(limit=100) if tx.intent.kind == "flag"]


def test_crash__confirmed_by_a_second_round__flagged(story):
    """BRK-6: the flag goes out with the round that confirms."""
    round_at(story.house, 2_600)
    live(story)
    round_at(story.house, 2_610, after_s=SPEC.confirm_s)
    assert kinds(live(story)) == {"flag"}
    assert story.keeper.views.one(story.house.chain.block(), "ClearingHouse", "inAuction", story.account)


def test_standing__flag_decided_just_before_the_jump__not_sent(story):
    """BRK-12: what was right at the decision is looked at again at the newest block, and waits."""
    house, views = story.house, story.keeper.views
    round_at(house, 2_700)  # short by an ordinary move
    before = house.chain.block()
    encoder = HouseEncoder(views=views, deployment=house.deployment, intent_ttl_s=600)
    flag = encoder.encode(Flag(account=story.account, why="short"), block=before)
    standing = HouseStanding(views)
    assert standing.standing(flag, before) == ""
    round_at(house, 2_600)
    head = house.chain.block()
    assert standing.standing(flag, head) == f"deferred at block {head.number}: the breaker of ETH is open", "BRK-12"
    sync = encoder.encode(SyncBreaker(underlying=0, why="open"), block=head)
    assert standing.standing(sync, head) == ""
    house.do(BREAKER, "sync", b"ETH".ljust(32, b"\0"))
    assert "told by block" in standing.standing(sync, house.chain.block())
    house.chain.advance_to(head.timestamp + SPEC.hold_s + 1)
    house.chain.mine()
    assert "closed again" in standing.standing(sync, house.chain.block())
    assert standing.standing(flag, house.chain.block()) == "", "BRK-6: it releases by itself"


def test_reader__house_without_a_breaker__none():
    """A house that has none is read as before."""
    house = SmallHouse()
    keeper = assemble(
        rpc=house.rpc, store=MemoryStore(), deployment=house.deployment, risk=RiskKnobs(), policy=PolicyKnobs(),
        sender=lambda *_: None, reorg_depth=8,
    )  # fmt: skip
    snapshot = keeper.reader.read(house.chain.block())
    assert snapshot.underlyings[0].breaker is None
    assert snapshot.collaterals[0].breaker is None


def test_daemon__feed_becomes_dense__said_once_and_once_when_it_is_over(story):
    """BRK-16: a running keeper tells of a breaker that is cut short when that begins and when it ends, no oftener."""
    house, reader = story.house, story.keeper.reader

    def said():
        return [line for line in live(story).decision.alerts if "its breaker sees" in line]

    assert said() == []
    for _ in range(SPEC.max_rounds + 2):
        round_at(house, 3_000, after_s=2)
    assert said() == [], "it looks now and then"
    round_at(house, 3_000, after_s=LOOK_EVERY_S - 2 * SPEC.max_rounds - 2)
    for _ in range(SPEC.max_rounds):
        round_at(house, 3_000, after_s=2)
    head = house.chain.block()
    (line,) = said()
    assert line.startswith("ETH: its breaker sees ")
    assert f"of {2 * SPEC.window_s + SPEC.hold_s} s" in line
    assert line in reader.read(head).problems, "a block that is read again says the same"
    round_at(house, 3_000, after_s=LOOK_EVERY_S)
    assert said() == [], "it was told"
    round_at(house, 3_000, after_s=3 * SPEC.window_s)
    assert said() == ["ETH: its breaker sees its whole window again"]


def test_check__dense_feed__the_breaker_is_called_short_sighted(story):
    """BRK-15: a feed with more rounds than the contract looks at is told of, with the seconds that are seen."""
    house = story.house
    probe = HouseProbe(Views(BlockReads(house.rpc), house.deployment), house.deployment)
    assert probe.short_sighted(house.chain.block()) == {}
    for _ in range(SPEC.max_rounds + 2):
        round_at(house, 3_000, after_s=2)
    ((seen, wanted),) = probe.short_sighted(house.chain.block()).values()
    assert wanted == 2 * SPEC.window_s + SPEC.hold_s
    assert 2 * (SPEC.max_rounds - 1) <= seen < wanted
