"""The fences on rows: each can be computed, and call marks are in order across the strikes of an expiry.

Mirrors contracts/src/libraries/RowFence.sol and the refusals of Rows.sol, in their order and with their numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from keeper.domain.riskfile import ExpiryParams, Ranges
from keeper.risk.exact import black76, q64
from keeper.risk.exact.riskfile import BUTTERFLY_PPM, INNER, PPB, PPM, levels, term_factor, vol_down, vol_up

#: A row has 29 bits.  Source: contracts/src/libraries/Rows.sol, MAX_VALUE.
MAX_VALUE: Final = (1 << 29) - 1
#: What `ArrayOutOfBounds` calls the mark.
MARK_ROW: Final = 255
#: A value this much above the forward is no value of a call, Q64 (1e-6): its highest bit is set.
_ABOVE_FORWARD: Final = 18_446_744_073_710
_TOP_BIT: Final = 1 << 255
#: Rows of one volatility: the extreme moves, then the tails.
_EXTREME: Final = (14, 15)
_TAILS: Final = tuple(range(16, 24))


@dataclass(frozen=True, kw_only=True)
class Bank:
    """What `RiskFile.begin` would write, and what rows are computed with besides."""

    ref_spot: int
    """wad USD."""
    time: int
    """Unix seconds."""
    ranges: Ranges
    """In force right after it."""
    vol_floor_ppm: int


@dataclass(frozen=True, kw_only=True)
class Breach:
    """Why rows cannot be written."""

    error: str
    """`ArrayOutOfBounds` or `ButterflyArbitrage`."""
    numbers: tuple[int, ...]
    """The error's numbers, in its order, without the market it begins with."""


def breach(bank: Bank, strikes: Sequence[int], expiry: ExpiryParams, sigmas_ppm: Sequence[int]) -> Breach | None:
    """Say what the contract would refuse an expiry's rows for, strike by strike: first its rows, then its mark.

    Args:
        bank: the one that they would be written into.
        strikes: listed, ascending, 1e-8 USD.
        expiry: its numbers.
        sigmas_ppm: of each strike; one with volatility 0 stays out of the file and has neither rows nor a mark.

    Returns:
        The first refusal; None if there is none.
    """
    slate = _Slate(bank, expiry)
    k0, c0 = 0, 0
    k1, c1 = 0, (slate.forwards[0] * slate.df >> 64) * PPM >> 64
    for strike, sigma in zip(strikes, sigmas_ppm, strict=True):
        if not sigma:
            continue
        found, mark = slate.strike(strike, sigma)
        if found is not None:
            numbers = (expiry.expiry, strike, found[0], _signed(found[1]))
            return Breach(error="ArrayOutOfBounds", numbers=numbers)
        if mark > c1 + BUTTERFLY_PPM:
            return Breach(error="ButterflyArbitrage", numbers=(expiry.expiry, strike))
        if k1 and c1 * (strike - k0) > c0 * (strike - k1) + mark * (k1 - k0) + BUTTERFLY_PPM * (strike - k0):
            return Breach(error="ButterflyArbitrage", numbers=(expiry.expiry, k1))
        k0, c0, k1, c1 = k1, c1, strike, mark
    return None


class _Slate:
    """What all strikes of one expiry share."""

    def __init__(self, bank: Bank, expiry: ExpiryParams) -> None:
        self.bank = bank
        tau = expiry.expiry - bank.time
        self.sqrt_t, self.m = black76.sqrt_years(tau), term_factor(tau)
        self.df = (expiry.df_ppb << 64) // PPB
        phi = (expiry.phi_ppb << 64) // PPB
        spots = [(level << 64) // PPM for level in levels(bank.ranges.psr_ppm)]
        logs = {s: q64.ln(s) for s in spots}
        log_phi = q64.ln(phi)
        self.forwards = [phi * s >> 64 for s in spots]
        self.log_forwards = [logs[s] + log_phi for s in spots]

    def strike(self, strike: int, sigma: int) -> tuple[tuple[int, int] | None, int]:
        """The first row and value that are refused, None if none are; and the mark.

        Rows are looked at in the contract's order: its compiler takes the operands of an `|` from the right.
        """
        ranges, kappa = self.bank.ranges, (strike * 10**10 << 64) // self.bank.ref_spot
        log_kappa = q64.ln(kappa)
        v_up = self._deviation(vol_up(sigma, ranges.vsr_up_ppm, self.m, self.bank.vol_floor_ppm))
        v_down = self._deviation(vol_down(sigma, ranges.vsr_down_ppm, self.m))
        v_mid = self._deviation(sigma)

        def value(row: int, v: int) -> int:
            forward = self.forwards[row]
            call = black76.call(forward, kappa, self.log_forwards[row] - log_kappa, v)
            ppm = ((call * self.df >> 64) * PPM + (1 << 63)) >> 64
            return ppm | _TOP_BIT if call > forward + _ABOVE_FORWARD else ppm

        def single(rows: Sequence[int], v: int) -> tuple[int, int] | None:
            return next(((row, x) for row in rows if (x := value(row, v)) > MAX_VALUE), None)

        def pairs(rows: Sequence[int]) -> tuple[int, int] | None:
            for row in rows:
                up, down = value(row, v_up), value(row, v_down)
                if down > up + 1 or max(up, down) > MAX_VALUE:
                    return row, up
            return None

        mark = value(0, v_mid)
        if mark > MAX_VALUE:
            return (0, mark), mark
        found = pairs((6, 4, 2, 0))
        if found is None and not value(0, v_down) - 1 <= mark <= value(0, v_up) + 1:
            found = MARK_ROW, mark
        if found is None:
            found = single(_EXTREME[::-1], v_mid) or pairs(range(INNER - 2, 6, -2)) or single(_TAILS, v_up)
        return found, mark

    def _deviation(self, sigma: int) -> int:
        return black76.deviation(sigma, self.sqrt_t)


def _signed(word: int) -> int:
    """A word as the contract's `int256`."""
    return word - (1 << 256) if word >= _TOP_BIT else word
