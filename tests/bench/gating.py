"""The impact gate over every account of a large house: a push that it shortens, not the first of its day."""

from __future__ import annotations

from dataclasses import replace

from keeper.domain.cycle import CycleInputs
from keeper.domain.knobs import PolicyKnobs
from keeper.policy.gate import PPM, Gated, gate
from keeper.policy.part import between, published
from keeper.policy.weigh import Scale
from keeper.risk.model import model

#: What the scan ranges of the push are of those in force, ppm.
WIDER_PPM = 1_500_000
#: What the scan range of a day ago was of that in force, ppm: the push is held against it too.
NARROWER_PPM = 980_000
#: Replays of everybody by the obvious way: what is in force, what was a day ago, then twice for the whole step and for
#: each halving.
REPLAYS = 2 + 2 * (1 + 5)


def shortened(inputs: CycleInputs) -> Gated:
    """What the gate makes of scan ranges half as wide again, where half of those whom the day brings down may fall."""
    u = inputs.snapshot.underlyings[0]
    assert u.publication is not None
    psr, *others = u.publication.fences
    moved = replace(psr, anchor=psr.current * NARROWER_PPM // PPM)
    u = replace(u, publication=replace(u.publication, fences=(moved, *others)))
    target = model(inputs.snapshot, inputs.risk).of(u.underlying).target
    assert target is not None
    old = published(u, target)
    now = old.ranges
    ranges = replace(
        now,
        psr_ppm=now.psr_ppm * WIDER_PPM // PPM,
        vsr_up_ppm=now.vsr_up_ppm * WIDER_PPM // PPM,
        vsr_down_ppm=now.vsr_down_ppm * WIDER_PPM // PPM,
    )
    new = replace(old, ranges=ranges)
    whole = Scale(inputs.snapshot, u, PolicyKnobs()).weigh(new)
    assert not whole.first
    share = whole.day.accounts_ppm // 2
    knobs = PolicyKnobs(impact_max_accounts_ppm=share, impact_max_requirement_ppm=PPM)
    found = gate(Scale(inputs.snapshot, u, knobs), new, lambda kept: between(old, new, kept), slow=True)
    assert 0 < found.kept_ppm < PPM, f"the push was to be shortened: {found.said or 'it passed'}"
    return found
