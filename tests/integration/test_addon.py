"""A market that worsens widens IM on the chain, moves nothing else, and narrows again by itself (ADD-6)."""

from dataclasses import replace

import pytest

from keeper.chain.sending.dry import DrySender
from keeper.domain.action import SetAddOn
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.snapshot import Observation
from keeper.policy.addons import add_ons
from keeper.testing.memory_store import MemoryStore
from keeper.testing.small_house import SmallHouse
from keeper.wiring import assemble

pytestmark = pytest.mark.chain

KNOBS = PolicyKnobs(addon_sure_age_s=1_000, addon_late_ppm=200_000, addon_life_s=1_800)


def test_add_on__oracle_late__im_widens_and_nothing_else_and_lapses():
    """ADD-6: what the keeper decided lands as encoded; the rules read next carry it, in IM alone, until its end."""
    house = SmallHouse()
    ports = assemble(
        rpc=house.rpc,
        store=MemoryStore(),
        deployment=house.deployment,
        risk=RiskKnobs(),
        policy=KNOBS,
        sender=lambda decode, _recheck: DrySender(house.rpc, {}, decode_revert=decode),
        reorg_depth=8,
    )

    def see():
        return ports.reader.read(house.chain.block())

    house.chain.advance_to(house.chain.block().timestamp + 1_500)
    house.chain.mine(1)
    before = see()
    (u,) = before.underlyings
    late = replace(u, history=(Observation(time=before.block.timestamp - 1_500, price=u.spot.wad),))
    (action,) = add_ons(replace(before, underlyings=(late,)), KNOBS)
    assert isinstance(action, SetAddOn)
    assert action.ppm == 100_000
    intent = ports.ports.encoder.encode(action, block=before.block)
    sent = house.chain.send(sender=house.chain.accounts[1], to=intent.to, data=intent.data, gas=500_000)
    assert int(house.chain.request("eth_getTransactionReceipt", sent)["status"], 16) == 1
    (after,) = see().underlyings
    assert after.rules == replace(u.rules, im_add_on_ppm=u.rules.im_add_on_ppm + 100_000)
    assert after.publication is not None
    assert (after.publication.state_add_on_ppm, after.publication.state_until_s) == (100_000, action.valid_until)
    house.chain.advance_to(action.valid_until + 1)
    house.chain.mine(1)
    (gone,) = see().underlyings
    assert gone.rules == u.rules
