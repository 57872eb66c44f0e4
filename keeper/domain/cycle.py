"""One turn of the wheel, as it is stored."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.domain.action import Action
from keeper.domain.block import BlockRef
from keeper.domain.inputs import Brought
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.market import UnderlyingTarget
from keeper.domain.overrides import Override
from keeper.domain.quotes import Quoted
from keeper.domain.report import MarginReport
from keeper.domain.snapshot import Snapshot
from keeper.domain.worth import Economics, Refusal, Verdict


@dataclass(frozen=True, kw_only=True)
class CycleInputs:
    """All that the pure half sees.  These bytes are stored, and replaying them gives the same `Decision`."""

    snapshot: Snapshot
    in_flight: tuple[tuple[str, str], ...]
    """(kind, subject) of transactions that were open."""
    unmined: tuple[tuple[str, str], ...] = ()
    """Those of them that no block has: what they will do is not in the snapshot yet."""
    called: tuple[int, ...]
    """Accounts in the warning zone that had already been told."""
    risk: RiskKnobs
    policy: PolicyKnobs
    quotes: tuple[Quoted, ...] = ()
    """One per underlying of a configured source, ascending; empty if there is no source."""
    economics: Economics | None = None
    """What gas costs; None if nothing is weighed against it."""
    refused: tuple[Refusal, ...] = ()
    """Flags and bids that came to nothing lately, and pushes that the impact gate held, ascending by kind and
    subject."""
    overrides: tuple[Override, ...] = ()
    """Floors under parameters that an operator set by hand and that stand at the block, or stood in the
    `policy.loosen_after_s` before it, ascending by number."""
    brought: tuple[tuple[int, tuple[Brought, ...]], ...] = ()
    """(underlying, whom the keeper's own pushes of the last day were to bring down) where there was any, ascending."""
    barred: str = ""
    """Why no key of this keeper may publish at the block, and who does; empty if one may."""
    signed: tuple[int, ...] | None = None
    """Versions of the model that were signed off, ascending; None where none needs to be, since nothing leaves."""
    signed_knobs: str = ""
    """0x digest of the knobs with which the running version was signed off last; empty if no word is needed, or none
    was kept."""


#: How every reason of a dry run begins.
DRY = "dry run: "
#: Reason of an action that a dry run simulated and that went through.
REHEARSED = f"{DRY}would be sent"


@dataclass(frozen=True, kw_only=True)
class Handed:
    """An action and what became of it when it was handed over."""

    action: Action
    intent_key: str
    """Empty for a notice."""
    state: str
    """State of the transaction when the cycle ended, or `notice`, or `dry`."""
    reason: str
    """Why it was refused or dropped, if it was."""
    worth: str = ""
    """What it was worth against its gas, if that was weighed."""

    @property
    def failed(self) -> bool:
        """Whether it came to nothing; a rehearsal that went through did not."""
        return self.state in ("failed", "dropped") and self.reason != REHEARSED

    @property
    def refused(self) -> bool:
        """Whether the chain as it stands said no, by the re-check or by simulation; a rehearsal holds nothing back."""
        return self.state == "dropped" and not self.reason.startswith(DRY)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The pure half of a cycle: replaying the block's snapshot gives these bytes again."""

    block: BlockRef
    targets: tuple[UnderlyingTarget, ...]
    report: MarginReport
    actions: tuple[Action, ...]
    alerts: tuple[str, ...]
    """What a person should know: unusable prices, unknown accounts, unread state."""
    standby: tuple[Action, ...] = ()
    """What moves up, in this order, where an action turns out not to be wanted when it is handed over."""
    verdicts: tuple[Verdict, ...] = ()
    """What the actions are worth, and what was left alone because it is not worth its gas."""
    gated: tuple[int, ...] = ()
    """Underlyings whose push the impact gate held; it is weighed again after a while."""


@dataclass(frozen=True, kw_only=True)
class CycleRecord:
    """The decision and what was done about it."""

    block: BlockRef
    decision: Decision
    handed: tuple[Handed, ...]
    """In the order of `decision.actions`, then what moved up from `standby`; shorter if the cycle was cut off."""
