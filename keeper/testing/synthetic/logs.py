"""What the contracts would have emitted: events encoded by the real ABIs, rendered as a node spells them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from eth_abi.abi import encode
from eth_utils import keccak

from keeper.abis import load
from keeper.domain.snapshot import AccountState, Instrument, Kind
from keeper.protocols.abi import signature_of, type_of
from keeper.protocols.clearinghouse.ids import pack_instrument

_WORD = (1 << 256) - 1
packed = cache(pack_instrument)


@dataclass(frozen=True, slots=True)
class Emitted:
    """One event: emitting contract by name, topics and data as 0x-hex."""

    contract: str
    topics: tuple[str, ...]
    data: str


def emitted(contract: str, name: str, *values: Any) -> Emitted:
    """Any event of a contract, its arguments in the order of the ABI (structs as tuples)."""
    topic, inputs = _event(contract, name)
    if len(values) != len(inputs):
        raise TypeError(f"{name} takes {len(inputs)} arguments")
    indexed = [(type_of(i), v) for i, v in zip(inputs, values, strict=True) if i["indexed"]]
    plain = [(type_of(i), v) for i, v in zip(inputs, values, strict=True) if not i["indexed"]]
    topics = (topic, *("0x" + encode([kind], [value]).hex() for kind, value in indexed))
    return Emitted(contract, topics, "0x" + encode([kind for kind, _ in plain], [value for _, value in plain]).hex())


@cache
def topic_of(contract: str, name: str) -> str:
    """Hash of an event's signature."""
    return _event(contract, name)[0]


@cache
def _event(contract: str, name: str) -> tuple[str, list[dict[str, Any]]]:
    entry = next(e for e in load(contract).abi if e["type"] == "event" and e["name"] == name)
    return "0x" + keccak(signature_of(entry).encode()).hex(), entry["inputs"]


def moved(old: AccountState | None, new: AccountState) -> Iterator[Emitted]:
    """The events of a transaction after which `old` (None: nothing) is `new`, in the contract's order."""
    account = _hex(new.account)
    if old is None or old.keep_entry != new.keep_entry:
        yield _house("LossPulled", (account,), 0, new.keep_entry)
    before = {p.instrument: p.size for p in old.positions} if old else {}
    after = {p.instrument: p.size for p in new.positions}
    perps_before = {p.underlying: p for p in old.perps} if old else {}
    perps_after = {p.underlying: p for p in new.perps}
    for held in [*before, *(i for i in after if i not in before)]:
        size = after.get(held, 0)
        if size != before.get(held, 0):
            yield _house(
                "PositionChanged", (account, _hex(packed(held))), size, size - before.get(held, 0), 3_000 * 10**18
            )
    for u in [*perps_before, *(u for u in perps_after if u not in perps_before)]:
        if perps_after.get(u) != perps_before.get(u):
            perp = perps_after.get(u)
            figures = (perp.open_notional, perp.funding_entry) if perp else (0, 0)
            yield _house("PerpTouched", (account, _hex(u)), *figures)
    units_before, units_after = dict(old.collateral if old else ()), dict(new.collateral)
    for c in sorted({*units_before, *units_after}):
        if units_after.get(c, 0) != units_before.get(c, 0):
            yield _house("CollateralChanged", (account, _hex(c)), units_after.get(c, 0))
    if old is None or (old.cash, old.interest_entry) != (new.cash, new.interest_entry):
        yield _house("CashChanged", (account,), new.cash, new.interest_entry)
    if new.in_auction != (old.in_auction if old else False):
        yield _house("AuctionSet", (account,), int(new.in_auction))


def perp_of(underlying: int) -> Instrument:
    """The perp of an underlying."""
    return Instrument(underlying=underlying, expiry=0, strike=0, kind=Kind.PERP)


def _house(name: str, indexed: tuple[str, ...], *words: int) -> Emitted:
    data = "".join([f"{word & _WORD:064x}" for word in words])
    return Emitted("ClearingHouse", (topic_of("ClearingHouse", name), *indexed), "0x" + data)


@cache
def _hex(value: int) -> str:
    return f"0x{value:064x}"


def rendered(
    events: Sequence[Sequence[Emitted]], addresses: dict[str, str], *, number: int, block_hash: str
) -> list[str]:
    """Log objects of one block as JSON; `events` are given per transaction."""
    index, lines = 0, []
    for position, transaction in enumerate(events):
        tail = (
            f'","blockNumber":"{number:#x}","transactionHash":"{tx_hash(block_hash, position)}",'
            f'"transactionIndex":"{position:#x}","blockHash":"{block_hash}","logIndex":"'
        )
        for event in transaction:
            topics = '","'.join(event.topics)
            lines.append(
                f'{{"address":"{addresses[event.contract]}","topics":["{topics}"],"data":"{event.data}{tail}'
                f'{index:#x}","removed":false}}'
            )
            index += 1
    return lines


def tx_hash(block_hash: str, position: int) -> str:
    """Hash of a made-up transaction: different for each, the same in each run."""
    return f"0x{position:08x}{block_hash[10:]}"
