"""Whether the store opens, takes writes and has room, and whether its model is signed off."""

from __future__ import annotations

from collections.abc import Iterator

from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.ops.doctor.findings import Finding, Verdict, good
from keeper.ops.doctor.site import Site
from keeper.policy.signed import otherwise, signed_with, unsigned
from keeper.ports import Store
from keeper.risk.version import MODEL_VERSION

#: Free bytes beside the store below which a keeper will soon write nothing.
LEAST_ROOM = 2**30


def remembered(site: Site) -> Iterator[Finding]:
    """The store, the room it has, and the model that it says is signed off."""
    store = site.store()
    try:
        newest = store.cycles(limit=1)
        said = f"opens; newest block {newest[0].block.number:,}" if newest else "opens; no block lived yet"
        yield from _model(store, *site.knobs)
        store.try_write()
        yield from _room(site.room())
        yield good("store", f"{said}, takes writes, {len(store.open_txs())} transactions open")
    finally:
        store.close()


def _room(free: int | None) -> Iterator[Finding]:
    if free is not None and free < LEAST_ROOM:
        yield Finding(
            what="disk",
            verdict=Verdict.WARNING,
            said=f"{free / 2**20:,.0f} MiB are free where the store lies",
            hint="make room, or lower jobs.snapshots_kept: a keeper that cannot write sends nothing",
        )


def _model(store: Store, risk: RiskKnobs, policy: PolicyKnobs) -> Iterator[Finding]:
    words = store.sign_offs()
    if apart := otherwise(signed_with(words), risk, policy):
        said, _, hint = apart.partition(": ")
        yield Finding(what="model", verdict=Verdict.WARNING, said=said, hint=hint)
    if unsigned([one.version for one in words]):
        said = f"version {MODEL_VERSION} is not signed off: with --send it publishes nothing"
        hint = f"keeper shadow, then keeper model sign-off {MODEL_VERSION} --operator NAME --reason WHY"
        hint += "; the first model of a house: with --first"
        yield Finding(what="model", verdict=Verdict.WARNING, said=said, hint=hint)
