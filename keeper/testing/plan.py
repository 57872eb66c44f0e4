"""Which faults strike when: seeded, written in one line, so that a failing run is a command line.

    FaultPlan.parse("7: stale_head@5+3; timeout[eth_call|eth_getLogs]%0.1; reorg@8-20%0.2*2{depth=3,keep=none}")

A rule reads NAME [METHOD|METHOD] @FIRST-LAST %PROBABILITY *TIMES +BLOCKS {OPTION=VALUE,...} without spaces, everything
but the name optional and in any order: `@5` is block 5 alone, `@5-` all from 5 on; `*2` strikes twice at most; `+3`
makes each strike a spell of three blocks.  The number in front is the seed.  Each rule draws from a stream of its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from keeper.errors import BadInput
from keeper.testing.faults import CATALOGUE, Boundary, Fault
from keeper.testing.faults.fault import Option

#: A rule is a name and parts, in any order, each at most once.
_PARTS: Final = (
    r"\[(?P<methods>[\w|]+)\]",
    r"@(?P<first>\d+)(?P<to>-(?P<last>\d+)?)?",
    r"%(?P<probability>\d*\.?\d+)",
    r"\*(?P<times>\d+)",
    r"\+(?P<blocks>\d+)",
    r"\{(?P<options>[^}]*)\}",
)
_NAME: Final = re.compile(r"[a-z_]+")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One fault of the catalogue, and when it strikes."""

    fault: str
    """Its name."""
    methods: tuple[str, ...] = ()
    """Requests it may meddle with; empty: what the fault itself can."""
    first_block: int = 0
    """Head height from which it may strike."""
    last_block: int | None = None
    """Last height at which it may strike; None: no end."""
    probability: float = 1.0
    """Chance at each occasion."""
    times: int | None = None
    """Most strikes, a spell being one; None: no limit."""
    blocks: int | None = None
    """Length of a spell; None: the fault's own."""
    options: Mapping[str, Option] = field(default_factory=dict)
    """The fault's options that differ from its defaults."""

    @property
    def spec(self) -> Fault:
        """The fault itself.  Raises: `BadInput` if there is none of that name, or it has no such option."""
        found = CATALOGUE.get(self.fault)
        if found is None:
            raise BadInput(f"there is no fault {self.fault!r}", hint=f"one of: {', '.join(sorted(CATALOGUE))}")
        for unknown in sorted(set(self.options) - set(found.defaults)):
            raise BadInput(
                f"{self.fault} has no option {unknown!r}", hint=f"it has: {', '.join(found.defaults) or 'none'}"
            )
        return found

    def __str__(self) -> str:
        last = "" if self.last_block == self.first_block else "-" if self.last_block is None else f"-{self.last_block}"
        options = ",".join(f"{name}={value}" for name, value in self.options.items())
        return "".join(
            (
                self.fault,
                f"[{'|'.join(self.methods)}]" if self.methods else "",
                "" if (self.first_block, self.last_block) == (0, None) else f"@{self.first_block}{last}",
                "" if self.probability == 1 else f"%{self.probability:f}".rstrip("0"),
                "" if self.times is None else f"*{self.times}",
                "" if self.blocks is None else f"+{self.blocks}",
                f"{{{options}}}" if options else "",
            )
        )

    @classmethod
    def parse(cls, text: str) -> Rule:
        """Read what `str` writes.  Raises: `BadInput`."""
        name, part = _read(text.strip())
        first = int(part["first"] or 0)
        last = None if part["first"] is None or (part["to"] and not part["last"]) else int(part["last"] or first)
        pairs = [pair.partition("=") for pair in (part["options"] or "").split(",") if pair]
        rule = cls(
            fault=name,
            methods=tuple((part["methods"] or "").split("|")) if part["methods"] else (),
            first_block=first,
            last_block=last,
            probability=float(part["probability"] or 1),
            times=None if part["times"] is None else int(part["times"]),
            blocks=None if part["blocks"] is None else int(part["blocks"]),
            options={option.strip(): _option(value.strip()) for option, _, value in pairs},
        )
        _ = rule.spec
        return rule


@dataclass(frozen=True, kw_only=True)
class FaultPlan:
    """A seed and rules.  Frozen: the same plan over the same requests strikes the same way."""

    seed: int = 0
    rules: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        for rule in self.rules:
            _ = rule.spec

    def __str__(self) -> str:
        return f"{self.seed}: {'; '.join(map(str, self.rules))}".rstrip()

    @classmethod
    def parse(cls, text: str) -> FaultPlan:
        """Read what `str` writes; without a number in front the seed is 0.  Raises: `BadInput`."""
        seed, colon, rules = text.partition(":")
        if not colon:
            seed, rules = "0", text
        if not seed.strip().isdigit():
            raise BadInput(f"a plan begins with its seed, not {seed.strip()!r}", hint="7: timeout%0.1; reorg@8")
        return cls(seed=int(seed), rules=tuple(Rule.parse(one) for one in rules.split(";") if one.strip()))

    @classmethod
    def of(cls, *rules: Rule | str, seed: int = 0) -> FaultPlan:
        """A script: rules, or their text."""
        return cls(seed=seed, rules=tuple(Rule.parse(rule) if isinstance(rule, str) else rule for rule in rules))

    @classmethod
    def drawn(
        cls, seed: int, *, faults: Sequence[str], count: int, first_block: int, last_block: int, rate: float = 0.3
    ) -> FaultPlan:
        """Rules drawn by the seed: `count` of `faults`, each in a window within the blocks, with a chance up to `rate`.

        Chain faults, which strike at most once a block, are certain within a window of one block; properties of a node
        are certain within theirs.
        """
        rng = np.random.default_rng([seed, count])
        rules = []
        for name in rng.choice(np.array(faults), size=count, replace=count > len(faults)):
            first, last = sorted(int(rng.integers(first_block, last_block + 1)) for _ in range(2))
            once = CATALOGUE[str(name)].boundary is Boundary.CHAIN
            certain = once or CATALOGUE[str(name)].standing
            rules.append(
                Rule(
                    fault=str(name),
                    first_block=first,
                    last_block=first if once else last,
                    probability=1.0 if certain else round(float(rng.uniform(0.05, rate)), 3),
                )
            )
        return cls(seed=seed, rules=tuple(rules))


def _read(text: str) -> tuple[str, dict[str, str | None]]:
    """A rule's name and the parts it has.  Raises: `BadInput`."""
    found: dict[str, str | None] = dict.fromkeys(("methods", "first", "to", "last", "probability", "times", "blocks"))
    found["options"] = None
    name = _NAME.match(text)
    at, parts = (name.end() if name else 0), list(_PARTS)
    while name and at < len(text):
        part = next(((kind, hit) for kind in parts if (hit := re.compile(kind).match(text, at))), None)
        if part is None:
            break
        parts.remove(part[0])
        found |= part[1].groupdict()
        at = part[1].end()
    if name is None or at < len(text):
        hint = "NAME[METHODS]@FIRST-LAST%P*TIMES+BLOCKS{OPTION=VALUE}"
        raise BadInput(f"cannot read the rule {text!r} from {text[at:]!r} on", hint=hint)
    return name.group(), found


def _option(text: str) -> Option:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


@dataclass(frozen=True)
class Firing:
    """One fault took effect once."""

    fault: str
    boundary: Boundary
    where: str
    """The request's method, `batch`, `evm_mine` or `newHeads`."""
    block: int
    """Height of the true head."""
    node: str
    """Whose endpoint."""


class Ledger:
    """What really struck, in order.  Several nodes may write one."""

    def __init__(self) -> None:
        self.firings: list[Firing] = []

    def add(self, firing: Firing) -> None:
        """Write one down."""
        self.firings.append(firing)

    def counts(self) -> Counter[tuple[str, str]]:
        """How often each fault struck at each place: (fault, where)."""
        return Counter((one.fault, one.where) for one in self.firings)

    def of(self, fault: str) -> int:
        """How often one fault struck."""
        return sum(one.fault == fault for one in self.firings)

    def silent(self, expected: Iterable[str]) -> tuple[str, ...]:
        """Which of the expected faults never struck."""
        seen = {one.fault for one in self.firings}
        return tuple(sorted(set(expected) - seen))
