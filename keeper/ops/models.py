"""A model change is an event: what changed, what it makes of the newest block, and who let it push."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from keeper.domain.block import BlockRef
from keeper.domain.market import UnderlyingMarket
from keeper.domain.snapshot import UnderlyingState
from keeper.domain.text import written
from keeper.domain.updates import ShadowRun, SignOff
from keeper.errors import BadInput
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

    @property
    def may_push(self) -> bool:
        """Whether somebody signed it off."""
        return any(one.version == self.version for one in self.sign_offs)


def model_state(store: Store) -> ModelState:
    """The model, its history, and its numbers beside the live ones at the newest block that was lived."""
    seen = next((b for b in store.lived(limit=1)), None)
    inputs = None if seen is None else store.inputs(seen.hash)
    rows: tuple[Beside, ...] = ()
    if inputs is not None:
        market = model(inputs.snapshot, inputs.risk, inputs.quotes)
        rows = tuple(row for u in inputs.snapshot.underlyings for row in _rows(u, market.of(u.underlying)))
    return ModelState(
        version=MODEL_VERSION,
        changelog=dict(MODEL_CHANGELOG),
        sign_offs=store.sign_offs(),
        block=None if inputs is None else inputs.snapshot.block,
        beside=rows,
        shadows=tuple(run for run in store.shadows() if run.model == MODEL_VERSION),
    )


def sign_off(
    store: Store, version: int, *, operator: str, reason: str, now_s: int, shadow_blocks: int, first: bool = False
) -> SignOff:
    """Let the running model push; the numbers that were on the table are kept with the word.

    Args:
        store: where it is remembered.
        version: of the running model, so that nobody signs another one by mistake.
        operator: who signs.
        reason: why.
        now_s: wall time, unix seconds.
        shadow_blocks: over how many blocks one run of the shadow must have held it beside the live parameters.
        first: it is the first model of a house, beside which there is nothing to hold it.

    Raises: `BadInput` if another model runs, a name or reason is missing, there are no numbers to look at, it was not
    held beside the live parameters for long enough, or it is not the first.
    """
    if version != MODEL_VERSION:
        hint = "sign with the keeper that is to push; keeper model show tells the version"
        raise BadInput(f"this keeper has model {MODEL_VERSION}, not {version}", hint=hint, version=version)
    who, why = written(operator, "--operator"), written(reason, "--reason")
    state = model_state(store)
    if state.block is None:
        raise BadInput(
            "there are no numbers to look at: no block was lived from this store",
            hint="live one first, dry: keeper once; then hold it beside what is live: keeper shadow",
        )
    run = None
    if first:
        _check_first(state)
    else:
        run = _long_enough(state.shadows, shadow_blocks)
    evidence = [f"at block {state.block.number} {state.block.hash}", *map(str, state.beside)]
    if run is None:
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
    )
    store.sign_off(signed)
    return signed


def _check_first(state: ModelState) -> None:
    """Raises: `BadInput` if a model was signed off before: then there is something to hold this one beside."""
    if state.sign_offs:
        last = state.sign_offs[-1]
        raise BadInput(
            f"it is not the first: model {last.version} was signed off by {last.operator}",
            hint="hold it beside what is live: keeper shadow; then sign it off without --first",
            version=last.version,
        )


def _long_enough(shadows: Sequence[ShadowRun], blocks: int) -> ShadowRun:
    """The newest run over every underlying that was long enough.  Raises: `BadInput` telling the longest there is."""
    whole = [run for run in shadows if not run.symbol]
    for run in reversed(whole):
        if run.blocks >= blocks:
            return run
    longest = max((run.blocks for run in whole), default=0)
    parts = ", over every underlying" if len(whole) < len(shadows) else ""
    raise BadInput(
        f"model {MODEL_VERSION} was held beside the live parameters for {longest} blocks in a run{parts}; {blocks} are "
        "asked for ([model] shadow_blocks)",
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
