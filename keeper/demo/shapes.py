"""What each kind of account holds: legs of one underlying, what is bought before what is sold against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keeper.demo.listings import RUNGS
from keeper.domain.snapshot import Instrument, Kind, Listing


@dataclass(frozen=True)
class Leg:
    """One position, as it is traded."""

    instrument: Instrument
    size: int
    """Signed, wad contracts."""


class Shelf:
    """Instruments of one underlying by tenor (0 = shortest) and rung (0 = lowest strike)."""

    def __init__(self, underlying: int, listings: Sequence[Listing]) -> None:
        self.underlying = underlying
        self.listings = listings

    @property
    def perp(self) -> Instrument:
        """The perp."""
        return Instrument(self.underlying, 0, 0, Kind.PERP)

    def option(self, kind: Kind, tenor: int, rung: int) -> Instrument:
        """One option."""
        listing = self.listings[tenor]
        return Instrument(self.underlying, listing.expiry, listing.strikes[rung], kind)


def hedged(shelf: Shelf, size: int, chance: np.random.Generator) -> list[Leg]:
    """A perp under a put."""
    put = shelf.option(Kind.PUT, int(chance.integers(2, 4)), int(chance.integers(0, 2)))
    return [Leg(put, size), Leg(shelf.perp, size)]


def covered_call(shelf: Shelf, size: int, chance: np.random.Generator) -> list[Leg]:
    """A call sold out of the money."""
    return [Leg(shelf.option(Kind.CALL, int(chance.integers(1, 4)), 2), -size)]


def short_call(shelf: Shelf, size: int, chance: np.random.Generator) -> list[Leg]:
    """A call sold at or out of the money, any tenor."""
    return [Leg(shelf.option(Kind.CALL, int(chance.integers(0, 4)), int(chance.integers(1, 3))), -size)]


def short_put(shelf: Shelf, size: int, chance: np.random.Generator) -> list[Leg]:
    """A put sold at or out of the money, a day or longer."""
    return [Leg(shelf.option(Kind.PUT, int(chance.integers(1, 4)), int(chance.integers(0, 2))), -size)]


def perp_long(shelf: Shelf, size: int, chance: np.random.Generator) -> list[Leg]:  # noqa: ARG001 - one shape for all
    """Long."""
    return [Leg(shelf.perp, size)]


def perp_short(shelf: Shelf, size: int, chance: np.random.Generator) -> list[Leg]:  # noqa: ARG001 - one shape for all
    """Short."""
    return [Leg(shelf.perp, -size)]


def spread(shelf: Shelf, size: int, chance: np.random.Generator) -> list[Leg]:
    """Two neighbouring strikes, either way round."""
    kind = Kind.CALL if chance.random() < 0.4 else Kind.PUT
    tenor, rung = int(chance.integers(1, 4)), int(chance.integers(0, 2))
    low, high = shelf.option(kind, tenor, rung), shelf.option(kind, tenor, rung + 1)
    sign = 1 if chance.random() < 0.5 else -1
    return [Leg(low, sign * size), Leg(high, -sign * size)]


def box(shelf: Shelf, size: int, chance: np.random.Generator) -> list[Leg]:
    """Synthetic forwards at two strikes, either way round."""
    tenor, low = int(chance.integers(2, 4)), int(chance.integers(0, 2))
    high = int(chance.integers(low + 1, RUNGS))
    sign = 1 if chance.random() < 0.5 else -1
    return [
        Leg(shelf.option(Kind.CALL, tenor, low), sign * size),
        Leg(shelf.option(Kind.PUT, tenor, high), sign * size),
        Leg(shelf.option(Kind.CALL, tenor, high), -sign * size),
        Leg(shelf.option(Kind.PUT, tenor, low), -sign * size),
    ]


def fly(shelf: Shelf, size: int, chance: np.random.Generator, *, tenor: int | None = None, sign: int = 1) -> list[Leg]:
    """Three strikes, one against two against one."""
    kind = Kind.CALL if chance.random() < 0.5 else Kind.PUT
    tenor = int(chance.integers(1, 4)) if tenor is None else tenor
    low, middle, high = (shelf.option(kind, tenor, rung) for rung in range(RUNGS))
    return [Leg(low, sign * size), Leg(middle, -2 * sign * size), Leg(high, sign * size)]


def short_fly(shelf: Shelf, size: int, chance: np.random.Generator) -> list[Leg]:
    """A butterfly sold, a day before expiry."""
    return fly(shelf, size, chance, tenor=1, sign=-1)
