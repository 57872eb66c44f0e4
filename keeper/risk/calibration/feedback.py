"""What breaches do to a scan range: they tighten it, and nothing loosens while they are too many.

A yellow light asks for (3 + plus) / 3 of the scan range that was breached, a red one for 4/3.  That becomes the floor.
The floor only rises here; an operator lowers it by hand, once the light is green.
"""

from __future__ import annotations

from dataclasses import dataclass

from keeper.domain.knobs import RiskKnobs
from keeper.risk import lattice
from keeper.risk.backtest.traffic_light import TrafficLight, Zone


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """A scan range that the breaches permit."""

    psr_ppm: int
    """What may be published, on the lattice if what went in was."""
    floor_ppm: int
    """Lowest scan range from now on; never below the floor before."""
    reason: str


def after_breaches(target_ppm: int, *, in_force_ppm: int, light: TrafficLight, knobs: RiskKnobs) -> Allowed:
    """What may be published when `target_ppm` is wanted and `in_force_ppm` was breached as `light` says."""
    floor = knobs.psr_floor_ppm
    if light.zone is Zone.GREEN:
        return Allowed(
            psr_ppm=max(target_ppm, floor),
            floor_ppm=floor,
            reason=f"the light of {in_force_ppm / 1e4:.2f} % is green: the target stands",
        )
    step = knobs.psr_lattice_ppm
    top = knobs.psr_ceiling_ppm // step * step or knobs.psr_ceiling_ppm
    raised = max(floor, min(top, lattice.up(lattice.to_ppm(in_force_ppm * light.multiplier / 1e6), step)))
    psr = max(target_ppm, in_force_ppm, raised)
    held = "; loosening is refused" if target_ppm < in_force_ppm else ""
    return Allowed(
        psr_ppm=psr,
        floor_ppm=raised,
        reason=f"the light of {in_force_ppm / 1e4:.2f} % is {light.zone}: the floor rises from {floor / 1e4:.2f} % to "
        f"{raised / 1e4:.2f} %{held}",
    )
