"""Proposals of a real Safe 1.4.1: our hashes are its own, and what its owners sign over them is what it executes."""

from dataclasses import replace

import pytest

from keeper.governance import safe
from keeper.governance.check import check
from keeper.governance.drift import Drift
from keeper.governance.fork import Engine, forked
from keeper.governance.simulate import simulate
from tests.governed import Governed
from tests.safes import RealSafe, artifact

pytestmark = [pytest.mark.chain, pytest.mark.needs_node, pytest.mark.timeout(300)]

OWNERS = (1, 2, 3)
BOUNDS = """
[underlying.ETH.fence.psr]
max = "40 %"

[collateral.WETH]
haircut_ppm = "12 %"
"""


@pytest.fixture(scope="module")
def a_house_with_a_safe():
    governed = Governed()
    governed.safe = RealSafe(governed.chain, OWNERS, threshold=2)
    roles = "".join(
        f'[[role]]\ncontract = "TimelockController"\nrole = "{role}"\ngrant = "{governed.safe.address}"\n'
        for role in ("PROPOSER_ROLE", "CANCELLER_ROLE")
    )
    governed.pass_through(governed.proposal(roles))
    return governed


@pytest.fixture
def governed(a_house_with_a_safe):
    before = a_house_with_a_safe.chain.snapshot()
    yield a_house_with_a_safe
    a_house_with_a_safe.chain.revert(before)


def by_safe(governed, changes=BOUNDS, **more):
    route = {"safe": governed.safe.address, "timelock": governed.timelock, "multi_send": governed.safe.multi_send}
    return governed.proposal(changes, **{key: value for key, value in (route | more).items() if value})


def own_hash(governed, tx):
    arguments = (tx.to, tx.value, tx.data, tx.operation, 0, 0, 0, safe.ZERO, safe.ZERO, tx.nonce)
    return "0x" + governed.safe.ask("getTransactionHash", *arguments).hex()


def test_safe__hashes__are_the_safes_own(governed):
    """GOV-3: transaction hash, domain and message hash equal what the Safe and its handler compute."""
    proposal = by_safe(governed)
    for place, step in enumerate(proposal.steps):
        tx = safe.safe_tx([step.call], nonce=place)
        assert step.safe_tx_hash == own_hash(governed, tx)
    assert proposal.ids.safe_domain == "0x" + governed.safe.ask("domainSeparator").hex()
    handler = governed.safe.handler_abi
    text = governed.safe.ask("getMessageHash", proposal.description.encode(), abi=handler)
    assert proposal.ids.safe_text == "0x" + text.hex()


def test_safe__owners_sign_our_hash__timelock_executes(governed):
    """Two real signatures over our hash carry the schedule through the Safe's own check; the state is as wanted."""
    proposal = by_safe(governed)
    with forked(governed.chain.provider, governed.deployment, engine=Engine.EMBEDDED) as fork:
        foretold = simulate(proposal, fork)
    assert foretold.holds, foretold
    assert sum("approve schedule" in acted.what for acted in foretold.acted) == 2, "the threshold, and no more"
    schedule, execute = proposal.steps
    tx = safe.safe_tx([schedule.call], nonce=0)
    governed.safe.send(safe.exec_arguments(tx, governed.safe.signatures(bytes.fromhex(schedule.safe_tx_hash[2:]))))
    governed.wait()
    tx = safe.safe_tx([execute.call], nonce=1)
    governed.safe.send(safe.exec_arguments(tx, governed.safe.signatures(bytes.fromhex(execute.safe_tx_hash[2:]))))
    fence = governed.view().one("RiskParameters", "fence", 0, b"psr".ljust(32, b"\0"))
    assert fence["max"] == 400_000


def test_safe__an_owner_is_a_safe_itself__its_owners_signatures_carry_the_step(governed):
    """GOV-3: a contract wallet owns the proposing Safe: foretold on a fork, executed by its owners' signatures."""
    inner = governed.safe
    outer = RealSafe(governed.chain, (), threshold=1, wallets=(inner.address,))
    grants = "".join(
        f'[[role]]\ncontract = "TimelockController"\nrole = "{role}"\ngrant = "{outer.address}"\n'
        for role in ("PROPOSER_ROLE", "CANCELLER_ROLE")
    )
    governed.pass_through(governed.proposal(grants))
    proposal = by_safe(governed, safe=outer.address)
    with forked(governed.chain.provider, governed.deployment, engine=Engine.EMBEDDED) as fork:
        foretold = simulate(proposal, fork)
    assert foretold.holds, foretold
    schedule = proposal.steps[0]
    tx = safe.safe_tx([schedule.call], nonce=0)
    chain_id = governed.chain.chain_id
    for message in (bytes(32), bytes.fromhex(schedule.safe_tx_hash[2:])):
        owners = inner.signatures(safe.inner_hash(message, safe=inner.address, chain_id=chain_id))
        arguments = safe.exec_arguments(tx, safe.contract_signature(inner.address, owners))
        if not any(message):
            with pytest.raises(AssertionError, match="failed"):
                outer.send(arguments)
        else:
            outer.send(arguments)
    assert outer.ask("nonce") == 1, "it was scheduled"


def test_safe__signatures_over_another_hash__refused_by_the_safe(governed):
    """The Safe's check is a real one: a signature over other bytes carries nothing."""
    schedule = by_safe(governed).steps[0]
    tx = safe.safe_tx([schedule.call], nonce=0)
    with pytest.raises(AssertionError, match="failed"):
        governed.safe.send(safe.exec_arguments(tx, governed.safe.signatures(bytes(32))))


def test_safe__owns_directly__one_transaction_through_multi_send(governed):
    """A Safe that owns contracts makes several calls at once: the batch's hash is its own, and it is executed."""
    hand, known = governed.hand, governed.deployment
    own = {
        "InsuranceFund": hand.create("InsuranceFund", known.addresses["ClearingHouse"], governed.safe.address, 10**18),
        "PriceOracle": hand.create("PriceOracle", governed.safe.address),
    }
    addresses = {name: at for name, at in known.addresses.items() if name not in ("TimelockController", "Governor")}
    governed.deployment = replace(known, addresses=addresses | own)
    try:
        proposal = by_safe(governed, '[fund]\ncap_per_auction = "7 USD"\n[sequencer]\ngrace_s = "1 h"\n', timelock="")
        assert proposal.route.direct
        assert len(proposal.calls) == 2
        with forked(governed.chain.provider, governed.deployment, engine=Engine.EMBEDDED) as fork:
            foretold = simulate(proposal, fork)
        assert foretold.holds, foretold
        (step,) = proposal.steps
        tx = safe.safe_tx(proposal.calls, nonce=0, multi_send=governed.safe.multi_send)
        assert tx.operation == safe.DELEGATE_CALL
        assert step.safe_tx_hash == own_hash(governed, tx)
        governed.safe.send(safe.exec_arguments(tx, governed.safe.signatures(bytes.fromhex(step.safe_tx_hash[2:]))))
        assert governed.view().one("InsuranceFund", "capPerAuction") == 7 * 10**18
        assert governed.view().one("PriceOracle", "sequencerGraceS") == 3_600
    finally:
        governed.deployment = known


def test_timelock_alone__schedule_and_execute(governed):
    """A raw batch of the timelock, by whoever holds its roles."""
    proposal = governed.proposal(BOUNDS, timelock=governed.timelock)
    assert [step.name for step in proposal.steps] == ["schedule", "execute"]
    with forked(governed.chain.provider, governed.deployment, engine=Engine.EMBEDDED) as fork:
        told = simulate(proposal, fork)
    assert told.holds, told


def looked_at(governed, proposal):
    with forked(governed.chain.provider, governed.deployment, engine=Engine.EMBEDDED) as fork:
        return check(proposal, governed.view(), fork)


def test_check__safe_sent_something_else__signatures_are_void(governed):
    """What owners signed for one nonce is worth nothing at the next: it is told, although it still goes through."""
    first, other = by_safe(governed), by_safe(governed, '[fund]\ncap_per_auction = "7 USD"\n')
    assert looked_at(governed, first).sound
    step = other.steps[0]
    tx = safe.safe_tx([step.call], nonce=0)
    governed.safe.send(safe.exec_arguments(tx, governed.safe.signatures(bytes.fromhex(step.safe_tx_hash[2:]))))
    verdict = looked_at(governed, first)
    assert verdict.alive
    (finding,) = verdict.findings
    assert (finding.drift, "signatures are void" in finding.said) == (Drift.ROUTE, True)


def sent_by_owners(governed, proposal, place):
    """One step of a proposal, as its file has it, with its owners' signatures over the hash in the file."""
    step = proposal.steps[place]
    tx = safe.safe_tx([step.call], nonce=proposal.route.safe_nonce + place)
    governed.safe.send(safe.exec_arguments(tx, governed.safe.signatures(bytes.fromhex(step.safe_tx_hash[2:]))))


def test_check__safe_spends_the_nonce_of_the_execution__told_while_it_waits_and_when_ready(governed):
    """GOV-14: scheduled at its nonce it is sound; once the next one went to something else, the execution that owners
    signed is void, and so it is after the delay."""
    first = by_safe(governed)
    other = by_safe(governed, '[fund]\ncap_per_auction = "7 USD"\n', safe_nonce=1)
    sent_by_owners(governed, first, 0)
    waiting = looked_at(governed, first)
    assert (waiting.state, waiting.sound) == ("waiting", True)
    sent_by_owners(governed, other, 0)
    for state in ("waiting", "ready"):
        verdict = looked_at(governed, first)
        assert (verdict.state, verdict.alive, verdict.sound) == (state, True, False)
        (finding,) = verdict.findings
        assert finding.drift is Drift.ROUTE
        assert "at nonce 2, its execute was made for 1: signatures are void" in finding.said
        assert "anyone may execute it" in finding.said, "the timelock of this house is open to all"
        governed.wait()
    with pytest.raises(AssertionError, match="failed"):
        sent_by_owners(governed, first, 1)


def test_check__singleton_of_the_safe_replaced__told(governed):
    """GOV-12: a Safe's proxy keeps its singleton in its first slot: another one there is other code, and is told."""
    late = by_safe(governed, safe_nonce=1)
    assert governed.safe.address in late.code, "the Safe itself, though its steps go to the timelock"
    proxy = governed.hand.create("MockProxy", governed.safe.multi_send)  # lends its `setSlot`, by a delegate call
    other = governed.chain.deploy(artifact("SafeL2.sol")).address
    data = governed.hand.abi("MockProxy").call("setSlot", bytes(32), bytes(12) + bytes.fromhex(other[2:]))
    tx = safe.SafeTx(to=proxy, value=0, data=data, operation=safe.DELEGATE_CALL, nonce=0)
    signed = governed.safe.signatures(
        safe.safe_tx_hash(tx, safe=governed.safe.address, chain_id=governed.chain.chain_id)
    )
    governed.safe.send(safe.exec_arguments(tx, signed))
    (finding,) = looked_at(governed, late).findings
    assert (finding.drift, governed.safe.address in finding.said) == (Drift.CODE, True)


def test_check__timelock_asks_for_more_delay_now__cannot_be_scheduled(governed):
    """A delay that was long enough when it was proposed is too short by now: the timelock itself says so."""
    late = governed.proposal(BOUNDS, timelock=governed.timelock)
    governed.pass_through(governed.proposal('[timelock]\nnew_delay = "3 d"\n'))
    verdict = looked_at(governed, late)
    assert not verdict.alive
    assert "TimelockInsufficientDelay" in verdict.simulation.failure
    assert Drift.ROUTE in {finding.drift for finding in verdict.findings}
