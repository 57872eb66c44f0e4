"""A model that nobody signed off pushes nothing; one that runs with other knobs than were signed off is told of."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.updates import SignOff
from keeper.policy.choices import digest
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


def signed_with(words: Sequence[SignOff]) -> str:
    """Digest of the knobs with which the running version was signed off last; empty if it was not, or none was kept.

    Args:
        words: oldest first.
    """
    return next((one.knobs for one in reversed(words) if one.version == MODEL_VERSION), "")


def otherwise(knobs: str, risk: RiskKnobs, policy: PolicyKnobs) -> str:
    """That the keeper pushes with other knobs than the model was signed off with; empty if it does not.

    Args:
        knobs: digest of those that were signed off last with the running version; empty if none was kept.
        risk: what it runs with.
        policy: the same.
    """
    if not knobs or knobs == digest(risk, policy):
        return ""
    return (
        f"[risk] or what of [policy] decides about publications is not what model {MODEL_VERSION} was signed off with: "
        f"keeper shadow, then keeper model sign-off {MODEL_VERSION} --operator NAME --reason WHY"
    )
