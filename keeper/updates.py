"""The inputs file of every publication is kept before the publication leaves, and tells the next of its day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby

from keeper.domain.action import Action, Publish
from keeper.domain.inputs import Brought, InputsFile, dump, hash_of, load
from keeper.domain.snapshot import Snapshot, UnderlyingState
from keeper.domain.updates import CO_SIGNED, KeptInputs
from keeper.errors import BadInput, LawBroken
from keeper.policy.day import DAY_S, joined
from keeper.ports import Updates


def brought_lately(snapshot: Snapshot, store: Updates) -> tuple[tuple[int, tuple[Brought, ...]], ...]:
    """(underlying, whom our own pushes of the last day were to bring below maintenance), ascending.

    The newest of our files that can have landed tells of all the day's.  One that we signed for another keeper tells of
    what that keeper knew: what ours tell besides is counted with it.  What went out elsewhere is not known here.
    """
    now = snapshot.block.timestamp
    found = ((u.underlying, _told(u, store)) for u in snapshot.underlyings if _published_since(u, now - DAY_S))
    lately = ((which, tuple(one for one in told if one.at_s > now - DAY_S)) for which, told in found)
    return tuple((which, told) for which, told in lately if told)


def _published_since(u: UnderlyingState, since_s: int) -> bool:
    return u.publication is not None and u.publication.last_time > since_s


def _told(u: UnderlyingState, store: Updates) -> tuple[Brought, ...]:
    assert u.publication is not None, "it was published to"
    told: tuple[Brought, ...] = ()
    for decided in _back(u.symbol, u.publication.last_id, store):
        # Of several decisions with one id only one landed; the one that weighs most stands for it.
        files = (store.inputs_file(one.hash) for one in decided)
        its = (_read(data) for data in files if data is not None)
        heaviest = max(its, key=lambda its: sum(one.accounts_ppm + one.requirement_ppm for one in its), default=())
        told = joined(told, heaviest)
        if not any(one.co_signed for one in decided):
            break  # it was made from all that was known before
    return told


def _back(symbol: str, last: int, store: Updates) -> Iterator[Sequence[KeptInputs]]:
    """What was decided for each publication up to an id, the newest first, without those that are somebody else's."""
    if newest := store.kept_inputs(symbol=symbol, publication=last):
        yield newest
    before = [one for one in store.kept_inputs(symbol=symbol) if one.publication < last]
    before.sort(key=lambda one: -one.publication)
    for _, decided in groupby(before, key=lambda one: one.publication):
        yield tuple(decided)


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
        _keep(file, data, publication=push.id, why=push.why, store=store)


def keep_signed(file: InputsFile, data: bytes, store: Updates) -> None:
    """Keep what another keeper's publication was made from, once it has this keeper's signature.

    What it brings down then counts among this keeper's own, and a flip of it can be derived again.

    Args:
        file: of an underlying that can be published to.
        data: its bytes.
        store: where.
    """
    assert file.state.publication is not None, "it could be published to"
    _keep(file, data, publication=file.state.publication.last_id + 1, why=f"{CO_SIGNED}another keeper's", store=store)


def _keep(file: InputsFile, data: bytes, *, publication: int, why: str, store: Updates) -> None:
    kept = KeptInputs(
        hash=hash_of(data),
        underlying=file.state.underlying,
        symbol=file.state.symbol,
        publication=publication,
        block_number=file.block.number,
        model=file.model,
        why=why,
    )
    store.keep_inputs(kept, data)
