"""Derive's portfolio margin, PMRM2, under the parameter set of its published test portfolios."""

from __future__ import annotations

from typing import Final

from keeper.risk.kernel.charges import Haircut, OracleConfidence, Peg, PerpNotional, ShortOptions
from keeper.risk.kernel.preset import (
    Block,
    Netting,
    Preset,
    Reading,
    SkewShape,
    StaticDiscount,
    TermScale,
    VolTerm,
)
from keeper.risk.kernel.rows import Listed, Row
from keeper.risk.kernel.scenarios import Generator

#: Full shocks of a 30-day volatility.
VOL_UP: Final = 0.5
VOL_DOWN: Final = -0.275

#: On the shocked value of an expiry's options.
DISCOUNT: Final = StaticDiscount(
    long_base=0.95, long_mult=1.0, long_add=0.08, short_base=1.04, short_mult=0.5, short_add=0.08
)

REGULAR: Final = Listed(
    generator=Generator.GRID,
    rows=(
        Row(tag="spot × 1.18, vol up", spot=1.18, vol=VOL_UP),
        Row(tag="spot × 1.135, vol down", spot=1.135, vol=VOL_DOWN),
        Row(tag="spot × 1.135", spot=1.135),
        Row(tag="spot × 1.135, vol up", spot=1.135, vol=VOL_UP),
        Row(tag="spot × 1.09, vol down", spot=1.09, vol=VOL_DOWN),
        Row(tag="spot × 1.09", spot=1.09),
        Row(tag="spot × 1.09, vol up", spot=1.09, vol=VOL_UP),
        Row(tag="spot × 1.045, vol down", spot=1.045, vol=VOL_DOWN),
        Row(tag="spot × 1.045", spot=1.045),
        Row(tag="spot × 1.045, vol up", spot=1.045, vol=VOL_UP),
        Row(tag="spot × 1, vol down", vol=VOL_DOWN),
        Row(tag="spot × 1"),
        Row(tag="spot × 1, vol up", vol=VOL_UP),
        Row(tag="spot × 0.955, vol down", spot=0.955, vol=VOL_DOWN),
        Row(tag="spot × 0.955", spot=0.955),
        Row(tag="spot × 0.955, vol up", spot=0.955, vol=VOL_UP),
        Row(tag="spot × 0.91, vol down", spot=0.91, vol=VOL_DOWN),
        Row(tag="spot × 0.91", spot=0.91),
        Row(tag="spot × 0.91, vol up", spot=0.91, vol=VOL_UP),
        Row(tag="spot × 0.865, vol down", spot=0.865, vol=VOL_DOWN),
        Row(tag="spot × 0.865", spot=0.865),
        Row(tag="spot × 0.865, vol up", spot=0.865, vol=VOL_UP),
        Row(tag="spot × 0.82, vol up", spot=0.8200000000000001, vol=VOL_UP),
        Row(tag="spot × 0.34, vol up", spot=0.33999999999999997, vol=VOL_UP, weight=0.054545454545454536),
        Row(tag="spot × 0.67, vol up", spot=0.6699999999999999, vol=VOL_UP, weight=0.10909090909090907),
        Row(tag="spot × 1.5, vol up", spot=1.5, vol=VOL_UP, weight=0.072),
        Row(tag="spot × 2, vol up", spot=2.0, vol=VOL_UP, weight=0.036),
        Row(tag="spot × 3, vol up", spot=3.0, vol=VOL_UP, weight=0.018),
        Row(tag="spot × 4, vol up", spot=4.0, vol=VOL_UP, weight=0.011999999999999999),
    ),
)

SKEW: Final = Listed(
    generator=Generator.SKEW,
    rows=(Row(tag="linear skew", skew=1.0), Row(tag="absolute skew", smile=1.0)),
)

BASIS: Final = Listed(
    generator=Generator.BASIS,
    rows=(Row(tag="forwards × 1.045", basis=1.045), Row(tag="forwards × 0.955", basis=0.955)),
)

PRESET: Final = Preset(
    name="derive_pmrm2",
    source="derivexyz/v2-core, test/risk-managers/unit-tests/PMRM_2: parameters and figures of its test portfolios",
    blocks=(
        Block(name="regular", rows=REGULAR, discount=DISCOUNT),
        Block(name="skew", rows=SKEW, discount=DISCOUNT, reading=Reading.ADVERSE),
        Block(name="basis", rows=BASIS, netting=Netting.EXPIRY, term=TermScale(add=0.5, mult=2.0)),
    ),
    initial_factor=1.0,
    maintenance_factor=0.8,
    charges=(
        PerpNotional(maintenance=0.015, initial=0.015 + 0.005000000000000001),
        ShortOptions(maintenance=0.003, initial=0.003 + 0.002),
        Haircut(),
        OracleConfidence(threshold=0.55, rate=1.0),
        Peg(threshold=0.98, slope=2.0),
    ),
    vol_term=VolTerm(short_power=0.3, long_power=0.13, floor_days=1.0, up_floor=0.45),
    skew=SkewShape(
        linear_base_cap=0.15,
        linear_c_base=-0.05,
        smile_base_cap=0.15,
        smile_c_base=-0.05,
        min_k_star=0.01,
        width_scale=4.0,
        vol_static=0.6,
        vol_scale=-0.1,
    ),
)
