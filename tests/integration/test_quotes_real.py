"""Targets from Deribit's real chains through the crash of February 2026: most expiries used, every one legal."""

from dataclasses import replace

import pytest

from keeper.domain.knobs import RiskKnobs
from keeper.domain.market import UnderlyingTarget
from keeper.domain.snapshot import ExpiryFence, Listing, Observation
from keeper.marketdata.chain import Chain, sheet
from keeper.marketdata.quotes_file import load_quotes
from keeper.policy.guard import allow
from keeper.policy.smile import in_order, straighten
from keeper.risk.model import model
from keeper.testing.builders import PPB, a_publication, a_snapshot, an_account, an_underlying

pytestmark = [pytest.mark.needs_market_data, pytest.mark.timeout(300)]

WAD, HOUR, DAY = 10**18, 3_600, 86_400
KNOBS = RiskKnobs()
#: Every so many snapshots of a week with four a day.
STEP = 4


def a_world(snapshot, name):
    """Our market as it would list: two dates of the venue, one between two of them, and one far out."""
    now, index = snapshot.time_s, snapshot.index
    dates = sorted({q.expiry_s for q in snapshot.quotes if q.expiry_s > now + 6 * HOUR})
    listed = (dates[0], dates[1], (dates[2] + dates[3]) // 2, dates[-3])
    tick = 10 ** (len(str(int(index))) - 2)
    strikes = tuple(
        sorted({round(index * x / tick) * tick * 10**8 for x in (0.75, 0.85, 0.9, 0.95, 1, 1.05, 1.1, 1.2, 1.35)})
    )
    listings = tuple(Listing(expiry=e, strikes=strikes) for e in listed)
    history = tuple(
        Observation(time=now - HOUR * (200 - i), price=round(index * (1 + 0.008 * (i % 2)) * WAD)) for i in range(201)
    )
    u = replace(an_underlying(spot=index, history=history), symbol=name, listings=listings)
    return a_snapshot(an_account(7), underlying=u, timestamp=now + 30), listed


def test_targets__a_week_of_real_chains__used_legal_and_in_order(market_data):
    """At least nine expiries of ten take the venue's surface; what is left of it after the fences is in order."""
    file = load_quotes(market_data / "options" / "deribit_chain_4xday_2026-02-05_2026-02-12.parquet")
    used, listed_in_all = 0, 0
    for name in ("ETH", "BTC"):
        for time_s in file.times(name)[::STEP]:
            quoted = file.at(name, time_s)
            world, listed = a_world(quoted, name)
            chain = Chain(source="Deribit", taken_s=time_s, index=quoted.index, quotes=quoted.quotes)
            found = model(world, KNOBS, (sheet(chain, 1, listed, max_per_expiry=16),)).of(1)
            assert found.why_realised == "", time_s
            assert isinstance(found.target, UnderlyingTarget)
            expiries = found.target.expiries
            listed_in_all += len(expiries)
            used += sum(len(set(e.sigmas_ppm)) > 1 for e in expiries)
            variances = [e.params.sigma_atm_ppm**2 * (e.params.expiry - world.block.timestamp) for e in expiries]
            assert variances == sorted(variances), "EST-3"
            published(found.target, world)
    assert used >= 0.9 * listed_in_all, f"{used} of {listed_in_all}"


def published(target, world):
    """The legal step towards it from a flat file, in order wherever it is mined."""
    (u,), now = world.underlyings, world.block.timestamp
    fences = tuple(
        ExpiryFence(expiry=one.expiry, sigma_ppm=800_000, sigma_anchor_ppm=800_000, phi_ppb=PPB, phi_anchor_ppb=PPB)
        for one in u.listings
    )
    state = replace(a_publication(), expiries=fences)
    got = straighten(allow(target, state, now), u.listings, spot=u.spot.wad, now=now, latest_s=now + 300)
    for one, listing in zip(got.expiries, u.listings, strict=True):
        assert in_order(one, listing.strikes, spot=u.spot.wad, now=now), "FEN-P2"
