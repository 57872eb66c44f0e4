"""Whom a proposal would hurt: every account replayed before and after, by the functions that judge it each block."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from keeper.domain.knobs import RiskKnobs
from keeper.domain.margin_table import MarginTable
from keeper.domain.snapshot import Snapshot
from keeper.policy.effect import Effect, effect
from keeper.risk.model import model
from keeper.risk.report import shock

#: In place of an underlying's id: haircuts and roles concern accounts whatever they hold.
EVERYTHING: Final = -1


def impact_of(before: Snapshot, after: Snapshot) -> Effect:
    """Compare everybody at one moment.

    Args:
        before: the present.
        after: the same accounts under what the proposal sets, read on a fork some seconds later.
    """
    # The later state at the earlier moment: what is compared is the proposal, not a few seconds of decay and interest.
    same = replace(
        after,
        block=before.block,
        accounts=before.accounts,
        interest_index=before.interest_index,
        keep_ray=before.keep_ray,
        auctions=before.auctions,
    )
    return effect(EVERYTHING, _margins(before), _margins(same))


def _margins(snapshot: Snapshot) -> MarginTable:
    return shock(snapshot, model(snapshot, RiskKnobs())).margins(buffer_ppm=0)
