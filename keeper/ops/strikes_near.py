"""Strikes of an expiry that this store knows, for whoever asked for one that was never listed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from decimal import Decimal
from typing import Final

from keeper.domain.inputs import load
from keeper.domain.landed import Landed
from keeper.policy.parameter import strikes_of
from keeper.ports import Store

#: Strikes that are named where another one was asked for.
_NEAR: Final = 6


def strikes_there(store: Store | None, underlying: int, expiry: int, found: Iterable[Landed]) -> set[int]:
    """Strikes of an expiry as inputs files and the newest stored block have them, 1e-8 USD.

    Args:
        store: where both are; None where there is none.
        underlying: its number.
        expiry: unix seconds.
        found: publications whose inputs files are looked at.
    """
    if store is None:
        return set()
    files = filter(None, (store.inputs_file(one.inputs_hash) for one in found))
    return {strike for data in files for strike in strikes_of(load(data), expiry)} | _lived(store, underlying, expiry)


def _lived(store: Store, underlying: int, expiry: int) -> set[int]:
    seen = next(iter(store.lived(limit=1)), None)
    inputs = None if seen is None else store.inputs(seen.hash)
    listed = () if inputs is None else inputs.snapshot.underlyings
    return {
        strike
        for u in listed
        if u.underlying == underlying
        for listing in u.listings
        if listing.expiry == expiry
        for strike in listing.strikes
    }


def strikes_near(strike: int, there: Collection[int]) -> str:
    """Those of the same expiry that were meant most likely."""
    if not there:
        return "strikes are told by the blocks and inputs files of this store, and it has none of that expiry"
    near = sorted(sorted(there, key=lambda one: (abs(one - strike), one))[:_NEAR])
    said = f"listed near it: {', '.join(f'{Decimal(one).scaleb(-8).normalize():f}' for one in near)}"
    return said if len(near) == len(there) else f"{said}; {len(there)} strikes in all, {_ends(there)}"


def _ends(there: Collection[int]) -> str:
    low, high = (f"{Decimal(end(there)).scaleb(-8).normalize():f}" for end in (min, max))
    return f"{low} to {high}"
