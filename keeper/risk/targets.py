"""What we would publish for an underlying if nothing held us back, from its oracle rounds."""

from __future__ import annotations

from keeper.domain.knobs import RiskKnobs
from keeper.domain.market import UnderlyingTarget
from keeper.domain.snapshot import UnderlyingState
from keeper.risk import lattice, term
from keeper.risk.exact.riskfile import DAY
from keeper.risk.scan_range import ranges, scan_range
from keeper.risk.volatility import Unestimated, estimate

#: Annual volatility beyond which rounds are taken for garbage: 10,000 %, or 5 a day in the logarithm of the price.
ABSURD_VOL = 100.0

#: No target, and why.
Untargeted = Unestimated


def target(state: UnderlyingState, now: int, knobs: RiskKnobs) -> UnderlyingTarget | Untargeted:
    """Estimate the parameters of one underlying.

    Args:
        state: with its oracle rounds; rounds outside `knobs.history_days` before `now` are left out.
        now: block time.
        knobs: the operator's choices.

    Returns:
        `Untargeted` if the rounds do not suffice: what is on-chain stays.
    """
    since = now - knobs.history_days * DAY
    rounds = [o for o in state.history if since <= o.time <= now]
    series = estimate(rounds, decay_per_day=knobs.ewma_lambda, min_rounds=knobs.min_observations)
    if isinstance(series, Unestimated):
        return series
    wildest = max(series.vol_annual, series.mean_vol_annual)
    if wildest > ABSURD_VOL:
        return Untargeted(reason=f"the oracle rounds give a volatility of {wildest:.3g}; they are not prices")
    scan = scan_range(series, knobs)
    realised_ppm = max(1, lattice.to_ppm(series.vol_annual))
    mean_ppm = max(1, lattice.to_ppm(series.mean_vol_annual))
    span_days = (series.time_s[-1] - series.time_s[0]) / DAY
    volatility = (
        f"volatility {realised_ppm / 1e4:.2f} % now, mean {mean_ppm / 1e4:.2f} %, from {len(series.time_s)} rounds "
        f"over {span_days:.1f} days; flat smile, no carry"
    )
    return UnderlyingTarget(
        underlying=state.underlying,
        ranges=ranges(scan, knobs),
        expiries=tuple(
            term.expiry_targets(state.listings, realised_ppm=realised_ppm, mean_ppm=mean_ppm, now=now, knobs=knobs)
        ),
        # Rounded: the record must not carry digits in which two machines differ.
        realised_vol=realised_ppm / 1e6,
        reasons=(scan.reason, volatility),
    )
