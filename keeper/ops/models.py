"""A model change is an event: what changed, what it makes of the newest block, and who let it push."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from keeper.domain.block import BlockRef
from keeper.domain.market import UnderlyingMarket
from keeper.domain.snapshot import UnderlyingState
from keeper.domain.updates import SignOff
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
    )


def sign_off(store: Store, version: int, *, operator: str, reason: str, now_s: int) -> SignOff:
    """Let the running model push; the numbers that were on the table are kept with the word.

    Args:
        store: where it is remembered.
        version: of the running model, so that nobody signs another one by mistake.
        operator: who signs.
        reason: why.
        now_s: wall time, unix seconds.

    Raises: `BadInput` if another model runs, a name or reason is missing, or there are no numbers to look at.
    """
    if version != MODEL_VERSION:
        hint = "sign with the keeper that is to push; keeper model show tells the version"
        raise BadInput(f"this keeper has model {MODEL_VERSION}, not {version}", hint=hint, version=version)
    if not operator.strip() or not reason.strip():
        raise BadInput("a sign-off needs a name and a reason", hint="--operator NAME --reason WHY")
    state = model_state(store)
    if state.block is None:
        raise BadInput(
            "there are no numbers to look at: no block was lived from this store",
            hint="live one first, dry: keeper once; then hold it beside what is live: keeper shadow",
        )
    evidence = [f"at block {state.block.number} {state.block.hash}", *map(str, state.beside)]
    signed = SignOff(
        version=version, operator=operator.strip(), reason=reason.strip(), at_s=now_s, evidence="\n".join(evidence)
    )
    store.sign_off(signed)
    return signed


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
