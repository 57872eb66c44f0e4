"""Defects 4, 5, 6, 7, 10, 14 and 17: how other senders lose, repeat and jam."""

from contextlib import suppress
from dataclasses import replace

import pytest

from keeper.chain.dispatch import Dispatch
from keeper.chain.errors import Unreachable
from keeper.chain.nonces import Lane
from keeper.chain.outbox import _Round
from keeper.chain.settlement import Settlement
from keeper.chain.signer_pool import SignerPool
from keeper.chain.upkeep import Upkeep
from keeper.domain.tx import TxState
from keeper.errors import KeeperError
from keeper.testing.counter_world import count
from keeper.testing.outbox_world import OutboxWorld
from tests.defects.frame import defect

pytestmark = pytest.mark.chain


def believes_its_receipt(patch):
    """What was seen mined stays mined."""
    judge = Settlement._judge

    def once_mined(self, record, *rest, **named):
        return record if record.state is TxState.MINED else judge(self, record, *rest, **named)

    patch.setattr(Settlement, "_judge", once_mined)


@defect(6, mutant=believes_its_receipt)
def test_receipt_lost_to_a_reorg__tracked_again():
    """The block is gone, and so is the transaction: the same bytes go out again and are followed to their end."""
    world = OutboxWorld()
    world.chain.mine(3)
    world.submit("a")
    world.block()
    assert world.one().state is TxState.MINED
    world.chain.reorg(1)
    world.blocks(6)
    assert world.one().state is TxState.FINAL
    assert count(world.chain, world.counter) == 1


def sends_before_it_stores(patch):
    """The signed bytes are only remembered in memory until the node has answered."""
    save = Dispatch.save

    def late(self, record):
        if record.state is TxState.SIGNED:
            return record
        if self._kept._store.tx(record.intent.key).state is TxState.PLANNED:
            save(self, replace(record, state=TxState.SIGNED))
        return save(self, record)

    patch.setattr(Dispatch, "save", late)


class Killed(BaseException):
    """The process ends here."""


@defect(7, mutant=sends_before_it_stores)
def test_killed_between_broadcast_and_record__acts_once():
    """TX-2: the next life finds what was signed and sends the same bytes, whatever the last one still wrote down."""
    world = OutboxWorld()
    real = world.rpc.send_raw

    def killed(raw):
        real(raw)
        raise Killed

    world.rpc.send_raw = killed
    with suppress(Killed):
        world.submit("a")
    world.rpc.send_raw = real
    world.chain.mine()
    world.restart()
    world.outbox.recover(world.chain.block())
    with suppress(KeeperError):
        world.submit("a")
    world.blocks(6)
    assert world.one().state is TxState.FINAL
    assert count(world.chain, world.counter) == 1


def stops_at_the_first(patch):
    """Trouble with one ends the round."""
    patch.setattr(_Round, "take", lambda _self, _record, step: step())


@defect(14, mutant=stops_at_the_first, breaks=(AssertionError, KeeperError))
def test_item_k_fails__item_k_plus_1_is_sent():
    """Two wait for a node that answers again; the first still cannot be asked about, and the second goes out."""
    world = OutboxWorld()
    real = world.rpc.batch

    def silent(asked):
        raise Unreachable("no answer")

    def half(asked):
        if any("0xbad0" in str(params) for _, params in asked):
            raise Unreachable("no answer")
        return real(asked)

    world.rpc.batch = silent
    for key, data in (("k", b"\xba\xd0"), ("k+1", b"")):
        with suppress(KeeperError):
            world.submit(key, data=data)
    world.rpc.batch = half
    world.blocks(5)
    assert (world.one("k").state, world.one("k+1").state) == (TxState.PLANNED, TxState.FINAL)


def trusts_its_own_counter(patch):
    """The next nonce is one above everything ever signed, wherever the chain is."""
    patch.setattr(Lane, "free", property(lambda lane: max([lane.next_nonce, *(held + 1 for held in lane.held)])))
    patch.setattr(Upkeep, "_abandon", lambda _self, record, _why: record)
    patch.setattr(SignerPool, "_why_not", lambda *_: "")


@defect(17, mutant=trusts_its_own_counter)
def test_counter_633_ahead__heals():
    """TX-7: what the store holds far beyond the chain is given up, and new work goes on where the chain is."""
    world = OutboxWorld()
    world.plant("drifted", 633)
    world.restart()
    world.outbox.recover(world.chain.block())
    world.submit("new")
    world.blocks(6)
    assert world.one("new").state is TxState.FINAL
    assert world.store.open_txs() == ()
