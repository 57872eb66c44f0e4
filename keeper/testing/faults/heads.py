"""Between a node and those who subscribed to its heads."""

from __future__ import annotations

from typing import Any, Final

from keeper.testing.faults.fault import Boundary, Fault, Shot, Tell


def _swallow(shot: Shot, _head: dict[str, Any], _tell: Tell) -> None:
    shot.fire()


def _twice(shot: Shot, head: dict[str, Any], tell: Tell) -> None:
    shot.fire()
    tell(head)
    tell(head)


def _later(shot: Shot, head: dict[str, Any], tell: Tell) -> None:
    """The first head waits for the second, and comes after it."""
    held = shot.memory.pop("held", None)
    if held is None:
        shot.memory["held"] = head
        shot.fire()
        return
    tell(head)
    tell(held)


FAULTS: Final = (
    Fault(
        name="ws_drop",
        boundary=Boundary.HEADS,
        about="The connection is cut, and new ones are refused until the spell ends.",
        on_head=_swallow,
        cuts_link=True,
        lasts_blocks=3,
    ),
    Fault(
        name="silent_subscription",
        boundary=Boundary.HEADS,
        about="The subscription stays open and says nothing until the spell ends.",
        on_head=_swallow,
        lasts_blocks=3,
    ),
    Fault(name="missing_head", boundary=Boundary.HEADS, about="One head is not announced.", on_head=_swallow),
    Fault(name="duplicate_head", boundary=Boundary.HEADS, about="One head is announced twice.", on_head=_twice),
    Fault(
        name="swapped_heads",
        boundary=Boundary.HEADS,
        about="A head is announced after its successor.",
        on_head=_later,
        lasts_blocks=2,
    ),
)
