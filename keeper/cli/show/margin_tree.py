"""`keeper margin` for a script: one object, floats in full."""

from __future__ import annotations

import math
from typing import Any

from keeper.cli.show.margin import standing
from keeper.documents.evaluate import Evaluation
from keeper.documents.trade import Fill
from keeper.risk.kernel.requirement import Level, Requirement, Unpriced


def margin_tree(found: Evaluation) -> dict[str, Any]:
    """The whole answer as one object; floats in full."""
    tree: dict[str, Any] = {"preset": found.preset, "as_of": found.as_of.isoformat()}
    tree |= requirement_tree(found.before)
    if found.after is not None:
        tree["fills"] = [_fill_tree(fill) for fill in found.fills]
        tree["after"] = requirement_tree(found.after)
    if isinstance(found.before, Requirement) and isinstance(found.after, Requirement):
        old, new = found.before, found.after
        tree["change"] = {
            "equity": new.equity - old.equity,
            "IM": new.im - old.im,
            "MM": new.mm - old.mm,
            "health": _finite(new.health - old.health) if math.isfinite(old.health) else None,
        }
    tree["notes"] = list(found.notes)
    return tree


def requirement_tree(one: Requirement | Unpriced) -> dict[str, Any]:
    """One requirement, or why there is none."""
    if isinstance(one, Unpriced):
        return {"standing": "unknown", "reason": one.reason}
    return {
        "standing": standing(one)[0],
        "currency": one.currency,
        "equity": one.equity,
        "IM": one.im,
        "MM": one.mm,
        "health": _finite(one.health),
        "debt": one.debt,
        "health_factor": _finite(one.health_factor),
        "initial": _level_tree(one.initial, excess=one.im_excess),
        "maintenance": _level_tree(one.maintenance, excess=one.mm_excess),
    }


def _finite(ratio: float) -> float | None:
    """JSON has no infinity: a ratio to nothing is null."""
    return ratio if math.isfinite(ratio) else None


def _level_tree(level: Level, *, excess: float) -> dict[str, Any]:
    return {
        "requirement": level.requirement,
        "excess": excess,
        "scenario": level.scenario,
        "binding": level.binding or None,
        "worst": [
            {"generator": row.generator, "name": row.name, "loss": row.loss, "rows": list(row.rows)}
            for row in level.worst
        ],
        "lines": [
            {"kind": line.kind, "what": line.what, "amount": line.amount, "detail": line.detail} for line in level.lines
        ],
    }


def _fill_tree(fill: Fill) -> dict[str, Any]:
    return {
        "instrument": fill.instrument,
        "amount": fill.amount,
        "price": fill.price,
        "at_mark": fill.at_mark,
        "premium": fill.premium,
        "fee": fill.fee,
    }
