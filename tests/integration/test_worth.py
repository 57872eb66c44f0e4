"""Profit is measured where it lands, and what is sent is re-checked, on the real contracts (PRF-1 … PRF-4, STD-1)."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from keeper.chain.sending.gas import Gas
from keeper.cycle import cycle
from keeper.demo.opening import RISK, policy
from keeper.demo.stylised import stylised_crash
from keeper.demo.world import open_world
from keeper.domain.action import Bid, Flag, Refresh, SettleExpiry, Touch, Unflag
from keeper.domain.tx import TxState
from keeper.domain.worth import Standing
from keeper.errors import Refused, Retry
from keeper.ops.status import status
from keeper.protocols.clearinghouse.encoder import GAS_EXPECTED, HouseEncoder
from keeper.protocols.clearinghouse.ids import account_id
from keeper.protocols.clearinghouse.standing import HouseStanding
from keeper.protocols.clearinghouse.worth import GIVE_UP_BLOCKS, HouseEconomy
from keeper.testing.house import ALONE, house_outbox
from keeper.testing.memory_store import MemoryStore
from keeper.wiring import assemble

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300)]

SEED, WAD = 5, 10**18
LIVE = 0
#: Points of the path by which somebody was flagged and bid on.
LIVED = 5


@pytest.fixture(scope="module")
def lived():
    """A crash lived by a keeper that sends, far enough that somebody was flagged and bid on."""
    world = open_world(stylised_crash(seed=SEED, blocks=12), accounts=24, seed=SEED)
    store = MemoryStore()
    keeper = assemble(
        rpc=world.rpc,
        store=store,
        deployment=world.deployment,
        risk=RISK,
        policy=replace(policy(world.path.block_s), native_symbol="ETH"),
        sender=lambda decode, recheck: house_outbox(world.rpc, store, world.signers, decode, recheck, policy=ALONE),
    )
    records = []
    for point in world.path.points[1 : LIVED + 1]:
        world.reach(point)
        for _ in range(2):
            records.append(cycle(world.chain.block(), keeper.ports, keeper.risk, keeper.policy))
            world.mine()
    records.append(cycle(world.chain.block(), keeper.ports, keeper.risk, keeper.policy))
    return SimpleNamespace(world=world, store=store, keeper=keeper, records=records)


@pytest.fixture
def house(lived):
    """What is done to the chain in a test is forgotten."""
    snapshot = lived.world.chain.snapshot()
    yield lived
    lived.world.chain.revert(snapshot)


def outcomes(lived, kind):
    """(outcome, record) of every transaction of a kind that succeeded."""
    found = [(one, lived.store.tx(one.key)) for one in lived.store.realised(since_s=0) if one.kind == kind]
    return [(one, tx) for one, tx in found if tx.state is TxState.FINAL]


def parent(lived, block):
    return lived.world.rpc.block_by_hash(block.parent_hash)


def mark(lived, account, block):
    """Mark to market of an account by the contract's own view, wad USD."""
    detail = lived.keeper.views.one(block, "ClearingHouse", "marginDetail", account, LIVE)
    return detail["margin"]["equity"] + detail["haircut"]


def economy(lived, **changed):
    given = {
        "views": lived.keeper.views, "chain": Gas(lived.world.rpc), "deployment": lived.world.deployment,
        "native_symbol": "ETH",
    }  # fmt: skip
    return HouseEconomy(**(given | changed))


def test_realised__every_transaction_of_the_run__measured_once_and_gas_is_what_the_key_lost(lived):
    """PRF-1: the gas of all outcomes of a key is, to the wei, what left its balance; each is measured."""
    settled = [tx for tx in lived.store.txs(limit=1_000) if tx.state in (TxState.FINAL, TxState.REVERTED)]
    found = {one.key: one for one in lived.store.realised(since_s=0)}
    assert {tx.intent.key for tx in settled} == set(found), "PRF-1"
    first = min(tx.mined.number for tx in settled) - 1
    for sender in {tx.sender for tx in settled}:
        spent = lived.world.rpc.balance(sender, lived.world.rpc.block(first)) - lived.world.rpc.balance(
            sender, lived.world.chain.block()
        )
        assert spent == sum(found[tx.intent.key].gas_wei for tx in settled if tx.sender == sender), "PRF-1"


def test_realised__flag__the_house_account_gains_while_the_senders_ether_falls(lived):
    """PRF-2, defect 13: by the sender's balance every flag is a loss; by the house's books a paid one is a profit."""
    own, paid = lived.world.deployment.liquidator_account, 0
    for one, tx in outcomes(lived, "flag"):
        before = lived.world.rpc.balance(tx.sender, parent(lived, tx.mined))
        assert lived.world.rpc.balance(tx.sender, tx.mined) < before, "the naive measure says loss"
        assert one.beneficiary == own
        assert one.gain_usd >= 0
        paid += one.gain_usd > 0
    assert paid, "somebody solvent was flagged"
    blocks = {tx.mined for _, tx in outcomes(lived, "flag")}
    for block in blocks:  # blocks in which only flags touched our account
        if any(tx.mined == block for _, tx in outcomes(lived, "bid")):
            continue
        cash = [lived.keeper.views.one(b, "ClearingHouse", "cashOf", own) for b in (parent(lived, block), block)]
        assert cash[1] - cash[0] == sum(one.gain_usd for one, tx in outcomes(lived, "flag") if tx.mined == block), (
            "PRF-2: the credit in the house, to the wei"
        )
    assert any(one.profit_usd > 0 for one, _ in outcomes(lived, "flag"))


def test_realised__bid__the_bidders_mark_to_market_grows_by_it(lived):
    """PRF-3, defect 13: a bid brings the slice at its mark less its price, as the bidder's own account shows."""
    own = lived.world.deployment.liquidator_account
    bids = outcomes(lived, "bid")
    block = min((tx.mined for _, tx in bids), key=lambda b: b.number)
    first = [one for one, tx in bids if tx.mined == block]
    # Before its first bid the account is cash alone, so that nothing else of it moves with prices.
    assert not lived.keeper.views.one(parent(lived, block), "ClearingHouse", "positions", own)
    grown = mark(lived, own, block) - mark(lived, own, parent(lived, block))
    others = sum(one.gain_usd for one, tx in outcomes(lived, "flag") if tx.mined == block)
    assert sum(one.gain_usd for one in first) + others == pytest.approx(grown, rel=1e-3), "PRF-3"
    assert all(one.gain_usd > 0 and one.beneficiary == own for one in first)


def test_realised__fee_to_another_account__measured_there(house):
    """PRF-2, defect 13: the beneficiary is whoever the call names; our own account and key gain nothing."""
    other = account_id(house.world.chain.accounts[5], 3)
    tx = next(tx for one, tx in outcomes(house, "flag") if one.gain_usd > 0)
    account = int(tx.intent.subject.removeprefix("account:"), 16)
    chain, views = house.world.chain, house.keeper.views
    before = parent(house, tx.mined)
    # The same flag once more, in the state before it was sent, with its fee to somebody else.
    chain.reorg(chain.block().number - before.number)
    data = views.abis["LiquidationAuction"].call("flag", account, other)
    hashed = chain.send(sender=chain.accounts[2], to=tx.intent.to, data=data, gas=16_000_000)
    mined = chain.mine()
    receipt = house.world.rpc.receipt(hashed)
    assert receipt.succeeded
    again = replace(
        tx,
        intent=replace(tx.intent, data=data),
        mined=house.world.rpc.block(receipt.block_number),
        mined_hash=hashed.lower(),
        attempts=(replace(tx.attempts[0], tx_hash=hashed.lower()),),
    )
    found = economy(house).realise(again, mined)
    assert found.beneficiary == other, "PRF-2"
    assert found.gain_usd == views.one(again.mined, "ClearingHouse", "cashOf", other) > 0, "PRF-2"
    own = house.world.deployment.liquidator_account
    ours = [views.one(b, "ClearingHouse", "cashOf", own) for b in (before, again.mined)]
    assert ours[0] == ours[1], "the naive measure at our own account sees nothing"


def test_realise__no_price_of_native_currency__unknown_and_said(lived):
    """PRF-4, defect 25: what cannot be told in USD is unknown, with a note; it is not free."""
    one, tx = outcomes(lived, "flag")[0]
    found = economy(lived, native_symbol="MATIC").realise(tx, lived.world.chain.block())
    assert (found.native_usd, found.gas_usd, found.profit_usd) == (None, None, None), "PRF-4"
    assert found.gas_wei == one.gas_wei
    assert "MATIC" in found.note


def test_realise__receipt_gone__later_and_then_counted_at_the_dearest(lived):
    """PRF-4: a node that lost the receipt is asked again; in the end gas is never under-counted, the gain unknown."""

    class Forgetful(Gas):
        def receipt(self, tx_hash):
            return None

    _, tx = outcomes(lived, "bid")[0]
    forgetful, head = economy(lived, chain=Forgetful(lived.world.rpc)), lived.world.chain.block()
    with pytest.raises(Retry):
        forgetful.realise(tx, head)
    late = replace(head, number=tx.mined.number + GIVE_UP_BLOCKS + 1)
    found = forgetful.realise(tx, late)
    assert found.gain_usd is None
    assert found.gas_wei == tx.gas_used * max(a.max_fee_wei for a in tx.attempts)
    assert "receipt is gone" in found.note


def test_verdicts__bids_and_paid_flags__profits_that_came_true(lived):
    """WOR-1: what was judged a profit was one; gas was expected within a small factor of what was used."""
    verdicts = {(r.block.hash, v.kind, v.subject): v for r in lived.records for v in r.decision.verdicts if v.go}
    for kind in ("flag", "bid"):
        for one, tx in outcomes(lived, kind):
            verdict = verdicts[tx.intent.decided_at.hash, tx.intent.kind, tx.intent.subject]
            assert tx.intent.worth_wei == verdict.worth_wei
            assert one.gas_wei <= verdict.worth_wei, "no more gas money than it is worth"
            if kind == "bid" and verdict.standing is Standing.PROFIT:
                assert one.profit_usd > 0, "WOR-1"
    used = {}
    for tx in lived.store.txs(limit=1_000):
        if tx.gas_used:
            used[tx.intent.kind] = max(used.get(tx.intent.kind, 0), tx.gas_used)
    assert {"flag", "bid", "publish"} <= set(used)
    for kind, gas in used.items():
        assert gas <= GAS_EXPECTED[kind] <= 5 * gas, kind


def test_status__after_the_run__says_what_it_brought(lived):
    """PRF-1: the day's money by kind, and what the loss budget has left."""
    money = status(lived.store, now_s=lived.world.chain.block().timestamp).money
    by = {one.kind: one for one in money.earned}
    assert by["bid"].profit_usd > 0
    assert by["publish"].gain_usd == 0 < by["publish"].gas_usd
    assert 0 < money.left_usd <= money.budget_usd * WAD


# --- the last look ---


def intent_of(lived, action, block):
    encoder = HouseEncoder(views=lived.keeper.views, deployment=lived.world.deployment, intent_ttl_s=600)
    return encoder.encode(action, block=block)


class CountingReads:
    """Reads that count their round trips."""

    def __init__(self, inner):
        self.inner, self.trips = inner, 0

    def read_at(self, block, asked):
        self.trips += 1
        return self.inner.read_at(block, asked)


def test_standing__what_the_contract_would_refuse__is_refused_in_one_round_trip(house, monkeypatch):
    """STD-1: for every account at once, the view's answer is what a simulated flag would say."""
    block, views = house.world.chain.block(), house.keeper.views
    snapshot = house.keeper.reader.read(block)
    intents = {a.account: intent_of(house, Flag(account=a.account, why=""), block) for a in snapshot.accounts}
    standing = HouseStanding(views)
    standing.expect(list(intents.values()))
    counting = CountingReads(views._reads)
    monkeypatch.setattr(views, "_reads", counting)
    views._kept.clear()
    said = {account: standing.standing(intent, block) for account, intent in intents.items()}
    assert counting.trips == 1, "STD-1: one batch a head"
    assert any(said.values())
    sender = house.world.signers["liquidator"].address
    for account, intent in intents.items():
        try:
            house.world.rpc.call_at(block, intent.to, intent.data, sender=sender, gas=intent.gas_limit)
            refused = False
        except Refused:
            refused = True
        if said[account]:
            assert refused, f"STD-1: a wanted flag of {account:#x} was called unwanted: {said[account]}"


def test_standing__between_decision_and_sending__says_what_changed(house):
    """STD-1: each kind of action finds out that somebody else was first, or that it came too late."""
    world, views = house.world, house.keeper.views
    block = world.chain.block()
    snapshot = house.keeper.reader.read(block)
    standing = HouseStanding(views)
    running = [a.account for a in snapshot.auctions]
    healthy = next(a.account for a in snapshot.accounts if not a.in_auction and a.account != snapshot.own_account)
    own = snapshot.own_account

    def asked(action, head=block):
        return standing.standing(intent_of(house, action, block), head)

    bid = Bid(account=healthy, bidder=own, fraction_wad=WAD, epochs=(), max_cost=WAD, why="")
    assert "over" in asked(bid)
    assert "over" in asked(Unflag(account=healthy, why=""))
    assert asked(Touch(account=healthy, why="")) == ""
    if running:
        assert "already in auction" in asked(Flag(account=running[0], why=""))
        cheap = replace(bid, account=running[0], max_cost=-(10**12) * WAD)
        assert "limit" in asked(cheap) or "restored" in asked(cheap)
    assert asked(Refresh(underlying=0, why="")) == ""
    data = views.abis["RiskFile"].call("refresh", 0)
    world.chain.send(sender=world.chain.accounts[3], to=world.deployment.addresses["RiskFile"], data=data)
    after = world.chain.mine()
    assert "somebody refreshed it" in asked(Refresh(underlying=0, why=""), after), "STD-1"
    done = [(u.underlying, e) for u in snapshot.underlyings for e, _ in u.settled]
    for underlying, expiry in done:
        assert "settled" in asked(SettleExpiry(underlying=underlying, expiry=expiry, why=""))
