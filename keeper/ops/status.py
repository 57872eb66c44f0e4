"""Where everything stands, from the store alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from keeper.domain.block import BlockRef
from keeper.domain.cycle import CycleInputs, CycleRecord, Handed
from keeper.domain.history import Notice
from keeper.domain.margin import AccountMargin, Band
from keeper.domain.report import BandSum, MarginReport
from keeper.domain.sender import Sender
from keeper.domain.snapshot import Snapshot
from keeper.domain.tx import TxRecord
from keeper.ops.money import Money, money
from keeper.policy.held import Key, held_by
from keeper.policy.signed import unsigned
from keeper.ports import Store

#: Cycles looked through for what was decided lately.
LATELY = 20
#: Accounts, margin calls and decisions listed.
LISTED = 8


@dataclass(frozen=True, kw_only=True)
class Lately:
    """Something that was decided."""

    block: BlockRef
    handed: Handed
    tx: TxRecord | None
    """Its transaction as it stands now, if it became one."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """What the store says."""

    now_s: int
    last: CycleRecord | None
    """The newest cycle."""
    snapshot: Snapshot | None
    """What it saw; None if there is no cycle or its snapshot is gone."""
    bands: Mapping[Band, BandSum]
    """Every band, in the order of `Band`; amounts of unknown accounts are zero."""
    nearest: tuple[AccountMargin, ...]
    """Accounts with the lowest health, worst first, none that owes nothing."""
    heartbeats: Mapping[str, tuple[int, int]]
    """Last (unix seconds, block) of each kind of loop, `SENDING` and `DRY`."""
    open_txs: tuple[TxRecord, ...]
    called: int
    """Margin calls that stand."""
    notices: tuple[Notice, ...]
    """The newest margin calls, newest first."""
    lately: tuple[Lately, ...]
    """What was decided and handed over in the last cycles, newest first."""
    money: Money
    """What the last day brought and cost."""
    sender: Sender | None = None
    """Who sends from this store at this moment; None if nobody does."""
    held: Mapping[int, Mapping[Key, str]] = field(default_factory=dict)
    """By underlying what keeps each published number from its target; numbers that are there are left out."""


def status(store: Store, *, now_s: int) -> Status:
    """Collect where everything stands.

    Raises: `BadInput` if what is stored cannot be read; `Retry` if the database cannot be asked.
    """
    cycles = store.cycles(limit=LATELY)
    last = cycles[0] if cycles else None
    decided = [(c.block, one) for c in cycles for one in c.handed]
    report = (last.decision.report if last else MarginReport(accounts=())).summary
    priced = [a for a in report.listed if isinstance(a, AccountMargin)]
    inputs = store.inputs(last.block.hash) if last else None
    return Status(
        now_s=now_s,
        last=last,
        snapshot=inputs.snapshot if inputs else None,
        bands={band: report.bands[band] for band in Band},
        nearest=tuple(sorted((a for a in priced if a.mm), key=lambda a: (a.health_ppm, a.equity))[:LISTED]),
        heartbeats=store.heartbeats(),
        sender=store.sender(),
        open_txs=store.open_txs(),
        called=len(store.called()),
        notices=store.notices(limit=LISTED),
        lately=tuple(Lately(block=block, handed=one, tx=_tx(store, one)) for block, one in decided[:LISTED]),
        money=money(store, inputs, now_s=now_s),
        held=_held(last, inputs),
    )


def _held(last: CycleRecord | None, inputs: CycleInputs | None) -> Mapping[int, Mapping[Key, str]]:
    if last is None or inputs is None:
        return {}
    targets = {t.underlying: t for t in last.decision.targets}
    return {
        u.underlying: held_by(
            inputs.snapshot,
            u,
            targets.get(u.underlying),
            risk=inputs.risk,
            policy=inputs.policy,
            overrides=inputs.overrides,
            gated=u.underlying in last.decision.gated,
            unsigned=unsigned(inputs.signed),
        )
        for u in inputs.snapshot.underlyings
    }


def _tx(store: Store, handed: Handed) -> TxRecord | None:
    return store.tx(handed.intent_key) if handed.intent_key else None
