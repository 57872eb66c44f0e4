"""A live proposal is looked at again before execution, and told what is not as it was."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from keeper.abis import Artifact
from keeper.errors import BadInput, Refused
from keeper.governance import check as checking
from keeper.governance import drift
from keeper.governance.chain import ChainView
from keeper.governance.check import check
from keeper.governance.drift import Drift
from keeper.governance.fork import Engine, forked
from keeper.governance.live import find_proposal
from keeper.testing.small_house import DAY, SmallHouse
from tests.governed import Governed

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300)]

PSR = b"psr".ljust(32, b"\0")
BOUNDS = "[underlying.ETH.fence.psr]\nmax = 400_000\n"


def looked_at(governed, proposal):
    with forked(governed.chain.provider, governed.deployment, engine=Engine.EMBEDDED) as fork:
        return check(proposal, governed.view(), fork)


def queued(governed):
    """A proposal that waits for nothing but its delay."""
    late = governed.proposal(BOUNDS)
    governed.propose(late)
    governed.vote(late)
    governed.send(late, "queue")
    return late


def drifts(verdict):
    return {finding.drift for finding in verdict.findings}


def test_check__nothing_moved__sound_at_every_station(governed):
    """GOV-5: before it is proposed, while it waits for votes, and queued: it goes on from where it stands."""
    proposal = governed.proposal(BOUNDS)
    states = []
    for station in (lambda: None, lambda: governed.propose(proposal), lambda: governed.vote(proposal),
                    lambda: governed.send(proposal, "queue")):  # fmt: skip
        station()
        verdict = looked_at(governed, proposal)
        assert verdict.sound, verdict
        states.append(verdict.state)
    assert states == ["not proposed yet", "active", "succeeded", "queued"]


def test_check__executed__over(governed):
    """What is done is not executed again."""
    proposal = governed.proposal(BOUNDS)
    governed.pass_through(proposal)
    verdict = looked_at(governed, proposal)
    assert (verdict.state, verdict.alive) == ("executed", False)
    assert Drift.STATE in drifts(verdict)


def test_check__by_number__from_the_chain_alone(governed):
    """Whoever has nothing but the number gets the same calls, the old values of then, and the same verdict."""
    proposal = governed.proposal(BOUNDS)
    governed.propose(proposal)
    found = find_proposal(governed.view(), {"governor": governed.governor}, int(proposal.ids.proposal))
    assert [(c.target, c.data, c.signature) for c in found.calls] == [
        (c.target, c.data, c.signature) for c in proposal.calls
    ]
    assert found.differences == proposal.differences
    assert found.steps == proposal.steps
    assert looked_at(governed, found).sound
    with pytest.raises(BadInput, match="has no proposal 7"):
        find_proposal(governed.view(), {"governor": governed.governor}, 7)


def test_check__text_says_one_thing_and_calls_do_another__told(governed):
    """A proposal whose text describes other changes than its calls make is not sound, wherever it comes from."""
    honest, other = governed.proposal(BOUNDS), governed.proposal("[underlying.ETH.fence.psr]\nmax = 900_000\n")
    abi = governed.view().abi("Governor")
    columns = ([c.target for c in other.calls], [0], [c.data for c in other.calls])
    data = abi.call("propose", *columns, honest.description)
    tx = governed.chain.send(sender=governed.chain.accounts[4], to=governed.governor, data=data)
    (event,) = [e for log in governed.chain.receipt(tx)["logs"] if (e := _decoded(abi, log))]
    found = find_proposal(governed.view(), {"governor": governed.governor}, event.args["proposalId"])
    verdict = looked_at(governed, found)
    assert not verdict.sound
    assert not verdict.alive, "after it the state is not the one its text wants"
    (finding,) = [f for f in verdict.findings if f.drift is Drift.CALL]
    assert "max: 900000" in finding.said
    assert "max: 400000" in finding.said


def _decoded(abi, log):
    return abi.event([bytes.fromhex(t[2:]) for t in log["topics"]], bytes.fromhex(log["data"][2:]))


def test_check__file_that_somebody_changed__refused(governed):
    """Calls, ids, transactions and changes belong together: one of them replaced is found before anything is said."""
    ours, other = governed.proposal(BOUNDS), governed.proposal("[underlying.ETH.fence.psr]\nmax = 900_000\n")
    for change in (
        {"calls": other.calls},
        {"steps": other.steps},
        {"ids": other.ids},
        {"changes": other.changes},
        {"description": other.description},
    ):
        with pytest.raises(BadInput, match="not those of its calls"):
            looked_at(governed, replace(ours, **change))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"title": "evil"}, "title or views"),
        ({"views": ()}, "title or views"),
        ({"block": 10**30}, "does not have"),
        ({"block": -1}, "does not have"),
        ({"block_hash": "0x" + "12" * 32}, "does not have"),
        ({"time_s": 1}, "does not have"),
        ({"differences": ()}, "differences"),
        ({"settled": ()}, "settled"),
        ({"settled": ("fence of psr of ETH: max is 1 %",)}, "settled"),
        ({"code": {}}, "hashes of code"),
    ],
)
def test_check__rest_of_the_file_changed__refused_too(governed, change, says):
    """GOV-16: what a person reads in the file, not only what is signed, is derived again and compared."""
    (least,) = governed.proposal("[underlying.ETH.fence.psr]\nmin = 1\n").differences
    ours = governed.proposal(f"{BOUNDS}min = {least.old}\n")
    assert ours.settled
    assert looked_at(governed, ours).sound
    with pytest.raises(BadInput, match=says) as caught:
        looked_at(governed, replace(ours, **change))
    assert "somebody changed the file" in caught.value.hint


def test_check__values_taken_out_and_node_forgot_then__refused_by_todays_state(governed, monkeypatch):
    """GOV-16: without the old state it is still seen that a wanted number is missing, or another one is named."""
    ours = governed.proposal(BOUNDS)
    governed.chain.mine()
    head, asked = governed.view().block.number, ChainView.view

    def pruned(self, *args, **named):
        if self.block.number < head:
            raise Refused("missing trie node")
        return asked(self, *args, **named)

    monkeypatch.setattr(ChainView, "view", pruned)
    assert looked_at(governed, ours).sound
    (one,) = ours.differences
    for differences in ((), (replace(one, new="1"),), (one, replace(one, name="min"))):
        with pytest.raises(BadInput, match="differences"):
            looked_at(governed, replace(ours, differences=differences))


def test_check__bound_moved_meanwhile__told_with_both_values(governed, monkeypatch):
    """Another proposal moved the same bound: what this one would do is told with the value of then, now and after."""
    late = queued(governed)
    governed.pass_through(governed.proposal("[underlying.ETH.fence.psr]\nmax = 500_000\n"))
    verdict = looked_at(governed, late)
    (finding,) = verdict.findings
    assert finding.drift is Drift.VALUE
    assert "was 32.5 % when it was proposed and is 50 % today; executing sets it to 40 %" in finding.said
    monkeypatch.setattr(drift, "_values", nothing)
    assert seen_again(governed, late, verdict).sound, "nobody else would have told"


def seen_again(governed, proposal, verdict):
    """By a mutant that looks at the same state without one of its eyes; the simulation is the one it had."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checking, "resimulated", lambda *_, **__: verdict.simulation)
        return looked_at(governed, proposal)


def nothing(*_):
    """What a blind eye sees."""
    return ()


def test_check__neighbour_in_the_same_struct_moved__would_be_put_back(governed):
    """Fences are set whole: a field that nobody wants changed here, and somebody else changed, would be put back."""
    late = queued(governed)
    governed.pass_through(governed.proposal("[underlying.ETH.fence.psr]\nstep_abs = 20_000\n"))
    (finding,) = looked_at(governed, late).findings
    assert finding.drift is Drift.CALL
    assert "stepAbs: 30000" in finding.said
    assert "stepAbs: 20000" in finding.said


def test_check__already_done_by_others__told(governed):
    """What somebody else brought about meanwhile is nothing to execute."""
    late = governed.proposal(BOUNDS)
    governed.pass_through(governed.proposal(BOUNDS + "step_abs = 20_000\n"))
    assert {Drift.VALUE, Drift.CALL} <= drifts(looked_at(governed, late))


def test_check__stale_oracle__told(governed, monkeypatch):
    """A price that cannot be used today is told with the oracle's own reason."""
    proposal = governed.proposal(BOUNDS)
    governed.chain.advance_to(governed.chain.block().timestamp + 30 * DAY)
    governed.chain.mine()
    verdict = looked_at(governed, proposal)
    (finding,) = verdict.findings
    assert finding.drift is Drift.ORACLE
    assert "StalePrice" in finding.said
    monkeypatch.setattr(drift, "prices_of", nothing)
    assert seen_again(governed, proposal, verdict).sound, "nobody else would have told"


@pytest.mark.parametrize(("age_s", "told"), [(600, False), (7_200, True)])
def test_check__feed_that_it_brings__stale_before_it_is_there(governed, age_s, told):
    """A feed of the proposal's own is asked itself: the oracle does not know it yet, and execution would not notice."""
    feed = governed.hand.create("MockAggregator", 8, 60_000 * 10**8)
    proposal = governed.proposal(f'[[new_feed]]\nasset = "BTC"\nprimary = "{feed}"\nmax_age_s = 3_600\n')
    governed.chain.advance_to(governed.chain.block().timestamp + age_s)
    governed.chain.mine()
    verdict = looked_at(governed, proposal)
    assert verdict.alive
    assert [f"new feed of BTC at {feed}" in finding.said for finding in verdict.findings] == [True] * told


def test_check__expiry_passed_meanwhile__no_longer_goes_through(governed):
    """A new expiry that lies in the past by the time it would be listed is found before anybody executes it."""
    soon = governed.chain.block().timestamp + DAY
    proposal = governed.proposal(
        f'[[new_expiry]]\nunderlying = "ETH"\nexpiry = {soon}\nstrikes = ["3000 USD"]\nsigma_atm_ppm = 650_000\n'
    )
    verdict = looked_at(governed, proposal)
    assert not verdict.alive
    assert "BadConfig" in verdict.simulation.failure


def test_check__code_behind_a_proxy_upgraded__told(monkeypatch):
    """Other code behind a target, or behind a token that is only named, is told though every byte of calldata is as it
    was and the proposal still goes through.
    """
    governed = Governed(house=SmallHouse(proxied=("InsuranceFund",)))
    house, fund = governed.house, governed.deployment.addresses["InsuranceFund"]
    token = house.hand.create("MockProxy", house.hand.hand_made("MockERC20", "WBTC", "WBTC", 8))
    proposal = governed.proposal(
        f'[fund]\ncap_per_auction = "7 USD"\n[[new_collateral]]\nsymbol = "WBTC"\ntoken = "{token}"\ndecimals = 8\n'
        'asset = "ETH"\nhaircut_ppm = 150_000\n'
    )
    assert looked_at(governed, proposal).sound
    other = house.hand.hand_made("InsuranceFund", house.feeds[0], governed.timelock, 1)  # of another house
    house.do("MockProxy", "upgradeTo", other, to=fund)
    house.do("MockProxy", "upgradeTo", house.hand.hand_made("MockFeeERC20", "WBTC", "WBTC", 8, 100), to=token)
    verdict = looked_at(governed, proposal)
    assert verdict.alive
    assert {finding.drift for finding in verdict.findings} == {Drift.CODE}
    assert [at in " ".join(f.said for f in verdict.findings) for at in (fund, token)] == [True, True]
    monkeypatch.setattr(ChainView, "code_hash", lambda _self, at: proposal.code[at])
    assert seen_again(governed, proposal, verdict).sound, "nobody else would have told"


@pytest.mark.needs_node
def test_check__code_behind_a_beacon_upgraded__told(governed):
    """GOV-12: neither the proxy nor its slots change when a beacon names another implementation: it is told."""
    hand, chain = governed.house.hand, governed.chain
    first = hand.create("MockERC20", "WBTC", "WBTC", 8)
    beacon = chain.deploy(openzeppelin("UpgradeableBeacon"), first, hand.address)
    # What a constructor would have stored is not behind a proxy, and nothing of it is asked here.
    token = str(chain.deploy(openzeppelin("BeaconProxy"), str(beacon.address), b"").address)
    proposal = governed.proposal(granting(token))
    assert looked_at(governed, proposal).sound
    before = governed.view().code_hash(token)
    chain.transact(beacon.functions.upgradeTo(hand.create("MockFeeERC20", "WBTC", "WBTC", 8, 100)))
    assert governed.view().code_hash(token) != before
    (finding,) = looked_at(governed, proposal).findings
    assert (finding.drift, token in finding.said) == (Drift.CODE, True)


def test_check__key_that_is_a_contract_by_now__told(governed):
    """GOV-12: an address without code gets a role; that somebody deploys code there before execution is told."""
    hand = governed.house.hand
    before = governed.chain.snapshot()
    empty = hand.create("MockAggregator", 8, 1)
    governed.chain.revert(before)
    assert not governed.view().has_code(empty)
    proposal = governed.proposal(granting(empty))
    assert looked_at(governed, proposal).sound
    assert hand.create("MockAggregator", 8, 1) == empty
    (finding,) = looked_at(governed, proposal).findings
    assert finding.drift is Drift.CODE
    assert f"{empty} runs code, and had none" in finding.said


def granting(who):
    """A change that names an address and calls nothing of it."""
    return f'[[role]]\nrole = "GUARDIAN_ROLE"\ngrant = "{who}"\n'


def openzeppelin(name):
    """A contract of the npm package, as it was published."""
    folder = Path(__file__).parents[2] / "contracts" / "node_modules" / "@openzeppelin" / "contracts" / "build"
    found = json.loads((folder / "contracts" / f"{name}.json").read_text())
    return Artifact(name, tuple(found["abi"]), found["bytecode"], found["linkReferences"])


def test_check__node_forgot_the_state_it_was_made_on__says_so_and_is_not_sound(governed, monkeypatch):
    """GOV-13: a bound that moved meanwhile cannot be seen by number on a pruned node: a finding, not silence."""
    late = queued(governed)
    governed.pass_through(governed.proposal("[underlying.ETH.fence.psr]\nmax = 500_000\n"))
    head, asked = governed.view().block.number, ChainView.view

    def pruned(self, *args, **named):
        if self.block.number < head:
            raise Refused("missing trie node")
        return asked(self, *args, **named)

    by_number = {"governor": governed.governor}, int(late.ids.proposal)
    assert Drift.VALUE in drifts(looked_at(governed, find_proposal(governed.view(), *by_number)))
    monkeypatch.setattr(ChainView, "view", pruned)
    verdict = looked_at(governed, find_proposal(governed.view(), *by_number))
    assert Drift.UNSEEN in drifts(verdict)
    assert not verdict.sound
