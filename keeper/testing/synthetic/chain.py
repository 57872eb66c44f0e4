"""Blocks of the made-up house: their logs, their blooms, and what every account was at each height."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import orjson
from eth_bloom.bloom import BloomFilter

from keeper.domain.snapshot import AccountState
from keeper.testing.synthetic.logs import Emitted, moved, rendered
from keeper.testing.synthetic.population import BLOCK_S, GENESIS_S, HousePlan, Population
from keeper.testing.synthetic.setting import opening_events
from keeper.testing.wire import quantity

#: Contracts by name, at made-up addresses (lower case, as a node spells them).
ADDRESSES = {
    name: f"0x{0xC0FFEE0000 + i:040x}"
    for i, name in enumerate(
        ("ClearingHouse", "RiskParameters", "RiskFile", "PriceOracle", "LiquidationAuction", "InsuranceFund"), start=1
    )
}


@dataclass
class SyntheticBlock:
    """One block."""

    number: int
    hash: str
    parent_hash: str
    timestamp: int
    logs: list[bytes]
    """Log objects as JSON, in order."""
    touched: list[int] = field(default_factory=list)
    """Accounts (by id) that got a new version here."""
    sent: list[bytes] = field(default_factory=list)
    """Raw transactions of others that were mined here."""
    spot_usd: int = 3_000
    kinds: frozenset[str] = frozenset()
    """First topics of the logs."""
    _joined: bytes | None = None
    _bloom: int | None = None

    @property
    def joined(self) -> bytes:
        """All logs with commas between them."""
        if self._joined is None:
            self._joined = b",".join(self.logs)
        return self._joined

    def bloom(self) -> int:
        """Filter over the addresses and topics of the logs."""
        if self._bloom is None:
            seen = set()
            for entry in self.parsed():
                seen |= {entry["address"], *entry["topics"]}
            self._bloom = int(BloomFilter.from_iterable(bytes.fromhex(item[2:]) for item in seen))
        return self._bloom

    def parsed(self) -> list[dict[str, Any]]:
        """Logs as objects."""
        found: list[dict[str, Any]] = orjson.loads(b"[" + self.joined + b"]")
        return found

    def transactions(self) -> list[str]:
        """Hashes of the transactions."""
        return list(dict.fromkeys(entry["transactionHash"] for entry in self.parsed()))


class SyntheticChain:
    """Blocks from the deployment to the head.

    Args:
        plan: how large.
    """

    def __init__(self, plan: HousePlan) -> None:
        self.plan = plan
        self.population = Population(plan)
        self.blocks: list[SyntheticBlock] = []
        self.by_hash: dict[str, SyntheticBlock] = {}
        #: Versions of an account by id: (height, state), heights rising.
        self.versions: dict[int, list[tuple[int, AccountState]]] = {}
        self._opened_at: dict[int, tuple[int, int]] = {}
        self._salt = 0
        self._closed: set[int] = set()
        self._append([])
        self.deployed_at = 1
        self._append([list(opening_events(self.population))])
        self._open_everybody()

    @property
    def head(self) -> SyntheticBlock:
        """The newest block."""
        return self.blocks[-1]

    def account(self, account: int, height: int) -> AccountState | None:
        """An account as it was after a block; None if it was not open yet."""
        for at, state in reversed(self.versions.get(account, ())):
            if at <= height:
                return state
        opened = self._opened_at.get(account)
        return None if opened is None or opened[0] > height else self.population.opening(opened[1])

    def accounts(self, height: int | None = None) -> dict[int, AccountState]:
        """Everybody who holds anything after a block (the head)."""
        at = self.head.number if height is None else height
        states = {account: self.account(account, at) for account in self._opened_at}
        return {a: s for a, s in states.items() if s is not None and (s.cash or s.positions or s.collateral)}

    def mine(
        self,
        *,
        changed: int = 0,
        closed: int = 0,
        states: Iterable[AccountState] = (),
        events: Sequence[Emitted] = (),
        sent: Sequence[bytes] = (),
        spot_usd: int | None = None,
    ) -> SyntheticBlock:
        """Append a block.

        Args:
            changed: accounts that trade, drawn by chance.
            closed: accounts that close, drawn by chance.
            states: accounts set to a given state (unknown ones are opened).
            events: further logs, in a transaction of their own.
            sent: raw transactions that are included.
            spot_usd: price from here on.
        """
        population, head = self.population, self.head.number
        known = [*self._opened_at]
        after: list[AccountState] = []
        for position, index in enumerate(population.chance.choice(len(known), changed + closed, replace=False)):
            old = self.account(known[index], head)
            if old is not None:
                after.append(population.traded(old) if position < changed else population.closed(old))
        return self._append(
            [list(events)], states=[*after, *states], sent=list(sent), spot_usd=spot_usd or self.head.spot_usd
        )

    def reorg(self, depth: int, *, empty: bool = False) -> None:
        """Replace the newest blocks by as many others; their logs are lost (`empty`) or moved to the first of them."""
        removed, self.blocks = self.blocks[-depth:], self.blocks[:-depth]
        lost: dict[int, AccountState] = {}
        for block in reversed(removed):
            del self.by_hash[block.hash]
            for account in block.touched:
                lost.setdefault(account, self.versions[account].pop()[1])
                if not self.versions[account] and self._opened_at[account][1] < 0:
                    del self.versions[account], self._opened_at[account]
        self._salt += 1
        for position, _ in enumerate(removed):
            self._append([], states=list(lost.values()) if position == 0 and not empty else ())

    def _open_everybody(self) -> None:
        plan, population = self.plan, self.population
        order = list(range(population.count))
        per_block = -(-population.count // plan.history)
        opened: list[int] = []
        to_close = iter(range(population.extra))
        for start in range(0, population.count, per_block):
            fresh = order[start : start + per_block]
            trading: list[AccountState] = []
            if opened and population.count > 50:
                picked = population.chance.choice(len(opened), min(len(opened), max(1, per_block // 5)), replace=False)
                for index in {opened[p] for p in picked}:
                    old = self.account(population.id(index), self.head.number)
                    if old is not None and (old.cash or old.positions):
                        trading.append(population.traded(old))
            busy = {state.account for state in trading}
            if len(opened) > 4 * per_block:
                for index in [i for i, _ in zip(to_close, range(per_block), strict=False)]:
                    old = self.account(population.id(index), self.head.number)
                    if old is not None and old.account not in busy:
                        trading.append(population.closed(old))
            self._append([], states=trading, openings=fresh)
            opened += fresh

    def _append(
        self,
        transactions: list[list[Emitted]],
        *,
        states: Iterable[AccountState] = (),
        openings: Sequence[int] = (),
        sent: list[bytes] | None = None,
        spot_usd: int = 3_000,
    ) -> SyntheticBlock:
        number = len(self.blocks)
        parent = self.blocks[-1].hash if self.blocks else "0x" + "00" * 32
        digest = sha256(f"{self.plan.seed}:{self._salt}:{number}:{parent}".encode()).hexdigest()
        block_hash = "0x" + digest
        transactions = [t for t in transactions if t]
        touched = []
        for index in openings:
            state = self.population.opening(index)
            self._opened_at[state.account] = (number, index)
            transactions.append(list(moved(None, state)))
        for state in states:
            old = self.account(state.account, number - 1)
            transactions.append(list(moved(old, state)))
            self._opened_at.setdefault(state.account, (number, -1))
            self.versions.setdefault(state.account, []).append((number, state))
            touched.append(state.account)
        block = SyntheticBlock(
            number=number,
            hash=block_hash,
            parent_hash=parent,
            timestamp=GENESIS_S + BLOCK_S * number,
            logs=[line.encode() for line in rendered(transactions, ADDRESSES, number=number, block_hash=block_hash)],
            touched=touched,
            sent=sent or [],
            spot_usd=spot_usd,
            kinds=frozenset(event.topics[0] for transaction in transactions for event in transaction),
        )
        self.blocks.append(block)
        self.by_hash[block_hash] = block
        return block


def as_json(block: SyntheticBlock) -> dict[str, Any]:
    """A block object as a node answers it."""
    return {
        "number": quantity(block.number),
        "hash": block.hash,
        "parentHash": block.parent_hash,
        "timestamp": quantity(block.timestamp),
        "baseFeePerGas": quantity(10**9),
        "gasLimit": quantity(60_000_000),
        "gasUsed": quantity(10_000_000),
        "logsBloom": "0x" + block.bloom().to_bytes(256, "big").hex(),
        "transactions": block.transactions(),
        "miner": "0x" + "00" * 20,
        "extraData": "0x",
        "stateRoot": "0x" + "00" * 32,
        "receiptsRoot": "0x" + "00" * 32,
        "transactionsRoot": "0x" + "00" * 32,
        "sha3Uncles": "0x" + "00" * 32,
        "uncles": [],
        "size": "0x1",
        "difficulty": "0x0",
        "nonce": "0x" + "00" * 8,
    }


def receipts(block: SyntheticBlock) -> list[dict[str, Any]]:
    """Receipts of a block, with their logs."""
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in block.parsed():
        found.setdefault(entry["transactionHash"], []).append(entry)
    return [
        {
            "transactionHash": name,
            "blockNumber": quantity(block.number),
            "blockHash": block.hash,
            "status": "0x1",
            "gasUsed": "0x5208",
            "effectiveGasPrice": quantity(2 * 10**9),
            "logs": logs,
        }
        for name, logs in found.items()
    ]
