"""What an emergency, or an add-on to IM, does to everybody: accounts replayed under the factors that it would bring.

    emergency   MM × (1 + peak) an hour from now, IM × (1 + peak) at once; price and parameters stand still
    add-on      IM alone, at once

Mirrors `Controls.bind`: what stands already is not counted twice.
"""

from __future__ import annotations

from dataclasses import replace

from keeper.domain.margin_table import MarginTable
from keeper.domain.snapshot import Rules, Snapshot, UnderlyingState, Usable
from keeper.policy.effect import Effect, effect
from keeper.policy.impact import margins_under
from keeper.risk.exact.riskfile import PPM


def at_peak(bound: Rules, bare: Rules, *, im_ppm: int, peak_ppm: int) -> Rules:
    """Factors when an emergency has reached its peak.

    Args:
        bound: as they bind now, with whatever stands.
        bare: as governance set them.
        im_ppm: the emergency's part of IM that stands already.
        peak_ppm: that is called for.
    """
    whole = PPM + bare.im_add_on_ppm
    return replace(
        bound,
        kappa_ppm=bare.kappa_ppm + _scaled(bare.kappa_ppm + bare.flag_fee_ppm, peak_ppm),
        im_add_on_ppm=bound.im_add_on_ppm - _scaled(whole, im_ppm) + _scaled(whole, peak_ppm),
    )


def widened(bound: Rules, *, standing_ppm: int, add_on_ppm: int) -> Rules:
    """Factors with another add-on for the state of the market than stands."""
    return replace(bound, im_add_on_ppm=bound.im_add_on_ppm - standing_ppm + add_on_ppm)


def under_rules(snapshot: Snapshot, u: UnderlyingState, rules: Rules) -> Effect:
    """Everybody who holds something in an underlying, under other factors of it.

    Args:
        snapshot: the block's state.
        u: with a file in force and a usable price.
        rules: in place of its own.
    """
    assert u.live is not None, "there is something in force"
    assert isinstance(u.spot, Usable), "its price is usable"
    file = replace(u.live, ref_spot=u.spot.wad, time=snapshot.block.timestamp)

    def under(one: Rules) -> MarginTable:
        all_ = tuple(replace(x, rules=one) if x.underlying == u.underlying else x for x in snapshot.underlyings)
        return margins_under(replace(snapshot, underlyings=all_), {u.underlying: file})

    return effect(u.underlying, under(u.rules), under(rules))


def _scaled(value: int, ppm: int) -> int:
    """Rounded up, as the contract does."""
    return -(-value * ppm // PPM)
