"""What an emergency or an add-on does to everybody, before it is called (QCL-9)."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from keeper.policy.tightened import at_peak, under_rules, widened
from keeper.testing.builders import a_snapshot, an_account, an_underlying

PPM = 1_000_000
PPMS = st.integers(min_value=0, max_value=PPM)


def bound(bare, *, mm_ppm, im_ppm, add_on_ppm):
    """Controls.bind, line by line."""
    add_on, kappa = bare.im_add_on_ppm, bare.kappa_ppm
    if im_ppm:
        kappa += ((bare.kappa_ppm + bare.flag_fee_ppm) * mm_ppm + PPM - 1) // PPM
        add_on += ((PPM + add_on) * im_ppm + PPM - 1) // PPM
    return replace(bare, kappa_ppm=kappa, im_add_on_ppm=add_on + add_on_ppm)


@given(PPMS, PPMS, PPMS, PPMS, st.integers(min_value=0, max_value=500_000))
def test_at_peak__over_whatever_stands__as_the_contract_binds_it(base, peak, im, mm, add_on):
    """QCL-9: what stands is not counted twice, an add-on beside it stays."""
    bare = replace(an_underlying().rules, im_add_on_ppm=base)
    now = bound(bare, mm_ppm=min(mm, im), im_ppm=im, add_on_ppm=add_on)
    assert at_peak(now, bare, im_ppm=im, peak_ppm=peak) == bound(bare, mm_ppm=peak, im_ppm=peak, add_on_ppm=add_on)
    assert widened(now, standing_ppm=add_on, add_on_ppm=peak) == bound(
        bare, mm_ppm=min(mm, im), im_ppm=im, add_on_ppm=peak
    )


def test_under_rules__maintenance_doubled__who_falls_is_named():
    """QCL-9: by the functions that judge accounts in every block, with price and parameters standing still."""
    book = [an_account(number, cash=cash, perp=5) for number, cash in ((1, 5_000), (2, 2_500), (3, 100_000))]
    snapshot = a_snapshot(*book)
    (u,) = snapshot.underlyings
    doubled = at_peak(u.rules, u.rules, im_ppm=0, peak_ppm=PPM)
    found, same = under_rules(snapshot, u, doubled), under_rules(snapshot, u, u.rules)
    assert (same.below_mm, same.mm_after) == (0, same.mm_before)
    assert found.mm_after == 2 * found.mm_before > 0, "QCL-9"
    assert [one.account for one in found.named_mm] == [
        one.account for one in found.largest if one.equity_after < one.mm_after
    ], "QCL-9"
    assert 0 < found.below_mm < 3
