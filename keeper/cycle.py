"""One function, repeated: given a block, what is everybody's margin, and what should we do about it?

    BlockRef ─read→ Snapshot ─model→ MarketModel ─shock→ ScenarioPnl ─worst→ MarginReport
                                                                              │
    store ←append─ CycleRecord ←settle─ Receipt ←send─ TxIntent ←encode─ Action ←decide

`think` is the pure half: the same inputs give the same bytes, which is what `keeper.replay` checks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from keeper.domain.action import Action, MarginCall
from keeper.domain.block import BlockRef
from keeper.domain.cycle import CycleInputs, CycleRecord, Decision, Handed
from keeper.domain.inputs import InputsFile
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.margin import Band, Unpriced
from keeper.domain.market import MarketModel
from keeper.domain.report import MarginReport
from keeper.domain.snapshot import Snapshot
from keeper.domain.tx import TxIntent, TxRecord, TxState
from keeper.domain.worth import Standing, Verdict
from keeper.errors import Refused, Retry
from keeper.outcomes import economics, measure, remember
from keeper.policy import breaker
from keeper.policy.decide import choose
from keeper.policy.guard import shut
from keeper.policy.overrides import floored
from keeper.policy.signed import otherwise, signed_with, unsigned
from keeper.ports import (
    ALL_RIGHTS,
    ALWAYS_WANTED,
    Economy,
    Encoder,
    QuoteSource,
    Recheck,
    Rights,
    SnapshotReader,
    Store,
    TxSender,
)
from keeper.risk.model import model
from keeper.risk.report import shock, worst
from keeper.updates import brought_lately, keep_inputs

#: Actions that stand by and are made ready together, once one of them is needed.
STANDBY_AT_ONCE = 50


@dataclass(frozen=True, kw_only=True)
class Ports:
    """The world as one cycle sees it."""

    reader: SnapshotReader
    quotes: QuoteSource
    encoder: Encoder
    sender: TxSender
    store: Store
    economy: Economy | None = None
    """None: nothing is weighed against its gas."""
    recheck: Recheck = ALWAYS_WANTED
    needs_sign_off: bool = False
    """Whether only a model that an operator signed off may push."""
    rights: Rights = ALL_RIGHTS

    def signed(self) -> tuple[int, ...] | None:
        """Versions of the model that may push, ascending; None if no word is needed."""
        return tuple(sorted({one.version for one in self.store.sign_offs()})) if self.needs_sign_off else None

    def signed_knobs(self) -> str:
        """Digest of the knobs with which the running model was signed off last; empty if no word is needed."""
        return signed_with(self.store.sign_offs()) if self.needs_sign_off else ""


def cycle(block: BlockRef, ports: Ports, risk: RiskKnobs, policy: PolicyKnobs) -> CycleRecord:
    """Live one block.

    Raises:
        Retry: the block could not be read; nothing was decided, the next block may work.
        LawBroken: our own arithmetic contradicts itself; nothing was decided.
        Halt: a person must look; what was handed over before stays handed over.
    """
    ports.sender.settle(block)
    snapshot = ports.reader.read(block)
    open_txs = ports.store.open_txs()
    inputs = CycleInputs(
        snapshot=snapshot,
        quotes=ports.quotes.read(snapshot),
        in_flight=_named(open_txs),
        unmined=_named(tx for tx in open_txs if tx.state is not TxState.MINED),
        called=ports.store.called(),
        risk=risk,
        policy=policy,
        economics=economics(block, ports.economy, ports.store),
        refused=ports.store.refusals(),
        overrides=ports.store.overrides(at_s=block.timestamp, since_s=block.timestamp - policy.loosen_after_s),
        signed=ports.signed(),
        signed_knobs=ports.signed_knobs(),
        barred=ports.rights.barred(block),
        brought=brought_lately(snapshot, ports.store),
    )
    try:
        decision, files = thought(inputs)
    except Exception:
        ports.store.append_inputs(inputs)  # what we could not think about is what a person will want to see
        raise
    # Stored before anything is sent, so that a crash in between leaves the reason for every transaction behind.
    undone = CycleRecord(block=block, decision=decision, handed=())
    ports.store.append_lived(inputs, undone, ended=recovered(inputs.called, decision.report))
    keep_inputs((*decision.actions, *decision.standby), files, ports.store)
    record = CycleRecord(block=block, decision=decision, handed=tuple(act(decision, ports)))
    ports.store.append_cycle(record)
    # Last, since nothing that is sent waits for it: until it is measured, what is final counts as pledged.
    remember(record, inputs, measure(block, ports.economy, ports.store), ports.store)
    return record


def _named(records: Iterable[TxRecord]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((tx.intent.kind, tx.intent.subject) for tx in records))


def think(inputs: CycleInputs) -> Decision:
    """The pure half: no clock, network, environment or chance."""
    return thought(inputs)[0]


def thought(inputs: CycleInputs) -> tuple[Decision, tuple[InputsFile, ...]]:
    """The decision, and what its publications were made from."""
    snapshot = inputs.snapshot
    market = model(snapshot, inputs.risk, inputs.quotes)
    pnl = shock(snapshot, market)
    report = worst(snapshot, market, pnl, buffer_ppm=inputs.policy.margin_call_buffer_ppm)
    choice = choose(
        snapshot,
        market,
        report,
        inputs.policy,
        in_flight=frozenset(inputs.in_flight),
        unmined=frozenset(inputs.unmined),
        called=frozenset(inputs.called),
        refused=inputs.refused,
        economics=inputs.economics,
        overrides=inputs.overrides,
        unsigned=unsigned(inputs.signed),
        barred=inputs.barred,
        brought=dict(inputs.brought),
    )
    aims = (floored(u.target, inputs.overrides, market.now) for u in market.underlyings if u.target is not None)
    decision = Decision(
        block=snapshot.block,
        targets=tuple(aims),
        report=report,
        actions=choice.actions,
        alerts=(*held(inputs), *alerts(snapshot, market, report), *choice.remarks, *unweighed(choice.verdicts)),
        standby=choice.standby,
        verdicts=choice.verdicts,
        gated=choice.gated,
    )
    return decision, choice.files


def held(inputs: CycleInputs) -> Iterator[str]:
    """That nothing is pushed at all, and why."""
    if inputs.barred:
        yield f"no publication and no add-on is sent: {inputs.barred}"
    if why := unsigned(inputs.signed):
        yield f"nothing is published: {why}"
    if apart := otherwise(inputs.signed_knobs, inputs.risk, inputs.policy):
        yield apart


def unweighed(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """That flags or bids could not be weighed against their gas, and why the first could not."""
    unknown = [v for v in verdicts if v.standing is Standing.UNKNOWN]
    if unknown:
        yield f"{len(unknown)} action(s) not weighed against their gas, the first: {unknown[0].why}"


def recovered(called: tuple[int, ...], report: MarginReport) -> tuple[int, ...]:
    """Accounts whose margin call is over.  One that is unknown now keeps its call."""
    return report.accounts.outside(called, Band.WARNING, Band.UNKNOWN)


def act(decision: Decision, ports: Ports) -> Iterator[Handed]:
    """Hand over each action, most urgent first.  One that fails is recorded and does not stop the next.

    Before that the protocol is asked once for all of them whether it still wants them.  For each that it does not, one
    that stood by moves up, so that false positives take nobody's place.  The same holds for what could not be sent, as
    many times as there were places: a few that fail in every block starve nobody, and a dead node is not asked for
    hundreds.
    """
    wanted = [action for action in decision.actions if not isinstance(action, MarginCall)]
    calls = [action for action in decision.actions if isinstance(action, MarginCall)]
    room = failures = len(wanted)

    def takes_a_place(handed: Handed) -> bool:
        nonlocal failures
        if handed.state == "failed" and failures > 0:
            failures -= 1
            return False
        return not handed.refused

    for action, intent in ready(wanted, decision, ports):
        handed = hand_over(action, intent, decision, ports)
        room -= takes_a_place(handed)
        yield handed
    if calls:
        ports.store.append_notices(decision.block, calls)
    yield from (Handed(action=action, intent_key="", state="notice", reason="") for action in calls)
    # There may be hundreds, of which few are needed: the most urgent do not wait until all are ready.
    for start in range(0, len(decision.standby), STANDBY_AT_ONCE):
        if room <= 0:
            return
        for action, intent in ready(decision.standby[start : start + STANDBY_AT_ONCE], decision, ports):
            if room > 0:
                handed = hand_over(action, intent, decision, ports)
                room -= takes_a_place(handed)
                yield handed


def ready(
    actions: Sequence[Action], decision: Decision, ports: Ports
) -> list[tuple[Action, TxIntent | Retry | Refused]]:
    """Actions with their transactions, which the protocol may be asked about together."""
    found = list(encoded(actions, decision, ports))
    ports.recheck.expect([intent for _, intent in found if isinstance(intent, TxIntent)])
    return found


def encoded(
    actions: Sequence[Action], decision: Decision, ports: Ports
) -> Iterator[tuple[Action, TxIntent | Retry | Refused]]:
    """Each action with its transaction and the gas money it may cost, or with why there is none."""
    verdicts = {(v.kind, v.subject): v for v in decision.verdicts}
    for action in actions:
        try:
            intent = ports.encoder.encode(action, block=decision.block)
        except (Retry, Refused) as problem:
            yield action, problem
            continue
        verdict = verdicts.get((intent.kind, intent.subject))
        if verdict is not None:
            intent = replace(intent, worth_wei=verdict.worth_wei, subsidy_wei=verdict.subsidy_wei)
        yield action, intent


def hand_over(action: Action, intent: TxIntent | Retry | Refused, decision: Decision, ports: Ports) -> Handed:
    """One action, re-checked and submitted."""
    if not isinstance(intent, TxIntent):
        return Handed(action=action, intent_key="", state="failed", reason=intent.message)
    of = (intent.kind, intent.subject)
    worth = next((v.why for v in decision.verdicts if (v.kind, v.subject) == of), "")
    try:
        unwanted = ports.recheck.standing(intent, decision.block)
        if unwanted:
            return Handed(action=action, intent_key="", state="dropped", reason=unwanted, worth=worth)
        record = ports.sender.submit(intent)
    except (Retry, Refused) as problem:
        return Handed(action=action, intent_key="", state="failed", reason=problem.message, worth=worth)
    return Handed(action=action, intent_key=intent.key, state=record.state, reason=record.reason, worth=worth)


def alerts(snapshot: Snapshot, market: MarketModel, report: MarginReport) -> Iterator[str]:
    """What a person should know about this block."""
    yield from snapshot.problems
    for u in market.underlyings:
        if u.spot is None:
            yield f"{u.symbol}: price unusable: {u.why_unpriced}"
        elif u.target is None:
            yield f"{u.symbol}: no target parameters: {u.why_untargeted}"
        elif u.why_realised:
            yield f"{u.symbol}: quotes unused, volatilities are realised: {u.why_realised}"
    for state in snapshot.underlyings:
        if state.publication is not None and state.publication.frozen:
            yield f"{state.symbol}: parameters {shut(state.publication, snapshot.block.timestamp)}"
    yield from breaker.remarks(snapshot)
    unknown = report.accounts.where(report.accounts.in_bands(Band.UNKNOWN))
    for a in unknown[:10]:
        if isinstance(a, Unpriced):
            yield f"account {a.account:#066x} is unknown: {a.reason}"
    if len(unknown) > 10:
        yield f"and {len(unknown) - 10} more accounts are unknown"
