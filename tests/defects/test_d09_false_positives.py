"""Defect 9: many accounts looked liquidatable and were not; they took the real one's place, or killed the worker."""

from dataclasses import replace

import keeper.cycle
from keeper.domain.cycle import Handed
from keeper.domain.knobs import PolicyKnobs
from keeper.errors import Refused, Retry
from keeper.policy import backoff
from keeper.policy.decide import choose
from keeper.testing.false_positives import Doubts, FalsePositives
from keeper.testing.lived import StoringSender
from keeper.testing.memory_store import MemoryStore
from tests.defects.frame import defect

FALSE = 500


def waits_its_turn(patch):
    """`for account in worst[:MAX_PER_BLOCK]`: nothing stands by, and what is refused has used up the block's room."""
    patch.setattr(keeper.cycle, "choose", lambda *args, **named: replace(choose(*args, **named), standby=()))


@defect(9, mutant=waits_its_turn)
def test_false_positives__five_hundred_and_worse__cost_the_real_one_nothing():
    """BCK-3: the real flag goes out in the block in which five hundred more urgent ones turn out to be none."""
    market = FalsePositives(false=FALSE, policy=PolicyKnobs())
    market.live(100)
    assert market.flagged() == [market.real], "BCK-3"


class Refusing(StoringSender):
    """A sender that has every kind of no for some accounts, and raises it."""

    def __init__(self, store, false):
        super().__init__(store)
        self.false = false

    def submit(self, intent):
        """See `TxSender.submit`."""
        account = backoff.account_of(intent.subject)
        if account in self.false:
            raise (Refused, Retry)[account % 2](f"account {account} is healthy", account=account)
        return super().submit(intent)


def has_no_net(patch):
    """No `try` around what is sent: the first refusal ends the loop over all of them."""

    def bare(action, intent, decision, ports):
        if isinstance(intent, Exception):
            raise intent
        if unwanted := ports.recheck.standing(intent, decision.block):
            return Handed(action=action, intent_key="", state="dropped", reason=unwanted)
        record = ports.sender.submit(intent)
        return Handed(action=action, intent_key=intent.key, state=record.state, reason=record.reason)

    patch.setattr(keeper.cycle, "hand_over", bare)


@defect(9, mutant=has_no_net, breaks=(AssertionError, Refused, Retry))
def test_false_positives__some_end_in_errors__the_worker_lives_on():
    """BCK-3: errors among five hundred refusals, block after block, are lines in the record; the real one is sent."""
    store, first = MemoryStore(), 10
    false = set(range(first, first + FALSE))
    failing = {account for account in false if account % 100 < 2}
    market = FalsePositives(
        false=FALSE,
        policy=PolicyKnobs(max_actions_per_block=2 * len(failing)),
        recheck=Doubts(of=false - failing),
        sender=Refusing(store, failing),
        store=store,
    )
    assert market.false == false
    for block in range(100, 105):
        record = market.live(block)
        assert market.flagged() == [market.real], "BCK-3"
        assert record.block.number == block
        if block == 100:
            assert [one.state for one in record.handed].count("failed") == len(failing)
