"""What one block says about parameters: the head as it is now, or a block that was lived."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from keeper.cycle import Ports
from keeper.domain.cycle import CycleInputs
from keeper.domain.floors import OwnTarget, own_targets
from keeper.domain.inputs import Brought
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.market import MarketModel, UnderlyingTarget
from keeper.domain.snapshot import UnderlyingState
from keeper.errors import BadInput
from keeper.ops.stored import stored_cycle
from keeper.policy.overrides import standing
from keeper.policy.publish import Proposal, propose
from keeper.policy.signed import unsigned
from keeper.ports import Heads, Store
from keeper.risk.model import model
from keeper.updates import brought_lately


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
        return propose(
            inputs.snapshot,
            u,
            self.market,
            inputs.policy,
            inputs.overrides,
            asked=asked,
            unsigned=may_not,
            brought=self.brought(u),
        )

    def own(self, u: UnderlyingState) -> UnderlyingTarget | None:
        """The kernel's own target of an underlying, without floors; None if it has none."""
        return next((seen.target for seen in self.market.underlyings if seen.underlying == u.underlying), None)

    def floors(self, u: UnderlyingState) -> tuple[OwnTarget, ...]:
        """Floors that stand over an underlying's numbers, each beside the kernel's own target."""
        return tuple(own_targets(u.symbol, standing(self.inputs.overrides, u.underlying, self.now), self.own(u)))

    def without_floors(self) -> Sight:
        """The same block as if no floor stood now; those that ended lately hold what they held."""
        left = tuple(one for one in self.inputs.overrides if not one.stands(self.now))
        return replace(self, inputs=replace(self.inputs, overrides=left))

    def brought(self, u: UnderlyingState) -> tuple[Brought, ...]:
        """Whom our own pushes of the last day were to bring below maintenance in an underlying."""
        return dict(self.inputs.brought).get(u.underlying, ())


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
        brought=brought_lately(snapshot, ports.store),
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
