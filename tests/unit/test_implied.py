"""Quoted volatilities in a target: used where they pass, realised where they do not, and always with a reason."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.cycle import think
from keeper.domain import codec
from keeper.domain.cycle import CycleInputs, Decision
from keeper.domain.knobs import ImpliedKnobs, PolicyKnobs, RiskKnobs
from keeper.domain.market import UnderlyingTarget
from keeper.domain.quotes import ExpiryQuotes, OptionQuote, QuoteSheet, Unquoted
from keeper.domain.snapshot import Listing, Observation, StrikeVol, Unusable
from keeper.errors import BadInput, LawBroken
from keeper.risk import lattice
from keeper.risk.calibration import term
from keeper.risk.calibration.implied import ImpliedExpiry, Unseen, View, fitted, see
from keeper.risk.model import model
from keeper.testing.builders import (
    DAY,
    EXPIRY,
    NOW,
    STRIKES_USD,
    a_file,
    a_snapshot,
    an_account,
    an_underlying,
    strike,
    usd,
)

KNOBS = RiskKnobs()
PPB = 10**9
YEAR_S = 31_536_000
#: Quoted a week, a month and a quarter ahead; the built world lists the week.
DATES = (EXPIRY, NOW + 30 * DAY, NOW + 90 * DAY)
HISTORY = tuple(Observation(time=NOW - 3_600 * (400 - i), price=usd(3_000 * (1 + 0.006 * (i % 2)))) for i in range(401))


def a_sheet(*, atm=0.6, skew=-0.05, curve=0.03, carry=0.0, index=3_000.0, age_s=5, dates=DATES, count=12, **fields):
    """Quotes of a parabola in deviations: arbitrage-free at these sizes."""
    return QuoteSheet(
        **{
            "underlying": 1,
            "source": "venue.example",
            "taken_s": NOW - age_s,
            "index": usd(index),
            "trouble": "",
            "expiries": tuple(
                quotes(e, NOW - age_s, atm, skew=skew, curve=curve, carry=carry, index=index, count=count)
                for e in dates
            ),
        }
        | fields
    )


def quotes(expiry, taken_s, atm, *, skew, curve, carry=0.0, index=3_000.0, count=12):
    years = (expiry - taken_s) / YEAR_S
    deviation, phi = atm * math.sqrt(years), math.exp(carry * years)
    smile = []
    for i in range(count):
        d = -2.5 + 5 * i / (count - 1)
        smile.append(
            OptionQuote(
                strike=round(index * phi * math.exp(d * deviation) * 10**8),
                is_call=d >= 0,
                vol_ppm=round((atm + skew * d + curve * d * d) * 10**6),
                bid_ppb=0,
                ask_ppb=0,
            )
        )
    return ExpiryQuotes(expiry=expiry, phi_ppb=round(phi * PPB), quotes=tuple(smile))


def a_market(quoted=None, *, knobs=KNOBS, listings=None, spot=3_000.0):
    u = an_underlying(history=HISTORY, spot=spot)
    if listings is not None:
        u = replace(u, listings=listings)
    snapshot = a_snapshot(an_account(7), underlying=u)
    return model(snapshot, knobs, () if quoted is None else (quoted,)).of(1)


def a_target(quoted=None, **fields):
    found = a_market(quoted, **fields).target
    assert isinstance(found, UnderlyingTarget)
    return found


def test_target__flat_quotes__their_volatility_and_forward():
    """What everybody quotes is what is published: level, flat smile, and the forward of the same venue."""
    (one,) = a_target(a_sheet(atm=0.6, skew=0, curve=0, carry=0.2)).expiries
    assert one.params.sigma_atm_ppm == 600_000
    assert one.sigmas_ppm == (600_000,) * len(STRIKES_USD)
    assert one.params.phi_ppb == pytest.approx(PPB * math.exp(0.2 * 7 / 365), abs=lattice.FORWARD_LATTICE_PPB)
    assert one.params.df_ppb == PPB


def test_target__a_smile__read_at_each_strike_of_ours():
    """A strike gets the volatility that the quoted parabola has at its moneyness, within the fit's error."""
    target = a_target(a_sheet())
    (one,) = target.expiries
    years = (EXPIRY - NOW + 5) / YEAR_S
    for dollars, sigma in zip(STRIKES_USD, one.sigmas_ppm, strict=True):
        d = math.log(dollars / 3_000) / (0.6 * math.sqrt(years))
        if abs(d) < 2.5:
            assert sigma / 1e6 == pytest.approx(0.6 - 0.05 * d + 0.03 * d * d, abs=0.01)
    assert one.sigmas_ppm[0] > one.params.sigma_atm_ppm
    assert any("quotes of venue.example, 5 s old" in reason for reason in target.reasons)


def test_target__listed_between_two_quoted__total_variance_is_linear_in_time():
    """An expiry that nobody quotes is read between its neighbours."""
    between = NOW + 60 * DAY
    sheet = a_sheet(skew=0, curve=0)
    sheet = replace(
        sheet, expiries=(sheet.expiries[0], quotes(DATES[1], sheet.taken_s, 0.5, skew=0, curve=0),
                         quotes(DATES[2], sheet.taken_s, 0.7, skew=0, curve=0))
    )  # fmt: skip
    (one,) = a_target(sheet, listings=(Listing(expiry=between, strikes=(3_000 * 10**8,)),)).expiries
    expected = math.sqrt((0.25 * 30 + 0.49 * 90) / 2 / 60)
    assert one.params.sigma_atm_ppm / 1e6 == pytest.approx(expected, abs=0.002)


REFUSED = {
    "old": (a_sheet(age_s=301), "301 s old, limit 300"),
    "old and why": (a_sheet(age_s=301, trouble="HTTP 429"), "newest attempt: HTTP 429"),
    "of tomorrow": (a_sheet(age_s=-86_400), "86400 s ahead of the block"),
    "another index": (a_sheet(index=3_100), "from our oracle, limit 2.00 %"),
    "nothing there": (Unquoted(underlying=1, reason="venue.example is silent"), "venue.example is silent"),
    "too few strikes": (a_sheet(count=5), "5 strikes quoted, 6 needed"),
    "absurd forwards": (a_sheet(carry=3.0), "from the index, limit"),
    "absurd volatilities": (a_sheet(atm=5.5, skew=0, curve=0), "no expiry of venue.example can be used"),
    "no date": (a_sheet(expiries=()), "no expiry of venue.example can be used"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_target__quotes_that_fail_a_limit__realised_as_without_and_an_alert(name):
    """QTE-1: quotes that fail change no number that would be published without them, and say why."""
    quoted, said = REFUSED[name]
    market = a_market(quoted)
    assert said in market.why_realised
    plain = a_target()
    assert (market.target.expiries, market.target.ranges) == (plain.expiries, plain.ranges), "QTE-1"
    assert any(said in reason for reason in market.target.reasons)
    decision = think(inputs(quoted))
    assert any(said in alert for alert in decision.alerts), "QTE-1"


def published(sigmas, *, phi_ppb=1_004_000_000, atm=700_000, strikes=STRIKES_USD):
    """A live file with a smile and a forward."""
    file = a_file()
    params = replace(file.expiries[0], phi_ppb=phi_ppb, sigma_atm_ppm=atm)
    vols = tuple(StrikeVol(strike=strike(k), sigma_ppm=s) for k, s in zip(strikes, sigmas, strict=True))
    return replace(file, expiries=(params,), strikes=((EXPIRY, vols),))


SMILE = (840_000, 760_000, 700_000, 720_000, 770_000)


def test_target__venue_falls_silent__level_realised_smile_and_forward_as_published():
    """QTE-2: a silence says nothing about smile or forward, so neither moves back and forth with it."""
    u = an_underlying(history=HISTORY, file=published(SMILE))
    snapshot = a_snapshot(an_account(7), underlying=u)
    (plain,) = model(snapshot, KNOBS).of(1).target.expiries
    (one,) = model(snapshot, KNOBS, (Unquoted(underlying=1, reason="silent"),)).of(1).target.expiries
    assert one.params.sigma_atm_ppm == plain.params.sigma_atm_ppm, "QTE-2"
    assert one.params.phi_ppb == 1_004_000_000, "QTE-2"
    for sigma, before in zip(one.sigmas_ppm, SMILE, strict=True):
        assert sigma / one.params.sigma_atm_ppm == pytest.approx(before / 700_000, rel=1e-3), "QTE-2"
    assert (plain.params.phi_ppb, len(set(plain.sigmas_ppm))) == (PPB, 1), "no source: flat, no carry"


def test_target__strike_listed_after_the_file__flat_until_it_is_quoted():
    """Where the file does not have the whole smile, none is made up."""
    u = an_underlying(history=HISTORY, file=published(SMILE[1:], strikes=STRIKES_USD[1:]))
    quoted = (Unquoted(underlying=1, reason="silent"),)
    (one,) = model(a_snapshot(an_account(7), underlying=u), KNOBS, quoted).of(1).target.expiries
    assert (one.params.phi_ppb, len(set(one.sigmas_ppm))) == (PPB, 1)


def test_target__no_source__no_alert_and_no_word():
    """An operator who configured none is told nothing about quotes."""
    assert a_market().why_realised == ""
    assert think(inputs(None)).alerts == ()
    assert not any("quote" in reason for reason in a_target().reasons)


def test_target__level_far_from_realised__that_expiry_is_realised():
    """A venue that quotes many times what the market moves by is not believed; nor is the inverse."""
    plain = a_target()
    for atm in (4.0, 0.06):
        target = a_target(a_sheet(atm=atm, skew=0, curve=0))
        assert target.expiries == plain.expiries
        assert any("times the realised" in reason for reason in target.reasons)


def test_target__smile_that_misses_its_quotes__left_out():
    """Noise is not a smile."""
    knobs = replace(KNOBS, implied=ImpliedKnobs(max_fit_error_ppm=5_000))
    sheet = a_sheet()
    wild = tuple(replace(q, vol_ppm=q.vol_ppm + 8_000 * (-1) ** i) for i, q in enumerate(sheet.expiries[0].quotes))
    sheet = replace(sheet, expiries=(replace(sheet.expiries[0], quotes=wild), *sheet.expiries[1:]))
    reasons = a_target(sheet, knobs=knobs).reasons
    assert any("misses its quotes" in reason for reason in reasons)


def test_see__forward_of_nothing_years_away__left_out():
    """A fall counts as the rise that undoes it: beyond a year a limit of 100 % a year would let φ be 0."""
    far = NOW + 2 * 365 * DAY
    for phi_ppb in (0, 1, PPB // 4, 4 * PPB):
        sheet = a_sheet(dates=(EXPIRY, far))
        sheet = replace(sheet, expiries=(sheet.expiries[0], replace(sheet.expiries[1], phi_ppb=phi_ppb)))
        view = see(sheet, spot=usd(3_000), now=NOW, knobs=KNOBS.implied)
        assert isinstance(view, View)
        ((expiry, why),) = view.fit.refused
        assert expiry == far
        assert "from the index, limit 201.00 %" in why


@pytest.mark.parametrize("error", [LawBroken("no"), ZeroDivisionError("no"), ValueError("no")])
def test_see__fit_breaks__realised_with_a_reason(monkeypatch, error):
    """VEN-2: whatever arithmetic a stranger's numbers break, the block goes on."""

    def breaks(*_args, **_kwargs):
        raise error

    monkeypatch.setattr("keeper.risk.surface.fit.fit_surface", breaks)
    fitted.cache_clear()
    seen = see(a_sheet(), spot=usd(3_000), now=NOW, knobs=KNOBS.implied)
    fitted.cache_clear()
    assert isinstance(seen, Unseen)
    assert "no surface fits the sheet" in seen.reason


@pytest.mark.parametrize("quoted", ["silent", "here"])
def test_target__last_minutes_of_an_expiry__level_as_published(quoted):
    """Half an hour before it passes its smile is refused for good: its level moves neither then nor with a silence."""
    soon, later = NOW + 1_700, NOW + 7 * DAY
    file = published(SMILE)
    vols = dict(file.strikes)[EXPIRY]
    params = replace(file.expiries[0], expiry=soon), replace(file.expiries[0], expiry=later)
    file = replace(file, expiries=params, strikes=((soon, vols), (later, vols)))
    listed = tuple(Listing(expiry=e, strikes=tuple(strike(k) for k in STRIKES_USD)) for e in (soon, later))
    u = replace(an_underlying(history=HISTORY, file=file), listings=listed)
    sheet = a_sheet(dates=(soon, later)) if quoted == "here" else Unquoted(underlying=1, reason="silent")
    target = model(a_snapshot(an_account(7), underlying=u), KNOBS, (sheet,)).of(1).target
    first, second = target.expiries
    assert first.params.sigma_atm_ppm == 700_000
    assert first.sigmas_ppm == SMILE
    assert second.params.sigma_atm_ppm != 700_000
    if quoted == "here":
        assert any(" as published: no quoted expiry is near" in reason for reason in target.reasons)


@pytest.mark.parametrize(("days", "seen"), [(3, False), (4, True), (179, True), (181, False)])
def test_view__listed_outside_the_quoted__only_within_the_stretch(days, seen):
    """Before the first or after the last quoted expiry the surface is trusted within a factor of time."""
    view = see(a_sheet(), spot=usd(3_000), now=NOW, knobs=KNOBS.implied)
    assert isinstance(view, View)
    found = view.at(Listing(expiry=NOW + days * DAY, strikes=(3_000 * 10**8,)), realised_ppm=600_000)
    assert isinstance(found, ImpliedExpiry) is seen
    if not seen:
        assert isinstance(found, Unseen)
        assert "no quoted expiry is near" in found.reason


def test_see__trouble_since__fitted_once():
    """A block waits for no second fit because the venue has fallen silent meanwhile."""
    fitted.cache_clear()
    for trouble in ("", "HTTP 429", "HTTP 502"):
        see(a_sheet(trouble=trouble), spot=usd(3_000), now=NOW, knobs=KNOBS.implied)
    assert fitted.cache_info().misses == 1


def test_see__our_price_unusable__realised():
    market = a_market(a_sheet(), spot=Unusable(reason="StalePrice"))
    assert market.why_realised == "our own price is unusable"


@pytest.mark.parametrize("weight", [0, 250_000, 1_000_000])
def test_target__weight__mixes_variances_at_the_money(weight):
    """One is quotes alone, nothing is realised alone, and between them variance is mixed; the smile keeps its shape."""
    knobs = replace(KNOBS, implied=ImpliedKnobs(weight_ppm=weight))
    (real,), (quoted,) = a_target().expiries, a_target(a_sheet()).expiries
    (mixed,) = a_target(a_sheet(), knobs=knobs).expiries
    share = weight / 1e6
    variance = share * quoted.params.sigma_atm_ppm**2 + (1 - share) * real.params.sigma_atm_ppm**2
    assert mixed.params.sigma_atm_ppm == pytest.approx(math.sqrt(variance), abs=lattice.VOL_LATTICE_PPM)
    assert mixed.params.phi_ppb == quoted.params.phi_ppb
    for a, b in zip(mixed.sigmas_ppm, quoted.sigmas_ppm, strict=True):
        assert a / mixed.params.sigma_atm_ppm == pytest.approx(b / quoted.params.sigma_atm_ppm, rel=2e-3)


def test_discount__a_rate__less_than_one_and_falling():
    """e^(−rT): 5 % for a year is 0.951229; nothing is nothing."""
    knobs = replace(KNOBS, discount_rate_ppm=50_000)
    assert term.discount(YEAR_S, knobs) == pytest.approx(PPB * math.exp(-0.05), abs=2)
    assert term.discount(YEAR_S, KNOBS) == PPB
    (one,) = a_target(a_sheet(), knobs=knobs).expiries
    assert one.params.df_ppb == term.discount(EXPIRY - NOW, knobs) < PPB


VOLS = st.floats(0.3, 1.6)


@settings(max_examples=max(1, settings.default.max_examples // 5))
@given(
    atm=st.tuples(VOLS, VOLS, VOLS),
    skew=st.floats(-0.08, 0.08),
    carry=st.floats(-0.5, 0.5),
    spot=st.floats(2_950, 3_050),
)
def test_target__any_quotes__lattice_bounds_and_calendar(atm, skew, carry, spot):
    """EST-3 holds for quoted volatilities too: whatever is quoted, σ²T at the money never falls with T."""
    sheet = a_sheet()
    sheet = replace(
        sheet,
        expiries=tuple(
            quotes(e, sheet.taken_s, v, skew=skew, curve=0.02, carry=carry, count=8)
            for e, v in zip(DATES, atm, strict=True)
        ),
    )
    listings = tuple(Listing(expiry=e, strikes=tuple(k * 10**8 for k in STRIKES_USD)) for e in DATES)
    got = a_target(sheet, listings=listings, spot=spot).expiries
    variances = [e.params.sigma_atm_ppm**2 * (e.params.expiry - NOW) for e in got]
    assert variances == sorted(variances), "EST-3"
    for e in got:
        assert e.params.sigma_atm_ppm % lattice.VOL_LATTICE_PPM == 0, "EST-3"
        assert e.params.phi_ppb % lattice.FORWARD_LATTICE_PPB == 0, "EST-3"
        assert all(s % lattice.SMILE_LATTICE_PPM == 0 for s in e.sigmas_ppm), "EST-3"
        assert all(KNOBS.vol_floor_ppm <= s <= KNOBS.vol_ceiling_ppm for s in e.sigmas_ppm), "EST-3"


WILD = st.builds(
    OptionQuote,
    strike=st.integers(1, 10**13),
    is_call=st.booleans(),
    vol_ppm=st.one_of(st.integers(50_000, 5_000_000), st.just(0)),
    bid_ppb=st.integers(0, 10**9),
    ask_ppb=st.integers(0, 10**9),
)


@settings(max_examples=max(1, settings.default.max_examples // 5))
@given(
    smiles=st.tuples(*[st.lists(WILD, min_size=5, max_size=9, unique_by=lambda q: q.strike)] * 2),
    phi_ppb=st.integers(980_000_000, 1_020_000_000),
)
def test_think__quotes_that_make_no_surface__a_target_all_the_same(smiles, phi_ppb):
    """VEN-2: a stranger's numbers never break the block: what cannot be fitted is realised, with a reason."""
    expiries = tuple(
        ExpiryQuotes(expiry=e, phi_ppb=phi_ppb, quotes=tuple(sorted(q, key=lambda one: one.strike)))
        for e, q in zip(DATES, smiles, strict=False)
    )
    target = a_target(a_sheet(expiries=expiries), knobs=replace(KNOBS, implied=ImpliedKnobs(min_quotes=5)))
    assert target.expiries
    assert len(target.reasons) >= 3


def inputs(quoted):
    snapshot = a_snapshot(an_account(7), underlying=an_underlying(history=HISTORY))
    return CycleInputs(
        snapshot=snapshot,
        quotes=() if quoted is None else (quoted,),
        in_flight=(),
        called=(),
        risk=KNOBS,
        policy=PolicyKnobs(),
    )


@pytest.mark.parametrize("quoted", [None, a_sheet(), Unquoted(underlying=1, reason="silent")])
def test_think__stored_and_read_back__same_bytes(quoted):
    """REP-1 with quotes: they are part of the inputs, and a surface fitted again gives the same decision."""
    first = inputs(quoted)
    stored = codec.dumps(first)
    before = codec.dumps(think(first))
    fitted.cache_clear()
    again = codec.loads(CycleInputs, stored)
    assert again == first
    assert codec.dumps(think(again)) == before, "REP-1"
    assert codec.loads(Decision, before).targets[0].reasons


def test_inputs__stored_before_quotes_existed__still_read():
    """A block that was lived under an older keeper replays: it saw no quotes."""
    tree = json.loads(codec.dumps(inputs(None)))
    del tree["quotes"], tree["risk"]["implied"], tree["risk"]["discount_rate_ppm"]
    del tree["policy"]["forward_hysteresis_ppm"]
    assert codec.loads(CycleInputs, json.dumps(tree).encode()) == inputs(None)


@pytest.mark.parametrize(
    "wrong",
    [{"weight_ppm": 1_000_001}, {"max_age_s": 0}, {"vol_min_ppm": 6_000_000}, {"min_quotes": 4}, {"max_ratio": 0.5}],
)
def test_knobs__out_of_range__named_in_full(wrong):
    with pytest.raises(BadInput) as caught:
        replace(KNOBS, implied=ImpliedKnobs(**wrong)).validate()
    assert caught.value.fields["key"] == f"risk.implied.{next(iter(wrong))}"
