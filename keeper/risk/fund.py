"""The fund behind margin: how large, who pays in, and who pays when it is empty.

    shortfall[row, account] = max(0, loss in the row − what the account put up)
    Cover-n                 = max over rows of the sum of the n largest shortfalls of that *same* row

Adding the worst of one row to the worst of another would fund a day that no scenario describes.  Accounts are measured
in blocks that are merged, so that the matrix of all accounts and rows never exists.  Amounts are USD.

Sources: CPMI-IOSCO principle 4 for Cover-2; allocation by share of average stress shortfall with a floor, as clearing
houses do; pro-rata deleveraging as the one fair rule, Chitra (2025).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keeper.errors import LawBroken
from keeper.risk.finite import finite, not_negative

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: The account of a place that nobody fills.
NOBODY = -1


@dataclass(frozen=True, kw_only=True)
class Largest:
    """The n largest shortfalls of each row, largest first; of equal ones, the lower account first."""

    amount: Floats
    """Shape (rows, n); zero where fewer than n accounts fall short."""
    account: Ints
    """Who, shape (rows, n); `NOBODY` where nobody does."""

    def merged(self, other: Largest) -> Largest:
        """The n largest of two blocks of accounts under the same rows."""
        if self.amount.shape != other.amount.shape:
            raise LawBroken("blocks of shortfalls have different rows", one=len(self.amount), other=len(other.amount))
        return _keep(
            np.concatenate((self.amount, other.amount), axis=1),
            np.concatenate((self.account, other.account), axis=1),
            self.amount.shape[1],
        )


@dataclass(frozen=True, kw_only=True)
class Cover:
    """What the fund must be able to lose, and where that comes from."""

    amount: float
    """Sum of the n largest shortfalls of one row."""
    row: int
    """The row that attains it, lowest index on ties."""
    accounts: tuple[int, ...]
    """Who falls short in it, largest first; fewer than n where fewer do."""


@dataclass(frozen=True, kw_only=True)
class Deleveraging:
    """A loss that nobody's margin covers, taken from the accounts that can bear it."""

    taken: Floats
    """From each account, in proportion to its capacity and never more."""
    left: float
    """What is beyond all capacities together."""


def shortfalls(losses: npt.ArrayLike, resources: npt.ArrayLike) -> Floats:
    """max(0, loss − resources).

    Args:
        losses: positive is bad, shape (rows, accounts).
        resources: what stands against them, initial margin or equity, shape (accounts,); negative where equity is.
    """
    lost, held = finite(losses=losses, resources=resources)
    return np.asarray(np.maximum(lost - held, 0.0))


def largest(short: npt.ArrayLike, *, members: int, first_account: int = 0) -> Largest:
    """The `members` largest shortfalls of each row of one block of accounts.

    Args:
        short: shortfalls, shape (rows, accounts of the block).
        members: n of Cover-n, positive.
        first_account: number of the block's first account.

    Raises:
        LawBroken: a shortfall is negative or not finite, there are no rows, or n is not positive.
    """
    (amount,) = not_negative(short=short)
    if amount.ndim != 2 or not len(amount) or members < 1:
        raise LawBroken("a cover needs rows of shortfalls and at least one member", members=members)
    missing = max(0, members - amount.shape[1])
    account = np.broadcast_to(first_account + np.arange(amount.shape[1]), amount.shape)
    return _keep(
        np.pad(amount, ((0, 0), (0, missing))),
        np.pad(account, ((0, 0), (0, missing)), constant_values=NOBODY),
        members,
    )


def cover(found: Largest) -> Cover:
    """Cover-n of all accounts: the row whose n largest shortfalls sum highest."""
    sums = found.amount.sum(axis=1)
    row = int(np.argmax(sums))
    accounts = found.account[row]
    return Cover(amount=float(sums[row]), row=row, accounts=tuple(int(a) for a in accounts[accounts != NOBODY]))


def contributions(size: float, average: npt.ArrayLike, *, floor: float) -> Floats:
    """Split a fund by share of average stress shortfall, nobody under the floor.

    Who would pay less than the floor pays the floor, and the others share what is left; if nobody ever falls short, all
    pay alike.

    Args:
        size: of the fund; where floors alone come to more, the fund is that much larger.
        average: each member's mean shortfall over the stress rows, shape (members,).
        floor: least contribution.

    Returns:
        each member's, shape (members,), summing to the larger of `size` and all floors.
    """
    (share,) = not_negative(average=average)
    wanted, least = (float(x) for x in not_negative(size=size, floor=floor))
    count = share.size
    if share.ndim != 1 or count == 0:
        raise LawBroken("a fund needs members", members=count)
    total = max(wanted, count * least)
    if not share.any():
        return np.full(count, total / count)
    # The members above the floor are the m with the largest shares, at a scale that spends what the floors leave.
    ordered = np.sort(share)[::-1]
    scale = (total - least * (count - np.arange(1, count + 1))) / np.cumsum(ordered)
    above = int(np.argmax(np.append(scale * ordered < least, True)))
    if above == 0:
        return np.full(count, total / count)
    return np.asarray(np.maximum(share * scale[above - 1], least))


def deleverage(amount: float, capacity: npt.ArrayLike) -> Deleveraging:
    """Take an uncovered loss pro rata from accounts: each bears the same share of what it can bear.

    Args:
        amount: to be taken.
        capacity: the most that each account can bear, for instance its unrealised profit, shape (accounts,).
    """
    (able,) = not_negative(capacity=capacity)
    (wanted,) = (float(x) for x in not_negative(amount=amount))
    everything = float(able.sum())
    part = min(1.0, wanted / everything) if everything > 0.0 else 0.0
    return Deleveraging(taken=np.asarray(able * part), left=max(0.0, wanted - everything))


def _keep(amount: Floats, account: Ints, members: int) -> Largest:
    # A place without a shortfall is nobody's, so that blocks merge to the same answer in any order.
    owner = np.where(amount > 0.0, account, NOBODY)
    order = np.lexsort((owner, -amount), axis=1)[:, :members]
    return Largest(amount=np.take_along_axis(amount, order, axis=1), account=np.take_along_axis(owner, order, axis=1))
