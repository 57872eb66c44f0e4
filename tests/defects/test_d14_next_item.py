"""Defect 14: item k failed, and k + 1 was never tried.  In deciding and sending, in settling, and in reading."""

from contextlib import suppress

import pytest

import keeper.cycle
from keeper.chain.errors import Unreachable
from keeper.chain.sending.outbox import _Round
from keeper.domain.knobs import PolicyKnobs
from keeper.domain.snapshot import Unusable, Usable
from keeper.domain.tx import TxState
from keeper.errors import KeeperError, Refused, Retry
from keeper.policy import backoff
from keeper.protocols.clearinghouse.views import Views
from keeper.testing.false_positives import FalsePositives
from keeper.testing.lived import PlainEncoder, StoringSender
from keeper.testing.memory_store import MemoryStore
from keeper.testing.outbox_world import OutboxWorld
from keeper.testing.small_house import SmallHouse
from tests.defects.frame import defect
from tests.defects.houses import watching

pytestmark = pytest.mark.chain

FALLS = (AssertionError, KeeperError)


# --- what is decided --------------------------------------------------------------------------------------------------


class TroubledEncoder(PlainEncoder):
    """One account's action cannot be built."""

    account = 0

    def encode(self, action, *, block):
        if getattr(action, "account", None) == self.account:
            raise Refused("no oracle round yet")
        return super().encode(action, block=block)


class TroubledSender(StoringSender):
    """The node is gone just while one account's action is handed over."""

    account = 0

    def submit(self, intent):
        if backoff.account_of(intent.subject) == self.account:
            raise Retry("no endpoint answers")
        return super().submit(intent)


def encodes_in_a_list(patch):
    """`[encoder.encode(action) for action in actions]`: the first that cannot be built ends the comprehension."""

    def encoded(actions, decision, ports):
        return [(action, ports.encoder.encode(action, block=decision.block)) for action in actions]

    patch.setattr(keeper.cycle, "encoded", encoded)


def submits_in_a_loop(patch):
    """`for intent in intents: sender.submit(intent)`: the first that fails ends the loop."""

    def hand_over(action, intent, decision, ports):
        record = ports.sender.submit(intent)
        return keeper.cycle.Handed(action=action, intent_key=intent.key, state=record.state, reason=record.reason)

    patch.setattr(keeper.cycle, "hand_over", hand_over)


def market(**troubled):
    """Three short accounts; the worst of them is item k."""
    store = MemoryStore()
    sender, encoder = TroubledSender(store), TroubledEncoder()
    found = FalsePositives(false=2, policy=PolicyKnobs(), sender=sender, encoder=encoder, store=store)
    found.recheck.of = set()  # all three are real
    worst = min(found.false)
    sender.account, encoder.account = (worst if troubled.get(name) else 0 for name in ("sender", "encoder"))
    return found, worst


def flags_the_others(**troubled):
    found, worst = market(**troubled)
    record = found.live(100)
    assert set(found.flagged()) == {*found.false, found.real} - {worst}
    assert [h.state for h in record.handed if h.action.account == worst] == ["failed"]


@defect(14, mutant=encodes_in_a_list, breaks=FALLS)
def test_act__item_k_cannot_be_built__k_plus_1_is_sent():
    """The first action has no calldata; it is recorded as failed, and all the others go out in this very block."""
    flags_the_others(encoder=True)


@defect(14, mutant=submits_in_a_loop, breaks=FALLS)
def test_act__item_k_cannot_be_sent__k_plus_1_is_sent():
    """The node is gone for the first action and back for the second: the second goes out, the first is recorded."""
    flags_the_others(sender=True)


# --- what is in flight ------------------------------------------------------------------------------------------------


def settles_in_a_loop(patch):
    """`for record in open_records: step(record)`: trouble with one ends the round."""
    patch.setattr(_Round, "take", lambda _self, _record, step: step())


@defect(14, mutant=settles_in_a_loop, breaks=FALLS)
def test_settle__item_k_cannot_be_asked_about__k_plus_1_is_sent():
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


# --- what is read -----------------------------------------------------------------------------------------------------


def decodes_without_care(patch):
    """A price is what the oracle's answer decodes to; nobody thought of the one that reverts."""

    def price(self, block, asset):
        return Usable(wad=self.one(block, "PriceOracle", "price", asset))

    patch.setattr(Views, "price", price)


@defect(14, mutant=decodes_without_care, breaks=FALLS)
def test_read__underlying_k_has_no_price__k_plus_1_is_priced():
    """One feed answers zero, which the oracle reverts on: the other underlying is read, priced and published."""
    house = SmallHouse(underlyings=2)
    house.do("MockAggregator", "push", 0, to=house.feeds[0])
    keeper = watching(house)
    first, second = keeper.reader.read(house.chain.block()).underlyings
    assert isinstance(first.spot, Unusable)
    assert second.spot.wad == 3_000 * 10**18
