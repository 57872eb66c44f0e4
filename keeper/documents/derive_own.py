"""The preset's own numbers as Derive writes its parameter set: the base of overrides where a file brings none."""

from __future__ import annotations

from typing import Any

from keeper.risk.kernel.charges import OracleConfidence, Peg, PerpNotional, ShortOptions
from keeper.risk.kernel.preset import Block
from keeper.risk.kernel.rows import Listed, Row
from keeper.risk.presets import derive_pmrm2


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
