"""Defect 11: a key of the settings was read, checked and shown, and nothing came of it."""

from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest

import keeper.wiring.nodes
import keeper.wiring.sender
from keeper.chain.asking.endpoint import Endpoint
from keeper.chain.asking.rpc import Rpc
from keeper.chain.sending.fees import FeePolicy
from keeper.errors import Retry
from keeper.settings import Settings, load_settings
from keeper.settings.tree import leaves
from keeper.testing.faulty import FaultyNode
from keeper.testing.outbox_world import ALL, OutboxWorld
from keeper.testing.plan import FaultPlan
from keeper.testing.provider import EmbeddedProvider
from keeper.wiring.nodes import rpc_of
from keeper.wiring.sender import outbox_of
from tests.defects.frame import defect
from tests.unit import test_settings_effect as effect

pytestmark = pytest.mark.chain

GWEI = 10**9


# Every key, as the source has it


def as_if_it_read(module, line, instead):
    """A mutant in which a module of the package says `instead` where it says `line`."""

    def put(patch):
        real = Path.read_text

        def read_text(self, *args, **named):
            text = real(self, *args, **named)
            if not self.as_posix().endswith(f"keeper/{module}"):
                return text
            assert line in text
            return text.replace(line, instead)

        patch.setattr(Path, "read_text", read_text)
        patch.setattr(effect, "reads", cache(effect.reads.__wrapped__))

    return put


def each_has_a_reader():
    """For every key there is the module that reads it, and not only to define or check it."""
    assert [key for key in leaves(Settings) if effect.CONSUMERS[key] not in effect.readers(key)] == []


@defect(11, mutant=as_if_it_read("wiring/nodes.py", "quorum=chain.quorum", "quorum=0"))
def test_every_key__one_argument_left_at_its_default__is_named():
    """An argument that somebody forgot to pass on leaves a key that nothing reads."""
    each_has_a_reader()


@defect(11, mutant=as_if_it_read("policy/liquidate.py", ".max_inventory_usd", ".MAX_INVENTORY_USD"))
def test_every_key__a_constant_in_its_place__is_named():
    """A constant of the module that was there before the key leaves it unread too."""
    each_has_a_reader()


# Two of them, by what comes of them

TOML = """
[chain]
chain_id = {chain_id}
rpc_urls = ["https://a.example", "https://b.example"]
quorum = {quorum}
[fees]
max_fee_gwei = {gwei}
"""


def settings(folder, chain, *, quorum=0, gwei=200):
    """Settings of a file in which an operator wrote these."""
    path = folder / "keeper.toml"
    path.write_text(TOML.format(chain_id=chain.chain_id, quorum=quorum, gwei=gwei))
    return load_settings(path, {})


def has_its_own_idea(patch):
    """`MAX_FEE = 500 * GWEI` beside the key: the operator's ceiling is printed at the start and that is all."""
    patch.setattr(keeper.wiring.sender, "FeePolicy", lambda **given: FeePolicy(**given | {"max_fee_wei": 500 * GWEI}))


@defect(11, mutant=has_its_own_idea)
def test_fees_max_fee_gwei__never_exceeded_and_used_up_to_it(tmp_path):
    """A transaction that is stuck for long is raised up to the operator's ceiling, whatever that is, not above."""
    dearest = []
    for gwei in (3, 6):
        world = OutboxWorld()
        written = settings(tmp_path, world.chain, gwei=gwei)
        world.outbox = outbox_of(written, world.rpc, world.store, world.signers)
        world.submit("a")
        world.blocks(40, lose=ALL)
        dearest.append(max(attempt.max_fee_wei for attempt in world.one().attempts))
        assert dearest[-1] <= gwei * GWEI
    assert dearest[0] < dearest[1]


def forgets_the_quorum(patch):
    """`Rpc(endpoints, policy=...)`: the argument has a default, and nobody misses it."""
    patch.setattr(keeper.wiring.nodes, "Rpc", lambda *given, **named: Rpc(*given, **named | {"quorum": 0}))


@defect(11, mutant=forgets_the_quorum)
def test_chain_quorum__decides_whether_one_node_suffices_to_send(tmp_path):
    """With one of two nodes silent about the head a quorum of two sends nothing, one of none does."""
    sent = {}
    for quorum in (0, 2):
        world = OutboxWorld()
        silent = FaultyNode(world.chain.node, FaultPlan.parse("1: timeout"))
        nodes = [
            Endpoint(name, EmbeddedProvider(node)) for name, node in (("well", world.chain.node), ("silent", silent))
        ]
        written = settings(tmp_path, world.chain, quorum=quorum)
        world.outbox = outbox_of(written, rpc_of(written, nodes), world.store, world.signers)
        with suppress(Retry):
            world.submit("a")
        sent[quorum] = [record.state.value for record in world.store.txs()]
        silent.close()
    assert sent == {0: ["sent"], 2: ["planned"]}
