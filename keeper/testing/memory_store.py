"""A `Store` in memory, for tests and replays: the same promises, except that it ends with the process.

It is a real adapter: the suite in tests/ports runs over it as over the databases.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from threading import RLock

from keeper.domain.action import MarginCall
from keeper.domain.block import BlockRef
from keeper.domain.cycle import CycleInputs, CycleRecord
from keeper.domain.history import Notice
from keeper.domain.home import Home
from keeper.domain.overrides import Override
from keeper.domain.sender import Sender
from keeper.domain.snapshot import Observation
from keeper.domain.tx import TxRecord, TxState
from keeper.domain.tx_flow import check_new, check_step
from keeper.domain.updates import KeptInputs, ShadowRun, SignOff
from keeper.domain.worth import Realised, Refusal
from keeper.errors import LawBroken, Refused


class MemoryStore:
    """See `keeper.ports.Store`.  Safe for several threads."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._txs: dict[str, TxRecord] = {}
        self._cycles: dict[str, CycleRecord] = {}
        self._orphaned: set[str] = set()
        self._inputs: dict[str, CycleInputs] = {}
        self._prices: dict[tuple[int, int], tuple[int, str]] = {}
        self._notices: dict[tuple[int, str], Notice] = {}
        self._home: Home | None = None
        self._sync: tuple[BlockRef, bytes] | None = None
        self._heartbeats: dict[str, tuple[int, int]] = {}
        self._refusals: dict[tuple[str, str], Refusal] = {}
        self._realised: dict[str, Realised] = {}
        self._sent: dict[str, dict[str, int]] = {}
        self._files: dict[str, tuple[KeptInputs, bytes]] = {}
        self._sign_offs: list[SignOff] = []
        self._shadows: list[ShadowRun] = []
        self._overrides: list[Override] = []
        self._cleared_why: dict[int, str] = {}

    @contextmanager
    def together(self) -> Iterator[None]:
        """See `Store.together`."""
        with self._lock:
            before = dict(self._txs)
            try:
                yield
            except BaseException:
                self._txs = before
                raise

    def put_intent(self, record: TxRecord) -> TxRecord:
        """See `Store.put_intent`."""
        check_new(record)
        intent = record.intent
        with self._lock:
            if stored := self._txs.get(intent.key):
                return stored
            for rival in self.open_txs():
                if (rival.intent.kind, rival.intent.subject) == (intent.kind, intent.subject):
                    raise Refused(
                        f"{intent.kind} {intent.subject} is already under way as {rival.intent.key} ({rival.state})",
                        key=intent.key,
                        open_key=rival.intent.key,
                    )
            self._txs[intent.key] = record
            return record

    def update_tx(self, record: TxRecord) -> None:
        """See `Store.update_tx`."""
        key = record.intent.key
        with self._lock:
            stored = self._txs.get(key)
            if stored is None:
                raise LawBroken(f"transaction {key} was never put into the store", key=key)
            check_step(stored, record)
            others = [other for other in self._txs.values() if other.intent.key != key]
            if _used_its_nonce(record) and any(
                _used_its_nonce(other) and (other.sender, other.nonce) == (record.sender, record.nonce)
                for other in others
            ):
                raise LawBroken(f"TX-1: a second record ends with nonce {record.nonce} of {record.sender}", key=key)
            new = {attempt.tx_hash for attempt in record.attempts}
            if any(attempt.tx_hash in new for other in others for attempt in other.attempts):
                raise LawBroken(f"transaction {key}: an attempt belongs to another record", key=key)
            self._txs[key] = record

    def tx(self, key: str) -> TxRecord | None:
        """See `Store.tx`."""
        with self._lock:
            return self._txs.get(key)

    def open_txs(self) -> tuple[TxRecord, ...]:
        """See `Store.open_txs`."""
        with self._lock:
            return tuple(record for record in self._txs.values() if record.state.is_open)

    def abandoned_txs(self) -> tuple[TxRecord, ...]:
        """See `Store.abandoned_txs`."""
        with self._lock:
            return tuple(record for record in self._txs.values() if record.state is TxState.ABANDONED)

    def txs(self, *, limit: int = 100) -> tuple[TxRecord, ...]:
        """See `Store.txs`."""
        with self._lock:
            return tuple(reversed(self._txs.values()))[:limit]

    def highest_nonce(self, sender: str) -> int | None:
        """See `Store.highest_nonce`."""
        nonces = [tx.nonce for tx in self.open_txs() if tx.sender == sender and tx.nonce is not None]
        return max(nonces, default=None)

    def append_cycle(self, record: CycleRecord) -> None:
        """See `Store.append_cycle`."""
        with self._lock:
            self._cycles.pop(record.block.hash, None)
            self._cycles[record.block.hash] = record
            self._orphaned.discard(record.block.hash)

    def cycle(self, block_hash: str) -> CycleRecord | None:
        """See `Store.cycle`."""
        with self._lock:
            return self._cycles.get(block_hash)

    def cycle_at(self, number: int) -> CycleRecord | None:
        """See `Store.cycle_at`."""
        return next((one for one in self.cycles(limit=len(self._cycles)) if one.block.number == number), None)

    def cycles(self, *, limit: int = 100) -> tuple[CycleRecord, ...]:
        """See `Store.cycles`."""
        with self._lock:
            newest = reversed([one for one in self._cycles.values() if one.block.hash not in self._orphaned])
            return tuple(sorted(newest, key=lambda one: -one.block.number))[:limit]

    def orphan_cycles(self, hashes: Iterable[str]) -> None:
        """See `Store.orphan_cycles`."""
        with self._lock:
            gone = set(hashes)
            self._orphaned |= gone & set(self._cycles)
            self._prices = {key: kept for key, kept in self._prices.items() if kept[1] not in gone}
            for key, notice in self._notices.items():
                if notice.block.hash in gone:
                    self._notices[key] = replace(notice, ended=True)

    def lived(self, *, limit: int) -> tuple[BlockRef, ...]:
        """See `Store.lived`."""
        return tuple(one.block for one in self.cycles(limit=limit))

    def strays(self) -> tuple[str, ...]:
        """See `Store.strays`."""
        with self._lock:
            return tuple(sorted({seen for _, seen in self._prices.values()} - set(self._cycles)))

    def append_lived(self, inputs: CycleInputs, record: CycleRecord, *, ended: Iterable[int]) -> None:
        """See `Store.append_lived`."""
        with self._lock:
            self.append_inputs(inputs)
            self.append_cycle(record)
            self.end_calls(ended)

    def append_inputs(self, inputs: CycleInputs) -> None:
        """See `Store.append_inputs`."""
        block_hash = inputs.snapshot.block.hash
        with self._lock:
            self._inputs.pop(block_hash, None)
            self._inputs[block_hash] = inputs

    def inputs(self, block_hash: str) -> CycleInputs | None:
        """See `Store.inputs`."""
        with self._lock:
            return self._inputs.get(block_hash)

    def prune(self, *, keep_blocks: int) -> int:
        """See `Store.prune`."""
        with self._lock:
            old = list(self._inputs)[: max(0, len(self._inputs) - keep_blocks)]
            for block_hash in old:
                del self._inputs[block_hash]
            return len(old)

    def append_prices(self, block: BlockRef, underlying: int, rounds: Sequence[Observation]) -> None:
        """See `Store.append_prices`."""
        with self._lock:
            for seen in rounds:
                kept = self._prices.get((underlying, seen.time))
                if kept is None or kept[0] != seen.price:
                    self._prices[underlying, seen.time] = (seen.price, block.hash)

    def prices(self, underlying: int, *, since_s: int) -> tuple[Observation, ...]:
        """See `Store.prices`."""
        with self._lock:
            kept = sorted((at, price) for (of, at), (price, _) in self._prices.items() if of == underlying)
            return tuple(Observation(time=at, price=price) for at, price in kept if at >= since_s)

    def append_notices(self, block: BlockRef, calls: Sequence[MarginCall]) -> None:
        """See `Store.append_notices`."""
        with self._lock:
            for call in calls:
                self._notices.pop((call.account, block.hash), None)
                self._notices[call.account, block.hash] = Notice(block=block, call=call)

    def notices(self, *, limit: int = 100) -> tuple[Notice, ...]:
        """See `Store.notices`."""
        with self._lock:
            return tuple(reversed(self._notices.values()))[:limit]

    def called(self) -> tuple[int, ...]:
        """See `Store.called`."""
        with self._lock:
            return tuple(sorted({notice.call.account for notice in self._notices.values() if not notice.ended}))

    def end_calls(self, accounts: Iterable[int]) -> None:
        """See `Store.end_calls`."""
        with self._lock:
            gone = set(accounts)
            for key, notice in self._notices.items():
                if notice.call.account in gone:
                    self._notices[key] = replace(notice, ended=True)

    def home(self) -> Home | None:
        """See `Store.home`."""
        with self._lock:
            return self._home

    def dedicate(self, to: Home) -> Home:
        """See `Store.dedicate`."""
        with self._lock:
            self._home = self._home or to
            return self._home

    def save_sync(self, cursor: BlockRef, state: bytes) -> None:
        """See `Store.save_sync`."""
        with self._lock:
            self._sync = (cursor, state)

    def append_sync(self, cursor: BlockRef, more: bytes) -> None:
        """See `Store.append_sync`."""
        with self._lock:
            if self._sync is None:
                raise LawBroken("nothing is stored that could be continued", block=cursor.number)
            self._sync = (cursor, self._sync[1] + more)

    def load_sync(self) -> tuple[BlockRef, bytes] | None:
        """See `Store.load_sync`."""
        with self._lock:
            return self._sync

    def try_write(self) -> None:
        """See `Store.try_write`."""

    def sender(self) -> Sender | None:
        """See `Store.sender`: nobody else can open it."""
        return None

    def heartbeat(self, name: str, at_s: int, progress: int) -> None:
        """See `Store.heartbeat`."""
        with self._lock:
            self._heartbeats[name] = (at_s, progress)

    def heartbeats(self) -> dict[str, tuple[int, int]]:
        """See `Store.heartbeats`."""
        with self._lock:
            return dict(sorted(self._heartbeats.items()))

    def refusals(self) -> tuple[Refusal, ...]:
        """See `Ledger.refusals`."""
        with self._lock:
            return tuple(one for _, one in sorted(self._refusals.items()))

    def refuse(self, refusals: Iterable[Refusal], *, forget_before: int) -> None:
        """See `Ledger.refuse`."""
        with self._lock:
            self._refusals |= {(one.kind, one.subject): one for one in refusals}
            self._refusals = {of: one for of, one in self._refusals.items() if one.last_block >= forget_before}

    def forgive(self, done: Iterable[tuple[str, str]]) -> None:
        """See `Ledger.forgive`."""
        with self._lock:
            for of in done:
                self._refusals.pop(of, None)

    def unmeasured(self, *, limit: int) -> tuple[TxRecord, ...]:
        """See `Ledger.unmeasured`."""
        over = (TxState.FINAL, TxState.REVERTED, TxState.REPLACED)
        with self._lock:
            left = [tx for tx in self._txs.values() if tx.state in over and tx.intent.key not in self._realised]
            return tuple(left[:limit])

    def append_realised(self, outcome: Realised) -> None:
        """See `Ledger.append_realised`."""
        with self._lock:
            self._realised[outcome.key] = outcome

    def realised(self, *, since_s: int) -> tuple[Realised, ...]:
        """See `Ledger.realised`."""
        with self._lock:
            return tuple(
                sorted((r for r in self._realised.values() if r.at_s >= since_s), key=lambda r: (r.at_s, r.key))
            )

    def note_sent(self, key: str, via: str, block_number: int) -> None:
        """See `Ledger.note_sent`."""
        with self._lock:
            self._sent.setdefault(key, {}).setdefault(via, block_number)

    def sent(self, key: str) -> dict[str, int]:
        """See `Ledger.sent`."""
        with self._lock:
            return dict(self._sent.get(key, {}))

    def lock_sending(self, *, at_s: int) -> None:
        """Nobody else can open it."""

    def close(self) -> None:
        """Nothing to release."""

    def keep_inputs(self, kept: KeptInputs, data: bytes) -> None:
        """See `Updates.keep_inputs`."""
        with self._lock:
            self._files.setdefault(kept.hash, (kept, data))

    def inputs_file(self, hash_: str) -> bytes | None:
        """See `Updates.inputs_file`."""
        with self._lock:
            found = self._files.get(hash_)
        return None if found is None else found[1]

    def kept_inputs(
        self, *, symbol: str | None = None, publication: int | None = None, limit: int = 100
    ) -> tuple[KeptInputs, ...]:
        """See `Updates.kept_inputs`."""
        with self._lock:
            newest = [kept for kept, _ in reversed(self._files.values())]
        wanted = [k for k in newest if symbol in (None, k.symbol) and publication in (None, k.publication)]
        return tuple(wanted[:limit])

    def sign_off(self, signed: SignOff) -> None:
        """See `Updates.sign_off`."""
        with self._lock:
            self._sign_offs.append(signed)

    def sign_offs(self) -> tuple[SignOff, ...]:
        """See `Updates.sign_offs`."""
        with self._lock:
            return tuple(self._sign_offs)

    def keep_shadow(self, run: ShadowRun) -> ShadowRun:
        """See `Updates.keep_shadow`."""
        with self._lock:
            if run.number:
                self._shadows[run.number - 1] = run
                return run
            numbered = replace(run, number=len(self._shadows) + 1)
            self._shadows.append(numbered)
        return numbered

    def shadows(self) -> tuple[ShadowRun, ...]:
        """See `Updates.shadows`."""
        with self._lock:
            return tuple(self._shadows)

    def set_override(self, one: Override) -> Override:
        """See `Overrides.set_override`."""
        with self._lock:
            numbered = replace(one, number=len(self._overrides) + 1)
            self._overrides.append(numbered)
        return numbered

    def clear_override(self, number: int, *, at_s: int, by: str, why: str = "") -> bool:
        """See `Overrides.clear_override`."""
        with self._lock:
            for place, one in enumerate(self._overrides):
                if one.number == number and one.cleared_at_s is None and one.expires_at_s > at_s:
                    self._overrides[place] = replace(one, cleared_at_s=at_s, cleared_by=by)
                    self._cleared_why |= {number: why} if why else {}
                    return True
        return False

    def cleared_why(self) -> dict[int, str]:
        """See `Overrides.cleared_why`."""
        with self._lock:
            return dict(self._cleared_why)

    def overrides(self, *, at_s: int | None = None, since_s: int | None = None) -> tuple[Override, ...]:
        """See `Overrides.overrides`."""
        since = at_s if since_s is None else since_s
        with self._lock:
            return tuple(one for one in self._overrides if at_s is None or since is None or one.stood(since, at_s))


def _used_its_nonce(record: TxRecord) -> bool:
    return record.state in (TxState.FINAL, TxState.REVERTED)
