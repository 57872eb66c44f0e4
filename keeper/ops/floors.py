"""What becomes of floors set by hand: which one counts, and what the fences let through of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from keeper.domain.overrides import Override
from keeper.domain.snapshot import PublicationState
from keeper.policy.overrides import standing
from keeper.ports import Store


def remarks(store: Store, floors: Sequence[Override], *, now_s: int) -> Mapping[int, str]:
    """What a person should know of floors that stand, by their number; of the others nothing.

    Args:
        store: every floor, and the newest block that was lived, whose fences count.
        floors: those in question.
        now_s: unix seconds.
    """
    everything = store.overrides(at_s=now_s)
    fences = _fences(store) if any(one.stands(now_s) for one in floors) else {}
    found = {}
    for one in floors:
        if one.stands(now_s):
            said = [*_under(one, everything, now_s), *_beyond(one, fences.get(one.underlying))]
            found[one.number] = "; ".join(said)
    return {number: said for number, said in found.items() if said}


def _under(one: Override, everything: Sequence[Override], now_s: int) -> Iterator[str]:
    counts = next(x for x in standing(everything, one.underlying, now_s) if x.parameter == one.parameter)
    if counts.number != one.number:
        yield f"floor {counts.number} counts in its place"


def _beyond(one: Override, fences: PublicationState | None) -> Iterator[str]:
    if fences is None:
        return
    if one.parameter == "sigma":
        most = fences.vol.sigma_max_ppm
    else:
        most = next((fence.max for fence in fences.fences if fence.name == one.parameter), one.floor_ppm)
    if one.floor_ppm > most:
        yield f"the fences end at {most / 10_000:g} %: it is held there, and more is governance's to allow"


def _fences(store: Store) -> dict[int, PublicationState]:
    """Of each underlying at the newest block that was lived; empty if none was, or what it saw was pruned."""
    for block in store.lived(limit=1):
        inputs = store.inputs(block.hash)
        if inputs is not None:
            return {u.underlying: u.publication for u in inputs.snapshot.underlyings if u.publication is not None}
    return {}
