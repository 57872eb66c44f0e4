"""Is what stands on the chain what the keeper's own arithmetic makes of its inputs?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from keeper.domain.inputs import SCHEMA, InputsFile, hash_of, load
from keeper.domain.landed import Landed
from keeper.domain.snapshot import Snapshot
from keeper.errors import BadInput
from keeper.ops.updates import UpdateName
from keeper.policy.verify import Check, Difference, checks_of, first_difference, gate_again, pushed, state_again
from keeper.ports import Publications
from keeper.risk.version import MODEL_VERSION


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of checking one update."""

    name: str
    """`ETH:17`."""
    file: InputsFile
    landed: Landed
    checks: tuple[Check, ...]
    """In the order of the derivation, the hash first."""

    @property
    def matches(self) -> bool:
        """Whether nothing differs."""
        return all(check.difference is None for check in self.checks)

    @property
    def first(self) -> Difference | None:
        """The first difference that names a value; that of the hash where none does."""
        found = [check.difference for check in self.checks if check.difference is not None]
        named = [one for one in found if one.name != _HASH]
        return next(iter((*named, *found)), None)


_HASH = "inputs hash"


def verify(
    name: UpdateName,
    files: Sequence[bytes],
    chain: Publications,
    *,
    original: bytes | None = None,
    state: Callable[[InputsFile], Snapshot] | None = None,
) -> Verdict:
    """Derive an update again and compare it with the chain.

    Args:
        name: which update.
        files: inputs files it may have been made from, newest first; the one with the hash on-chain is taken.
        chain: where publications are.
        original: the file as the store has it, if another one is checked: a difference is then named by its path.
        state: reads everything again at the file's block; None to believe the file's own state, whose hash was on-chain
            when the numbers were.

    Raises:
        BadInput: a file cannot be read, is of another update or model, or the update is not on the chain.
        Retry: the chain cannot be asked.
    """
    read = [(data, _readable(data, name, chain)) for data in files]
    blocks = [file.block for _, file in read]
    since = min(blocks, key=lambda block: block.number)
    until_s = max(file.block.timestamp + file.policy.intent_ttl_s for _, file in read)
    of = read[0][1].state
    publication = _publication(read[0][1])
    found = chain.find(of.underlying, publication, since=since, until_s=until_s)
    if found is None:
        raise BadInput(
            f"{of.symbol}:{publication} did not go live between block {since.number:,} and the end of its validity",
            hint="it was decided and never landed, or this is another chain or deployment",
            update=str(name),
        )
    data, file = next(((d, f) for d, f in read if hash_of(d) == found.inputs_hash), read[0])
    return Verdict(
        name=f"{of.symbol}:{publication}",
        file=file,
        landed=found,
        checks=tuple(_checks(data, file, found, chain, original=original, state=state)),
    )


def _checks(
    data: bytes,
    file: InputsFile,
    landed: Landed,
    chain: Publications,
    *,
    original: bytes | None,
    state: Callable[[InputsFile], Snapshot] | None,
) -> Iterator[Check]:
    ours, theirs = hash_of(data), landed.inputs_hash
    differs = None if ours == theirs else Difference(name=_HASH, ours=ours, theirs=theirs)
    yield Check(what=_HASH, said=ours, difference=differs)
    if original is not None and differs is not None and hash_of(original) == theirs:
        stored = first_difference(file, load(original))
        yield Check(what="the stored file", said="the same", difference=stored)
    block, there = file.block, chain.block(file.block.number)
    yield Check(
        what="block",
        said=f"{block.number:,} {block.hash[:10]}…",
        difference=first_difference(block, there, name="block"),
    )
    if state is not None:
        snapshot = state(file)
        yield state_again(file, snapshot)
        yield gate_again(file, snapshot)
    yield from checks_of(file)
    yield pushed(file, landed)


def _readable(data: bytes, name: UpdateName, chain: Publications) -> InputsFile:
    file = load(data)
    if file.schema != SCHEMA:
        raise BadInput(f"the inputs file has schema {file.schema}, this keeper reads {SCHEMA}", schema=file.schema)
    if file.model != MODEL_VERSION:
        raise BadInput(
            f"the update was made by model {file.model}, this keeper has model {MODEL_VERSION}",
            hint="run the version of the keeper that has it; keeper model show lists what changed",
            model=file.model,
        )
    if file.state.publication is None:
        raise BadInput("the inputs file is of an underlying that cannot be published to")
    if not name.hash and (file.state.symbol.upper(), _publication(file)) != (name.symbol, name.publication):
        raise BadInput(
            f"the inputs file is of {file.state.symbol}:{_publication(file)}, not of {name}", update=str(name)
        )
    if chain.underlying(file.state.symbol) != file.state.underlying:
        raise BadInput(f"the inputs file's {file.state.symbol} is another underlying than this deployment's")
    return file


def _publication(file: InputsFile) -> int:
    """Id that was decided from it: one above the last."""
    fences = file.state.publication
    return 0 if fences is None else fences.last_id + 1
