"""A publication on paper derived again from its inputs file, before one signs it: the check that `verify` makes after.

The file's hash must be the paper's, its raw inputs the contracts' own at its block, and the paper's numbers what fit,
policy and fences make of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from keeper.domain.attested import Attested
from keeper.domain.block import BlockRef
from keeper.domain.council import Order
from keeper.domain.deployed import Deployed
from keeper.domain.inputs import InputsFile, hash_of, load
from keeper.domain.landed import Landed
from keeper.errors import BadInput, Refused, Retry
from keeper.policy.attested import attested_again, elsewhere
from keeper.policy.verify import Check, Difference, checks_of, first_difference, pushed
from keeper.risk.version import MODEL_VERSION


def derived(
    order: Order,
    data: bytes,
    *,
    deployed: Deployed,
    block_at: Callable[[int], BlockRef | None],
    attest: Callable[[InputsFile], Attested],
) -> tuple[Check, ...]:
    """Every step of the derivation, in order; one that differs carries the first number.

    Args:
        order: a publication.
        data: the inputs file's bytes.
        deployed: what this keeper is set up for.
        block_at: the chain's block at a height.
        attest: asks the contracts about the file's raw inputs at its block.

    Raises: `BadInput` if the file cannot be read, or is of another deployment, underlying or model.
    """
    file = load(data)
    if apart := elsewhere(deployed, file):
        raise BadInput(f"the inputs file is {apart}")
    if file.state.underlying != order.underlying:
        raise BadInput(f"the inputs file is of {file.state.symbol}, the paper of {order.symbol}")
    if file.model != MODEL_VERSION:
        raise BadInput(
            f"model {file.model} made the publication, this keeper has model {MODEL_VERSION}",
            hint="a keeper of that version can derive it again",
        )
    return tuple(_steps(order, file, data, block_at, attest))


def _steps(
    order: Order,
    file: InputsFile,
    data: bytes,
    block_at: Callable[[int], BlockRef | None],
    attest: Callable[[InputsFile], Attested],
) -> Iterator[Check]:
    assert order.target is not None, "a publication"
    ours = hash_of(data)
    differs = None if ours == order.inputs_hash else Difference(name="inputs hash", ours=ours, theirs=order.inputs_hash)
    yield Check(what="inputs hash", said=ours, difference=differs)
    there = block_at(file.block.number)
    same = first_difference(file.block, there, name="block")
    yield Check(what="block", said=f"{file.block.number:,} {file.block.hash[:10]}…", difference=same)
    if same is None:
        yield from _attested(file, attest)
    yield from checks_of(file)
    yield pushed(
        file,
        Landed(
            underlying=order.underlying,
            id=0,
            block=file.block,
            tx_hash="",
            sender="",
            via="",
            inputs_hash=order.inputs_hash,
            ranges=order.target.ranges,
            expiries=order.target.expiries,
            refused=(),
        ),
    )


def _attested(file: InputsFile, attest: Callable[[InputsFile], Attested]) -> Iterator[Check]:
    try:
        yield from attested_again(file, attest(file))
    except Retry as error:
        difference = Difference(name="state", ours="the file's", theirs=f"not to be had: {error.message}")
        yield Check(what="state on the chain", said="", difference=difference)
    except Refused as refusal:
        difference = Difference(name="state", ours=refusal.message, theirs="an answer")
        yield Check(what="state on the chain", said="", difference=difference)
