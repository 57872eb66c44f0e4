"""Targets of a whole chain are those that the publication would make of it (CAL-8)."""

from dataclasses import replace

import pytest

from keeper.domain.knobs import RiskKnobs
from keeper.domain.quotes import Unquoted
from keeper.domain.snapshot import Listing
from keeper.marketdata.chain import Chain, sheet
from keeper.risk.calibration import term
from keeper.risk.calibration.implied import see
from keeper.risk.calibration.surface_targets import SurfaceTargets, surface_targets
from keeper.risk.pricing.black76 import price
from keeper.risk.surface.quotes import Quote
from keeper.risk.timeseries.volatility import Unestimated

KNOBS = RiskKnobs()
NOW = 1_780_000_000
DAY = 86_400
SPOT = 3_000.0


def a_chain(*, tenors=(7, 30, 90), level=0.6):
    """A smile on each tenor, dearer below, quoted in vol with a narrow spread."""
    quotes = []
    for days in tenors:
        forward = SPOT * (1 + 0.0002 * days)
        for i in range(-6, 7):
            strike = round(forward * (1 + 0.03 * i))
            vol = level + 0.01 * i * i / 4 - 0.004 * i
            bid, ask = (premium(forward, strike, vol + d, days / 365, is_call=i >= 0) for d in (-0.003, 0.003))
            quotes.append(
                Quote(
                    expiry_s=NOW + days * DAY,
                    strike=strike,
                    is_call=i >= 0,
                    forward=forward,
                    time_s=NOW,
                    mark_vol=vol,
                    bid=bid,
                    ask=ask,
                )
            )
    return Chain(source="a venue", taken_s=NOW, index=SPOT, quotes=tuple(quotes))


def premium(forward, strike, vol, years, *, is_call):
    """Over forward, as Deribit quotes."""
    return float(price(forward, strike, vol, years, sign=1.0 if is_call else -1.0)) / forward


def targets(chain, knobs=KNOBS):
    listed = {q.expiry_s for q in chain.quotes}
    return surface_targets(sheet(chain, 0, listed, max_per_expiry=16), knobs)


def test_surface_targets__a_chain__as_the_publication_would():
    """CAL-8: expiry by expiry the numbers of `expiry_targets` with the quotes as only witness."""
    chain = a_chain()
    found = targets(chain)
    assert isinstance(found, SurfaceTargets)
    quoted = sheet(chain, 0, {q.expiry_s for q in chain.quotes}, max_per_expiry=16)
    view = see(quoted, spot=quoted.index, now=NOW, knobs=KNOBS.implied)
    listings = [Listing(expiry=e.expiry, strikes=tuple(q.strike for q in e.quotes)) for e in quoted.expiries]
    implied = {one.expiry: view.at(one, realised_ppm=600_000) for one in listings}
    slow = term.expiry_targets(listings, realised_ppm=1, mean_ppm=1, now=NOW, knobs=KNOBS, implied=implied)
    assert [one.target for one in found.expiries] == list(slow), "CAL-8"
    assert found.refused == ()
    for one, days in zip(found.expiries, (7, 30, 90), strict=True):
        assert one.target.params.phi_ppb / 1e9 == pytest.approx(1 + 0.0002 * days, abs=1e-5)
        assert one.target.params.sigma_atm_ppm == pytest.approx(600_000, abs=5_000)
        assert one.target.sigmas_ppm[0] > one.target.params.sigma_atm_ppm
        assert len(one.strikes) == len(one.target.sigmas_ppm)


def test_surface_targets__operators_weight__does_not_matter():
    """CAL-8: here there is no realised volatility to mix in."""
    mixed = replace(KNOBS, implied=replace(KNOBS.implied, weight_ppm=200_000))
    assert targets(a_chain(), mixed) == targets(a_chain())


def test_surface_targets__nothing_quoted__a_reason():
    found = surface_targets(Unquoted(underlying=0, reason="nobody quotes"), KNOBS)
    assert found == Unestimated(reason="nobody quotes")
    wild = replace(KNOBS, implied=replace(KNOBS.implied, vol_max_ppm=100_000))
    assert isinstance(targets(a_chain(), wild), Unestimated)
