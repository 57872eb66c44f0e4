"""What a fault is, and what it is handed when its time has come."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np

    from keeper.testing.answers import Node

Option: TypeAlias = int | float | str
Tell: TypeAlias = Callable[[dict[str, Any]], None]


class Boundary(StrEnum):
    """Between what and what a fault sits."""

    WIRE = "wire"
    """Client and server: no proper answer comes."""
    ANSWER = "answer"
    """Server and truth: a proper answer, and it is wrong or refused."""
    POOL = "pool"
    """A sent transaction and its block."""
    CHAIN = "chain"
    """The chain itself, for every node alike."""
    HEADS = "heads"
    """The node and its subscribers."""


@dataclass(frozen=True)
class Call:
    """One request on its way."""

    method: str
    params: tuple[Any, ...] = ()

    def with_param(self, index: int, value: Any) -> Call:
        """The same request with another parameter; missing ones before it are None."""
        padded = list(self.params) + [None] * (index + 1 - len(self.params))
        padded[index] = value
        return replace(self, params=tuple(padded))


Forward: TypeAlias = Callable[[Call], Any]


@dataclass(kw_only=True)
class Shot:
    """One occasion at which a fault may strike."""

    options: Mapping[str, Option]
    """The fault's defaults, and the rule's own on top."""
    rng: np.random.Generator
    """Chance of this rule alone, so that other rules do not shift it."""
    memory: dict[str, Any]
    """What the fault keeps from one occasion to the next; emptied when a new spell begins."""
    node: Node
    """The node behind, which tells the truth."""
    height: int
    """Its head's height."""
    since: int
    """Height at which the present spell began; `height` if none has begun."""
    fire: Callable[[], None] = field(repr=False)
    """Says that the fault took effect.  A spell begins with it."""

    def number(self, option: str) -> int:
        """An option that is a whole number."""
        return int(self.options[option])

    def text(self, option: str) -> str:
        """An option that is a word."""
        return str(self.options[option])


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One way to go wrong.  Which of the four hooks it has says when it is asked."""

    name: str
    boundary: Boundary
    about: str
    """One sentence: what the keeper sees."""
    methods: tuple[str, ...] = ()
    """Requests it can meddle with; empty: all."""
    defaults: Mapping[str, Option] = field(default_factory=dict)
    """Its options."""
    on_call: Callable[[Shot, Call, Forward], Any] | None = None
    """In a request's place: forward it or not, and answer."""
    on_batch: Callable[[Shot, list[Any], Callable[[list[Any]], Any]], Any] | None = None
    """In the place of an array of request objects."""
    before_block: Callable[[Shot], None] | None = None
    """Before a block is mined."""
    after_block: Callable[[Shot], None] | None = None
    """After a block was mined, by whomever."""
    catch_up: Callable[[Shot], None] | None = None
    """After every block, whether or not the fault strikes: what it owes from earlier occasions."""
    on_head: Callable[[Shot, dict[str, Any], Tell], None] | None = None
    """In the place of an announcement to subscribers."""
    standing: bool = False
    """Whether it is a property of the node, that holds at every occasion, and not a mishap: drawn plans make it so."""
    cuts_link: bool = False
    """Whether subscribers are cut off for the length of a spell."""
    lasts_blocks: int = 0
    """Blocks a spell lasts where the rule does not say; 0: one occasion at a time."""
