"""Presets of the kernel by venue: data, never code.  A new venue is a module with a `PRESET`, and a line here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from keeper.risk.kernel.preset import Preset
from keeper.risk.presets import (
    aave,
    deribit_pm,
    derive_pmrm2,
    drift,
    dydx,
    keeper,
    morpho,
    paradex,
    span16,
    synthetix,
)

PRESETS: Final[Mapping[str, Preset]] = MappingProxyType(
    {
        preset.name: preset
        for preset in (
            keeper.PRESET,
            span16.PRESET,
            derive_pmrm2.PRESET,
            deribit_pm.PRESET,
            paradex.PRESET,
            dydx.PRESET,
            synthetix.PRESET,
            drift.PRESET,
            aave.PRESET,
            morpho.PRESET,
        )
    }
)
