"""The inputs file of every publication is kept before the publication leaves, and tells the next of its day."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from keeper.domain.action import Action, Publish
from keeper.domain.inputs import Brought, InputsFile, dump, hash_of, load
from keeper.domain.snapshot import Snapshot, UnderlyingState
from keeper.domain.updates import KeptInputs
from keeper.errors import BadInput, LawBroken
from keeper.policy.day import DAY_S
from keeper.ports import Updates


def brought_lately(snapshot: Snapshot, store: Updates) -> tuple[tuple[int, tuple[Brought, ...]], ...]:
    """(underlying, whom our own pushes of the last day were to bring below maintenance), ascending.

    The newest of our files that can have landed tells of all the day's.  What went out elsewhere is not known here.
    """
    now = snapshot.block.timestamp
    found = ((u.underlying, _told(u, store)) for u in snapshot.underlyings if _published_since(u, now - DAY_S))
    lately = ((which, tuple(one for one in told if one.at_s > now - DAY_S)) for which, told in found)
    return tuple((which, told) for which, told in lately if told)


def _published_since(u: UnderlyingState, since_s: int) -> bool:
    return u.publication is not None and u.publication.last_time > since_s


def _told(u: UnderlyingState, store: Updates) -> tuple[Brought, ...]:
    assert u.publication is not None, "it was published to"
    last = u.publication.last_id
    kept = store.kept_inputs(symbol=u.symbol, publication=last)
    if not kept:  # somebody else's: what of ours came before it
        before = [one for one in store.kept_inputs(symbol=u.symbol) if one.publication < last]
        newest = max((one.publication for one in before), default=None)
        kept = tuple(one for one in before if one.publication == newest)
    # Of several decisions with one id only one landed; the one that weighs most stands for it.
    files = (store.inputs_file(one.hash) for one in kept)
    told = (_read(data) for data in files if data is not None)
    return max(told, key=lambda told: sum(one.accounts_ppm + one.requirement_ppm for one in told), default=())


@lru_cache(maxsize=64)  # each block asks for the same file, until the next publication
def _read(data: bytes) -> tuple[Brought, ...]:
    try:
        return load(data).brought
    except BadInput:  # a newer keeper wrote it, and this one cannot tell
        return ()


def keep_inputs(actions: Iterable[Action], files: Iterable[InputsFile], store: Updates) -> None:
    """Keep what each publication among `actions` was made from.

    Call it before a publication is handed over: then whatever lands on-chain can be asked about.

    Raises:
        LawBroken: the file of its underlying has another hash than the publication carries.
    """
    by_underlying = {file.state.underlying: file for file in files}
    for push in actions:
        if not isinstance(push, Publish):
            continue
        file = by_underlying.get(push.underlying)
        data = b"" if file is None else dump(file)
        if file is None or hash_of(data) != push.inputs_hash:
            raise LawBroken(
                "a publication's inputs file is not the one whose hash it carries",
                underlying=push.underlying,
                publication=push.id,
                hash=push.inputs_hash,
            )
        kept = KeptInputs(
            hash=push.inputs_hash,
            underlying=push.underlying,
            symbol=file.state.symbol,
            publication=push.id,
            block_number=file.block.number,
            model=file.model,
            why=push.why,
        )
        store.keep_inputs(kept, data)
