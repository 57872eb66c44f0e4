"""A model change is an event: what changed, what it makes of the newest block, and who let it push."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from keeper.domain.block import BlockRef
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.market import UnderlyingMarket
from keeper.domain.raw_units import moment
from keeper.domain.snapshot import Snapshot, UnderlyingState
from keeper.domain.text import written
from keeper.domain.updates import ShadowRun, SignOff
from keeper.errors import BadInput
from keeper.policy.choices import digest
from keeper.ports import Store
from keeper.risk.calibration.targets import day
from keeper.risk.model import model
from keeper.risk.version import MODEL_CHANGELOG, MODEL_VERSION


@dataclass(frozen=True, kw_only=True)
class Beside:
    """One published number, and what the running model would have it."""

    name: str
    """`ETH.scan_range`, `ETH.sigma@2026-12-25 08:00`."""
    live_ppm: int | None
    """None if nothing is published."""
    proposed_ppm: int | None
    """None if the model has no target."""

    def __str__(self) -> str:
        """`ETH.scan_range 15 % → 16.25 %`."""

        def share(ppm: int | None) -> str:
            return "nothing" if ppm is None else f"{ppm / 10_000:g} %"

        return f"{self.name} {share(self.live_ppm)} → {share(self.proposed_ppm)}"


@dataclass(frozen=True, kw_only=True)
class ModelState:
    """The running model."""

    version: int
    changelog: dict[int, str]
    sign_offs: tuple[SignOff, ...]
    """Oldest first, of every version."""
    block: BlockRef | None
    """The stored block that numbers are of; None if none was lived."""
    beside: tuple[Beside, ...]
    shadows: tuple[ShadowRun, ...]
    """Runs of the shadow with the running version, oldest first."""
    knobs: str
    """Digest of those that the numbers are made with (`keeper.policy.choices`)."""
    live: tuple[str, ...]
    """Publications in force beyond the one that opens a house: `ETH:17`."""

    @property
    def may_push(self) -> bool:
        """Whether somebody signed it off."""
        return any(one.version == self.version for one in self.sign_offs)


def model_state(store: Store, risk: RiskKnobs, policy: PolicyKnobs) -> ModelState:
    """The model, its history, and its numbers beside the live ones at the newest block that was lived.

    Args:
        store: where all that is.
        risk: knobs with which the numbers are made, whatever the block was lived with.
        policy: the same.
    """
    seen = next((b for b in store.lived(limit=1)), None)
    inputs = None if seen is None else store.inputs(seen.hash)
    rows: tuple[Beside, ...] = ()
    if inputs is not None:
        market = model(inputs.snapshot, risk, inputs.quotes)
        rows = tuple(row for u in inputs.snapshot.underlyings for row in _rows(u, market.of(u.underlying)))
    return ModelState(
        version=MODEL_VERSION,
        changelog=dict(MODEL_CHANGELOG),
        sign_offs=store.sign_offs(),
        block=None if inputs is None else inputs.snapshot.block,
        beside=rows,
        shadows=tuple(run for run in store.shadows() if run.model == MODEL_VERSION),
        knobs=digest(risk, policy),
        live=() if inputs is None else tuple(_live(inputs.snapshot)),
    )


def _live(snapshot: Snapshot) -> Iterator[str]:
    """What was published after a house was opened: deploying it takes one publication of each underlying."""
    for u in snapshot.underlyings:
        if u.publication is not None and u.publication.last_id > 1:
            yield f"{u.symbol}:{u.publication.last_id}"


def sign_off(
    store: Store,
    version: int,
    *,
    operator: str,
    reason: str,
    now_s: int,
    shadow_blocks: int,
    risk: RiskKnobs,
    policy: PolicyKnobs,
    first: bool = False,
    house_is_live: str = "",
) -> SignOff:
    """Let the running model push; the numbers that were on the table are kept with the word.

    Args:
        store: where it is remembered.
        version: of the running model, so that nobody signs another one by mistake.
        operator: who signs.
        reason: why.
        now_s: wall time, unix seconds.
        shadow_blocks: over how many blocks one run of the shadow must have held it beside the live parameters.
        risk: knobs that it is to push with.
        policy: the same.
        first: it is the first model of a house, beside which there is nothing to hold it.
        house_is_live: why it is signed as the first although the house was published to: its store was lost, say.

    Raises: `BadInput` if another model runs, a name or reason is missing, there are no numbers to look at, it was not
    held beside the live parameters with these knobs for long enough, or it is not the first.
    """
    if version != MODEL_VERSION:
        hint = "sign with the keeper that is to push; keeper model show tells the version"
        raise BadInput(f"this keeper has model {MODEL_VERSION}, not {version}", hint=hint, version=version)
    who, why = written(operator, "--operator"), written(reason, "--reason")
    state = model_state(store, risk, policy)
    if state.block is None:
        raise BadInput(
            "there are no numbers to look at: no block was lived from this store",
            hint="live one first, dry: keeper once; then hold it beside what is live: keeper shadow",
        )
    run = None
    _check_new(state, first=first)
    if first:
        _check_first(state, house_is_live.strip())
    else:
        run = _long_enough(state, shadow_blocks)
    evidence = [f"at block {state.block.number} {state.block.hash}", *map(str, state.beside)]
    if run is None:
        evidence += [
            f"{name} was live; signed as the first all the same: {house_is_live.strip()}" for name in state.live
        ]
        evidence.append("the first model signed off from this store: it was held beside no other")
    else:
        evidence.append(f"shadow run {run.number}, {run.blocks} blocks, {run.first_block} to {run.last_block}:")
        evidence += run.numbers.splitlines()
    signed = SignOff(
        version=version,
        operator=who,
        reason=why,
        at_s=now_s,
        evidence="\n".join(evidence),
        shadowed_blocks=0 if run is None else run.blocks,
        knobs=state.knobs,
    )
    store.sign_off(signed)
    return signed


def _check_new(state: ModelState, *, first: bool) -> None:
    """Raises: `BadInput` if the newest word is for this model and these knobs, and no shadow is to be added to it."""
    last = state.sign_offs[-1] if state.sign_offs else None
    if last is None or last.version != state.version or last.knobs != state.knobs:
        return
    if first or last.shadowed_blocks:
        raise BadInput(
            f"model {last.version} is signed off already, since {moment(last.at_s)}, by {last.operator}: {last.reason}",
            hint="with these knobs there is nothing left to do: keeper model show",
            version=last.version,
        )


def _check_first(state: ModelState, house_is_live: str) -> None:
    """Raises: `BadInput` if a model was signed off or published before: there is something to hold this one beside."""
    if state.sign_offs:
        last = state.sign_offs[-1]
        raise BadInput(
            f"it is not the first: model {last.version} was signed off by {last.operator}",
            hint="hold it beside what is live: keeper shadow; then sign it off without --first",
            version=last.version,
        )
    if state.live and not house_is_live:
        raise BadInput(
            f"it is not the first of this house: {', '.join(state.live)} is live",
            hint="hold it beside that: keeper shadow; where the store that knew was lost, say so: --house-is-live WHY",
        )


def _long_enough(state: ModelState, blocks: int) -> ShadowRun:
    """The newest run over every underlying, with these knobs, that was long enough.

    Raises: `BadInput` telling the longest there is.
    """
    whole = [run for run in state.shadows if not run.symbol and run.knobs == state.knobs]
    for run in reversed(whole):
        if run.blocks >= blocks:
            return run
    longest = max((run.blocks for run in whole), default=0)
    parts = ", over every underlying and with these knobs" if len(whole) < len(state.shadows) else ""
    last = next((one for one in reversed(state.sign_offs) if one.version == state.version), None)
    signed = (
        f"; it is signed off as it is, since {moment(last.at_s)}, by {last.operator}"
        if last is not None and last.knobs == state.knobs
        else ""
    )
    raise BadInput(
        f"model {MODEL_VERSION} was held beside the live parameters for {longest} blocks in a run{parts}; {blocks} are "
        f"asked for ([model] shadow_blocks){signed}",
        hint=f"keeper shadow --blocks {blocks}; for the first model of a house, beside which there is nothing: --first",
        longest=longest,
        blocks=blocks,
    )


def _rows(u: UnderlyingState, seen: UnderlyingMarket) -> Iterator[Beside]:
    live, target = u.live, seen.target
    for name, field in (("scan_range", "psr_ppm"), ("vol_up", "vsr_up_ppm"), ("vol_down", "vsr_down_ppm")):
        yield Beside(
            name=f"{u.symbol}.{name}",
            live_ppm=None if live is None else getattr(live.ranges, field),
            proposed_ppm=None if target is None else getattr(target.ranges, field),
        )
    before = {e.expiry: e.sigma_atm_ppm for e in live.expiries} if live else {}
    after = {e.params.expiry: e.params.sigma_atm_ppm for e in target.expiries} if target else {}
    for listing in u.listings:
        if listing.expiry in before or listing.expiry in after:
            yield Beside(
                name=f"{u.symbol}.sigma@{day(listing.expiry)}",
                live_ppm=before.get(listing.expiry),
                proposed_ppm=after.get(listing.expiry),
            )
