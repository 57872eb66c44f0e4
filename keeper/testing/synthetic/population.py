"""Who holds what: accounts drawn from a seed, and the ways in which they change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from typing import Final

import numpy as np

from keeper.domain.snapshot import AccountState, Instrument, Kind, PerpState, Position
from keeper.protocols.clearinghouse.ids import pack_instrument

WAD: Final = 10**18
RAY: Final = 10**27
DAY: Final = 86_400
#: Timestamp of the first block.
GENESIS_S: Final = 1_774_000_000
BLOCK_S: Final = 12
#: Sub-account number in the low bits of an account id.
_SUB_BITS: Final = 96


@dataclass(frozen=True, kw_only=True)
class HousePlan:
    """How large a house, and how the node that serves it behaves."""

    accounts: int = 1_000
    """Accounts open at the head."""
    positions: int = 10
    """Positions each, a perp among them."""
    blocks: int = 0
    """Blocks over which they were opened; 0 takes one per 20 accounts, at least 8."""
    underlyings: int = 2
    expiries: int = 6
    strikes: int = 20
    """Per expiry; a call and a put of each."""
    seed: int = 1
    chain_id: int = 31_337
    log_cap: int = 10_000
    """Most logs in one answer; a wider question is refused as large providers do."""
    range_cap: int = 0
    """Most blocks in one question about logs; 0 for any number."""
    silent_cap: int = 0
    """Logs after which an answer is cut off without a word; 0 for never.  Some providers do."""
    rounds: int = 300
    """Oracle rounds before the head, one an hour."""

    @property
    def history(self) -> int:
        """Blocks over which the accounts were opened."""
        return self.blocks or max(8, self.accounts // 20)


class Population:
    """The truth at the start, and how accounts change.

    Args:
        plan: how many.
    """

    def __init__(self, plan: HousePlan) -> None:
        self.plan = plan
        self.chance = np.random.default_rng(plan.seed)
        #: A fiftieth more than asked for: they are closed again before the head.
        self.extra = plan.accounts // 50
        count, held = plan.accounts + self.extra, max(1, plan.positions)
        options = len(self.options)
        offsets = self.chance.integers(0, options, count)
        # An odd step that shares no factor with the number of options visits different ones.
        steps = np.array([s for s in range(1, options) if np.gcd(s, options) == 1])
        chosen = (offsets[:, None] + np.arange(held - 1) * self.chance.choice(steps, count)[:, None]) % options
        self._options = np.sort(chosen, axis=1).tolist()
        self._sizes = self.chance.integers(1, 3_000, (count, held)).tolist()
        self._long = (self.chance.random((count, held)) < 0.55).tolist()
        self._cash = self.chance.integers(20_000, 2_000_000, count).tolist()
        self._perp = self.chance.integers(1, plan.underlyings + 1, count).tolist()
        self.count = count
        self._numbers: dict[int, int] = {}

    @cached_property
    def expiries(self) -> tuple[int, ...]:
        """Unix seconds, after the last block that anybody will mine."""
        first = GENESIS_S + (self.plan.history + 100_000) * BLOCK_S
        start = first - first % DAY + DAY + 8 * 3_600
        return tuple(start + 7 * DAY * i for i in range(self.plan.expiries))

    @cached_property
    def strikes(self) -> tuple[int, ...]:
        """1e-8 USD, around the spot of 3,000."""
        return tuple((2_000 + 100 * i) * 10**8 for i in range(self.plan.strikes))

    @cached_property
    def options(self) -> tuple[Instrument, ...]:
        """Every option that is listed, in the contract's order."""
        return tuple(
            Instrument(underlying=u, expiry=e, strike=k, kind=kind)
            for u in range(1, self.plan.underlyings + 1)
            for e in self.expiries
            for k in self.strikes
            for kind in (Kind.CALL, Kind.PUT)
        )

    def id(self, index: int) -> int:
        """Account id of the nth account."""
        digest = sha256(f"{self.plan.seed}:{index}".encode()).digest()
        number = int.from_bytes(digest[:20], "big") << _SUB_BITS | index % 3
        self._numbers[number] = index
        return number

    def opening(self, index: int) -> AccountState:
        """The nth account as it was opened."""
        u = self._perp[index]
        sizes = [
            size * 10**15 * (1 if long else -1)
            for size, long in zip(self._sizes[index], self._long[index], strict=True)
        ]
        perp = Instrument(underlying=u, expiry=0, strike=0, kind=Kind.PERP)
        held = [(perp, sizes[0])] + [
            (self.options[o], size) for o, size in zip(self._options[index], sizes[1:], strict=True)
        ]
        held.sort(key=lambda entry: pack_instrument(entry[0]))
        return AccountState(
            account=self.id(index),
            cash=self._cash[index] * WAD,
            interest_entry=RAY + index,
            keep_entry=RAY,
            collateral=((1, (index % 7 + 1) * 10**17),) if index % 4 == 0 else (),
            positions=tuple(Position(instrument=i, size=size) for i, size in held),
            perps=(PerpState(underlying=u, open_notional=sizes[0] * 3_000, funding_entry=index % 11),),
            in_auction=False,
        )

    def traded(self, old: AccountState) -> AccountState:
        """The account after a trade: one position larger, smaller, gone or new, and the cash that moved."""
        positions = {p.instrument: p.size for p in old.positions}
        perps = {p.underlying: p for p in old.perps}
        draw = int(self.chance.integers(0, 1 << 30))
        options = [i for i in positions if i.kind is not Kind.PERP]
        if draw % 10 < 6 and options:
            chosen = options[draw // 10 % len(options)]
            positions[chosen] += (draw % 2_001 - 1_000) * 10**15 or 10**15
        elif draw % 10 < 8 or not positions:
            chosen = self.options[draw // 10 % len(self.options)]
            positions[chosen] = positions.get(chosen, 0) + (draw % 999 + 1) * 10**15
        else:
            chosen = next(iter(positions))
            positions[chosen] = 0
        if perps:
            u = min(perps)
            entry = perps[u].funding_entry + draw % 1_000 - 400
            perps[u] = replace(perps[u], funding_entry=entry)
        kept = sorted(((i, s) for i, s in positions.items() if s), key=lambda entry: pack_instrument(entry[0]))
        with_perp = {i.underlying for i, _ in kept if i.kind is Kind.PERP}
        return replace(
            old,
            cash=old.cash + (draw % 20_001 - 10_000) * 10**15,
            interest_entry=old.interest_entry + 1,
            positions=tuple(Position(instrument=i, size=s) for i, s in kept),
            perps=tuple(p for u, p in sorted(perps.items()) if u in with_perp),
        )

    def closed(self, old: AccountState) -> AccountState:
        """The account after everything was sold and withdrawn."""
        return replace(old, cash=0, collateral=(), positions=(), perps=(), in_auction=False)

    def index_of(self, account: int) -> int | None:
        """Which account has this id; None if nobody does."""
        if len(self._numbers) < self.count:
            for index in range(self.count):
                self.id(index)
        return self._numbers.get(account)
