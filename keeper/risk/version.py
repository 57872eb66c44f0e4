"""Which model made a number.

A model is everything between a snapshot's raw inputs and the target parameters.  A change that moves any of them is a
new version: it has a line here, is shown beside what is live (`keeper shadow`), and an operator signs it off
(`keeper model sign-off`) before it may push.  A test holds the digests of the model's outputs beside this number.
"""

from __future__ import annotations

from typing import Final

#: What changed, by version, oldest first.
MODEL_CHANGELOG: Final[dict[int, str]] = {
    1: "Scan range from expected shortfalls (filtered, normal, whole history, stressed period); volatility EWMA and "
    "mean by the contract's term structure, mixed with arbitrage-free quoted surfaces; all fits on a stated lattice.",
}

#: The model of this keeper.
MODEL_VERSION: Final = max(MODEL_CHANGELOG)
