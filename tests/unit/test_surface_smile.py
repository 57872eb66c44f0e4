"""Slices and surfaces: where a volatility is read from."""

import numpy as np
import pytest

from keeper.errors import LawBroken
from keeper.risk.surface.smile import FlatSmile, QuotedSmile, Slice, Surface, SviSmile, surface_of
from keeper.risk.surface.svi import Svi

NOW = 1_700_000_000
DAY = 86_400


def a_slice(days: int, vol: float, forward: float = 100.0) -> Slice:
    return Slice(expiry_s=NOW + days * DAY, years=days / 365, forward=forward, smile=FlatSmile(vol=vol))


def test_surface__fitted_expiry__its_own_slice():
    """At an expiry that was fitted, the slice answers as it is."""
    svi = SviSmile(svi=Svi(a=0.01, b=0.1, rho=-0.3, m=0.0, sigma=0.1))
    one = Slice(expiry_s=NOW + 30 * DAY, years=30 / 365, forward=100.0, smile=svi)
    surface = Surface(now_s=NOW, slices=(one,))
    assert surface.vol(120.0, NOW + 30 * DAY) == float(one.vol(120.0))


def test_surface__between_expiries__linear_in_total_variance():
    """SRF-5: total variance at constant moneyness and the logarithm of the forward are linear in time."""
    surface = surface_of(NOW, [a_slice(40, 0.5, 121.0), a_slice(20, 0.7, 100.0)])
    middle = surface.slice_at(NOW + 30 * DAY)
    assert middle.forward == pytest.approx(110.0)
    w = (0.49 * 20 + 0.25 * 40) / 2 / 365
    assert float(middle.vol(130.0)) == pytest.approx(np.sqrt(w / (30 / 365)))


@pytest.mark.parametrize(("days", "vol"), [(5, 0.7), (400, 0.5)])
def test_surface__beyond_its_expiries__same_vol(days, vol):
    """Before the first expiry and after the last, volatility at constant moneyness stays."""
    surface = surface_of(NOW, [a_slice(20, 0.7), a_slice(40, 0.5)])
    assert surface.vol(90.0, NOW + days * DAY) == pytest.approx(vol)


def test_surface__known_forward__moneyness_from_it():
    """A forward given by the caller takes the place of the interpolated one."""
    quoted = QuotedSmile(k=(-0.1, 0.0, 0.1), vol=(0.7, 0.5, 0.6))
    one = Slice(expiry_s=NOW + 20 * DAY, years=20 / 365, forward=100.0, smile=quoted)
    surface = Surface(now_s=NOW, slices=(one,))
    assert surface.vol(110.0, NOW + 20 * DAY, forward=110.0) == pytest.approx(0.5)
    assert surface.vol(110.0, NOW + 10 * DAY, forward=110.0) == pytest.approx(0.5)


def test_quoted_smile__between_and_outside__linear_in_variance_then_flat():
    """Total variance is linear between quotes and flat outside."""
    one = Slice(expiry_s=NOW + DAY, years=1 / 365, forward=100.0, smile=QuotedSmile(k=(0.0, 0.2), vol=(0.5, 0.7)))
    got = one.vol(100.0 * np.exp([-1.0, 0.1, 1.0]))
    assert got == pytest.approx([0.5, np.sqrt((0.25 + 0.49) / 2), 0.7])


@pytest.mark.parametrize(
    "build",
    [
        lambda: Surface(now_s=NOW, slices=()),
        lambda: Surface(now_s=NOW, slices=(a_slice(40, 0.5), a_slice(20, 0.5))),
        lambda: surface_of(NOW, [a_slice(20, 0.5)]).vol(100.0, NOW),
        lambda: surface_of(NOW, [a_slice(20, 0.5)]).vol(-1.0, NOW + 20 * DAY),
        lambda: a_slice(20, float("nan")),
        lambda: a_slice(20, 0.5, forward=0.0),
        lambda: QuotedSmile(k=(0.1, 0.0), vol=(0.5, 0.5)),
    ],
    ids=["empty", "unordered", "expired", "strike", "nan", "forward", "quotes"],
)
def test_surface__nonsense__law_broken(build):
    """What is no surface, or no question to one, stops at once."""
    with pytest.raises(LawBroken):
        build()
