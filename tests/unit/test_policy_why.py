"""Why an account was left alone: the reason given is the one that `decide` had."""

from dataclasses import replace

import pytest

from keeper.cycle import think
from keeper.domain.action import Flag
from keeper.domain.cycle import CycleInputs
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.snapshot import FundState, Snapshot
from keeper.domain.worth import Economics, Refusal
from keeper.policy.why import Answer, why
from keeper.risk.model import model
from keeper.testing.builders import a_file, a_publication, a_snapshot, an_account, an_auction, an_underlying

SHORT = {"cash": 100, "perp": 2, "entry": 3_000}


def reasons(snapshot: Snapshot, account: int = 7, *, in_flight=(), policy: PolicyKnobs | None = None, **learned):
    inputs = CycleInputs(
        snapshot=snapshot, in_flight=in_flight, called=(), risk=RiskKnobs(), policy=policy or PolicyKnobs(), **learned
    )
    decision = think(inputs)
    flagged = any(isinstance(a, Flag) and a.account == account for a in decision.actions)
    found = why(account, inputs, decision, model(snapshot, inputs.risk))
    assert flagged == any(isinstance(r.action, Flag) for r in found)
    return found


def test_why__short__flagged():
    (reason,) = reasons(a_snapshot(an_account(7, **SHORT)))
    assert reason.answer is Answer.ACTED
    assert reason.said.startswith("flagged for liquidation: equity 100.00 USD below maintenance")


def test_why__notice_window__names_what_covers_it():
    """New parameters never flag an account before their notice is over."""
    old = an_underlying(file=a_file(psr_ppm=400_000), publication=a_publication())
    noticed = replace(
        old,
        previous=a_file(psr_ppm=15_000),
        publication=replace(a_publication(), in_notice=True),
    )
    (reason,) = reasons(a_snapshot(an_account(7, cash=500, perp=2), underlying=noticed))
    assert reason.answer is Answer.WAITS
    assert "notice window is open: under the file before, equity 500.00 USD covers maintenance" in reason.said


@pytest.mark.parametrize(
    ("change", "in_flight", "policy", "said"),
    [
        ({"own_account": 7}, (), None, "our own account"),
        ({"fund": FundState(account=7, balance=0, cap_per_auction=0, social_receivable=0)}, (), None, "insurance fund"),
        ({}, (("flag", f"account:{7:#066x}"),), None, "its flag is in flight"),
        ({}, (), PolicyKnobs(max_actions_per_block=1), "filled the 1 of this block"),
    ],
)
def test_why__short_and_not_flagged__the_reason(change, in_flight, policy, said):
    worse = an_account(3, cash=-5_000, perp=2)
    snapshot = replace(a_snapshot(worse, an_account(7, **SHORT)), **change)
    (reason,) = reasons(snapshot, in_flight=in_flight, policy=policy)
    assert reason.answer is Answer.WAITS
    assert said in reason.said


@pytest.mark.parametrize(
    ("own", "in_flight", "said"),
    [
        (None, (), "no liquidator account is configured"),
        (99, (), "our own account cannot bid"),
        (5, (("bid", f"account:{7:#066x}"),), "our bid is in flight"),
        (6, (), "no bid pays or fits: least edge 0.5 %, our spare margin 0.00"),
    ],
)
def test_why__in_auction_without_a_bid__the_reason(own, in_flight, said):
    snapshot = a_snapshot(
        an_account(5, cash=100_000),
        an_account(6, cash=0),
        an_account(7, cash=300, perp=2, in_auction=True),
        auctions=(an_auction(7),),
        own_account=own,
    )
    started, reason = reasons(snapshot, in_flight=in_flight)
    assert started.said.startswith("in auction for 60 s: a bidder pays ")
    assert said in reason.said


@pytest.mark.parametrize("odd", [0, 1])
def test_why__file_moves_in_the_block__the_bid_waits_one_block_at_most(odd):
    """A bid carries the epochs it was priced on; a push that is refused in every block does not hold it up for ever."""
    aged = an_underlying(file=a_file(time=1_700_000_000 - 5_000))
    snapshot = a_snapshot(
        an_account(5, cash=100_000),
        an_account(7, cash=300, perp=2, in_auction=True),
        underlying=aged,
        auctions=(an_auction(7),),
        own_account=5,
    )
    snapshot = replace(snapshot, block=replace(snapshot.block, number=1_000 + odd))
    said = reasons(snapshot)[-1].said
    assert ("would void a bid" in said) is (odd == 0)


def test_why__sound__how_far_from_maintenance():
    (reason,) = reasons(a_snapshot(an_account(7, cash=10_000)))
    assert (reason.answer, reason.said) == (Answer.SAFE, "nothing is required of it")
    (reason,) = reasons(a_snapshot(an_account(7, cash=10_000, perp=1)))
    assert "above maintenance" in reason.said


def economics(gas_price_wei: int) -> Economics:
    gas = (("flag", 100_000),)
    return Economics(gas_price_wei=gas_price_wei, gas=gas, lost_usd=0, unpriced_gas_wei=0, pledged_wei=0)


def test_why__weighed_against_its_gas__says_so_either_way():
    """An operator reads why gas was spent, and why it was not."""
    snapshot = a_snapshot(an_account(7, **SHORT))
    (reason,) = reasons(snapshot, economics=economics(1))
    assert "; profit: flag fee of" in reason.said
    (reason,) = reasons(snapshot, economics=economics(10**14))
    assert reason.answer is Answer.WAITS
    assert "not worth its gas: flag fee of" in reason.said
    assert "policy.loss_budget_usd_per_day" in reason.said or "at risk" in reason.said


def test_why__refused_before__says_until_when():
    """An account that is left alone for a while is not forgotten."""
    refused = Refusal(kind="flag", subject=f"account:{7:#066x}", count=5, last_block=95, about="")
    (reason,) = reasons(a_snapshot(an_account(7, **SHORT)), refused=(refused,))
    assert reason.answer is Answer.WAITS
    assert "refused 5 time(s) in a row, last at block 95: it is looked at again at block 111" in reason.said


def test_think__worth_unknown__alerts_and_says_why():
    """WOR-5, defect 25: a missing price of native currency is told, whatever the policy does about it."""
    inputs = CycleInputs(
        snapshot=a_snapshot(an_account(7, **SHORT)),
        in_flight=(),
        called=(),
        risk=RiskKnobs(),
        policy=PolicyKnobs(native_symbol="MATIC"),
        economics=economics(1),
    )
    (alert,) = [alert for alert in think(inputs).alerts if "not weighed" in alert]
    assert "does not list MATIC" in alert
    assert not [a for a in think(replace(inputs, policy=PolicyKnobs())).alerts if "not weighed" in a]
