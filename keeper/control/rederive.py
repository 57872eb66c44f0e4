"""A publication on paper derived again from its inputs file, before one signs it: the check that `verify` makes after.

The file's hash must be the paper's, its raw inputs the contracts' own at its block, and the paper's numbers what fit,
policy and fences make of them.  What its author chose, and no chain knows, is held against this keeper's own: knobs,
floors, and whom it may bring down.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from keeper.domain.attested import Attested
from keeper.domain.block import BlockRef
from keeper.domain.council import Order
from keeper.domain.deployed import Deployed
from keeper.domain.inputs import Brought, InputsFile, hash_of, load
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.landed import Landed, RefusedItem
from keeper.domain.market import UnderlyingTarget
from keeper.domain.overrides import Override
from keeper.domain.riskfile import Ranges
from keeper.domain.snapshot import Snapshot
from keeper.errors import BadInput, Refused, Retry
from keeper.policy.attested import Unattested, attested_again, elsewhere, unattested
from keeper.policy.cosign import floors_again, gate_now, knobs_again
from keeper.policy.day import joined
from keeper.policy.difference import Difference, first_difference
from keeper.policy.guard import current
from keeper.policy.publish import permitted
from keeper.policy.verify import UNDERIVABLE, Check, checks_of, pushed
from keeper.risk.calibration.targets import day
from keeper.risk.version import MODEL_VERSION


@dataclass(frozen=True, kw_only=True)
class Own:
    """What this keeper has of its own to hold a publication against."""

    snapshot: Snapshot
    """Its newest block, with every account."""
    risk: RiskKnobs
    policy: PolicyKnobs
    brought: Mapping[int, Sequence[Brought]]
    """By underlying, whom its pushes of the last day, and those that it signed, were to bring down."""
    overrides: Callable[[InputsFile], Collection[Override]]
    """Floors of its store that stood at a file's block, or lately."""


@dataclass(frozen=True, kw_only=True)
class Derived:
    """A publication derived again."""

    checks: tuple[Check, ...]
    """Every step in order; one that differs carries the first number, of knobs and floors there is one for each."""
    unattested: tuple[Unattested, ...]
    """Inputs that neither the chain nor this keeper bears out."""
    objections: tuple[str, ...] = ()
    """Why there is nothing to derive, and nothing to sign."""
    data: bytes = b""
    """The inputs file that carries the publication; empty where its hash could not be held against one."""


#: Of a paper that publishes nothing by itself.
NOTHING = Derived(checks=(), unattested=())


def staged_as(order: Order, staged: Landed, snapshot: Snapshot) -> Order:
    """A flip as the publication that it puts in force: scan ranges that the fences refused stay as they were set."""
    u = next((u for u in snapshot.underlyings if u.underlying == order.underlying), None)
    kept = {item.what for item in staged.refused if not item.expiry}
    ranges = staged.ranges
    if kept and u is not None and u.publication is not None:
        old = current(u.publication)
        ranges = Ranges(
            **{
                f"{name}_ppm": getattr(old if {name, "joint"} & kept else ranges, f"{name}_ppm")
                for name in ("psr", "vsr_up", "vsr_down")
            }
        )
    target = UnderlyingTarget(
        underlying=order.underlying, ranges=ranges, expiries=staged.expiries, realised_vol=0.0, reasons=()
    )
    return replace(order, function="publish", target=target, rows=staged.expiries, inputs_hash=staged.inputs_hash)


def derived(
    order: Order,
    data: bytes,
    *,
    deployed: Deployed,
    last_target: str,
    block_at: Callable[[int], BlockRef | None],
    attest: Callable[[InputsFile], Attested],
    own: Own,
    refused: tuple[RefusedItem, ...] = (),
) -> Derived:
    """Make a publication again, and hold it against this keeper's own choices.

    Args:
        order: a publication, or a part of one.
        data: the inputs file's bytes.
        deployed: what this keeper is set up for.
        last_target: 0x digest of the last set target as the chain has it now.
        block_at: the chain's block at a height.
        attest: asks the contracts about the file's raw inputs at its block.
        own: what this keeper would go by.
        refused: what the fences took out of it when it was staged.

    Raises: `BadInput` if the file cannot be read, or is of another deployment, underlying or model.
    """
    file = load(data)
    if apart := elsewhere(deployed, file):
        raise BadInput(f"the inputs file is {apart}")
    if file.state.publication is None:
        raise BadInput("the inputs file is of a market that could not be published to")
    if file.state.underlying != order.underlying:
        raise BadInput(f"the inputs file is of {file.state.symbol}, the paper of {order.symbol}")
    if file.model != MODEL_VERSION:
        raise BadInput(
            f"model {file.model} made the publication, this keeper has model {MODEL_VERSION}",
            hint="a keeper of that version can derive it again",
        )
    seen = _Seen(attest)
    checks = tuple(
        chain(
            (_right_file(order, file, data, last_target),),
            _steps(order, file, block_at, seen, refused),
            knobs_again(file, own.risk, own.policy),
            floors_again(file, own.overrides(file)),
            _weighed(order, file, own),
        )
    )
    told = unattested(
        file,
        seen.said,
        unseen="the contracts were not heard",
        accounts=False,
        alone=False,
        lag_s=own.snapshot.block.timestamp - file.block.timestamp,
        compared=True,
    )
    right = order.target is not None and checks[0].difference is None
    return Derived(checks=checks, unattested=tuple(told), data=data if right else b"")


class _Seen:
    """Asks the contracts, and keeps what they said."""

    def __init__(self, ask: Callable[[InputsFile], Attested]) -> None:
        self._ask = ask
        self.said: Attested | None = None

    def __call__(self, file: InputsFile) -> Attested:
        self.said = self._ask(file)
        return self.said


def _weighed(order: Order, file: InputsFile, own: Own) -> Iterator[Check]:
    """All of the publication that a paper is, or is a part of."""
    whole: UnderlyingTarget | None = order.target if order.function == "publish" else None
    if whole is None:
        try:
            whole = permitted(file)
        except UNDERIVABLE:
            return  # told by a step before
    earlier = [one for one in file.brought if one.at_s < file.block.timestamp]
    yield gate_now(own.snapshot, whole, own.policy, joined(earlier, own.brought.get(order.underlying, ())))


def _right_file(order: Order, file: InputsFile, data: bytes, last_target: str) -> Check:
    """The file is the one that the paper names."""
    if order.target is not None:
        ours = hash_of(data)
        same = ours == order.inputs_hash
        differs = None if same else Difference(name="inputs hash", ours=ours, theirs=order.inputs_hash)
        return Check(what="inputs hash", said=ours, difference=differs)
    # Rows by themselves carry no hash: their file must at least be of what can still go live.
    assert file.state.publication is not None, "it could be published to"
    differs = first_difference(file.state.publication.digest, last_target, name="last target")
    return Check(what="last target", said=last_target, difference=differs)


def _steps(
    order: Order,
    file: InputsFile,
    block_at: Callable[[int], BlockRef | None],
    attest: Callable[[InputsFile], Attested],
    refused: tuple[RefusedItem, ...],
) -> Iterator[Check]:
    there = block_at(file.block.number)
    same = first_difference(file.block, there, name="block")
    yield Check(what="block", said=f"{file.block.number:,} {file.block.hash}", difference=same)
    if same is None:
        yield from _attested(file, attest)
    yield from checks_of(file)
    if order.target is None or order.function == "stage":
        yield _part(file, order)
        return
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
            refused=refused,
        ),
    )


def _part(file: InputsFile, order: Order) -> Check:
    """Ranges and rows that a step of a publication carries, against what the file gives for them."""
    what = "pushed integers"
    try:
        ours = permitted(file)
    except UNDERIVABLE as error:
        difference = Difference(name="publication", ours=f"cannot be derived: {error}", theirs="numbers")
        return Check(what=what, said="", difference=difference)
    if order.target is not None and (found := first_difference(ours.ranges, order.target.ranges, name="ranges")):
        return Check(what=what, said="", difference=found)
    made = {row.params.expiry: row for row in ours.expiries}
    for row in order.rows:
        name = f"expiry {day(row.params.expiry)}"
        mine = made.get(row.params.expiry)
        if mine is None:
            return Check(what=what, said="", difference=Difference(name=name, ours="not published", theirs="staged"))
        if found := first_difference(mine, row, name=name):
            return Check(what=what, said="", difference=found)
    count = 3 * (order.target is not None) + sum(3 + len(row.sigmas_ppm) for row in order.rows)
    return Check(what=what, said=f"{count} integers of {len(order.rows)} of {len(made)} expiries", difference=None)


def _attested(file: InputsFile, attest: Callable[[InputsFile], Attested]) -> Iterator[Check]:
    try:
        yield from attested_again(file, attest(file))
    except Retry as error:
        difference = Difference(name="state", ours="the file's", theirs=f"not to be had: {error.message}")
        yield Check(what="state on the chain", said="", difference=difference)
    except Refused as refusal:
        difference = Difference(name="state", ours=refusal.message, theirs="an answer")
        yield Check(what="state on the chain", said="", difference=difference)
