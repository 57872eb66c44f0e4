"""What the chain bears out of an inputs file's raw inputs, and what it cannot."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from keeper.domain.attested import Attested
from keeper.domain.codec import dumps
from keeper.domain.deployed import Deployed
from keeper.domain.inputs import SAYS_BROUGHT, SAYS_EARNED, InputsFile
from keeper.domain.quotes import QuoteSheet
from keeper.domain.snapshot import UnderlyingState
from keeper.policy.difference import first_difference
from keeper.policy.verify import Check

#: An update that was decided longer than this before it landed may have been picked among the blocks between, seconds.
PICKED_S: Final = 900

#: What names a deployment: governance may replace the others, and the house says which they were.
_ROOTS = ("ClearingHouse", "RiskParameters")


@dataclass(frozen=True, kw_only=True)
class Unattested:
    """An input that the chain does not bear out."""

    what: str
    digest: str
    """0x sha-256 of its canonical bytes, by which whoever has the source can compare; empty where there is nothing."""
    where: str
    """Where it can be checked."""


def attested_again(file: InputsFile, seen: Attested) -> Iterator[Check]:
    """The raw inputs against what the contracts said at the file's block."""
    if file.deployed is not None:
        yield Check(
            what="contracts",
            said=f"chain {seen.deployed.chain_id}, those that the house names at that block",
            difference=first_difference(seen.deployed, file.deployed, name="deployed"),
        )
    rounds = len(seen.state.history) - seen.older_rounds
    yield Check(
        what="state on the chain",
        said=f"price, {rounds} rounds, listings, rules, fences, numbers in force, last target's digest",
        difference=first_difference(_in_its_schema(seen.state, file), file.state, name="state"),
    )


def _in_its_schema(state: UnderlyingState, file: InputsFile) -> UnderlyingState:
    """A state as a file of that schema holds it: contracts before schema 4 gave every publication a whole step."""
    fences, its = state.publication, file.state.publication
    if file.schema >= SAYS_EARNED or fences is None or its is None or its.vol.forward_step_s:
        return state
    return replace(state, publication=replace(fences, vol=replace(fences.vol, forward_step_s=0)))


def elsewhere(ours: Deployed, file: InputsFile) -> str:
    """In which way a file is of another deployment; empty if it is of this one, or does not say."""
    if file.deployed is None:
        return ""
    if file.deployed.chain_id != ours.chain_id:
        return f"of chain {file.deployed.chain_id}, this deployment of chain {ours.chain_id}"
    mine, its = ours.addresses, file.deployed.addresses
    for name in _ROOTS:
        if name in mine and its.get(name, "").lower() != mine[name].lower():
            return f"of the {name} at {its.get(name) or 'no address'}, this deployment's is at {mine[name]}"
    return ""


def unattested(
    file: InputsFile,
    seen: Attested | None,
    *,
    unseen: str,
    accounts: bool,
    alone: bool,
    lag_s: int,
    compared: bool = False,
) -> Iterator[Unattested]:
    """What the chain did not bear out, or cannot.

    Args:
        file: the inputs.
        seen: what the contracts said; None if they were not asked.
        unseen: why they were not.
        accounts: whether every account was read and replayed too.
        alone: whether the file itself named the contracts.
        lag_s: from the block of the decision until the update landed, or until now if it did not yet.
        compared: whether knobs and floors were held against one's own.
    """
    if lag_s > PICKED_S:
        what = f"that block {file.block.number:,} was not picked among those of {lag_s:,} s"
        where = f"whoever publishes chooses when to decide: beyond {PICKED_S // 60} min ask why it took so long"
        yield Unattested(what=what, digest="", where=where)
    if alone and file.deployed is not None:
        house = file.deployed.addresses.get("ClearingHouse", "")
        said = "it is the file's own word: compare it with the deployment that the protocol publishes, or --deployment"
        yield Unattested(
            what=f"that {house} on chain {file.deployed.chain_id} is the house meant", digest="", where=said
        )
    elif file.deployed is None:
        said = "schema 1 does not say; its block hash, which is checked, names the chain"
        yield Unattested(what="which deployment the file is of", digest="", where=said)
    if seen is None:
        digest = _digest(file.state)
        yield Unattested(what=f"the state at block {file.block.number:,}", digest=digest, where=unseen)
    else:
        if seen.older_rounds:
            what = f"the {seen.older_rounds} oldest oracle rounds"
            yield Unattested(what=what, digest="", where="older than what the present feed has: the feed before it")
        if seen.left_out:
            what = f"that the fit was to do without the {seen.left_out} rounds of the feed before those written"
            where = f"the feed has them, of the last {file.risk.history_days} days; a keeper that began lately may not"
            yield Unattested(what=what, digest="", where=where)
        for what in () if accounts else seen.untold:
            yield Unattested(what=what, digest="", where="in logs: --state reads them")
    if isinstance(file.quotes, QuoteSheet):
        count = sum(len(one.quotes) for one in file.quotes.expiries)
        what, where = (
            f"{count} quotes of {file.quotes.source}, taken at {file.quotes.taken_s}",
            "the venue's own records",
        )
        yield Unattested(what=what, digest=_digest(file.quotes), where=where)
    elif file.quotes is not None:
        what = f"that a venue quoted nothing: {file.quotes.reason}"
        yield Unattested(what=what, digest=_digest(file.quotes), where="the venue's own records")
    yield from _chosen(file, accounts=accounts, compared=compared)


def _chosen(file: InputsFile, *, accounts: bool, compared: bool) -> Iterator[Unattested]:
    """What whoever published chose, and what follows from accounts."""
    for one in () if compared else file.overrides:
        what = f"floor {one.number} set by {one.operator}"
        yield Unattested(what=what, digest=_digest(one), where="the operator: keeper override list --all")
    if not compared:
        what = "the operator's knobs, and that no other floor stood"
        where = "the operator's settings file, [risk] and [policy], and keeper override list --all"
        yield Unattested(what=what, digest=_digest((file.risk, file.policy)), where=where)
    if not accounts:
        what = f"that the impact gate kept {file.kept_ppm / 10_000:g} % of the step"
        where = "it was asked again here, about what is left" if compared else "--state replays every account"
        yield Unattested(what=what, digest="", where=where)
    before = [one for one in file.brought if one.at_s < file.block.timestamp]
    if file.schema >= SAYS_BROUGHT:
        said = f"brought down what {len(before)} of them say" if before else "brought nobody down"
        what, where = f"that the pushes of the day before {said}", "the inputs files of those pushes"
        yield Unattested(what=what, digest=_digest(tuple(before)) if before else "", where=where)


def _digest(value: object) -> str:
    parts = value if isinstance(value, tuple) else (value,)
    return "0x" + hashlib.sha256(b"".join(dumps(one) for one in parts)).hexdigest()
