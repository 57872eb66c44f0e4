"""What happened to an underlying's parameters between publications, out of events; values of fences out of views."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, Protocol

from keeper.domain.block import BlockRef
from keeper.domain.happened import Event, Happened
from keeper.domain.raw_units import DISCOUNT, FENCE_UNITS, FORWARD, PPM, Unit, field_key, shown, unit_of
from keeper.domain.riskfile import Ranges
from keeper.errors import Refused, Retry

#: Events that are told, besides publications.
EVENTS: Final = (
    "FencesSet",
    "UnderlyingConfigured",
    "PublishingPaused",
    "LooseningVetoed",
    "EmergencyCalled",
    "StateAddOnSet",
    "FrozenSet",
    "ExpiryListed",
)
#: What a fence is around, as the rest of the keeper calls it; `sigmaAtm` stands for all fences on expiries' numbers.
_ABOUT: Final = {"psr": "psr", "vsrUp": "vsr_up", "vsrDown": "vsr_down", "joint": "joint", "sigmaAtm": "expiries"}
_RANGED: Final = ("psr", "vsrUp", "vsrDown")


class Answers(Protocol):
    """Views of the contracts at one block."""

    def one(self, block: BlockRef, contract: str, function: str, *args: Any, address: str = "") -> Any:
        """The single output of one view.  Raises: `Refused`; `Retry`."""


class HouseHappened:
    """Puts events into words.

    Args:
        views: where values of fences are read; None where nobody can be asked.
        block_at: the canonical block of a height, None if there is none.
    """

    def __init__(self, views: Answers | None, block_at: Callable[[int], BlockRef | None]) -> None:
        self._views, self._block_at = views, block_at

    def told(self, name: str, args: Mapping[str, Any], block: BlockRef, tx: tuple[str, str, str]) -> Happened:
        """One event.

        Args:
            name: of the event.
            args: its arguments.
            block: where it was.
            tx: hash, sender and receiver of its transaction.

        Raises: `Retry` if the block before cannot be asked for.
        """
        event, said, about, expiry, until_s, ranges = Event.RULES, "", "", 0, 0, None
        if name == "FencesSet":
            what = args["what"].rstrip(b"\0").decode("ascii", "replace")
            event, about = Event.FENCE, _ABOUT.get(what, what)
            said = self._changed(block, *_view_of(what, args), units=FENCE_UNITS if what in _RANGED else {})
        elif name == "UnderlyingConfigured":
            said = self._changed(block, "config", args["underlying"])
        elif name == "LooseningVetoed":
            event, until_s = Event.VETO, args["noLooseningUntil"]
            ranges = Ranges(psr_ppm=args["psrPpm"], vsr_up_ppm=args["vsrUpPpm"], vsr_down_ppm=args["vsrDownPpm"])
            said = "what was in force is the target again; no range is lowered"
        elif name == "PublishingPaused":
            event, said, until_s = Event.PAUSE, "nothing is published", args["until"]
        elif name == "EmergencyCalled":
            event = Event.EMERGENCY
            said = f"MM raised by {_share(args['peakPpm'])} within the hour (by {_share(args['fromPpm'])} before)"
            said += ", IM at once; both back within a day"
        elif name == "StateAddOnSet":
            event, until_s = Event.ADD_ON, args["validUntil"]
            said = f"IM widened by {_share(args['addOnPpm'])}"
        elif name == "ExpiryListed":
            event, about, expiry = Event.LISTED, "expiries", args["expiry"]
            said = f"{_share(args['sigmaAtmPpm'])} at the money, forward {shown(args['phiPpb'], FORWARD)}, "
            said += f"discount {shown(args['dfPpb'], DISCOUNT)}, {len(args['strikes'])} strikes"
        elif name == "FrozenSet":
            event = Event.FROZEN if args["frozen"] else Event.THAWED
            said = "nothing is published until governance thaws it" if args["frozen"] else "publishing goes on"
        tx_hash, sender, via = tx
        return Happened(
            event=event,
            underlying=args["underlying"],
            block=block,
            tx_hash=tx_hash,
            sender=sender,
            via=via,
            about=about,
            expiry=expiry,
            said=said,
            until_s=until_s,
            ranges=ranges,
        )

    def _changed(
        self, block: BlockRef, function: str, *args: Any, units: Mapping[str, Unit] = MappingProxyType({})
    ) -> str:
        """What differs between the state before an event's block and after it, in words."""
        before = self._block_at(block.number - 1)
        if self._views is None or before is None:
            return "its values are not known here"
        try:
            new = self._views.one(block, "RiskParameters", function, *args)
        except (Retry, Refused):
            return "its values are not known to this node any more; an archive node has them"
        try:
            old = self._views.one(before, "RiskParameters", function, *args)
        except (Retry, Refused):
            old = {}
        moved = [
            f"{field_key(name)} {_said(name, old.get(name), units)} → {_said(name, value, units)}"
            for name, value in new.items()
            if old.get(name) != value
        ]
        return ", ".join(moved) or "to what it was"


def _said(name: str, value: Any, units: Mapping[str, Unit]) -> str:
    """A field's value with its unit, as a proposal's table has it."""
    kind = "bool" if isinstance(value, bool) else "address" if isinstance(value, str) else "uint256"
    return shown(value, units.get(name) or unit_of(name, kind))


def _view_of(what: str, args: Mapping[str, Any]) -> tuple[Any, ...]:
    if what in _RANGED:
        return "fence", args["underlying"], args["what"]
    return ("jointFence" if what == "joint" else "volFences"), args["underlying"]


def _share(ppm: int) -> str:
    return shown(ppm, PPM)
