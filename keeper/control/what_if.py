"""Targets that a person names instead of the kernel's: `scan_range=25%`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from keeper.control.shares import whole_ppm
from keeper.domain.market import ExpiryTarget, UnderlyingTarget
from keeper.domain.overrides import PARAMETERS
from keeper.errors import BadInput

_PPM: Final = 1_000_000
#: What may be a whole at most: a price that falls by all of it, or a volatility, leaves nothing to take a logarithm of.
BELOW_ONE: Final = frozenset({"psr", "vsr_down"})


def share_of(name: str, text: str) -> int:
    """A share for one of our parameters.  Raises: `BadInput`."""
    found = share_ppm(text)
    if name in BELOW_ONE and found >= _PPM:
        theirs = next(there for there, ours in PARAMETERS.items() if ours == name)
        raise BadInput(f"{theirs} {text!r} is the whole or more", hint="write less than 100%", value=text)
    return found


def share_ppm(text: str) -> int:
    """A share as a person writes it: `18%`, `18 %` or `180000ppm`.  Raises: `BadInput`."""
    found = whole_ppm(text)
    if found is None or not 0 < found <= 10 * _PPM:
        raise BadInput(
            f"{text!r} is no share",
            hint="write 18% or 180000ppm, above zero; ppm is the finest, 1000% the most",
            value=text,
        )
    return found


def parameter(text: str) -> str:
    """Our name of a parameter as a person names it.  Raises: `BadInput` naming those that there are."""
    if text not in PARAMETERS:
        raise BadInput(f"no parameter is called {text!r}", hint=f"there are: {', '.join(PARAMETERS)}", value=text)
    return PARAMETERS[text]


def changes(pairs: Sequence[str]) -> dict[str, int]:
    """Our names and values of `NAME=SHARE` pairs.  Raises: `BadInput` naming the first that is none."""
    found = {}
    for pair in pairs:
        name, sign, text = pair.partition("=")
        if not sign:
            raise BadInput(f"{pair!r} is no NAME=SHARE", hint="as in scan_range=25%", value=pair)
        ours = parameter(name.strip())
        found[ours] = share_of(ours, text)
    return found


def changed(target: UnderlyingTarget, named: Mapping[str, int]) -> UnderlyingTarget:
    """The target with some numbers replaced; smiles keep their ratios to the level."""
    if not named:
        return target
    ranges = replace(
        target.ranges,
        psr_ppm=named.get("psr", target.ranges.psr_ppm),
        vsr_up_ppm=named.get("vsr_up", target.ranges.vsr_up_ppm),
        vsr_down_ppm=named.get("vsr_down", target.ranges.vsr_down_ppm),
    )
    sigma = named.get("sigma")
    expiries = target.expiries if sigma is None else tuple(_level(one, sigma) for one in target.expiries)
    said = ", ".join(f"{name} {ppm / 10_000:g} %" for name, ppm in named.items())
    return replace(target, ranges=ranges, expiries=expiries, reasons=(*target.reasons, f"by hand: {said}"))


def _level(one: ExpiryTarget, sigma: int) -> ExpiryTarget:
    atm = one.params.sigma_atm_ppm
    return ExpiryTarget(
        params=replace(one.params, sigma_atm_ppm=sigma), sigmas_ppm=tuple(s * sigma // atm for s in one.sigmas_ppm)
    )
