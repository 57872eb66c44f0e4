"""What a perpetual gains when its price is multiplied by a factor.

A *linear* perpetual is sized in the underlying and settles in USD.  An *inverse* one is sized in USD and settles in the
underlying: with s = factor − 1, a position whose worth is q coins before the move gains q·s/(1 + s) coins:
a long gains less than q however far the price rises, and loses without bound, in coins, as it falls to nothing.

Sources: the margin methodology; for the inverse form, Deribit's documented `private/pme/simulate` example.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from keeper.errors import LawBroken
from keeper.risk.finite import finite, not_negative

Floats = npt.NDArray[np.float64]


def linear_pnl(size: npt.ArrayLike, price: npt.ArrayLike, factor: npt.ArrayLike) -> Floats:
    """Profit of linear perpetuals in USD: size · price · (factor − 1).  Arguments broadcast.

    Args:
        size: in the underlying; short is negative.
        price: mark of the perpetual before the move, USD.
        factor: of the price, not negative.

    Raises:
        LawBroken: an input is NaN or infinite, or a price or factor negative.
    """
    (q,) = finite(size=size)
    p, by = not_negative(price=price, factor=factor)
    return np.asarray(q * p * (by - 1.0))


def inverse_pnl(size_coin: npt.ArrayLike, factor: npt.ArrayLike) -> Floats:
    """Profit of inverse perpetuals in coin: q·s/(1 + s) with s = factor − 1.  Arguments broadcast.

    Args:
        size_coin: worth of the position before the move, in coin; short is negative.
        factor: of the price, positive: at zero a USD amount is worth no finite number of coins.

    Raises:
        LawBroken: an input is NaN or infinite, or a factor not positive.
    """
    q, by = finite(size_coin=size_coin, factor=factor)
    if not (by > 0.0).all():
        raise LawBroken("the price of an inverse perpetual cannot be multiplied by a factor that is not positive")
    return np.asarray(q * (by - 1.0) / by)
