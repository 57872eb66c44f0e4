"""Amounts that carry their unit, identities that never add up, and integer divisions that say how they round.

    Wad(2 * 10**18) + Wad.parse("1.5")        Wad 3.5
    Wad.parse("3.5").mul_up(Bps(250))         Wad 0.0875, rounded up
    Wad.parse("1") + Bps(1)                   TypeError

Down means towards minus infinity and up towards plus infinity, for negative numbers too: a credit rounded down and a
debt rounded up both cost the account.  Solidity's `/` truncates towards zero instead; where the contract does that on
signed numbers, mirror it with `trunc_div`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, NewType, Self

from keeper.errors import BadInput, LawBroken

AccountId = NewType("AccountId", int)
"""A sub-account of the clearing house."""

UnderlyingId = NewType("UnderlyingId", int)
"""An underlying asset, e.g. ETH, by the contract's index."""

Nonce = NewType("Nonce", int)
"""Position of a transaction in its sender's sequence."""


def floor_div(numerator: int, denominator: int) -> int:
    """Divide and round towards minus infinity.  Raises: `LawBroken` on a zero denominator."""
    if denominator == 0:
        raise LawBroken(f"division of {numerator} by zero", numerator=numerator)
    return numerator // denominator


def ceil_div(numerator: int, denominator: int) -> int:
    """Divide and round towards plus infinity.  Raises: `LawBroken` on a zero denominator."""
    return -floor_div(-numerator, denominator)


def trunc_div(numerator: int, denominator: int) -> int:
    """Divide and round towards zero, as Solidity's signed `/` does.  Raises: `LawBroken` on a zero denominator."""
    quotient = floor_div(abs(numerator), abs(denominator))
    return quotient if (numerator < 0) == (denominator < 0) else -quotient


def mul_div_down(a: int, b: int, denominator: int) -> int:
    """`a * b / denominator`, rounded towards minus infinity.  Raises: `LawBroken` on a zero denominator."""
    return floor_div(a * b, denominator)


def mul_div_up(a: int, b: int, denominator: int) -> int:
    """`a * b / denominator`, rounded towards plus infinity.  Raises: `LawBroken` on a zero denominator."""
    return ceil_div(a * b, denominator)


_DECIMAL = re.compile(r"([+-]?)(\d+)(?:\.(\d+))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Amount:
    """An exact number of 1/SCALE parts of one unit.  Use a subclass; the constructor takes the raw integer."""

    SCALE: ClassVar[int]
    """Raw value of one whole.  A power of ten."""

    raw: int
    """Count of 1/SCALE parts; may be negative."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a decimal such as `1.5`, exactly.

        Raises: `BadInput` if `text` is not a plain decimal or has more digits than the unit holds.
        """
        match = _DECIMAL.fullmatch(text.strip())
        decimals = len(str(cls.SCALE)) - 1
        if match is None or len(match[3] or "") > decimals:
            raise BadInput(
                f"{text!r} is not an amount of {cls.__name__}",
                hint=f"write a decimal number with at most {decimals} digits after the point",
                text=text,
            )
        sign, whole, fraction = match[1], match[2], match[3] or ""
        raw = int(whole) * cls.SCALE + int(fraction.ljust(decimals, "0") or 0)
        return cls(-raw if sign == "-" else raw)

    def __str__(self) -> str:
        """Every digit and no more: `parse(str(x)) == x`."""
        whole, part = divmod(abs(self.raw), self.SCALE)
        fraction = f"{part:0{len(str(self.SCALE)) - 1}d}".rstrip("0") if part else ""
        return f"{'-' if self.raw < 0 else ''}{whole}{'.' if fraction else ''}{fraction}"

    def __add__(self, other: Self) -> Self:
        return type(self)(self.raw + other.raw) if type(other) is type(self) else NotImplemented

    def __sub__(self, other: Self) -> Self:
        return type(self)(self.raw - other.raw) if type(other) is type(self) else NotImplemented

    def __neg__(self) -> Self:
        return type(self)(-self.raw)

    def __abs__(self) -> Self:
        return type(self)(abs(self.raw))

    def __bool__(self) -> bool:
        return self.raw != 0

    def __lt__(self, other: Self) -> bool:
        return self.raw < other.raw if type(other) is type(self) else NotImplemented

    def __le__(self, other: Self) -> bool:
        return self.raw <= other.raw if type(other) is type(self) else NotImplemented

    def __gt__(self, other: Self) -> bool:
        return self.raw > other.raw if type(other) is type(self) else NotImplemented

    def __ge__(self, other: Self) -> bool:
        return self.raw >= other.raw if type(other) is type(self) else NotImplemented

    def mul_down(self, factor: Amount) -> Self:
        """This times `factor`, in this unit, rounded towards minus infinity (UNIT-1)."""
        return type(self)(mul_div_down(self.raw, factor.raw, factor.SCALE))

    def mul_up(self, factor: Amount) -> Self:
        """This times `factor`, in this unit, rounded towards plus infinity (UNIT-1)."""
        return type(self)(mul_div_up(self.raw, factor.raw, factor.SCALE))

    def div_down(self, divisor: Amount) -> Self:
        """This over `divisor`, in this unit, rounded towards minus infinity.  Raises: `LawBroken` on zero."""
        return type(self)(mul_div_down(self.raw, divisor.SCALE, divisor.raw))

    def div_up(self, divisor: Amount) -> Self:
        """This over `divisor`, in this unit, rounded towards plus infinity.  Raises: `LawBroken` on zero."""
        return type(self)(mul_div_up(self.raw, divisor.SCALE, divisor.raw))


class Wad(Amount):
    """Fixed point with 18 decimals: money, sizes, prices."""

    __slots__ = ()
    SCALE = 10**18


class Ray(Amount):
    """Fixed point with 27 decimals: rates that compound."""

    __slots__ = ()
    SCALE = 10**27


class Bps(Amount):
    """Basis points: 10,000 are one whole."""

    __slots__ = ()
    SCALE = 10**4


class Ppm(Amount):
    """Parts per million: 1,000,000 are one whole."""

    __slots__ = ()
    SCALE = 10**6


class Wei(Amount):
    """The chain's smallest coin; `price_per_gas.mul_up(gas)` is a cost."""

    __slots__ = ()
    SCALE = 1


class Gas(Amount):
    """Units of execution."""

    __slots__ = ()
    SCALE = 1
