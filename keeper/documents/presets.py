"""Presets by the name that a person writes."""

from __future__ import annotations

import difflib
import importlib
from typing import Final

from keeper.errors import BadInput
from keeper.risk.kernel.preset import Preset

#: Every preset, with what it is.  A test holds this against the modules of `keeper.risk.presets`.
PRESETS: Final = {
    "keeper": "ours: grid and tails, history, simulation, stress; all add-ons",
    "span16": "the standard 16 SPAN-type rows",
    "derive_pmrm2": "Derive's portfolio margin",
    "deribit_pm": "Deribit's inverse portfolio margin, in coin",
    "paradex": "Paradex's portfolio margin",
    "dydx": "dYdX's perpetuals",
    "synthetix": "Synthetix's perpetuals",
    "drift": "Drift's perpetuals",
    "aave": "Aave's loans",
    "morpho": "Morpho Blue's loans",
}


def preset_named(name: str) -> Preset:
    """The preset of a name.  Raises: `BadInput` if there is none."""
    if name not in PRESETS:
        near = difflib.get_close_matches(name, PRESETS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(PRESETS)}"
        raise BadInput(f"there is no preset {name}", hint=hint)
    preset: Preset = importlib.import_module(f"keeper.risk.presets.{name}").PRESET
    return preset
