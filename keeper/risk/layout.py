"""What a market says about the instruments, underlyings and collaterals of a roster, as tables that kernels read."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from keeper.domain.account import Kind
from keeper.domain.market import MarketModel, UnderlyingMarket
from keeper.domain.riskfile import File
from keeper.domain.roster import Roster
from keeper.domain.snapshot import CollateralState, Snapshot, UnderlyingState, Unusable
from keeper.domain.words import Words
from keeper.risk import margin
from keeper.risk.exact.book import Option
from keeper.risk.exact.limbs import Ints
from keeper.risk.exact.riskfile import PPM, WAD
from keeper.risk.exact.rule import Fraction, packed
from keeper.risk.exact.slew import MAX_UPLIFT_PCT

Bools = npt.NDArray[np.bool_]

#: Factors in ppm stay below this, or nobody is judged in columns.
MOST_PPM: Final = 1 << 24
#: Largest surcharge of a file on initial margin.  Source: keeper.risk.exact.slew.
MOST_UPLIFT_PPM: Final = MAX_UPLIFT_PCT * PPM // 100
#: Magnitudes stay below two to this; source: keeper.risk.compiled.wide.
BITS: Final = 95


@dataclass(frozen=True, kw_only=True, eq=False)
class Layout:
    """The tables of one block."""

    roster: Roster
    snapshot: Snapshot
    market: MarketModel

    @cached_property
    def underlyings(self) -> tuple[int, ...]:
        """Those that somebody may hold, ascending; their places are the `u` of the kernels."""
        return tuple(sorted({i.underlying for i in self.roster.instruments}))

    @cached_property
    def listed(self) -> tuple[tuple[UnderlyingMarket, UnderlyingState] | None, ...]:
        """Market and state of each; None where the block knows no such underlying."""
        markets = {u.underlying: u for u in self.market.underlyings}
        states = {u.underlying: u for u in self.snapshot.underlyings}
        return tuple((markets[u], states[u]) if u in markets and u in states else None for u in self.underlyings)

    @cached_property
    def bounds(self) -> npt.NDArray[np.int32]:
        """Four borders an underlying, the last shared with the next: perps, expired options, live options, end."""
        keys = [(i.underlying, i.expiry) for i in self.roster.instruments]
        now = max(self.market.now, 0)
        borders = [at for u in self.underlyings for at in ((u, 0), (u, 1), (u, now + 1))]
        return np.array([*(bisect_left(keys, at) for at in borders), len(keys)], dtype=np.int32)

    @cached_property
    def strike(self) -> Ints:
        """Number of each instrument's strike: the two options of one stand side by side."""
        keys = [(i.underlying, i.expiry, i.strike) for i in self.roster.instruments]
        return np.cumsum([0, *(a != b for a, b in pairwise(keys))][: len(keys)]).astype(np.int64)

    @cached_property
    def strange(self) -> Bools:
        """Instruments that the ranges above do not fit, or of an underlying that the block does not know."""
        unknown = {u for u, known in zip(self.underlyings, self.listed, strict=True) if known is None}
        return _flags(
            (bool(i.expiry or i.strike) if i.kind is Kind.PERP else i.expiry <= 0) or i.underlying in unknown
            for i in self.roster.instruments
        )

    @cached_property
    def settled(self) -> Bools:
        """Options whose settlement price is fixed."""
        done = {(u.underlying, expiry) for u in self.snapshot.underlyings for expiry, _ in u.settled}
        return _flags((i.underlying, i.expiry) in done for i in self.roster.instruments)

    def lacking(self, files: Sequence[File | None]) -> Bools:
        """Live options that are not in the file of their underlying; none where there is no file."""
        found = dict(zip(self.underlyings, files, strict=True))
        return _flags(
            i.kind is not Kind.PERP
            and i.expiry > self.market.now
            and (file := found[i.underlying]) is not None
            and (i.expiry, i.strike) not in file.arrays
            for i in self.roster.instruments
        )

    def options(self, place: int, file: File) -> list[Option | None]:
        """The live options of one underlying that a file has, by the number of the instrument."""
        first, last = int(self.bounds[3 * place + 2]), int(self.bounds[3 * place + 3])
        return [
            Option(i.expiry, i.strike, i.kind is Kind.PUT)
            if first <= number < last and (i.expiry, i.strike) in file.arrays
            else None
            for number, i in enumerate(self.roster.instruments)
        ]

    # --- factors ------------------------------------------------------------------------------------------------------

    @cached_property
    def is_ordinary(self) -> bool:
        """Whether the block's numbers leave the kernels their room."""
        rules = [known[1].rules for known in self.listed if known is not None]
        factors = [r.kappa_ppm + r.flag_fee_ppm for r in rules]
        factors += [
            margin.initial_ppm(r, uplift_ppm=MOST_UPLIFT_PPM, stale=stale) for r in rules for stale in (False, True)
        ]
        shared = [self.snapshot.interest_index, self.snapshot.keep_ray]
        shared += [known[1].funding_index for known in self.listed if known is not None]
        return (
            len(self.underlyings) <= BITS // 2
            and all(0 <= factor < MOST_PPM for factor in factors)
            and all(abs(number) >> BITS == 0 for number in shared)
        )

    def by_underlying(self, other: Sequence[File | None]) -> tuple[Any, ...]:
        """Factor of MM, whether the file is stale, factors of IM, spot, its room, funding index.

        Args:
            other: the file of each underlying that judges some accounts beside the live one.

        There are four factors of IM: live file fresh, live file stale, and the same of the other.
        """
        factor: list[int] = []
        old: list[bool] = []
        initial: list[Fraction] = []
        spot: list[Fraction] = []
        funding: list[int] = []
        for known, second in zip(self.listed, other, strict=True):
            if known is None:  # whoever holds it is left to the slow twin
                factor.append(0)
                old.append(False)
                initial += [Fraction(0, PPM)] * 4
                spot.append(Fraction(0, WAD))
                funding.append(0)
                continue
            market, state = known
            rules = state.rules
            factor.append(rules.kappa_ppm + rules.flag_fee_ppm)
            old.append(market.stale)
            for file in (market.file, second):
                uplift = 0 if file is None else file.im_uplift_ppm
                for stale in (False, True):
                    # Negative, so that rounding down rounds the requirement up.
                    initial.append(Fraction(-margin.initial_ppm(rules, uplift_ppm=uplift, stale=stale), PPM))
            spot.append(Fraction(0 if isinstance(state.spot, Unusable) else state.spot.wad, WAD))
            funding.append(state.funding_index)
        return (
            np.array(factor, dtype=np.uint64),
            np.array(old, dtype=np.bool_),
            packed(initial),
            packed([_fitting(f) for f in spot]),
            _rooms(spot),
            Words.of(funding).pairs,
        )

    def by_instrument(self) -> tuple[Any, ...]:
        """What one expired option pays, its room, and whether that is settled."""
        states = {u.underlying: u for u in self.snapshot.underlyings}
        settled = {(u.underlying, expiry): price for u in self.snapshot.underlyings for expiry, price in u.settled}
        pays, nothing = [], Fraction(0, WAD)
        for i in self.roster.instruments:
            state = states.get(i.underlying)
            if i.kind is Kind.PERP or state is None or i.expiry > self.market.now:
                pays.append(nothing)
                continue
            spot = 0 if isinstance(state.spot, Unusable) else state.spot.wad
            price = settled.get((i.underlying, i.expiry), spot)
            strike = i.strike * margin.STRIKE_TO_WAD
            pays.append(Fraction(max(0, price - strike if i.kind is Kind.CALL else strike - price), WAD))
        return packed([_fitting(f) for f in pays]), _rooms(pays), self.settled

    def by_collateral(self) -> tuple[Any, ...]:
        """Price, its room, what the haircut leaves, and the cap of each collateral."""
        assets = self.snapshot.collaterals
        price = [Fraction(_price(c), 10**c.decimals) for c in assets]
        keep = [Fraction(PPM - c.haircut_ppm, PPM) for c in assets]
        cap = [min(c.cap_per_account, (1 << BITS) - 1) for c in assets]
        return packed([_fitting(f) for f in price]), _rooms(price), packed(keep), Words.of(cap).pairs

    @cached_property
    def unusable(self) -> Bools:
        """Collaterals without a usable price."""
        return _flags(isinstance(c.price, Unusable) for c in self.snapshot.collaterals)

    @cached_property
    def collateral_place(self) -> npt.NDArray[np.int32]:
        """Which of the collaterals each balance is of; −1 for one that the kernel does not know how to value."""
        ordinary = {
            c.collateral: place
            for place, c in enumerate(self.snapshot.collaterals)
            if 0 <= c.haircut_ppm <= PPM and c.cap_per_account >= 0 and 0 <= c.decimals < 38
        }
        return _places(self.roster.collateral_id, ordinary)

    @cached_property
    def perp_place(self) -> npt.NDArray[np.int32]:
        """Which of the underlyings each perp's state is of; −1 for one of which nobody holds anything."""
        return _places(self.roster.perp_underlying, {u: place for place, u in enumerate(self.underlyings)})

    def reason(self, code: int) -> str:
        """What a code of the kernel `look` says."""
        place, kind = divmod(code, 3)
        if place >= len(self.underlyings):
            asset = self.snapshot.collaterals[code - 3 * len(self.underlyings)]
            assert isinstance(asset.price, Unusable)
            return f"{asset.symbol} price unusable: {asset.price.reason}"
        known = self.listed[place]
        assert known is not None
        u = known[0]
        said = (
            f"{u.symbol} price unusable: {u.why_unpriced}",
            f"{u.symbol} has no risk file",
            f"{u.symbol} file lacks an option of the account",
        )
        return said[kind]


def _price(asset: CollateralState) -> int:
    return 0 if isinstance(asset.price, Unusable) else asset.price.wad


def _fitting(fraction: Fraction) -> Fraction:
    """A fraction that does not fit has no room, so what stands in its place is never used."""
    return fraction if fraction.fits else Fraction(0, 1)


def _rooms(fractions: Sequence[Fraction]) -> npt.NDArray[np.uint64]:
    """Bits of the largest number that each fraction keeps below 2**BITS."""
    rooms = [max(0, BITS - (abs(f.num) // f.den + 1).bit_length()) if f.fits else 0 for f in fractions]
    return np.array(rooms, dtype=np.uint64)


def _flags(values: Any) -> Bools:
    return np.fromiter(values, dtype=np.bool_)


def _places(numbers: npt.NDArray[np.int32], known: dict[int, int]) -> npt.NDArray[np.int32]:
    ordered = sorted(known)
    table = np.array([known[number] for number in ordered] + [-1], dtype=np.int32)
    if not ordered:
        return np.full(len(numbers), -1, dtype=np.int32)
    at = np.searchsorted(np.array(ordered), numbers)
    found = np.minimum(at, len(ordered) - 1)
    return np.where(np.array(ordered)[found] == numbers, table[found], np.int32(-1)).astype(np.int32)
