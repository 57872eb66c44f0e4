"""Targets that a person names instead of the kernel's: `scan_range=25%`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation

from keeper.domain.market import ExpiryTarget, UnderlyingTarget
from keeper.domain.overrides import PARAMETERS
from keeper.errors import BadInput

_PPM = 1_000_000


def share_ppm(text: str) -> int:
    """A share as a person writes it: `18%`, `18 %` or `180000ppm`.  Raises: `BadInput`."""
    plain = text.strip().lower().replace("_", "").replace(" ", "")
    for unit, scale in (("%", 10_000), ("ppm", 1)):
        if plain.endswith(unit):
            try:
                amount = Decimal(plain.removesuffix(unit)) * scale
            except InvalidOperation:
                break
            if amount.is_finite() and amount == amount.to_integral_value() and 0 < amount <= 10 * _PPM:
                return int(amount)
            break
    raise BadInput(
        f"{text!r} is no share", hint="write 18% or 180000ppm; ppm is the finest, 1000% the most", value=text
    )


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
        found[parameter(name.strip())] = share_ppm(text)
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
