"""Defect 21: a proposal that no longer simulated was executed.

Whatever was decided, signed or proposed earlier is simulated again on the state it would really meet, each time before
it is sent and before it is raised: publications and everything else that the keeper sends, and proposals of governance,
which `keeper proposal check` takes to their end on a fork of today before anybody executes them.
"""

import pytest

from keeper.chain.sending.launch import Launcher
from keeper.chain.sending.upkeep import Upkeep
from keeper.domain.tx import SignerRole, TxState
from keeper.governance import check as proposals
from keeper.governance.fork import Engine, forked
from keeper.governance.simulate import Simulation
from keeper.protocols.abi import explain_revert
from keeper.testing.counter_world import CLOSE, an_intent, an_outbox, count
from keeper.testing.memory_store import MemoryStore
from keeper.testing.outbox_world import ALL, OutboxWorld
from keeper.testing.small_house import DAY
from tests.defects.frame import defect
from tests.governed import MIN_DELAY_S, Governed
from tests.parity.fenced_market import Market, changed

pytestmark = pytest.mark.chain

SOMEBODY, PUBLISHER = 5, 1


def simulated_when_decided(patch):
    """It was simulated when it was decided; what is left is to sign it and to send it."""
    patch.setattr(Launcher, "_simulated", lambda *_args: b"")


def sends_again_what_it_sent(patch):
    """A replacement is the same transaction with a higher fee: it was simulated before the first."""
    patch.setattr(Upkeep, "_unwanted", lambda *_args, **_named: "")


def simulated_when_proposed(patch):
    """It was simulated when it was proposed, and voted for since: what is left is to execute it."""

    def then(proposal, _fork, **_named):
        return Simulation(engine="then", block=proposal.block, acted=(), checks=())

    patch.setattr(proposals, "resimulated", then)


def state_moves(world):
    """Somebody closes the counter: from the next block on a poke reverts."""
    sender, data = world.chain.accounts[SOMEBODY], CLOSE
    world.chain.send(sender=sender, to=world.counter, data=data, gas=100_000)


@defect(21, mutant=simulated_when_decided)
def test_reverts_by_now__before_the_first_send__dropped_unsigned_with_the_reason():
    """Between decision and sending the world moved: nothing is signed, no nonce is used, and it is said why."""
    world = OutboxWorld()
    decided = an_intent(world.counter, world.chain.block())
    state_moves(world)
    world.block()
    record = world.outbox.submit(decided)
    world.blocks(5)
    assert (record.state, record.attempts, record.nonce) == (TxState.DROPPED, (), None)
    assert "deadbeef" in record.reason
    assert world.one() == record, "and it stays dropped"
    assert count(world.chain, world.counter) == 0


@defect(21, mutant=sends_again_what_it_sent)
def test_reverts_by_now__before_a_replacement__cancelled_with_the_reason():
    """It waits in no pool while the world moves: what goes out next uses up its nonce and calls nothing."""
    world = OutboxWorld()
    sent = world.submit()
    world.block(lose=ALL)
    state_moves(world)
    world.lose()
    world.blocks(10)
    record = world.one()
    assert sent.state is TxState.SENT
    assert record.state is TxState.REPLACED
    assert "deadbeef" in record.reason
    assert count(world.chain, world.counter) == 0
    nonce = world.chain.request("eth_getTransactionCount", record.sender, "latest")
    assert int(nonce, 16) == record.nonce + 1, "its nonce is free for others"


@defect(21, mutant=simulated_when_decided)
def test_publication__governance_freezes_meanwhile__dropped_with_the_contracts_reason():
    """A publication that was legal when it was decided: governance freezes the parameters, and it never leaves."""
    market = Market()
    market.wait(60)
    decided = changed(market.in_force(), psr_ppm=170_000)
    assert market.refusal(decided) == "", "legal when it was decided"
    intent = an_intent(
        market.at, market.chain.block(), kind="publish", role=SignerRole.PUBLISHER, data=market.call(decided),
        gas_limit=3_000_000,
    )  # fmt: skip
    market.do("freeze", 0)
    store = MemoryStore()
    outbox = an_outbox(
        market.chain, store, rpc=market.rpc, decode_revert=lambda data: explain_revert(data, [market.abi])
    )
    record = outbox.submit(intent)
    outbox.settle(market.chain.mine())
    assert (record.state, record.attempts) == (TxState.DROPPED, ())
    assert "Frozen" in record.reason
    publisher = market.chain.accounts[PUBLISHER]
    assert int(market.chain.request("eth_getTransactionCount", publisher, "latest"), 16) == 0, "no gas was spent"


@defect(21, mutant=simulated_when_proposed)
def test_proposal__cannot_be_executed_any_more__caught_before_execution():
    """A vote passed, the delay ran, and the expiry that it lists is over by then: the check finds it, nobody pays."""
    governed = Governed()
    expiry = governed.chain.block().timestamp + MIN_DELAY_S + DAY // 2
    proposal = governed.proposal(
        f'[[new_expiry]]\nunderlying = "ETH"\nexpiry = {expiry}\nstrikes = ["3000 USD"]\nsigma_atm_ppm = 650_000\n'
    )
    assert looked_at(governed, proposal).alive, "it went through when it was proposed"
    governed.propose(proposal)
    governed.vote(proposal)
    governed.send(proposal, "queue")
    governed.chain.advance_to(expiry + 1)
    governed.chain.mine()
    verdict = looked_at(governed, proposal)
    assert not verdict.alive
    assert "BadConfig" in verdict.simulation.failure
    with pytest.raises(AssertionError, match="failed"):
        governed.send(proposal, "execute")


def looked_at(governed, proposal):
    with forked(governed.chain.provider, governed.deployment, engine=Engine.EMBEDDED) as fork:
        return proposals.check(proposal, governed.view(), fork)
