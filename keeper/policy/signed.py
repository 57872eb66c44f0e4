"""A model that nobody signed off pushes nothing."""

from __future__ import annotations

from collections.abc import Collection

from keeper.risk.version import MODEL_VERSION


def unsigned(signed: Collection[int] | None) -> str:
    """Why the running model may not push; empty if it may.

    Args:
        signed: versions that were signed off; None where no word is needed, since nothing leaves the machine.
    """
    if signed is None or MODEL_VERSION in signed:
        return ""
    return (
        f"model {MODEL_VERSION} is not signed off: run keeper shadow, then "
        f"keeper model sign-off {MODEL_VERSION} --operator NAME --reason WHY (--first for the first model of a house)"
    )
