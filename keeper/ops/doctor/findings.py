"""What a check of a keeper found, and how checks become findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from keeper.domain.block import BlockRef
from keeper.errors import KeeperError
from keeper.ops.doctor.site import Contracts


class Verdict(StrEnum):
    """What a check found."""

    GOOD = "good"
    WARNING = "warning"
    """The keeper runs, with less than it could do."""
    BAD = "bad"
    """The keeper cannot run."""
    SKIPPED = "skipped"
    """An earlier finding kept it out."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the answer."""

    what: str
    verdict: Verdict
    said: str
    hint: str = ""
    """What to do; empty if nothing."""
    measured: Mapping[str, str] = field(default_factory=dict)
    """Of an endpoint: what was measured, by the name of its column; empty for all else."""


def ready(findings: Sequence[Finding]) -> bool:
    """Whether the keeper could run: nothing is bad."""
    return all(finding.verdict is not Verdict.BAD for finding in findings)


def guard(what: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """A check whose errors are findings."""
    try:
        yield from check()
    except KeeperError as error:
        yield bad(what, error.message, error.hint)


def needs(
    here: tuple[Contracts, BlockRef] | None, what: str, check: Callable[[Contracts, BlockRef], Iterator[Finding]]
) -> Iterator[Finding]:
    """A check that asks the contracts."""
    if here is None:
        yield skipped(what, "no contracts to ask")
    else:
        yield from guard(what, lambda: check(*here))


def good(what: str, said: str) -> Finding:
    """All is as it should be."""
    return Finding(what=what, verdict=Verdict.GOOD, said=said)


def bad(what: str, said: str, hint: str) -> Finding:
    """The keeper cannot run."""
    return Finding(what=what, verdict=Verdict.BAD, said=said, hint=hint)


def skipped(what: str, why: str) -> Finding:
    """An earlier finding kept it out."""
    return Finding(what=what, verdict=Verdict.SKIPPED, said=why)
