"""The knobs that published numbers follow from are all compared, and have one digest (QCL-8, MOD-6)."""

from dataclasses import fields, is_dataclass, replace

import pytest

from keeper.cycle import thought
from keeper.domain.action import Publish
from keeper.domain.cycle import CycleInputs
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.snapshot import Observation
from keeper.policy.choices import PUBLISHED_BY, choices, digest
from keeper.policy.publish import permitted
from keeper.testing.builders import NOW, a_publication, a_snapshot, an_account, an_underlying

HOUR, WAD = 3_600, 10**18
OTHER = {"slow": "off", "act": "wait"}
#: How long signatures are good is the paper's own, and told with it.
OF_THE_PAPER = "intent_ttl_s"


def leaves(name, value):
    """Each knob by its path."""
    if is_dataclass(value):
        return [leaf for one in fields(value) for leaf in leaves(f"{name}.{one.name}", getattr(value, one.name))]
    return [name]


def moved(knobs, path):
    """Knobs of which one is another."""
    head, _, rest = path.partition(".")
    value = getattr(knobs, head)
    if rest:
        return replace(knobs, **{head: moved(value, rest)})
    other = OTHER.get(value, "XYZ") if isinstance(value, str) else type(value)(value * 1.25 + 1)
    return replace(knobs, **{head: other})


@pytest.mark.parametrize("path", [one.removeprefix("risk.") for one in leaves("risk", RiskKnobs())])
def test_choices__any_knob_of_risk_moved__named_and_another_digest(path):
    """QCL-8: nothing of [risk] is left out, at any depth."""
    other = moved(RiskKnobs(), path)
    ours, theirs = choices(RiskKnobs(), PolicyKnobs()), choices(other, PolicyKnobs())
    assert [name for name in ours if ours[name] != theirs[name]] == [f"risk.{path}"], "QCL-8"
    assert digest(other, PolicyKnobs()) != digest(RiskKnobs(), PolicyKnobs()), "MOD-6"


@pytest.mark.parametrize("path", [one.name for one in fields(PolicyKnobs)])
def test_choices__a_knob_of_policy_moved__named_if_it_publishes(path):
    """QCL-8: what bids and spends is everybody's own."""
    other = moved(PolicyKnobs(), path)
    ours, theirs = choices(RiskKnobs(), PolicyKnobs()), choices(RiskKnobs(), other)
    apart = [name for name in ours if ours[name] != theirs[name]]
    assert apart == ([f"policy.{path}"] if path in PUBLISHED_BY else []), "QCL-8"
    assert (digest(RiskKnobs(), other) == digest(RiskKnobs(), PolicyKnobs())) is not bool(apart), "MOD-6"


@pytest.fixture(scope="module")
def due():
    """Inputs of a block at which every kind of number is to be moved, both ways."""
    history = tuple(
        Observation(time=NOW - HOUR * (400 - i), price=int(3_000 * (1 + 0.02 * (i % 2)) * WAD)) for i in range(401)
    )
    u = an_underlying(history=history, publication=a_publication(last_time=NOW - 10 * HOUR))
    return CycleInputs(
        snapshot=a_snapshot(an_account(7), underlying=u), in_flight=(), called=(), risk=RiskKnobs(),
        policy=PolicyKnobs(heartbeat_s=1),
    )  # fmt: skip


@pytest.mark.parametrize(
    "path", [one.name for one in fields(PolicyKnobs) if one.name not in {*PUBLISHED_BY, OF_THE_PAPER}]
)
def test_choices__a_knob_that_is_not_compared__moves_no_published_number(due, path):
    """QCL-8: whoever adds a knob of [policy] that moves what is published has it compared."""

    def numbers(policy):
        decision, files = thought(replace(due, policy=policy))
        pushes = [one for one in (*decision.actions, *decision.standby) if isinstance(one, Publish)]
        return [one.params for one in pushes], [permitted(one) for one in files]

    found = numbers(due.policy)
    assert found[0], "a push is due"
    if path != "max_actions_per_block":  # of none it would be the last
        assert numbers(moved(due.policy, path)) == found, "QCL-8"
