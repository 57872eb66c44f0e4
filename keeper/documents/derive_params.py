"""Derive's parameter set as it writes it, and the preset it makes."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Annotated, Final, Literal

from pydantic import Field

from keeper.documents.read import Part
from keeper.risk.kernel.charges import Haircut, OracleConfidence, Peg, PerpNotional, ShortOptions
from keeper.risk.kernel.preset import Preset, SkewShape, StaticDiscount, TermScale, VolTerm
from keeper.risk.kernel.rows import Listed, Row
from keeper.risk.kernel.scenarios import Generator
from keeper.risk.presets import derive_pmrm2

#: Factors, shares and shifts: nothing here is of the size of a price.
Factor = Annotated[float, Field(ge=-1e3, le=1e3)]
NotNegative = Annotated[float, Field(ge=0.0, le=1e3)]
#: Of the exponent of a tenor.
Power = Annotated[float, Field(ge=-10.0, le=10.0)]
#: In an exponent beside years.
Exponent = Annotated[float, Field(ge=-1.0, le=10.0)]

#: A volatility shocked up by a range of 0 is still held to its floor, so the row must remain one that shocks up.
_UP_BY_NOTHING: Final = sys.float_info.min


class Scenario(Part):
    """One row."""

    spot: Annotated[float, Field(alias="SpotShock", ge=1e-6, le=1e3)]
    """Factor on spot."""
    direction: Annotated[
        Literal["Up", "Down", "None", "LINEAR", "ABS", "Linear", "Abs"], Field(alias="VolShockDirection")
    ]
    """Of the volatility: Up, Down or None; LINEAR and ABS turn the skew."""
    weight: Annotated[NotNegative, Field(alias="DampeningFactor")]
    """Factor on the row's P&L."""


class SkewShock(Part):
    """How far the skew turns."""

    linear_base_cap: Annotated[Factor, Field(alias="LINEAR_SCALE_CAP")]
    linear_c_base: Annotated[Factor, Field(alias="LINEAR_CBASE")]
    smile_base_cap: Annotated[Factor, Field(alias="ABS_SCALE_CAP")]
    smile_c_base: Annotated[Factor, Field(alias="ABS_CBASE")]
    min_k_star: Annotated[float, Field(alias="MIN_K_STAR", ge=0.0, le=1e3)]
    width_scale: Annotated[Factor, Field(alias="MIN_WIDTH_SCALE")]
    vol_static: Annotated[Factor, Field(alias="VOL_PARAM_STATIC")]
    vol_scale: Annotated[Factor, Field(alias="VOL_PARAM_SCALE")]


class VolShock(Part):
    """How far volatilities move."""

    up: Annotated[NotNegative, Field(alias="VOLRANGEUP")]
    up_floor: Annotated[NotNegative, Field(alias="MIN_VOL_EVAL_SHOCKED")]
    down: Annotated[NotNegative, Field(alias="VOLRANGEDOWN")]
    short_power: Annotated[Power, Field(alias="SHORTTERMPOWER")]
    long_power: Annotated[Power, Field(alias="LONGTERMPOWER")]
    floor_days: Annotated[NotNegative, Field(alias="DTE_FLOOR")]


class Margin(Part):
    """Factors and static discounts."""

    maintenance_factor: Annotated[NotNegative, Field(alias="MM_LOSS_FACTOR")]
    initial_factor: Annotated[NotNegative, Field(alias="IM_LOSS_FACTOR")]
    short_mult: Annotated[Exponent, Field(alias="SHORT_RATE_MULTSCALE")]
    long_mult: Annotated[Exponent, Field(alias="LONG_RATE_MULTSCALE")]
    short_add: Annotated[Exponent, Field(alias="SHORT_RATE_ADDSCALE")]
    long_add: Annotated[Exponent, Field(alias="LONG_RATE_ADDSCALE")]
    long_base: Annotated[Factor, Field(alias="BASE_STATIC_DISCOUNT")]
    short_base: Annotated[Factor, Field(alias="BASE_STATIC_DISCOUNT_NEG")]


class BasisContingency(Part):
    """Forwards that move while spot stays."""

    up: Annotated[NotNegative, Field(alias="SCENARIO_SPOT_UP")]
    down: Annotated[NotNegative, Field(alias="SCENARIO_SPOT_DOWN")]
    add: Annotated[NotNegative, Field(alias="BASIS_CONT_ADD_FACTOR")]
    mult: Annotated[NotNegative, Field(alias="BASIS_CONT_MULT_FACTOR")]


class OtherContingency(Part):
    """Add-ons; the two `…_NORMAL` are sums that Derive's own files carry along, and nothing here reads them."""

    peg_threshold: Annotated[NotNegative, Field(alias="PEG_LOSS_THRESHOLD")]
    peg_factor: Annotated[NotNegative, Field(alias="PEG_LOSS_FACTOR")]
    confidence_threshold: Annotated[NotNegative, Field(alias="CONF_THRESHOLD")]
    confidence_margin: Annotated[NotNegative, Field(alias="CONF_MARGIN")]
    mm_perp: Annotated[NotNegative, Field(alias="MM_PERP_PERCENT")]
    im_perp: Annotated[NotNegative, Field(alias="IM_PERP_PERCENT")]
    im_perp_normal: Annotated[Factor | None, Field(alias="IM_PERP_PERCENT_NORMAL")] = None
    mm_option: Annotated[NotNegative, Field(alias="MM_OPTION_PERCENT")]
    im_option: Annotated[NotNegative, Field(alias="IM_OPTION_PERCENT")]
    im_option_normal: Annotated[Factor | None, Field(alias="IM_OPTION_PERCENT_NORMAL")] = None


class Parameters(Part):
    """The whole set."""

    scenarios: Annotated[list[Scenario], Field(alias="Scenarios")]
    skew: Annotated[SkewShock, Field(alias="SkewShock")]
    vol: Annotated[VolShock, Field(alias="VolShock")]
    margin: Annotated[Margin, Field(alias="Margin")]
    basis: Annotated[BasisContingency, Field(alias="BasisContingency")]
    other: Annotated[OtherContingency, Field(alias="OtherContingency")]


def preset_of(parameters: Parameters) -> Preset:
    """The preset `derive_pmrm2` with these numbers in place of its own."""
    p, own = parameters, derive_pmrm2.PRESET
    discount = StaticDiscount(
        long_base=p.margin.long_base,
        long_mult=p.margin.long_mult,
        long_add=p.margin.long_add,
        short_base=p.margin.short_base,
        short_mult=p.margin.short_mult,
        short_add=p.margin.short_add,
    )
    regular, skew, basis = own.blocks
    return replace(
        own,
        blocks=(
            replace(
                regular,
                rows=Listed(
                    generator=Generator.GRID, rows=tuple(_regular(s, p.vol) for s in p.scenarios if not _turns(s))
                ),
                discount=discount,
            ),
            replace(
                skew,
                rows=Listed(generator=Generator.SKEW, rows=tuple(_skew(s) for s in p.scenarios if _turns(s))),
                discount=discount,
            ),
            replace(
                basis,
                rows=Listed(
                    generator=Generator.BASIS,
                    rows=tuple(Row(tag=f"forwards × {by:.12g}", basis=by) for by in (p.basis.up, p.basis.down)),
                ),
                term=TermScale(add=p.basis.add, mult=p.basis.mult),
            ),
        ),
        initial_factor=p.margin.initial_factor,
        maintenance_factor=p.margin.maintenance_factor,
        charges=(
            PerpNotional(maintenance=p.other.mm_perp, initial=p.other.mm_perp + p.other.im_perp),
            ShortOptions(maintenance=p.other.mm_option, initial=p.other.mm_option + p.other.im_option),
            Haircut(),
            OracleConfidence(threshold=p.other.confidence_threshold, rate=p.other.confidence_margin),
            Peg(threshold=p.other.peg_threshold, slope=p.other.peg_factor),
        ),
        vol_term=VolTerm(
            short_power=p.vol.short_power,
            long_power=p.vol.long_power,
            floor_days=p.vol.floor_days,
            up_floor=p.vol.up_floor,
        ),
        skew=SkewShape(**p.skew.model_dump()),
    )


def _turns(scenario: Scenario) -> bool:
    return scenario.direction.upper() in {"LINEAR", "ABS"}


def _regular(scenario: Scenario, vol: VolShock) -> Row:
    shock = {"Up": max(vol.up, _UP_BY_NOTHING), "Down": -vol.down}.get(scenario.direction, 0.0)
    word = "" if scenario.direction == "None" else f", vol {scenario.direction.lower()}"
    return Row(tag=f"spot × {scenario.spot:.12g}{word}", spot=scenario.spot, vol=shock, weight=scenario.weight)


def _skew(scenario: Scenario) -> Row:
    linear = scenario.direction.upper() == "LINEAR"
    return Row(
        tag="linear skew" if linear else "absolute skew",
        spot=scenario.spot,
        basis=1.0 / scenario.spot,  # forwards stay where they are, whatever spot does in a skew row
        skew=1.0 if linear else 0.0,
        smile=0.0 if linear else 1.0,
        weight=scenario.weight,
    )
