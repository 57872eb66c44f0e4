"""Defect 6: a reorg took a receipt away and nobody looked for it again; what was decided on that block stayed."""

from types import SimpleNamespace

import pytest
from sqlalchemy import update

import keeper.daemon
from keeper.chain.following.heads import ChainHeads
from keeper.chain.sending.settlement import Settlement
from keeper.cycle import Ports
from keeper.daemon import Daemon, Rhythm
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.tx import TxState
from keeper.marketdata.board import NoSource
from keeper.store import open_store
from keeper.store.journal import Journal
from keeper.store.tables import cycles
from keeper.testing.builders import a_snapshot, an_account
from keeper.testing.counter_world import count, rpc_of
from keeper.testing.embedded import EmbeddedChain
from keeper.testing.lived import BuiltReader, PlainEncoder, StoringSender
from keeper.testing.outbox_world import OutboxWorld
from tests.defects.frame import defect

pytestmark = pytest.mark.chain


# The transaction


def believes_its_receipt(patch):
    """`if (await tx.wait()).status == 1: done(tx)`: what was seen mined once stays mined."""
    judge = Settlement._judge

    def once_mined(self, record, *rest, **named):
        return record if record.state is TxState.MINED else judge(self, record, *rest, **named)

    patch.setattr(Settlement, "_judge", once_mined)


@pytest.mark.parametrize("restarted", [False, True], ids=["one life", "restarted"])
@defect(6, mutant=believes_its_receipt)
def test_receipt_lost_to_a_reorg__tracked_again(restarted):
    """TX-3: the block is gone, and so are its transactions: the same bytes go out again, each acts once in the end."""
    world = OutboxWorld()
    world.chain.mine(3)
    world.submit("a")
    world.block()
    world.submit("b")
    world.block()
    assert {world.one(key).state for key in "ab"} == {TxState.MINED}
    world.chain.reorg(2)
    assert count(world.chain, world.counter) == 0
    if restarted:
        world.restart()
        world.outbox.recover(world.chain.block())
    world.blocks(6)
    assert {world.one(key).state for key in "ab"} == {TxState.FINAL}
    assert count(world.chain, world.counter) == 2


# What was decided


ALICE, BOB = 7, 8
#: Cash of one who owes a perp's margin: warned, and well.
SHORT, WELL = 390, 5_000
RARELY_S = 86_400
RHYTHM = Rhythm(
    poll_interval_s=RARELY_S,
    heartbeat_every_s=RARELY_S,
    quotes_every_s=RARELY_S,
    reconcile_every_s=RARELY_S,
    reconcile_sample=1,
    housekeeping_every_s=RARELY_S,
    keep_blocks=100,
)


class Lived:
    """Daemons one after the other, over a real chain's heads and a real store; the accounts are as the test says."""

    def __init__(self, folder):
        self.chain = EmbeddedChain(accounts=1)
        self.chain.mine(3)
        self.reader = BuiltReader(a_snapshot())
        self.store = open_store(f"sqlite:///{folder}/keeper.sqlite")
        self.restart()

    def restart(self):
        """A new process."""
        sender, store = StoringSender(self.store), self.store
        ports = Ports(reader=self.reader, quotes=NoSource(), encoder=PlainEncoder(), sender=sender, store=store)
        self.daemon = Daemon(
            heads=ChainHeads(rpc_of(self.chain), depth=16),
            ports=ports,
            clock=SimpleNamespace(now_s=lambda: 0),
            risk=RiskKnobs(),
            policy=PolicyKnobs(),
            rhythm=RHYTHM,
        )
        self.daemon._recover()

    def live(self, *, alice):
        """Live the head, with this much cash of Alice's."""
        accounts = an_account(ALICE, cash=alice, perp=1), an_account(BOB, cash=WELL, perp=1)
        self.reader.snapshot = a_snapshot(*accounts)
        assert self.daemon.step()

    def canonical(self, block):
        return self.chain.block(block.number).hash == block.hash


def takes_the_new_head(patch):
    """`if head.hash != self.head.hash: self.head = head`: what was decided on the old one stays in the books."""
    patch.setattr(keeper.daemon, "mark_orphans", lambda *_: None)


def marks_the_decision_only(patch):
    """`UPDATE cycles SET orphaned`: the decision is marked, what it did to people is forgotten."""

    def cycles_only(self, hashes):
        with self._database.writing() as connection:
            connection.execute(update(cycles).where(cycles.c.block_hash.in_(list(hashes))).values(orphaned=True))

    patch.setattr(Journal, "orphan_cycles", cycles_only)


def law(folder, *, restarted):
    """A block on which Alice was warned is gone, and on the chain that stays she is as short as before."""
    world = Lived(folder)
    world.live(alice=WELL)
    world.chain.mine(2)
    world.live(alice=SHORT)
    assert world.store.called() == (ALICE,)
    world.chain.reorg(1)
    if restarted:
        world.restart()
    world.live(alice=SHORT)
    lived = [one.block for one in world.store.cycles()]
    assert len(lived) == 2
    assert all(world.canonical(block) for block in lived), "a decision of a block that is gone is not one"
    in_force = [notice for notice in world.store.notices() if not notice.ended]
    assert [(notice.call.account, world.canonical(notice.block)) for notice in in_force] == [(ALICE, True)]
    world.store.close()


@pytest.mark.parametrize("restarted", [False, True], ids=["one life", "restarted"])
@defect(6, mutant=takes_the_new_head)
def test_block_lost_to_a_reorg__its_decisions_are_marked(tmp_path, restarted):
    """RD-2: the newest decisions are those of the chain as it is now, also where it changed while nobody looked."""
    law(tmp_path, restarted=restarted)


@pytest.mark.parametrize("restarted", [False, True], ids=["one life", "restarted"])
@defect(6, mutant=marks_the_decision_only)
def test_block_lost_to_a_reorg__its_margin_calls_are_void(tmp_path, restarted):
    """RD-2: a call that no block shows does not stand for the one that is due; Alice is warned again."""
    law(tmp_path, restarted=restarted)
