"""Is what stands on the chain what the keeper's own arithmetic makes of its inputs?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from keeper.domain.attested import Attested
from keeper.domain.inputs import InputsFile, hash_of, load
from keeper.domain.landed import Landed
from keeper.domain.snapshot import Snapshot
from keeper.errors import BadInput, Refused, Retry
from keeper.ops.updates import UpdateName
from keeper.policy.attested import Unattested, attested_again, elsewhere, unattested
from keeper.policy.difference import Difference, first_difference
from keeper.policy.verify import Check, checks_of, gate_again, pushed, state_again
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
    unattested: tuple[Unattested, ...]
    """Inputs that the chain did not bear out, or cannot."""
    state_seen: bool
    """Whether the raw inputs were held against the chain's state at the block; else all follows from the file alone."""

    @property
    def lag_s(self) -> int:
        """Seconds from the block it was decided at until it landed."""
        return self.landed.block.timestamp - self.file.block.timestamp

    @property
    def matches(self) -> bool:
        """Whether nothing differs."""
        return all(check.difference is None for check in self.checks)

    @property
    def verified(self) -> bool:
        """Whether nothing differs, the chain's own state at the block included."""
        return self.matches and self.state_seen

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
    attest: Callable[[InputsFile], Attested] | None = None,
    state: Callable[[InputsFile], Snapshot] | None = None,
    alone: bool = False,
) -> Verdict:
    """Derive an update again and compare it with the chain.

    Args:
        name: which update.
        files: inputs files it may have been made from, newest first; the one with the hash on-chain is taken.
        chain: where publications are.
        original: the file as the store has it, if another one is checked: a difference is then named by its path.
        attest: asks the contracts about the raw inputs at the file's block; None to believe the file, whose hash was
            on-chain when the numbers were.  Where the node does not have that state (any more), that is told.
        state: reads everything again at the file's block, accounts included; None to leave the accounts.
        alone: whether the file itself named the contracts.

    Raises:
        BadInput: a file cannot be read, is of another deployment, update or model, or the update is not on the chain.
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
    there = chain.block(file.block.number)
    same = first_difference(file.block, there, name="block")
    seen, unseen = _seen(file, attest if same is None else None)
    replayed = state if same is None and seen is not None else None  # where one is not to be had, the other is not
    checks = [
        *_named(data, file, found, original=original),
        Check(what="block", said=f"{file.block.number:,} {file.block.hash}", difference=same),
        *_stated(file, seen, replayed),
        *checks_of(file),
        pushed(file, found),
    ]
    told = unattested(
        file,
        seen if isinstance(seen, Attested) else None,
        unseen=unseen,
        accounts=replayed is not None,
        alone=alone,
        lag_s=found.block.timestamp - file.block.timestamp,
    )
    return Verdict(
        name=f"{of.symbol}:{publication}",
        file=file,
        landed=found,
        checks=tuple(checks),
        unattested=tuple(told),
        state_seen=isinstance(seen, Attested),
    )


def _named(data: bytes, file: InputsFile, landed: Landed, *, original: bytes | None) -> Iterator[Check]:
    """The file against its hash, and against the one that has it."""
    ours, theirs = hash_of(data), landed.inputs_hash
    differs = None if ours == theirs else Difference(name=_HASH, ours=ours, theirs=theirs)
    yield Check(what=_HASH, said=ours, difference=differs)
    if original is not None and differs is not None and hash_of(original) == theirs:
        stored = first_difference(file, load(original))
        yield Check(what="the stored file", said="the same", difference=stored)


def _seen(file: InputsFile, attest: Callable[[InputsFile], Attested] | None) -> tuple[Attested | Refused | None, str]:
    """What the contracts say at the file's block, or why they were not heard."""
    if attest is None:
        return None, "the contracts were not asked"
    try:
        return attest(file), ""
    except Retry as error:
        return None, f"a node that keeps the state of that block, an archive node: {error.message}"
    except Refused as refusal:
        return refusal, "the contracts refuse to answer"


def _stated(
    file: InputsFile, seen: Attested | Refused | None, state: Callable[[InputsFile], Snapshot] | None
) -> Iterator[Check]:
    """The raw inputs against the chain's."""
    if isinstance(seen, Attested):
        yield from attested_again(file, seen)
    elif isinstance(seen, Refused):
        refused = Difference(name="state", ours=seen.message, theirs="an answer")
        yield Check(what="state on the chain", said="", difference=refused)
    if state is not None:
        snapshot = state(file)
        if isinstance(seen, Attested):
            snapshot = _with_history(snapshot, file, seen)
        yield state_again(file, snapshot)
        yield gate_again(file, snapshot)


def _with_history(snapshot: Snapshot, file: InputsFile, seen: Attested) -> Snapshot:
    """The whole state with every round of the file's underlying: a keeper that starts reads the newest ones only."""
    mine = file.state.underlying
    found = tuple(replace(u, history=seen.state.history) if u.underlying == mine else u for u in snapshot.underlyings)
    return replace(snapshot, underlyings=found)


def _readable(data: bytes, name: UpdateName, chain: Publications) -> InputsFile:
    file = load(data)
    if file.protocol != chain.protocol:
        raise BadInput(f"the inputs file is of protocol {file.protocol}, this deployment of {chain.protocol}")
    if apart := elsewhere(chain.deployed, file):
        raise BadInput(
            f"the inputs file is {apart}",
            hint="check it against its own deployment: --rpc URL --deployment FILE",
            update=str(name),
        )
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
