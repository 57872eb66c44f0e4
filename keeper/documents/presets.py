"""Presets by the name that a person writes."""

from __future__ import annotations

import difflib

from keeper.errors import BadInput
from keeper.risk.kernel.preset import Preset
from keeper.risk.presets import PRESETS


def preset_named(name: str) -> Preset:
    """The preset of a name.  Raises: `BadInput` if there is none."""
    preset = PRESETS.get(name)
    if preset is None:
        near = difflib.get_close_matches(name, PRESETS, n=1)
        there = f"there are: {', '.join(PRESETS)}"
        raise BadInput(f"there is no preset {name}", hint=f"did you mean {near[0]}?  {there}" if near else there)
    return preset
