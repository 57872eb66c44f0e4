"""Targets as `keeper recalibrate --json` tells them of the live market, or `keeper calibrate --json` of histories."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from keeper.domain.floors import OwnTarget
from keeper.domain.nested import json_of
from keeper.errors import BadInput
from keeper.governance.kinds import RANGES

_HINT: Final = "write it with keeper recalibrate --json, or keeper calibrate --json"

#: No range, volatility or haircut is a thousand times what it is a share of.
_MOST_PPM: Final = 10**9

#: By (ticker, what): what is psr, vsr_up, vsr_down, sigma_min, sigma_max or haircut, ppm.
Targets = Mapping[tuple[str, str], int]


@dataclass(frozen=True, kw_only=True)
class Filed:
    """What a file says."""

    targets: Targets
    floors: tuple[OwnTarget, ...] = ()
    """Set by hand and standing when it was written."""


def read_targets(path: Path, *, with_overrides: bool = False) -> Filed:
    """Read a file.

    Args:
        path: which.
        with_overrides: take targets with the floors that operators set by hand, not the model's own.

    Raises: `BadInput` if it is neither answer.
    """
    try:
        tree = json_of(path.read_text(encoding="utf-8"))
        if not isinstance(tree, dict) or not {"underlyings", "prices"} & set(tree):
            raise BadInput(f"{path} is no recalibration: it has neither underlyings nor prices", hint=_HINT)
        found, floors = targets_in(tree, with_overrides=with_overrides), tuple(_floors(tree))
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}", hint=_HINT) from error
    except KeyError as error:
        raise BadInput(f"{path} is no recalibration: something in it has no {error.args[0]}", hint=_HINT) from error
    except (ValueError, TypeError, AttributeError) as error:
        raise BadInput(f"{path} is no recalibration: {error}", hint=_HINT) from error
    for (symbol, what), target in found.items():
        if not 0 <= target <= _MOST_PPM:
            raise BadInput(f"{path}: {target} ppm is no target for {what} of {symbol}", hint=_HINT)
    return Filed(targets=found, floors=floors)


def targets_in(tree: Mapping[str, Any], *, with_overrides: bool = False) -> Targets:
    """The same from the object.  Raises: `KeyError`, `TypeError` if it is neither answer."""
    return dict(_live(tree, with_overrides=with_overrides) if "underlyings" in tree else _recorded(tree))


def _floors(tree: Mapping[str, Any]) -> Iterator[OwnTarget]:
    """Of keeper recalibrate, which alone knows of any."""
    for one in tree.get("underlyings", ()):
        for floor in one.get("floors", ()):
            yield OwnTarget(
                symbol=str(one["symbol"]),
                parameter=str(floor["parameter"]),
                floor_ppm=int(floor["floor_ppm"]),
                own_ppm=None if floor["own_ppm"] is None else int(floor["own_ppm"]),
                operator=str(floor["operator"]),
                reason=str(floor["reason"]),
                until_s=int(floor["until_s"]),
            )


def _live(tree: Mapping[str, Any], *, with_overrides: bool) -> Iterator[tuple[tuple[str, str], int]]:
    """Of keeper recalibrate."""

    def wanted(number: Mapping[str, Any]) -> Any:
        # Files from before floors were told apart have one target.
        return number["target"] if with_overrides else number.get("own_target", number["target"])

    for one in tree["underlyings"]:
        for number in one["numbers"]:
            if number["number"] in RANGES and wanted(number) is not None:
                yield (one["symbol"], number["number"]), int(wanted(number))
        vols = [int(wanted(n)) for n in one["numbers"] if n["number"] == "sigma" and wanted(n) is not None]
        if vols:
            yield (one["symbol"], "sigma_min"), min(vols)
            yield (one["symbol"], "sigma_max"), max(vols)


def _recorded(tree: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], int]]:
    """Of keeper calibrate; what could not be estimated has a reason in place of numbers."""
    for one in tree["prices"]:
        if "scan" in one:
            # What breaches permit, where the estimate alone asks for less.
            yield (one["name"], "psr"), max(int(one["scan"]["psr_ppm"]), int(one["allowed"]["psr_ppm"]))
            if "haircut_ppm" in one["haircut"]:
                yield (one["name"], "haircut"), int(one["haircut"]["haircut_ppm"])
    for one in tree["vols"]:
        for way in {"up", "down"} & set(one):
            yield (one["name"], f"vsr_{way}"), int(one[way]["vsr_ppm"])
