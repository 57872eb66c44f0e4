"""The inputs file of every publication is kept before the publication leaves."""

from __future__ import annotations

from collections.abc import Iterable

from keeper.domain.action import Action, Publish
from keeper.domain.inputs import InputsFile, dump, hash_of
from keeper.domain.updates import KeptInputs
from keeper.errors import LawBroken
from keeper.ports import Updates


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
