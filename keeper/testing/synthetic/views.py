"""What the contracts would answer, from the same truth as their logs.

A method `_Contract_function` answers the same at every block; `at_Contract_function` is given the block first.
"""

# ruff: noqa: D102, N802 - named after contract and function, and meaning what the contract documents

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from eth_abi.abi import decode, encode
from eth_utils import keccak

from keeper.abis import load
from keeper.domain.snapshot import AccountState, Kind
from keeper.protocols.abi import signature_of, type_of
from keeper.protocols.clearinghouse.views import FEED_ABI
from keeper.testing.synthetic import setting
from keeper.testing.synthetic.chain import ADDRESSES, SyntheticBlock, SyntheticChain
from keeper.testing.synthetic.logs import packed
from keeper.testing.synthetic.population import GENESIS_S, RAY, WAD

#: Multicall3 and the feeds, at made-up addresses.
MULTICALL: Final = f"0x{0xCA11:040x}"
FEEDS: Final = {f"0x{0xFEED00 + u:040x}": u for u in range(len(setting.TICKERS) + 1)}
FEED_DECIMALS: Final = 8
HOUR: Final = 3_600
AGGREGATE3: Final = bytes.fromhex("82ad56cb")
BLOCK_HASH: Final = keccak(b"getBlockHash(uint256)")[:4]
BLOCK_NUMBER: Final = keccak(b"getBlockNumber()")[:4]
TIMESTAMP: Final = keccak(b"getCurrentBlockTimestamp()")[:4]
#: Functions that name another contract of the house.
POINTERS: Final = {
    "oracle": "PriceOracle",
    "riskFile": "RiskFile",
    "file": "RiskFile",
    "parameters": "RiskParameters",
    "auction": "LiquidationAuction",
    "fund": "InsuranceFund",
    "house": "ClearingHouse",
}
_WORD: Final = (1 << 256) - 1
#: RiskParameters.volFences.
VOL_FENCES: Final = (
    50_000, 4_000_000, 200_000, 450_000, 700_000, 2_000_000, 900_000_000, 1_100_000_000, 5_000_000, 20_000_000,
    300_000, 800_000_000, 600, 150_000, 350_000, 5_000_000, 20_000_000,
)  # fmt: skip


class NoView(LookupError):
    """Nothing here answers that call."""


class SyntheticViews:
    """`eth_call` against the made-up contracts.

    Args:
        chain: the truth.
    """

    def __init__(self, chain: SyntheticChain) -> None:
        self._chain = chain
        self._names = {address: name for name, address in ADDRESSES.items()}
        self._functions: dict[tuple[str, bytes], dict[str, Any]] = {}
        for name, address in ADDRESSES.items():
            for entry in load(name).abi:
                if entry["type"] == "function":
                    self._functions[address, keccak(signature_of(entry).encode())[:4]] = entry
        for feed in FEEDS:
            for entry in FEED_ABI:
                self._functions[feed, keccak(signature_of(entry).encode())[:4]] = dict(entry)
        self._constant: dict[tuple[str, bytes], bytes] = {}
        #: Calls by function, those inside a multicall too.
        self.counts: Counter[str] = Counter()

    def call(self, to: str, data: bytes, block: SyntheticBlock) -> bytes:
        """Output of a call.  Raises: `NoView`."""
        address = to.lower()
        if address == MULTICALL:
            return self._multicall(data, block)
        entry = self._functions.get((address, data[:4]))
        if entry is None:
            raise NoView(f"{to} has no function {data[:4].hex()}")
        self.counts[entry["name"]] += 1
        if entry["name"] == "accountState":
            return self._account_state(int.from_bytes(data[4:36], "big"), block)
        if not entry["inputs"] and entry["name"] in POINTERS:
            return encode(["address"], [ADDRESSES[POINTERS[entry["name"]]]])
        if entry.get("stateMutability", "view") not in ("view", "pure"):
            return b""  # a transaction that is tried out: nothing stands in its way
        name = self._names.get(address)
        answer: Callable[..., Any] | None = getattr(self, f"_{name}_{entry['name']}", None)
        if answer is not None and (address, data) in self._constant:
            return self._constant[address, data]
        args = decode([type_of(i) for i in entry["inputs"]], data[4:])
        outputs = [type_of(o) for o in entry["outputs"]]
        if name is None:
            return encode(outputs, self._feed(FEEDS[address], entry["name"], args, block))
        if answer is not None:
            output = encode(outputs, answer(*args))
            self._constant[address, data] = output
            return output
        moving: Callable[..., Any] | None = getattr(self, f"at_{name}_{entry['name']}", None)
        if moving is None:
            raise NoView(f"{name}.{entry['name']} is not made up here")
        return encode(outputs, moving(block, *args))

    def _multicall(self, data: bytes, block: SyntheticBlock) -> bytes:
        if data[:4] == BLOCK_NUMBER:
            return encode(["uint256"], [block.number])
        if data[:4] == TIMESTAMP:
            return encode(["uint256"], [block.timestamp])
        if data[:4] == BLOCK_HASH:
            # The hash of a block is not known to itself, nor that of one more than 256 back: zero, as on a chain.
            (wanted,) = decode(["uint256"], data[4:])
            known = block.number - 256 <= wanted < block.number
            return bytes.fromhex(self._chain.blocks[wanted].hash[2:]) if known else bytes(32)
        if data[:4] != AGGREGATE3:
            raise NoView(f"multicall has no function {data[:4].hex()}")
        (calls,) = decode(["(address,bool,bytes)[]"], data[4:])
        answers = []
        for to, may_fail, inner in calls:
            try:
                answers.append((True, self.call(to, inner, block)))
            except NoView:
                if not may_fail:
                    raise
                answers.append((False, b""))
        return encode(["(bool,bytes)[]"], [answers])

    # --- accounts -----------------------------------------------------------------------------------------------------

    def _account_state(self, account: int, block: SyntheticBlock) -> bytes:
        """AccountState by hand: it is asked for a hundred thousand times."""
        if account == setting.FUND_ACCOUNT:
            state: AccountState | None = AccountState(
                account=account, cash=0, interest_entry=0, keep_entry=RAY, collateral=(), positions=(), perps=(),
                in_auction=False,
            )  # fmt: skip
        else:
            state = self._chain.account(account, block.number)
        if state is None:
            state = AccountState(
                account=account, cash=0, interest_entry=0, keep_entry=0, collateral=(), positions=(), perps=(),
                in_auction=False,
            )  # fmt: skip
        held = dict(state.collateral)
        collateral = [held.get(0, 0), held.get(1, 0)]
        sizes = {p.instrument.underlying: p.size for p in state.positions if p.instrument.kind is Kind.PERP}
        positions = [packed(p.instrument) << 136 | p.size & (1 << 128) - 1 for p in state.positions]
        perps = [
            word
            for p in state.perps
            for word in (p.underlying, sizes.get(p.underlying, 0), p.open_notional, p.funding_entry)
        ]
        head = 7
        at_positions = head + 1 + len(collateral)
        at_perps = at_positions + 1 + len(positions)
        words = (
            32, state.cash, state.interest_entry, state.keep_entry, int(state.in_auction),
            32 * head, 32 * at_positions, 32 * at_perps,
            len(collateral), *collateral, len(positions), *positions, len(state.perps), *perps,
        )  # fmt: skip
        return b"".join([(word & _WORD).to_bytes(32, "big") for word in words])

    # --- the house ----------------------------------------------------------------------------------------------------

    def at_ClearingHouse_houseState(self, block: SyntheticBlock) -> list[Any]:
        return [(RAY + block.number, RAY, block.timestamp, 50_000, RAY, 0, 0, 100, 0, 0, (0, 0))]

    def at_ClearingHouse_marketState(self, block: SyntheticBlock, u: int) -> list[Any]:
        return [(setting.market(u), block.number % 7, 0, 100, 0, 0, 0, 0)]

    def at_ClearingHouse_margin(self, block: SyntheticBlock, account: int, _version: int) -> list[Any]:
        # No positions are priced here: whoever owes cash is short, and nobody else is.
        state = self._chain.account(account, block.number)
        cash = 0 if state is None else state.cash
        return [(cash, 0, 0, 0, False)]

    def _ClearingHouse_collateral(self, number: int) -> list[Any]:
        return [setting.collateral(number)]

    def _ClearingHouse_collateralCount(self) -> list[Any]:
        return [2]

    def _LiquidationAuction_params(self) -> list[Any]:
        return [setting.AUCTION]

    def at_LiquidationAuction_auction(self, block: SyntheticBlock, account: int) -> list[Any]:
        state = self._chain.account(account, block.number)
        if state is None or not state.in_auction:
            return [(0, 0, False, False, 0, 0, 0, 0, 0)]
        return [(block.timestamp - 60, block.number - 5, True, False, 0, 0, 0, 0, 0)]

    def _InsuranceFund_account(self) -> list[Any]:
        return [setting.FUND_ACCOUNT]

    def _InsuranceFund_balance(self) -> list[Any]:
        return [1_000_000 * WAD]

    def _InsuranceFund_capPerAuction(self) -> list[Any]:
        return [setting.CAP_PER_AUCTION]

    # --- prices -------------------------------------------------------------------------------------------------------

    def at_PriceOracle_price(self, block: SyntheticBlock, asset: bytes) -> list[Any]:
        return [WAD if asset == setting.USDC else block.spot_usd * WAD]

    def _PriceOracle_feed(self, asset: bytes) -> list[Any]:
        names = [setting.USDC, *(setting.asset(u) for u in range(1, len(setting.TICKERS) + 1))]
        feed = list(FEEDS)[names.index(asset)] if asset in names else "0x" + "00" * 20
        return [(feed, "0x" + "00" * 20, 10**9, 50_000, 10**14, 10**26)]

    def _PriceOracle_sequencerFeed(self) -> list[Any]:
        return ["0x" + "00" * 20]

    def _feed(self, underlying: int, function: str, args: tuple[Any, ...], block: SyntheticBlock) -> list[Any]:
        """Rounds are hourly, and one more for each change of the price since the history ended."""
        if function == "decimals":
            return [FEED_DECIMALS]
        if function == "aggregator":
            return [f"0x{0xA66E00 + underlying:040x}"]
        newest = block.timestamp // HOUR
        wanted = newest if function == "latestRoundData" else args[0]
        if not newest - self._chain.plan.rounds <= wanted <= newest:
            return [wanted, 0, 0, 0, 0]
        wobble = 0 if underlying == 0 or wanted == newest else (wanted * 7_919 * underlying) % 101 - 50
        price = 1 if underlying == 0 else block.spot_usd + wobble
        return [wanted, price * 10**FEED_DECIMALS, wanted * HOUR, wanted * HOUR, wanted]

    # --- fences -------------------------------------------------------------------------------------------------------

    def _RiskParameters_lastPublication(self, _u: int) -> list[Any]:
        return [1, GENESIS_S, 1, b"\1" * 32]

    def _RiskParameters_frozen(self, _u: int) -> list[Any]:
        return [False]

    def _RiskParameters_config(self, _u: int) -> list[Any]:
        return [setting.CONFIG]

    def _RiskParameters_effective(self, _u: int) -> list[Any]:
        return [setting.CONFIG]

    def _RiskParameters_controls(self, _u: int) -> list[Any]:
        return [(0, 0, 0, 0, 10**6, 0, 0, 0, 0, 0)]

    def _RiskParameters_volFences(self, _u: int) -> list[Any]:
        return [VOL_FENCES]

    def _RiskParameters_listedExpiries(self, _u: int) -> list[Any]:
        return [self._chain.population.expiries]

    def _RiskParameters_fence(self, _u: int, _what: bytes) -> list[Any]:
        return [(10_000, 900_000, 200_000, 100_000, 500_000, 200_000)]

    def _RiskParameters_standing(self, _u: int, _expiry: int, what: bytes) -> list[Any]:
        stands = {
            b"psr": setting.PSR_PPM,
            b"vsrUp": setting.VSR_UP_PPM,
            b"vsrDown": setting.VSR_DOWN_PPM,
            b"sigmaAtm": setting.SIGMA_PPM,
            b"phi": setting.PPB,
            b"df": setting.PPB,
        }
        value = stands.get(what.rstrip(b"\0"), 0)
        return [value, [value] * 26]

    def _RiskParameters_smileRings(self, _u: int, _expiry: int) -> list[Any]:
        return [[0] * len(self._chain.population.strikes)]

    def _RiskParameters_listedStrikes(self, _u: int, _expiry: int) -> list[Any]:
        return [self._chain.population.strikes]

    def _RiskParameters_jointFence(self, _u: int) -> list[Any]:
        return [(300_000, 1_000_000)]

    def _RiskParameters_targetDigest(self, _u: int) -> list[Any]:
        return [b"\1" * 32]

    def _RiskFile_noticeUntil(self, _u: int) -> list[Any]:
        return [0]

    def _RiskFile_slew(self, _u: int) -> list[Any]:
        target = setting.PSR_PPM, setting.VSR_UP_PPM, setting.VSR_DOWN_PPM
        return [target, 10_000, GENESIS_S, 0]

    def _RiskFile_assetOf(self, u: int) -> list[Any]:
        return [setting.asset(u)]
