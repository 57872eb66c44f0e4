"""Knobs that published numbers follow from: by name, compared with another's, and by their digest.

Whatever an operator sets moves targets as surely as the model does; what bids, spends or refreshes does not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Final

from keeper.domain.knobs import PolicyKnobs, RiskKnobs

#: Of [policy], what decides which numbers are published, and when; of [risk] it is everything.
PUBLISHED_BY: Final = (
    "hysteresis_ppm", "forward_hysteresis_ppm", "heartbeat_s", "regime_short_s", "regime_long_s", "regime_ratio_ppm",
    "loosen_after_s", "loosen_step_ppm", "impact_gate", "impact_max_accounts_ppm", "impact_max_requirement_ppm",
)  # fmt: skip


def choices(risk: RiskKnobs, policy: PolicyKnobs) -> dict[str, str]:
    """Each knob that published numbers follow from, by the name it has in the settings file, as it is written."""
    found = dict(_named("risk", risk))
    return found | {f"policy.{name}": repr(getattr(policy, name)) for name in PUBLISHED_BY}


def digest(risk: RiskKnobs, policy: PolicyKnobs) -> str:
    """0x sha-256 of them: the same on every machine."""
    lines = json.dumps(choices(risk, policy), sort_keys=True, separators=(",", ":"))
    return "0x" + hashlib.sha256(lines.encode("ascii")).hexdigest()


def _named(name: str, value: object) -> Iterator[tuple[str, str]]:
    if not is_dataclass(value):
        yield name, repr(value)
        return
    for one in fields(value):
        yield from _named(f"{name}.{one.name}", getattr(value, one.name))
