"""A house whose truth the test writes, a line to its node that the test meddles with, and keepers that come and go."""

from keeper.chain.asking.rpc import Endpoint, Rpc
from keeper.chain.errors import Unreachable
from keeper.cycle import think
from keeper.demo.opening import RISK, policy
from keeper.domain.cycle import CycleInputs
from keeper.errors import Retry
from keeper.testing.memory_store import MemoryStore
from keeper.testing.provider import EmbeddedProvider
from keeper.testing.synthetic import HousePlan, SyntheticNode
from keeper.wiring import assemble

#: Blocks that a reorg may replace.
DEPTH = 8


class Line:
    """A node behind something in the way: `meddle(method, params)` may raise, answer, or return None to pass on."""

    def __init__(self, node):
        self.node = node
        self.meddle = lambda _method, _params: None

    def request(self, method, params):
        meddled = self.meddle(method, params)
        return self.node.request(method, params) if meddled is None else meddled


class MadeUpHouse:
    """Sixty accounts with five positions each, and a store that outlives its keepers."""

    def __init__(self, **plan):
        given = {"accounts": 60, "positions": 5, "expiries": 2, "strikes": 5, "rounds": 80}
        self.node = SyntheticNode(HousePlan(**given | plan))
        self.line = Line(self.node)
        self.store = MemoryStore()

    def keeper(self, store=None):
        """One life.  What fails here is asked once: the next block is the next try."""
        return assemble(
            rpc=Rpc([Endpoint("made up", EmbeddedProvider(self.line))], chain_id=self.node.plan.chain_id),
            store=store or self.store,
            deployment=self.node.deployment,
            risk=RISK,
            policy=policy(12),
            sender=lambda *_: None,
            reorg_depth=DEPTH,
        )

    def truth(self):
        """Everybody who holds anything, as the contract has it."""
        return dict(sorted(self.node.chain.accounts().items()))

    def read(self, keeper):
        """The accounts as a keeper sees them at the head.  Raises: `Retry`."""
        return {state.account: state for state in keeper.reader.read(self.node.head()).accounts}

    def margins(self, keeper):
        """Each account's margin at the head, in the words of the pure half.  Raises: `Retry`."""
        snapshot = keeper.reader.read(self.node.head())
        inputs = CycleInputs(
            snapshot=snapshot,
            quotes=keeper.ports.quotes.read(snapshot),
            in_flight=(),
            called=(),
            risk=keeper.risk,
            policy=keeper.policy,
            economics=None,
            refused=(),
        )
        return {one.account: one for one in think(inputs).report.accounts}


def tried(what, *args):
    """What came of it; None where it is to be tried again."""
    try:
        return what(*args)
    except Retry:
        return None


def no_answer(method):
    """What a node that is away raises."""
    raise Unreachable(f"no answer to {method}")
