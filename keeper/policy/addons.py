"""What moves faster than parameters may: add-ons to initial margin for a market that worsened.

An oracle that has not spoken for long, a settlement token below its peg, more open interest than the venue can close.
They widen IM and nothing else: nobody is liquidated because a feed is late or strangers piled in (KER-8).  An add-on is
raised as soon as it is due, lives for a while and lapses by itself; it is never lowered by hand.
Sources: confidence and peg as in `keeper.risk.charges.state_penalties`; open interest in dYdX's form of a ramp.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from keeper.domain.action import SetAddOn
from keeper.domain.knobs import PolicyKnobs
from keeper.domain.snapshot import Snapshot, UnderlyingState, Usable
from keeper.risk.exact.riskfile import PPM, WAD

#: Most that the contract takes, ppm.  Source: contracts/src/libraries/Controls.sol.
MOST_PPM: Final = 500_000
#: A rise of less than this is not worth a transaction, ppm.
WORTH_PPM: Final = 10_000
#: An add-on is renewed in the last quarter of its life.
RENEW: Final = 4


def add_ons(snapshot: Snapshot, knobs: PolicyKnobs) -> Iterator[SetAddOn]:
    """Add-ons that are due at this block: higher than what stands, or about to lapse while still wanted."""
    now = snapshot.block.timestamp
    for u in snapshot.underlyings:
        state = u.publication
        if state is None or state.frozen or now < state.paused_until_s:
            continue
        wanted, why = wanted_ppm(snapshot, u, knobs)
        stands = state.state_add_on_ppm if now < state.state_until_s else 0
        ends_soon = state.state_until_s - now < knobs.addon_life_s // RENEW
        if wanted >= stands + WORTH_PPM or (wanted >= WORTH_PPM and ends_soon):
            yield SetAddOn(
                underlying=u.underlying,
                ppm=wanted,
                valid_until=now + knobs.addon_life_s,
                why=f"{u.symbol} IM {wanted / 10_000:+.1f} %: {why}",
            )


def wanted_ppm(snapshot: Snapshot, u: UnderlyingState, knobs: PolicyKnobs) -> tuple[int, str]:
    """What the state of a market adds to IM, ppm, and why; parts add up, as far as the contract takes them."""
    parts = [part for part in (_late(snapshot, u, knobs), _peg(snapshot, knobs), _crowd(snapshot, u, knobs)) if part[0]]
    return min(MOST_PPM, sum(ppm for ppm, _ in parts)), "; ".join(why for _, why in parts)


def _late(snapshot: Snapshot, u: UnderlyingState, knobs: PolicyKnobs) -> tuple[int, str]:
    """Confidence is whole up to `addon_sure_age_s` and gone at twice that age."""
    if not u.history or not knobs.addon_late_ppm:
        return 0, ""
    age = snapshot.block.timestamp - u.history[-1].time
    lost = min(PPM, max(0, age - knobs.addon_sure_age_s) * PPM // knobs.addon_sure_age_s)
    return lost * knobs.addon_late_ppm // PPM, f"its newest oracle round is {age} s old"


def _peg(snapshot: Snapshot, knobs: PolicyKnobs) -> tuple[int, str]:
    for c in snapshot.collaterals:
        if c.symbol != knobs.addon_peg_symbol or not isinstance(c.price, Usable):
            continue
        price = c.price.wad * PPM // WAD
        below = max(0, knobs.addon_peg_floor_ppm - price)
        return below * knobs.addon_peg_slope, f"{c.symbol} stands at {price / PPM:.4f} USD"
    return 0, ""


def _crowd(snapshot: Snapshot, u: UnderlyingState, knobs: PolicyKnobs) -> tuple[int, str]:
    low, high = knobs.addon_oi_low_usd, knobs.addon_oi_high_usd
    if not high or not isinstance(u.spot, Usable):
        return 0, ""
    open_usd = open_interest(snapshot, u.underlying) * u.spot.wad / WAD
    share = min(1.0, max(0.0, (open_usd - low) / (high - low)))
    return int(share * knobs.addon_oi_ppm), f"open interest is {open_usd:,.0f} USD"


def open_interest(snapshot: Snapshot, underlying: int) -> float:
    """Long contracts of an underlying over all accounts, perps and options alike."""
    roster = snapshot.accounts
    ours = np.array([i.underlying == underlying for i in roster.instruments], dtype=bool)
    if not ours.any():
        return 0.0
    pairs = roster.position_size.pairs
    high = pairs[:, 0].view(np.int64)
    # Negative sizes have a negative upper word; of the others both words are plain.
    counts = ours[roster.position_instrument] & (high >= 0)
    contracts = high[counts].astype(np.float64) * 2.0**64 + pairs[counts, 1].astype(np.float64)
    held = float(contracts.sum()) / WAD
    odd = (p.size for a in roster.whole.values() for p in a.positions if p.instrument.underlying == underlying)
    return held + sum(size / WAD for size in odd if size > 0)
