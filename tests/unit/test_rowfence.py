"""The mirror of the fences on rows says what its parts say one by one (GUA-3)."""

from dataclasses import replace

from keeper.risk.exact.riskfile import butterfly_breach, call_mark, strike_array
from keeper.risk.exact.rowfence import MAX_VALUE, breach
from tests.parity.hard_smiles import Smile, smiles

#: Discount factors of the generator's rows that overflow lie above.
PPB = 10**9


def given(count: int = 300) -> list[Smile]:
    """Hard smiles, the same each time."""
    return list(smiles(8, count))


def said(smile: Smile) -> tuple[str, tuple[int, ...]] | None:
    """The mirror's word."""
    found = breach(smile.bank, smile.strikes, smile.expiry, smile.sigmas_ppm)
    return None if found is None else (found.error, found.numbers)


def arrays(smile: Smile):
    """Strike, mark and rows of each strike that is given a volatility."""
    b = smile.bank
    for strike, sigma in zip(smile.strikes, smile.sigmas_ppm, strict=True):
        if sigma:
            of = {"strike": strike, "sigma_ppm": sigma, "expiry": smile.expiry, "ref_spot": b.ref_spot, "now": b.time}
            yield strike, call_mark(**of), strike_array(**of, ranges=b.ranges, vol_floor_ppm=b.vol_floor_ppm).values


def test_breach__discount_factor_at_most_one__is_that_of_the_marks() -> None:
    """GUA-3: rows that fences let pass fit their bits, so the only refusal is that of the butterfly, word for word."""
    usual = [s for s in given() if s.expiry.df_ppb <= PPB]
    refused = 0
    for smile in usual:
        rows = list(arrays(smile))
        strike = butterfly_breach([r[0] for r in rows], [r[1] for r in rows], smile.expiry)
        assert said(smile) == (None if strike is None else ("ButterflyArbitrage", (smile.expiry.expiry, strike)))
        assert max((v for r in rows for v in r[2]), default=0) <= MAX_VALUE
        refused += strike is not None
    assert len(usual) // 10 < refused < len(usual), "some of each"


def test_breach__a_row_beyond_its_bits__named_with_its_value() -> None:
    """GUA-3: it is the first strike with such a row that is named, and the value is the one in its array.

    A mark that does not fit is looked at first and goes by the row of its price level, 0.
    """
    met = 0
    for smile in given():
        found = said(smile)
        if found is None or found[0] != "ArrayOutOfBounds":
            continue
        expiry, strike, row, value = found[1]
        if value <= MAX_VALUE:  # out of order with another volatility's
            continue
        first = next(r for r in arrays(smile) if max(r[2]) > MAX_VALUE)
        assert (expiry, strike) == (smile.expiry.expiry, first[0])
        assert value == (first[1] if row == 0 and first[1] > MAX_VALUE else first[2][row])
        met += 1
    assert met > 5


def test_breach__strikes_left_out__as_if_they_were_not_listed() -> None:
    """GUA-3: a volatility of zero takes a strike out of the chain, rows and all."""
    for smile in given():
        kept = [(k, s) for k, s in zip(smile.strikes, smile.sigmas_ppm, strict=True) if s]
        shorter = replace(smile, strikes=tuple(k for k, _ in kept), sigmas_ppm=tuple(s for _, s in kept))
        assert said(shorter) == said(smile)
