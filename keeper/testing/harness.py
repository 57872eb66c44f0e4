"""The contracts' pure arithmetic on an embedded chain, asked in batches: what the twins are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from keeper.abis import load
from keeper.domain.riskfile import File
from keeper.domain.snapshot import Instrument, Kind
from keeper.protocols.abi import Abi
from keeper.protocols.clearinghouse.ids import pack_instrument
from keeper.risk.exact.grid import Leg
from keeper.testing.embedded import EmbeddedChain, LocalChain
from keeper.testing.portfolios import Portfolio

#: Contracts without storage, one for each part of the arithmetic.
HARNESSES: Final = ("GridHarness", "AuctionHarness", "GuardHarness", "BreakerHarness")
#: What they are linked with.
LIBRARIES: Final = ("Probes", "RowFence")
#: Gas of one batch: the block's, less what no batch needs.
BATCH_GAS: Final = 190_000_000
#: The underlying that packed legs name; it does not matter.
UNDERLYING: Final = 1


class Harness:
    """The harness contracts, deployed.

    Args:
        chain: where; a fresh embedded one if none is given.
        gas: of one batch.
    """

    def __init__(self, chain: LocalChain | None = None, *, gas: int = BATCH_GAS) -> None:
        self._gas = gas
        self._chain = chain or EmbeddedChain(accounts=1)
        self._abis = {name: Abi(name, load(name).abi) for name in HARNESSES}
        libraries = {name: self._chain.deploy(load(name)).address for name in LIBRARIES}
        self._at = {name: self._chain.deploy(load(name), libraries=libraries).address for name in HARNESSES}

    def ask(self, contract: str, function: str, *args: Any) -> Any:
        """The single output of a function.  Raises: `AssertionError` with the revert data."""
        abi = self._abis[contract]
        call = {"to": self._at[contract], "data": "0x" + abi.call(function, *args).hex(), "gas": hex(self._gas)}
        answer = bytes.fromhex(self._chain.request("eth_call", call, "latest").removeprefix("0x"))
        return next(iter(abi.result(function, answer).values()))

    def grid(self, function: str, *args: Any) -> Any:
        """A function of `GridHarness`."""
        return self.ask("GridHarness", function, *args)

    def auction(self, function: str, *args: Any) -> Any:
        """A function of `AuctionHarness`."""
        return self.ask("AuctionHarness", function, *args)

    def guard(self, function: str, *args: Any) -> Any:
        """A function of `GuardHarness`."""
        return self.ask("GuardHarness", function, *args)

    def breaker(self, function: str, *args: Any) -> Any:
        """A function of `BreakerHarness`."""
        return self.ask("BreakerHarness", function, *args)

    def assess(
        self, files: Sequence[File], cases: Sequence[tuple[int, Portfolio, int, int]]
    ) -> tuple[Mapping[str, int], ...]:
        """The contract's assessments.

        Args:
            files: risk files.
            cases: (index of the file, portfolio, spot, now) each.
        """
        packed = [
            (file, [pack_leg(leg) for leg in portfolio.legs], portfolio.perp_size, spot, now)
            for file, portfolio, spot, now in cases
        ]
        found: tuple[Mapping[str, int], ...] = self.grid("assess", [pack_file(f) for f in files], packed)
        return found


def pack_leg(leg: Leg) -> int:
    """A leg as the word that the contract stores."""
    kind = Kind.CALL if leg.is_call else Kind.PUT
    instrument = Instrument(underlying=UNDERLYING, expiry=leg.expiry, strike=leg.strike, kind=kind)
    return pack_instrument(instrument) << 136 | leg.size & (1 << 128) - 1


def pack_rows(values: Sequence[int]) -> list[int]:
    """24 values in three words, row j in word j/8 at bit 32·(j mod 8)."""
    return [sum(v << 32 * i for i, v in enumerate(values[w : w + 8])) for w in (0, 8, 16)]


def pack_file(file: File) -> tuple[Any, ...]:
    """A file as `GridHarness.FileIn`."""
    expiries = [
        (
            expiry,
            params.phi_ppb,
            params.df_ppb,
            [
                (array.strike, array.sigma_ppm, pack_rows(array.values))
                for (e, _), array in sorted(file.arrays.items())
                if e == expiry
            ],
        )
        for expiry, params in sorted(file.expiries.items())
    ]
    return file.ref_spot, file.ranges.psr_ppm, file.tail_ppm, file.short_min_ppm, expiries
