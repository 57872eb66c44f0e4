"""What the cycle needs from the world, promises in words.  Adapters live in chain, protocols and store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from keeper.domain.action import Action, MarginCall
from keeper.domain.block import BlockRef
from keeper.domain.cycle import CycleInputs, CycleRecord
from keeper.domain.deployed import Deployed
from keeper.domain.happened import Happened
from keeper.domain.history import Notice
from keeper.domain.home import Home
from keeper.domain.landed import Landed
from keeper.domain.overrides import Override
from keeper.domain.previews import Previewed
from keeper.domain.quotes import Quoted
from keeper.domain.sender import Sender
from keeper.domain.snapshot import Observation, Snapshot
from keeper.domain.tx import TxIntent, TxRecord
from keeper.domain.updates import KeptInputs, ShadowRun, SignOff
from keeper.domain.worth import Realised, Refusal


class Clock(Protocol):
    """Wall time, passed in so that tests and replays own it."""

    def now_s(self) -> int:
        """Unix seconds."""


class Advance(Protocol):
    """The way from one head to the next."""

    @property
    def head(self) -> BlockRef | None:
        """The newest block; None if nothing moved."""

    @property
    def orphaned(self) -> tuple[BlockRef, ...]:
        """Blocks seen before that a reorg removed, newest first."""


class Heads(Protocol):
    """Where the chain's tip is."""

    def head(self) -> BlockRef:
        """The newest block.  Raises: `Retry` if no endpoint can be asked."""

    def follow(self, previous: BlockRef | None) -> Advance:
        """What happened between `previous` and the present head; None at the start, and then only the head is new.

        Raises: `Retry`; nothing is lost then, the next call tells it again.
        """

    def listen(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake`, from any thread, whenever a newer head was announced.

        An announcement is a hint: it says when to ask, never what the chain is.  One that is lost costs a poll
        interval and nothing else.
        Returns: what ends the listening.
        """

    def gone(self, lived: Sequence[BlockRef]) -> tuple[BlockRef, ...]:
        """Those of `lived` that are not canonical (any more).

        Raises: `Retry` if that cannot be told: the endpoint is behind, or cannot be asked.
        """

    def find(self, block_hash: str) -> BlockRef | None:
        """A block by its hash, canonical or not; None if the endpoint has none.  Raises: `Retry`."""

    def at(self, number: int) -> BlockRef:
        """The canonical block at a height.  Raises: `Retry` if it does not exist (yet) or cannot be asked."""


class SnapshotReader(Protocol):
    """State of the protocol at one block."""

    def read(self, block: BlockRef) -> Snapshot:
        """Everything the middle needs, all of it at `block`.

        An account or price that cannot be read is a value in the snapshot, never left out.
        Raises: `Retry` if the node could not be asked or `block` is no longer canonical.
        """

    def reconcile(self, snapshot: Snapshot, *, sample: int) -> tuple[str, ...]:
        """Compare `sample` accounts built from events with the contract's own views at the same block.

        Returns: one line per difference; empty if they agree.  Differing accounts are re-read from the contract.
        """

    def tidy(self) -> None:
        """Do what can wait until everything of a block is sent, and may be left undone for a while."""


class QuoteSource(Protocol):
    """Option quotes of a venue."""

    def refresh(self) -> None:
        """Ask the venue for newer quotes; may take as long as the source's time-out.

        Never raises: what went wrong is told by the next `read`.  Safe to call beside it from another thread.
        """

    def read(self, snapshot: Snapshot) -> tuple[Quoted, ...]:
        """What is known now, cut down to the snapshot's listed expiries, one per underlying, ascending.

        Answers from memory: a silent venue holds up nobody.  No quotes, or old ones, are values; the pure half judges
        their age by the block's time.  Empty if no source is configured.
        """


class Encoder(Protocol):
    """Turns a decision into calldata for one protocol."""

    def encode(self, action: Action, *, block: BlockRef) -> TxIntent:
        """The transaction that carries out `action`.

        Raises: `Refused` if it cannot be built (an expiry whose settlement round does not exist yet); `LawBroken` for
        a notice, which is not a transaction.
        """


class Preview(Protocol):
    """The contract's own word on a publication, before it is sent."""

    def preview(self, intent: TxIntent, block: BlockRef) -> Previewed:
        """Ask about a publication's very calldata at a block: what it would do there, in full.  Raises: `Retry`."""

    def decoded(self, intent: TxIntent) -> tuple[tuple[str, str], ...]:
        """Its calldata taken apart again: name and value of each argument."""


class Recheck(Protocol):
    """A last look before something is sent: does the protocol, as it stands now, still want it?"""

    def expect(self, intents: Sequence[TxIntent]) -> None:
        """Name what is likely to be asked about, so that one batch answers for all of it."""

    def standing(self, intent: TxIntent, head: BlockRef) -> str:
        """Why `intent` is not wanted any more at `head`; empty if it is.

        Asks the node at most once per head for everything expected.  Raises: `Retry` if it could not be asked.
        """


class AlwaysWanted:
    """`Recheck` that leaves it to the simulation."""

    def expect(self, intents: Sequence[TxIntent]) -> None:
        """See `Recheck.expect`."""

    def standing(self, intent: TxIntent, head: BlockRef) -> str:  # noqa: ARG002 - the port's signature
        """See `Recheck.standing`."""
        return ""


ALWAYS_WANTED: Recheck = AlwaysWanted()


class Rights(Protocol):
    """What this keeper's keys may do."""

    def barred(self, block: BlockRef) -> str:
        """Why none of them may publish at a block, and who does; empty if one may.  Raises: `Retry`."""


class AllRights:
    """`Rights` of a keeper that nobody bars."""

    def barred(self, block: BlockRef) -> str:  # noqa: ARG002 - the port's signature
        """See `Rights.barred`."""
        return ""


ALL_RIGHTS: Rights = AllRights()


class Economy(Protocol):
    """What acting costs, and what it brought."""

    def gas_price_wei(self, head: BlockRef) -> int | None:
        """Wei per gas that the block after `head` will take, tip included; None if it could not be asked.

        Never raises: an unknown price is a value that policy decides about.
        """

    @property
    def gas(self) -> tuple[tuple[str, int], ...]:
        """(kind, gas that such an action uses), ascending by kind."""

    def realise(self, record: TxRecord, head: BlockRef) -> Realised:
        """What a settled transaction brought its beneficiary and cost in gas.

        Raises: `Retry` if the node could not be asked; what will stay unknown is None in the result, with a note.
        """


class TxSender(Protocol):
    """The outbox."""

    def submit(self, intent: TxIntent) -> TxRecord:
        """Store, simulate, sign and broadcast `intent` once.

        Safe to call again with the same intent: the second call finds the first by `intent.key`.
        A refusal by the simulation ends as `DROPPED` with the decoded reason; it is returned, not raised.
        Raises: `Retry` if the node could not be asked (the intent stays open); `Halt` if a spending cap is hit.
        """

    def settle(self, head: BlockRef) -> Sequence[TxRecord]:
        """Follow every open record up to `head`; returns those whose state changed.

        Also re-broadcasts what was signed but never seen, replaces what is stuck, and notices reorgs.
        """

    def recover(self, head: BlockRef) -> Sequence[TxRecord]:
        """Adopt what an earlier process left open.  Start-up is recovery: call it once before the first cycle."""


class Ledger(Protocol):
    """What came to nothing, what came of the rest, and which way it went out."""

    def refusals(self) -> tuple[Refusal, ...]:
        """Everything refused lately, ascending by kind and subject."""

    def refuse(self, refusals: Iterable[Refusal], *, forget_before: int) -> None:
        """Keep each in place of the one with its kind and subject; drop those last refused below `forget_before`."""

    def forgive(self, done: Iterable[tuple[str, str]]) -> None:
        """Forget the refusals of these (kind, subject): they succeeded."""

    def unmeasured(self, *, limit: int) -> tuple[TxRecord, ...]:
        """Transactions that used their nonce for good and whose outcome was not measured yet, oldest first."""

    def append_realised(self, outcome: Realised) -> None:
        """Keep an outcome.  The same key again replaces it."""

    def realised(self, *, since_s: int) -> tuple[Realised, ...]:
        """Outcomes of blocks at or after `since_s`, oldest first."""

    def note_sent(self, key: str, via: str, block_number: int) -> None:
        """Remember that an intent went out this way, and since which block.  The first block stays.

        Durable when it returns: what was public once is never taken for private again.
        """

    def sent(self, key: str) -> dict[str, int]:
        """Ways an intent went out, and the block of the first time."""


class Publications(Protocol):
    """What the chain remembers of publications."""

    @property
    def protocol(self) -> str:
        """Name of the protocol, as in `Snapshot.protocol`."""

    @property
    def deployed(self) -> Deployed:
        """Which deployment it is asked about."""

    def underlying(self, symbol: str) -> int:
        """Id of an underlying by its ticker.  Raises: `BadInput` naming those that there are."""

    def find(self, underlying: int, publication: int, *, since: BlockRef, until_s: int) -> Landed | None:
        """A publication by its id, if it went live after `since` and at `until_s` at the latest.  Raises: `Retry`."""

    def history(self, underlying: int, *, first: int | None = None) -> tuple[Landed, ...]:
        """All that went live from block `first` on (None: since the deployment), oldest first.  Raises: `Retry`."""

    def lately(self, underlying: int, *, since_s: int) -> tuple[Landed, ...]:
        """All that went live after a time, oldest first.  Raises: `Retry`."""

    def staged(self, underlying: int) -> Landed | None:
        """What was opened in several transactions and is not live yet, as it was staged; None if nothing is.

        Its block and transaction are those that opened it; refused is what the fences took out of it so far.
        Raises: `BadInput` if the transaction that opened it is none that can be read; `Retry`.
        """

    def happened(self, underlying: int, *, first: int | None = None) -> tuple[Happened, ...]:
        """What happened besides publications from block `first` on (None: since the deployment), oldest first.

        Raises: `Retry` if the chain cannot be asked.
        """

    def block(self, number: int) -> BlockRef | None:
        """The canonical block at a height; None if there is none.  Raises: `Retry`."""


class Updates(Protocol):
    """What publications were made from, and which models may push."""

    def keep_inputs(self, kept: KeptInputs, data: bytes) -> None:
        """Keep an inputs file for good.  Durable when it returns; a hash that is known stays as it is."""

    def inputs_file(self, hash_: str) -> bytes | None:
        """The bytes of a kept file by their hash, 0x and lower case."""

    def kept_inputs(
        self, *, symbol: str | None = None, publication: int | None = None, limit: int = 100
    ) -> tuple[KeptInputs, ...]:
        """Kept files, newest first; of one underlying, and of one publication id, if they are named."""

    def sign_off(self, signed: SignOff) -> None:
        """Remember that a model version may push.  Nothing is ever taken back: each word stays."""

    def sign_offs(self) -> tuple[SignOff, ...]:
        """Everything that was signed off, oldest first."""

    def keep_shadow(self, run: ShadowRun) -> ShadowRun:
        """Remember a run of the shadow, or how far a numbered one has come.  Returns: it with its number."""

    def shadows(self) -> tuple[ShadowRun, ...]:
        """Every run of the shadow, oldest first."""


class Overrides(Protocol):
    """Floors that operators set by hand."""

    def set_override(self, one: Override) -> Override:
        """Remember a floor.  Durable when it returns.  Returns: it with its number."""

    def clear_override(self, number: int, *, at_s: int, by: str, why: str = "") -> bool:
        """Take a floor back.  Returns: whether it stood until then; one that lapsed stays as it is."""

    def cleared_why(self) -> Mapping[int, str]:
        """Why floors were taken back, by number; those left out about which nobody said.

        Not in `Override`: nothing follows from it, and inputs files carry what something follows from.
        """

    def overrides(self, *, at_s: int | None = None, since_s: int | None = None) -> tuple[Override, ...]:
        """Those that stand at a moment, or all there ever were; ascending by number.

        With `since_s` also those that stood at some moment from then until `at_s`.
        """


class Store(Ledger, Updates, Overrides, Protocol):
    """Memory that survives the process."""

    def together(self) -> AbstractContextManager[None]:
        """What this thread writes of transactions inside becomes durable when it ends, with one wait for the disk.

        All of it or nothing: an error that leaves it, or the end of the process, undoes what was written inside.
        """

    def put_intent(self, record: TxRecord) -> TxRecord:
        """Write a new record, or return the stored one if `intent.key` is known.  Durable when it returns.

        Raises: `Refused` if another record of the same (kind, subject) is open; `LawBroken` if it is not `PLANNED`.
        """

    def update_tx(self, record: TxRecord) -> None:
        """Replace the record with the same `intent.key`.  Durable when it returns.

        Raises: `LawBroken` if the step is not legal (`keeper.domain.tx_flow`), or a second record of one nonce would
        end `FINAL` or `REVERTED` (TX-1).
        """

    def tx(self, key: str) -> TxRecord | None:
        """The record of one intent."""

    def open_txs(self) -> tuple[TxRecord, ...]:
        """All records in an open state, oldest first."""

    def abandoned_txs(self) -> tuple[TxRecord, ...]:
        """All records given up whose nonce is not final yet, oldest first."""

    def txs(self, *, limit: int = 100) -> tuple[TxRecord, ...]:
        """The newest records, newest first."""

    def highest_nonce(self, sender: str) -> int | None:
        """The largest nonce ever signed for `sender` by a record that may still land; None if none."""

    def append_cycle(self, record: CycleRecord) -> None:
        """Write one cycle.  Appending the same block hash again replaces it (a re-run after a crash)."""

    def cycle(self, block_hash: str) -> CycleRecord | None:
        """One cycle by its block."""

    def cycle_at(self, number: int) -> CycleRecord | None:
        """The newest cycle of a height that is not orphaned."""

    def cycles(self, *, limit: int = 100) -> tuple[CycleRecord, ...]:
        """The newest cycles by height, newest first, without orphaned ones."""

    def orphan_cycles(self, hashes: Iterable[str]) -> None:
        """Mark cycles of blocks that a reorg removed, forget the prices first seen there, end the calls made there.

        `cycle` still finds them by hash; appending one again takes the mark off.
        """

    def lived(self, *, limit: int) -> tuple[BlockRef, ...]:
        """Blocks of the newest cycles by height, newest first, without orphaned ones."""

    def strays(self) -> tuple[str, ...]:
        """Hashes of blocks that showed a price first and have no cycle: the process ended in between."""

    def append_lived(self, inputs: CycleInputs, record: CycleRecord, *, ended: Iterable[int]) -> None:
        """Write what a block saw and decided, and end the margin calls of `ended`.  All of it or nothing; durable.

        Of accounts that are as they were at the block stored before nothing is written.  Appending the same block hash
        again replaces it.
        """

    def append_inputs(self, inputs: CycleInputs) -> None:
        """Write what a block saw alone: thinking about it failed."""

    def inputs(self, block_hash: str) -> CycleInputs | None:
        """What a block saw; None if it was not lived or its inputs were pruned."""

    def prune(self, *, keep_blocks: int) -> int:
        """Drop inputs older than the newest `keep_blocks`; cycles and transactions are never dropped."""

    def append_prices(self, block: BlockRef, underlying: int, rounds: Sequence[Observation]) -> None:
        """Keep oracle rounds seen at `block`.  A round known by its time is replaced if its price differs."""

    def prices(self, underlying: int, *, since_s: int) -> tuple[Observation, ...]:
        """Rounds kept with time >= `since_s`, oldest first."""

    def append_notices(self, block: BlockRef, calls: Sequence[MarginCall]) -> None:
        """Keep margin calls.  The same account at the same block again replaces it."""

    def notices(self, *, limit: int = 100) -> tuple[Notice, ...]:
        """The newest margin calls, newest first."""

    def called(self) -> tuple[int, ...]:
        """Accounts whose margin call stands, ascending."""

    def end_calls(self, accounts: Iterable[int]) -> None:
        """Say that these accounts left the warning zone, so that the next warning is a new call."""

    def home(self) -> Home | None:
        """Whose memory this is; None if nobody said so yet."""

    def dedicate(self, to: Home) -> Home:
        """Say whose memory this is, unless somebody did before: that stays.  Returns: whose it is."""

    def save_sync(self, cursor: BlockRef, state: bytes) -> None:
        """Persist the log index: the block it is complete to, and its canonical bytes.  Atomic: both or neither."""

    def append_sync(self, cursor: BlockRef, more: bytes) -> None:
        """Put bytes behind the stored ones, and move the cursor.  Atomic: both or neither.

        Raises: `LawBroken` if nothing was saved yet.
        """

    def load_sync(self) -> tuple[BlockRef, bytes] | None:
        """What `save_sync` stored last and `append_sync` put behind it, and the newest cursor."""

    def heartbeat(self, name: str, at_s: int, progress: int) -> None:
        """Record that the loop `name` reached `progress` (a block number) at `at_s`."""

    def heartbeats(self) -> dict[str, tuple[int, int]]:
        """Last (at_s, progress) of each loop."""

    def try_write(self) -> None:
        """Write something durably and take it back.  Raises: `Halt` or `Retry` where nothing can be written."""

    def sender(self) -> Sender | None:
        """Who sends from this store now, this process or another; None if nobody does."""

    def lock_sending(self, *, at_s: int) -> None:
        """From now until `close`, this process alone sends from this store; its end, however it ends, frees it.

        Whoever sends calls this first.  A store that nobody else can open needs no lock.
        Raises: `Halt` if another process has it, naming it; and from then on any write does if the lock is lost.
        """

    def close(self) -> None:
        """Release the database, and the right to send from it."""
