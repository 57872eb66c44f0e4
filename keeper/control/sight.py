"""What one block says about parameters: the head as it is now, or a block that was lived."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from keeper.cycle import Ports
from keeper.domain.cycle import CycleInputs
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.market import MarketModel
from keeper.domain.snapshot import UnderlyingState
from keeper.errors import BadInput
from keeper.ops.stored import stored_cycle
from keeper.policy.publish import Proposal, propose
from keeper.policy.signed import unsigned
from keeper.ports import Heads, Store
from keeper.risk.model import model


@dataclass(frozen=True, kw_only=True)
class Sight:
    """A block, ready to be thought about."""

    inputs: CycleInputs
    market: MarketModel

    @property
    def now(self) -> int:
        """Block time, unix seconds."""
        return self.inputs.snapshot.block.timestamp

    def picked(self, symbol: str | None) -> tuple[UnderlyingState, ...]:
        """One underlying by its ticker, or all.  Raises: `BadInput` naming those that there are."""
        everything = self.inputs.snapshot.underlyings
        found = tuple(u for u in everything if symbol is None or u.symbol.lower() == symbol.lower())
        if not found:
            known = ", ".join(u.symbol for u in everything) or "none"
            raise BadInput(f"no underlying is called {symbol}", hint=f"there are: {known}", symbol=symbol)
        return found

    def proposal(self, u: UnderlyingState, *, asked: str = "") -> Proposal:
        """What the control loop would do about an underlying at this block.

        Args:
            u: one of its underlyings.
            asked: why a push is wanted even if none is due; empty to leave that to the loop.
        """
        inputs = self.inputs
        may_not = unsigned(inputs.signed)
        return propose(inputs.snapshot, u, self.market, inputs.policy, inputs.overrides, asked=asked, unsigned=may_not)


def at_head(heads: Heads, ports: Ports, risk: RiskKnobs, policy: PolicyKnobs) -> Sight:
    """The newest block.  Raises: `Retry` if it could not be read."""
    head = heads.head()
    ports.quotes.refresh()
    snapshot = ports.reader.read(head)
    quotes = ports.quotes.read(snapshot)
    inputs = CycleInputs(
        snapshot=snapshot,
        quotes=quotes,
        in_flight=(),
        called=(),
        risk=risk,
        policy=policy,
        overrides=ports.store.overrides(at_s=head.timestamp, since_s=head.timestamp - policy.loosen_after_s),
        signed=ports.signed(),
    )
    return Sight(inputs=inputs, market=model(snapshot, risk, quotes))


def at_stored(store: Store, which: str) -> Sight:
    """A block that was lived, with the knobs of that day.

    Args:
        store: where it is.
        which: height or hash.

    Raises: `BadInput` if it was not lived, or what it saw was pruned.
    """
    block = stored_cycle(store, which).block
    inputs = store.inputs(block.hash)
    if inputs is None:
        raise BadInput(
            f"what block {block.number} saw was pruned", hint="choose a newer one: keeper status", block=block.number
        )
    return Sight(inputs=inputs, market=model(inputs.snapshot, inputs.risk, inputs.quotes))


def movable(sight: Sight, symbol: str | None) -> Iterator[tuple[UnderlyingState, Proposal]]:
    """Underlyings whose parameters can be moved from where they are, with what the loop would do about them.

    Raises: `BadInput` if one that was asked for by name cannot.
    """
    for u in sight.picked(symbol):
        proposal = sight.proposal(u)
        if proposal.aim is not None and u.publication is not None and proposal.legal is not None:
            yield u, proposal
        elif symbol is not None:
            raise BadInput(f"{u.symbol}: {proposal.waits}", hint="keeper recalibrate tells more", symbol=u.symbol)
