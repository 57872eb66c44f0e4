"""Derive's parameter set as it writes it, and the preset it makes."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from keeper.documents.read import Part
from keeper.risk.kernel.charges import Haircut, OracleConfidence, Peg, PerpNotional, ShortOptions
from keeper.risk.kernel.preset import Block, Preset, SkewShape, StaticDiscount, TermScale, VolTerm
from keeper.risk.kernel.rows import Listed, Row
from keeper.risk.kernel.scenarios import Generator
from keeper.risk.presets import derive_pmrm2

NotNegative = Annotated[float, Field(ge=0.0)]

#: A volatility shocked up by a range of 0 is still held to its floor, so the row must remain one that shocks up.
_UP_BY_NOTHING: Final = sys.float_info.min


class Scenario(Part):
    """One row."""

    spot: Annotated[float, Field(alias="SpotShock", gt=0.0)]
    """Factor on spot."""
    direction: Annotated[
        Literal["Up", "Down", "None", "LINEAR", "ABS", "Linear", "Abs"], Field(alias="VolShockDirection")
    ]
    """Of the volatility: Up, Down or None; LINEAR and ABS turn the skew."""
    weight: Annotated[NotNegative, Field(alias="DampeningFactor")]
    """Factor on the row's P&L."""


class SkewShock(Part):
    """How far the skew turns."""

    linear_base_cap: Annotated[float, Field(alias="LINEAR_SCALE_CAP")]
    linear_c_base: Annotated[float, Field(alias="LINEAR_CBASE")]
    smile_base_cap: Annotated[float, Field(alias="ABS_SCALE_CAP")]
    smile_c_base: Annotated[float, Field(alias="ABS_CBASE")]
    min_k_star: Annotated[float, Field(alias="MIN_K_STAR", ge=0.0)]
    width_scale: Annotated[float, Field(alias="MIN_WIDTH_SCALE")]
    vol_static: Annotated[float, Field(alias="VOL_PARAM_STATIC")]
    vol_scale: Annotated[float, Field(alias="VOL_PARAM_SCALE")]


class VolShock(Part):
    """How far volatilities move."""

    up: Annotated[NotNegative, Field(alias="VOLRANGEUP")]
    up_floor: Annotated[NotNegative, Field(alias="MIN_VOL_EVAL_SHOCKED")]
    down: Annotated[NotNegative, Field(alias="VOLRANGEDOWN")]
    short_power: Annotated[float, Field(alias="SHORTTERMPOWER")]
    long_power: Annotated[float, Field(alias="LONGTERMPOWER")]
    floor_days: Annotated[NotNegative, Field(alias="DTE_FLOOR")]


class Margin(Part):
    """Factors and static discounts."""

    maintenance_factor: Annotated[NotNegative, Field(alias="MM_LOSS_FACTOR")]
    initial_factor: Annotated[NotNegative, Field(alias="IM_LOSS_FACTOR")]
    short_mult: Annotated[float, Field(alias="SHORT_RATE_MULTSCALE")]
    long_mult: Annotated[float, Field(alias="LONG_RATE_MULTSCALE")]
    short_add: Annotated[float, Field(alias="SHORT_RATE_ADDSCALE")]
    long_add: Annotated[float, Field(alias="LONG_RATE_ADDSCALE")]
    long_base: Annotated[float, Field(alias="BASE_STATIC_DISCOUNT")]
    short_base: Annotated[float, Field(alias="BASE_STATIC_DISCOUNT_NEG")]


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
    im_perp_normal: Annotated[float | None, Field(alias="IM_PERP_PERCENT_NORMAL")] = None
    mm_option: Annotated[NotNegative, Field(alias="MM_OPTION_PERCENT")]
    im_option: Annotated[NotNegative, Field(alias="IM_OPTION_PERCENT")]
    im_option_normal: Annotated[float | None, Field(alias="IM_OPTION_PERCENT_NORMAL")] = None


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


def own_parameters() -> dict[str, Any]:
    """The preset's own parameter set, as Derive writes it: the base of `param_overrides` where a file brings none."""
    preset = derive_pmrm2.PRESET
    regular, _, basis = preset.blocks
    assert regular.discount is not None
    assert basis.term is not None
    assert preset.skew is not None
    perps, shorts, _, confidence, peg = preset.charges
    assert isinstance(perps, PerpNotional)
    assert isinstance(shorts, ShortOptions)
    assert isinstance(confidence, OracleConfidence)
    assert isinstance(peg, Peg)
    discount, skew, vol = regular.discount, preset.skew, preset.vol_term
    up, down = (row.basis for row in _listed(basis))
    return {
        "Scenarios": [
            {"SpotShock": row.spot, "VolShockDirection": _direction(row), "DampeningFactor": row.weight}
            for block in preset.blocks[:2]
            for row in _listed(block)
        ],
        "SkewShock": {
            "LINEAR_SCALE_CAP": skew.linear_base_cap,
            "LINEAR_CBASE": skew.linear_c_base,
            "ABS_SCALE_CAP": skew.smile_base_cap,
            "ABS_CBASE": skew.smile_c_base,
            "MIN_K_STAR": skew.min_k_star,
            "MIN_WIDTH_SCALE": skew.width_scale,
            "VOL_PARAM_STATIC": skew.vol_static,
            "VOL_PARAM_SCALE": skew.vol_scale,
        },
        "VolShock": {
            "VOLRANGEUP": derive_pmrm2.VOL_UP,
            "MIN_VOL_EVAL_SHOCKED": vol.up_floor,
            "VOLRANGEDOWN": -derive_pmrm2.VOL_DOWN,
            "SHORTTERMPOWER": vol.short_power,
            "LONGTERMPOWER": vol.long_power,
            "DTE_FLOOR": vol.floor_days,
        },
        "Margin": {
            "MM_LOSS_FACTOR": preset.maintenance_factor,
            "IM_LOSS_FACTOR": preset.initial_factor,
            "SHORT_RATE_MULTSCALE": discount.short_mult,
            "LONG_RATE_MULTSCALE": discount.long_mult,
            "SHORT_RATE_ADDSCALE": discount.short_add,
            "LONG_RATE_ADDSCALE": discount.long_add,
            "BASE_STATIC_DISCOUNT": discount.long_base,
            "BASE_STATIC_DISCOUNT_NEG": discount.short_base,
        },
        "BasisContingency": {
            "SCENARIO_SPOT_UP": up,
            "SCENARIO_SPOT_DOWN": down,
            "BASIS_CONT_ADD_FACTOR": basis.term.add,
            "BASIS_CONT_MULT_FACTOR": basis.term.mult,
        },
        "OtherContingency": {
            "PEG_LOSS_THRESHOLD": peg.threshold,
            "PEG_LOSS_FACTOR": peg.slope,
            "CONF_THRESHOLD": confidence.threshold,
            "CONF_MARGIN": confidence.rate,
            "MM_PERP_PERCENT": perps.maintenance,
            "IM_PERP_PERCENT": perps.initial - perps.maintenance,
            "IM_PERP_PERCENT_NORMAL": perps.initial,
            "MM_OPTION_PERCENT": shorts.maintenance,
            "IM_OPTION_PERCENT": shorts.initial - shorts.maintenance,
            "IM_OPTION_PERCENT_NORMAL": shorts.initial,
        },
    }


def _direction(row: Row) -> str:
    if row.skew or row.smile:
        return "LINEAR" if row.skew else "ABS"
    return "Up" if row.vol > 0.0 else "Down" if row.vol < 0.0 else "None"


def _listed(block: Block) -> tuple[Row, ...]:
    assert isinstance(block.rows, Listed), "Derive's rows are written out"
    return block.rows.rows
