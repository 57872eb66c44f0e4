"""A node that plays a plan of faults in front of another node, and is a node itself.

    node = FaultyNode(chain.node, FaultPlan.parse("7: stale_head@5+3; timeout%0.05"))
    rpc = Rpc([Endpoint("faulty", EmbeddedProvider(node))], chain_id=chain.chain_id)     # in this process
    with HttpNode(node) as served: ...                                                   # or really over HTTP
    node.ledger.counts()                                                                 # what struck, where, how often

Requests for control (`evm_…`, `anvil_…`) are never meddled with.  `evm_mine` through this node is when its chain faults
strike, so that one node of several can own the weather.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from keeper.testing import answers
from keeper.testing.answers import Node
from keeper.testing.broken import Broken
from keeper.testing.faults import Boundary, Call, Fault, Shot
from keeper.testing.faults.fault import Forward
from keeper.testing.plan import FaultPlan, Firing, Ledger, Rule
from keeper.testing.wire import JsonRpcError, number

#: Requests that steer the node; a fault in them would be a fault of the test.
CONTROL: Final = ("evm_", "anvil_", "hardhat_", "eth_sendTransaction")
BATCH, MINE, HEADS = "batch", "evm_mine", "newHeads"


class FaultyNode:
    """See the module.

    Args:
        inner: the node that tells the truth; heads need its `subscribe_heads`.
        plan: what strikes when.
        name: for the ledger.
        ledger: one to share with other nodes; a new one by default.
    """

    def __init__(self, inner: Node, plan: FaultPlan, *, name: str = "node", ledger: Ledger | None = None) -> None:
        self.inner, self.plan, self.name = inner, plan, name
        self.ledger = Ledger() if ledger is None else ledger
        self.calm = False
        """Set it and nothing strikes any more; what faults hold back is still let go."""
        self._guard = threading.Lock()
        self._plays = [_Play(rule, seed=plan.seed, place=place) for place, rule in enumerate(plan.rules)]
        self._by_method: dict[str, tuple[list[_Play], list[_Play]]] = {}
        self._listeners: list[Callable[[dict[str, Any]], None]] = []
        self._links: list[Callable[[bool], None]] = []
        self.linked = True
        """Whether subscribers may come; see `subscribe_link`."""
        self._end: Callable[[], None] | None = None
        if any(play.fault.after_block or play.fault.catch_up or play.fault.on_head for play in self._plays):
            self._attend()

    # Requests

    def request(self, method: str, params: list[Any]) -> Any:
        """Answer one call.  Raises: `JsonRpcError`; `Broken` where no proper answer comes."""
        if method.startswith(CONTROL):
            if method == MINE:
                self.before_block()
            return self.inner.request(method, params)
        on_wire, inside = self._for(method)
        if not on_wire and not inside:
            return self.inner.request(method, params)
        call = Call(method, tuple(params))
        problem = self._struck(on_wire, call)
        if problem is None:
            return self._answer(inside, call)
        if problem.executed:
            try:
                problem.answer = {"jsonrpc": "2.0", "id": None, "result": self._answer(inside, call)}
            except JsonRpcError as error:
                problem.answer = {"jsonrpc": "2.0", "id": None, "error": error.as_json()}
        raise problem

    def batch(self, asked: list[Any]) -> Any:
        """Answer an array of request objects: wire faults strike it once, the others each of its items.

        Returns: answer objects; one error object if the array is refused.  Raises: `Broken`.
        """
        methods = {str(one.get("method")) for one in asked if isinstance(one, dict)}
        on_wire = [
            play
            for play in self._plays
            if play.fault.boundary is Boundary.WIRE and (not play.methods or methods & play.methods)
        ]
        problem = self._struck(on_wire, Call(BATCH))
        if problem is not None and not problem.executed:
            raise problem
        forward: Callable[[list[Any]], Any] = self._each
        for play in self._plays:
            if play.fault.on_batch is not None:
                forward = _around(play.fault.on_batch, self._shot(play, BATCH), forward)
        found = forward(asked)
        if problem is not None:
            problem.answer = found
            raise problem
        return found

    def _each(self, asked: list[Any]) -> Any:
        return [answers.one(_Inside(self), one) for one in asked]

    def _struck(self, plays: Sequence[_Play], call: Call) -> Broken | None:
        for play in plays:
            shot = self._shot(play, call.method)
            if shot is None or play.fault.on_call is None:
                continue
            try:
                play.fault.on_call(shot, call, _no_forward)
            except Broken as problem:
                return problem
        return None

    def _answer(self, plays: Sequence[_Play], call: Call) -> Any:
        forward: Forward = self._ask
        for play in reversed(plays):
            shot = self._shot(play, call.method)
            if shot is not None and play.fault.on_call is not None:
                forward = _around(play.fault.on_call, shot, forward)
        return forward(call)

    def _ask(self, call: Call) -> Any:
        return self.inner.request(call.method, list(call.params))

    def _for(self, method: str) -> tuple[list[_Play], list[_Play]]:
        """The rules that may strike a method: on the wire, and inside."""
        found = self._by_method.get(method)
        if found is None:
            able = [play for play in self._plays if play.fault.on_call and play.takes(method)]
            wire = [play for play in able if play.fault.boundary is Boundary.WIRE]
            found = self._by_method[method] = wire, [play for play in able if play not in wire]
        return found

    def _shot(self, play: _Play, where: str, height: int | None = None) -> Shot | None:
        """An occasion for one rule; None if it does not strike now."""
        if self.calm or play.spent:
            return None
        at = self.height if height is None else height
        with self._guard:
            return play.shot(self, where, at) if play.strikes(at) else None

    @property
    def height(self) -> int:
        """Height of the true head."""
        return number(self.inner.request("eth_blockNumber", []))

    # Blocks

    def before_block(self) -> None:
        """Let chain faults strike; `evm_mine` through this node does."""
        for play in self._plays:
            if play.fault.before_block is not None and (shot := self._shot(play, MINE)) is not None:
                play.fault.before_block(shot)

    def _mined(self, head: dict[str, Any]) -> None:
        """A head of the inner node: what is owed, what strikes after blocks, and the news for subscribers."""
        height = number(head["number"])
        for play in self._plays:
            if play.fault.catch_up is not None:
                play.fault.catch_up(play.shot(self, MINE, height, anew=False))
            if play.fault.after_block is not None and (shot := self._shot(play, MINE, height)) is not None:
                play.fault.after_block(shot)
        self._announce(head, height)

    # Subscribers

    def subscribe_heads(self, callback: Callable[[dict[str, Any]], None]) -> Callable[[], None]:
        """As `EmbeddedNode.subscribe_heads`, through the plan's faults."""
        self._attend()
        return _listed(self._listeners, callback)

    def subscribe_link(self, callback: Callable[[bool], None]) -> Callable[[], None]:
        """Call `callback` with False when subscribers are cut off, and with True when they may come back."""
        return _listed(self._links, callback)

    def close(self) -> None:
        """Hear no more of the inner node."""
        if self._end is not None:
            self._end()
            self._end = None

    def _attend(self) -> None:
        subscribe = getattr(self.inner, "subscribe_heads", None)
        if self._end is None and subscribe is not None:
            self._end = subscribe(self._mined)

    def _announce(self, head: dict[str, Any], height: int) -> None:
        tell: Callable[[dict[str, Any]], None] = self._tell
        for play in self._plays:
            if play.fault.on_head is not None and (shot := self._shot(play, HEADS, height)) is not None:
                tell = _around(play.fault.on_head, shot, tell)
        tell(head)
        linked = not any(play.fault.cuts_link and play.in_spell(height) for play in self._plays) or self.calm
        if linked != self.linked:
            self.linked = linked
            for callback in tuple(self._links):
                callback(linked)

    def _tell(self, head: dict[str, Any]) -> None:
        for callback in tuple(self._listeners):
            callback(head)


class _Inside:
    """The node behind its wire: what one item of an array meets."""

    def __init__(self, node: FaultyNode) -> None:
        self._node = node

    def request(self, method: str, params: list[Any]) -> Any:
        node = self._node
        if method.startswith(CONTROL):
            return node.request(method, params)
        return node._answer(node._for(method)[1], Call(method, tuple(params)))  # noqa: SLF001 - its other half


class _Play:
    """One rule while it is played: its chance, its spells, what it remembers."""

    def __init__(self, rule: Rule, *, seed: int, place: int) -> None:
        self.rule, self.fault = rule, rule.spec
        self.options = {**self.fault.defaults, **rule.options}
        self.methods = frozenset(rule.methods or self.fault.methods)
        self._rng = np.random.default_rng([seed, place])
        self._length = self.fault.lasts_blocks if rule.blocks is None else rule.blocks
        self._memory: dict[str, Any] = {}
        self._strikes = 0
        self._since = self._until = -1

    def takes(self, method: str) -> bool:
        """Whether the rule is about this request."""
        return not self.methods or method in self.methods

    @property
    def spent(self) -> bool:
        """Whether it can never strike again."""
        return self._until < 0 and self.rule.times is not None and self._strikes >= self.rule.times

    def in_spell(self, height: int) -> bool:
        """Whether a spell covers a height."""
        return self._since <= height < self._until

    def strikes(self, height: int) -> bool:
        """Draw, where there is no spell."""
        if self.in_spell(height):
            return True
        rule = self.rule
        if rule.times is not None and self._strikes >= rule.times:
            return False
        if height < rule.first_block or (rule.last_block is not None and height > rule.last_block):
            return False
        return rule.probability >= 1 or bool(self._rng.random() < rule.probability)

    def shot(self, node: FaultyNode, where: str, height: int, *, anew: bool = True) -> Shot:
        """The occasion, with everything the fault may use."""
        known = self.in_spell(height)
        if anew and not known and self._length:
            self._memory = {}

        def fire() -> None:
            node.ledger.add(Firing(self.fault.name, self.fault.boundary, where, height, node.name))
            if not self.in_spell(height):
                self._strikes += 1
                if self._length:
                    self._since, self._until = height, height + self._length

        return Shot(
            options=self.options,
            rng=self._rng,
            memory=self._memory,
            node=node.inner,
            height=height,
            since=self._since if known else height,
            fire=fire,
        )


def _no_forward(call: Call) -> Any:
    raise AssertionError(f"a wire fault has nothing to forward {call.method} to")


def _around(hook: Any, shot: Shot | None, forward: Any) -> Any:
    """`forward` with a fault around it; as it is where the fault does not strike."""
    return forward if shot is None else lambda what: hook(shot, what, forward)


def _listed(place: list[Any], callback: Any) -> Callable[[], None]:
    place.append(callback)

    def end() -> None:
        if callback in place:
            place.remove(callback)

    return end


__all__ = ["BATCH", "HEADS", "MINE", "Fault", "FaultyNode"]
