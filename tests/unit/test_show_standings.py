"""`keeper status` says where each published parameter stands."""

import io
from dataclasses import replace
from types import SimpleNamespace

from rich.console import Console

from keeper.cli.show.standings import standings_tree, standings_view
from keeper.domain.market import ExpiryTarget, UnderlyingTarget
from keeper.domain.riskfile import ExpiryParams, Ranges
from keeper.domain.snapshot import SlewState
from keeper.testing.builders import EXPIRY, NOW, a_fence, a_file, a_publication, a_snapshot, an_underlying

HOUR = 3_600


def a_market():
    """A scan range published at 18 %, in force at 15 %, wanted at 20 %."""
    state = a_publication()
    published = Ranges(psr_ppm=180_000, vsr_up_ppm=450_000, vsr_down_ppm=300_000)
    fences = (a_fence(current=180_000, anchor=150_000), *state.fences[1:])
    slew = SlewState(target=published, rate_ppm_per_hour=10_000, time_s=NOW)
    u = replace(
        an_underlying(),
        publication=replace(state, fences=fences, slew=slew),
        live=replace(a_file(psr_ppm=150_000), im_uplift_pct=20),
    )
    params = ExpiryParams(expiry=EXPIRY, phi_ppb=10**9, df_ppb=10**9, sigma_atm_ppm=700_000)
    target = UnderlyingTarget(
        underlying=u.underlying,
        ranges=replace(published, psr_ppm=200_000),
        expiries=(ExpiryTarget(params=params, sigmas_ppm=(700_000,)),),
        realised_vol=0.7,
        reasons=(),
    )
    return u, target


def test_status__parameters__a_line_each_with_target_budget_and_ramp():
    """Target, published, in force, what the day's budget leaves, and when; and what IM is widened by meanwhile."""
    u, target = a_market()
    status = SimpleNamespace(
        snapshot=a_snapshot(underlying=u, timestamp=NOW),
        last=SimpleNamespace(decision=SimpleNamespace(targets=(target,))),
        held={u.underlying: {("psr", 0): "day's budget"}},
    )
    table, widened = standings_view(status)
    out = Console(width=160, file=io.StringIO(), color_system=None)
    out.print(table)
    text = out.file.getvalue()
    (line,) = (one for one in text.splitlines() if "scan range " in one and "IM is" not in one)
    # Half of 15 % may be gone in a day; three points of it are.
    for cell in ("20.00 %", "18.00 %", "15.00 %", "4.50 (60 %)", "10.50 (140 %)", "now", "day's budget"):
        assert cell in line, cell
    assert " ".join(text.split()).count("points") == 2, "what is left of a budget has its unit in the head"
    assert "IM is 20 % higher" in str(widened)
    assert sum(name in text for name in ("volatility range up", "volatility range down", "front volatility")) == 3


def test_status__json__same_numbers():
    """A script gets ppm and unix seconds."""
    u, target = a_market()
    first, second, *_ = standings_tree(u, target, NOW, {("psr", 0): "day's budget"})
    assert (first["held_by"], second["held_by"]) == ("day's budget", None)
    assert (first["name"], first["target_ppm"], first["published_ppm"]) == ("psr", 200_000, 180_000)
    assert (first["in_force_ppm"], first["left_up_ppm"], first["left_up_share_ppm"]) == (150_000, 45_000, 600_000)
    assert first["arrives_s"] > NOW + 15 * HOUR
