"""A publication by hand: what the loop would push, shown to the last number, previewed by the contract, and sent.

The same functions decide, the same gate weighs, the same outbox sends.  Nothing leaves without being asked to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from keeper.control.sight import Sight
from keeper.cycle import Ports
from keeper.domain.previews import Previewed
from keeper.domain.tx import TxIntent, TxRecord
from keeper.policy.publish import Proposal
from keeper.ports import Preview
from keeper.updates import keep_inputs


@dataclass(frozen=True, kw_only=True)
class Push:
    """What became of one underlying's push."""

    proposal: Proposal
    intent: TxIntent | None = None
    """None if nothing is pushed; `proposal.waits` says why."""
    decoded: tuple[tuple[str, str], ...] = ()
    previewed: Previewed | None = None
    record: TxRecord | None = None
    """None if it was not handed over."""
    refused: str = ""
    """Why it was not: no key of this keeper may, the contract would refuse it whole, or does not want it (any more)."""

    @property
    def sound(self) -> bool:
        """Whether it went out, or would have."""
        return self.record is not None and not self.refused


def pushes(sight: Sight, ports: Ports, preview: Preview, *, symbol: str | None, asked: str) -> Iterator[Push]:
    """Push what is due, one underlying after the other.

    Args:
        sight: the head.
        ports: its sender decides whether anything leaves.
        preview: the contract's word.
        symbol: ticker; None for all.
        asked: why a push is wanted even if none is due; empty to push only what is.

    Raises: `BadInput` if `symbol` names none; `Retry` if a node could not be asked; `Halt` if a spending cap is hit.
    """
    block = sight.inputs.snapshot.block
    barred = ports.rights.barred(block)
    for u in sight.picked(symbol):
        proposal = sight.proposal(u, asked=asked)
        push, file = proposal.push, proposal.file
        if push is None or file is None:
            yield Push(proposal=proposal)
            continue
        intent = ports.encoder.encode(push, block=block)
        said = preview.preview(intent, block)
        shown = Push(proposal=proposal, intent=intent, decoded=preview.decoded(intent), previewed=said)
        ports.recheck.expect([intent])
        refused = barred or said.refusal or ports.recheck.standing(intent, block)
        if refused:
            yield replace(shown, refused=refused)
            continue
        # What lands on-chain can be asked about: its inputs are kept before it leaves.
        keep_inputs((push,), (file,), ports.store)
        yield replace(shown, record=ports.sender.submit(intent))
