"""From targets to changes: where a recalibration wants what the fences do not admit, the fences are what to propose.

Read is what `keeper recalibrate --json` says of the live market, or `keeper calibrate --json` of recorded histories:
scan ranges beyond their bounds, and haircuts other than those in force.  A bound moves past its target by a margin, so
that the next recalibration does not stand before the same fence.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from keeper.errors import BadInput
from keeper.governance.chain import ChainView
from keeper.governance.changes import Changes, parse_changes
from keeper.governance.kinds import RANGES

#: How far beyond the target a bound goes, and the lattice it lies on.
_ROOM_PPM, _STEP_PPM = 200_000, 5_000
_PPM: Final = 1_000_000
_HINT: Final = "write it with keeper recalibrate --json, or keeper calibrate --json"


def read_targets(path: Path) -> dict[tuple[str, str], int]:
    """Targets by (ticker, what): what is psr, vsr_up, vsr_down, sigma_min, sigma_max or haircut, ppm.

    Raises: `BadInput` if the file is neither answer.
    """
    try:
        return targets_in(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}", hint=_HINT) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{path} is no recalibration: {error!r}", hint=_HINT) from error


def targets_in(tree: Mapping[str, Any]) -> dict[tuple[str, str], int]:
    """The same from the object.  Raises: `KeyError`, `TypeError` if it is neither answer."""
    return dict(_live(tree) if "underlyings" in tree else _recorded(tree))


def _live(tree: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], int]]:
    """Of keeper recalibrate."""
    for one in tree["underlyings"]:
        for number in one["numbers"]:
            if number["number"] in RANGES and number["target"] is not None:
                yield (one["symbol"], number["number"]), int(number["target"])
        vols = [int(n["target"]) for n in one["numbers"] if n["number"] == "sigma" and n["target"] is not None]
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


def changes_from(targets: Mapping[tuple[str, str], int], chain: ChainView, *, origin: str) -> Changes:
    """What has to be proposed for these targets.

    Args:
        targets: as `read_targets` gives them.
        chain: the present.
        origin: where they are from, for the text.

    Raises: `BadInput` if the fences admit every target and the haircuts are those.
    """
    lines: list[str] = []
    for (symbol, what), target in sorted(targets.items()):
        if what == "haircut":
            lines += _haircut(symbol, target, chain)
        elif symbol in chain.underlyings:
            lines += _bound(symbol, what, target, chain)
    if not lines:
        raise BadInput(
            "the fences admit every target, and every haircut is the one in force",
            hint="nothing is left to propose: keeper push publishes what fences admit",
        )
    head = [
        'title = "Let the fences admit the recalibrated targets"',
        f'summary = "Targets from {origin}. A bound goes {_ROOM_PPM // 10_000} % beyond its target."',
        "",
    ]
    return parse_changes("\n".join([*head, *lines]) + "\n", name="the recalibration")


def _bound(symbol: str, what: str, target: int, chain: ChainView) -> Iterator[str]:
    number = chain.underlyings[symbol]
    if what in ("sigma_min", "sigma_max"):
        yield from _vol_bound(symbol, what, target, chain.one("RiskParameters", "volFences", number))
        return
    fence = chain.one("RiskParameters", "fence", number, RANGES[what].encode().ljust(32, b"\0"))
    if target > fence["max"]:
        yield f"[underlying.{symbol}.fence.{what}]\nmax = {_above(target)}  # target {target}\n"
    elif target < fence["min"]:
        yield f"[underlying.{symbol}.fence.{what}]\nmin = {_below(target)}  # target {target}\n"


def _vol_bound(symbol: str, what: str, target: int, fences: Mapping[str, Any]) -> Iterator[str]:
    """Of volatilities at the money, whichever expiry is the farthest out."""
    if what == "sigma_max" and target > fences["sigmaMaxPpm"]:
        yield f"[underlying.{symbol}.vol_fences]\nsigma_max_ppm = {_above(target)}  # target {target}\n"
    elif what == "sigma_min" and target < fences["sigmaMinPpm"]:
        yield f"[underlying.{symbol}.vol_fences]\nsigma_min_ppm = {_below(target)}  # target {target}\n"


def _above(target: int) -> int:
    return -(-target * (_PPM + _ROOM_PPM) // (_PPM * _STEP_PPM)) * _STEP_PPM


def _below(target: int) -> int:
    return target * (_PPM - _ROOM_PPM) // (_PPM * _STEP_PPM) * _STEP_PPM


def _haircut(asset: str, target: int, chain: ChainView) -> Iterator[str]:
    for symbol, number in chain.collaterals.items():
        if number == 0:
            continue  # the settlement token has none
        config = chain.one("ClearingHouse", "collateral", number)
        if asset in (symbol, config["asset"].rstrip(b"\0").decode(errors="replace")) and config["haircutPpm"] != target:
            yield f"[collateral.{symbol}]\nhaircut_ppm = {target}\n"
