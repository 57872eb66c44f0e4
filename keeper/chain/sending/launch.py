"""The first attempt of an intent: PLANNED → SIGNED → SENT, or DROPPED, or EXPIRED.

Before anything is signed it is simulated in the pending state and the protocol is asked once more whether it still
wants it.  A no costs nothing: no nonce, no gas, no key that waits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from keeper.chain.asking.rpc import FEE_BLOCKS, FEE_PERCENTILE, Rpc, pinned
from keeper.chain.asking.second_opinion import Believed
from keeper.chain.errors import Disagreement, Reverted, StaleBlock, Unfunded, Unreachable
from keeper.chain.records import FeeHistory, block_ref
from keeper.chain.sending.dispatch import Decode, Dispatch
from keeper.chain.sending.fees import FeeOffer, FeePolicy
from keeper.chain.sending.kept import Kept
from keeper.chain.sending.nonces import Lane, Progress
from keeper.chain.sending.signer_pool import SignerPool
from keeper.chain.sending.spending import DAY_S
from keeper.chain.signers import KeyUnusable, Signer
from keeper.domain.block import BlockRef
from keeper.domain.tx import FILL, TxIntent, TxRecord, TxState
from keeper.errors import KeeperError, Retry

#: Why an intent is not wanted any more at a block; empty if it is.  Raises: `Retry`.
Standing = Callable[[TxIntent, BlockRef], str]


@dataclass(frozen=True)
class Instant:
    """What one round trip says about sending now."""

    head: BlockRef
    simulated: object
    """The answer, or the error of the simulation from the first key asked for."""
    fees: FeeHistory
    nonces: Mapping[str, int]
    balances: Mapping[str, int]


class Launcher:
    """Sends intents for the first time.

    Args:
        rpc: where to ask.
        kept: read for what is in flight.
        pool: the keys.
        progress: when each key's nonce last moved.
        dispatch: signs and broadcasts.
        fees: what may be paid.
        standing: the protocol's last word.
        decode_revert: a person's words for revert data.
    """

    def __init__(
        self,
        rpc: Rpc,
        kept: Kept,
        pool: SignerPool,
        progress: Progress,
        dispatch: Dispatch,
        *,
        fees: FeePolicy,
        standing: Standing,
        decode_revert: Decode,
    ) -> None:
        self._rpc, self._kept, self._pool, self._progress = rpc, kept, pool, progress
        self._dispatch, self._fees, self._standing, self._decode = dispatch, fees, standing, decode_revert
        self._believed = Believed(rpc, near=pool.gap_at_most)

    def launch(self, record: TxRecord, head: BlockRef | None) -> TxRecord:
        """Send a planned record.

        Args:
            record: PLANNED.
            head: the newest block known; None if none was given yet.

        Returns: the record as it is in the store now.
        Raises: `Retry`, and the record stays PLANNED for the next block, also if no key can pay; `Halt` if the day's
            gas does not suffice, or no key may sign any more; `Refused` if publishing has used its part, or no
            configured key may send it.
        """
        intent = record.intent
        if head is not None and (late := self._late(record, head)):
            return late
        open_records = self._kept.open()
        busy = Counter(one.sender for one in open_records)
        keys = sorted(self._pool.may_send(intent), key=lambda key: busy[key.address])
        now = self._instant(intent, keys)
        if head is not None and now.head.number < head.number:
            raise StaleBlock(f"the endpoint is at {now.head.number}, we are at {head.number}", block=now.head.number)
        if late := self._late(record, now.head):
            return late
        # What everybody agrees about is the head we decided on; the newest of one endpoint others may not have yet.
        at = head or now.head
        if intent.kind != FILL and (reason := self._standing(intent, at)):
            return self._drop(record, reason)
        lanes = {
            key.address: self._progress.lane(key.address, now.nonces[key.address], open_records, at) for key in keys
        }
        if intent.kind == FILL:
            return self._fill(record, keys[0], lanes[keys[0].address], now, at)
        return self._first_that_can(record, keys, lanes, now, at)

    def _fill(self, record: TxRecord, key: Signer, lane: Lane, now: Instant, at: BlockRef) -> TxRecord:
        """Use up the lowest free nonce, if something still waits above it; a key that is stuck needs just that."""
        if not lane.width:
            return self._drop(record, "the gap is gone")
        return self._with(record, key, lane, now, at)

    def _first_that_can(
        self, record: TxRecord, keys: Sequence[Signer], lanes: Mapping[str, Lane], now: Instant, at: BlockRef
    ) -> TxRecord:
        problem: KeeperError | None = None
        refused: Reverted | None = None
        given_up = Counter(one.sender or "" for one in self._kept.abandoned())
        for key in self._pool.candidates(record.intent, lanes, at, given_up=given_up):
            try:
                answer = self._simulated(record.intent, key, keys, now)
                if isinstance(answer, Reverted):
                    refused = refused or answer
                    continue
                self._nobody_vetoes(record.intent, key, at)
                return self._with(record, key, lanes[key.address], now, at)
            except Unfunded as error:
                self._pool.cannot_pay(key.address, at, error.message)
                problem = problem or error
            except KeyUnusable as error:
                problem = problem or error
            except Retry as error:
                problem = error
        if problem is None:
            assert refused is not None
            return self._drop(record, f"simulation: {self._decode(refused.data) if refused.data else refused.message}")
        if isinstance(problem, Unfunded):
            # Told at every block; the keeper goes on: money comes while it runs, and its other roles have theirs.
            raise Retry(f"no key of the {record.intent.role} that works now can pay: {problem.message}") from problem
        raise problem

    def _nobody_vetoes(self, intent: TxIntent, key: Signer, at: BlockRef) -> None:
        """Raises: `Disagreement` if one endpoint of a quorum says that it would fail; it is asked again next block."""
        veto = self._rpc.vetoed(at, intent.to, intent.data, sender=key.address, gas=intent.gas_limit)
        if veto is not None:
            raise Disagreement(
                f"one endpoint says that {intent.kind} {intent.subject} goes through, another that it would fail: "
                f"{self._decode(veto.data) if veto.data else veto.message}",
                hint="nothing is sent while they disagree; if it lasts, find out which provider is wrong",
            )

    def _with(self, record: TxRecord, key: Signer, lane: Lane, now: Instant, at: BlockRef) -> TxRecord:
        intent, nonce = record.intent, lane.free
        self._believed.check(key.address, lane.next_nonce, self._kept.open(), at)
        ceiling = self._fees.ceiling_wei(gas=intent.gas_to_pay, worth_wei=intent.worth_wei)
        held = dearest_held(self._kept.abandoned(), key.address, nonce, at)
        offer = self._fees.offer(now.fees, ceiling_wei=ceiling, held=held)
        needed, has = intent.gas_limit * offer.max_fee_wei, now.balances[key.address]
        if has < needed:
            has = max(has, self._richest(key.address, at))
        if has < needed:
            raise Unfunded(
                f"{key.address} has no funds for {intent.kind} {intent.subject}: {needed} wei may go, it has {has}",
                hint="send native currency to the keeper's signing address",
                address=key.address,
                needed_wei=needed,
                balance_wei=has,
            )
        planned = replace(record, sender=key.address, nonce=nonce)
        signed = self._dispatch.sign(planned, key, offer, at)
        self._believed.signed(key.address, nonce)
        return self._dispatch.send(signed, at)

    def _richest(self, address: str, at: BlockRef) -> int:
        """The most that another endpoint says a key has: that it cannot pay is not one endpoint's to say."""
        said = self._rpc.second_opinions("eth_getBalance", address, pinned(at))
        return max((int(one, 16) for one in said if isinstance(one, str)), default=0)

    def _instant(self, intent: TxIntent, keys: Sequence[Signer]) -> Instant:
        """Everything there is to know before signing, in one round trip."""
        asked: list[tuple[str, Sequence[Any]]] = [
            ("eth_getBlockByNumber", ["latest", False]),
            ("eth_feeHistory", [hex(FEE_BLOCKS), "latest", [FEE_PERCENTILE]]),
            ("eth_call", [_call(intent, keys[0].address), "pending"]),
        ]
        asked += [("eth_getTransactionCount", [key.address, "latest"]) for key in keys]
        asked += [("eth_getBalance", [key.address, "latest"]) for key in keys]
        simulated: Any
        head, fees, simulated, *rest = self._rpc.batch(asked)
        for answer in (head, fees, simulated, *rest):
            if isinstance(answer, KeeperError) and answer is not simulated:
                raise answer
        if isinstance(simulated, KeeperError) and not isinstance(simulated, Reverted):
            raise simulated
        return _instant_of(head, fees, simulated, rest, [key.address for key in keys])

    def _simulated(self, intent: TxIntent, key: Signer, keys: Sequence[Signer], now: Instant) -> object:
        if key is keys[0]:
            return now.simulated
        try:
            return self._rpc.simulate(intent.to, intent.data, sender=key.address, gas=intent.gas_limit)
        except Reverted as error:
            return error

    def _late(self, record: TxRecord, head: BlockRef) -> TxRecord | None:
        late = head.timestamp - record.intent.deadline_s
        if late <= 0:
            return None
        return self._dispatch.save(replace(record, state=TxState.EXPIRED, reason=f"{late} s past its deadline"))

    def _drop(self, record: TxRecord, reason: str) -> TxRecord:
        return self._dispatch.save(replace(record, state=TxState.DROPPED, reason=reason))


def dearest_held(abandoned: Iterable[TxRecord], sender: str, nonce: int, head: BlockRef) -> FeeOffer | None:
    """What pools may still hold at a nonce after we gave it up there: to be outbid, or nothing gets in.

    It lives in the store, so a restart does not forget it, and is forgotten a day after the decision: pools drop what
    they cannot place within hours (go-ethereum after three).
    """
    fees = [
        attempt
        for record in abandoned
        if (record.sender, record.nonce) == (sender, nonce)
        and head.timestamp < record.intent.decided_at.timestamp + DAY_S
        for attempt in record.attempts
    ]
    if not fees:
        return None
    return FeeOffer(max(one.max_fee_wei for one in fees), max(one.priority_fee_wei for one in fees))


def _call(intent: TxIntent, sender: str) -> dict[str, str]:
    return {"to": intent.to, "data": "0x" + intent.data.hex(), "from": sender, "gas": hex(intent.gas_limit)}


def _instant_of(head: Any, fees: Any, simulated: object, numbers: Sequence[Any], addresses: Sequence[str]) -> Instant:
    """Raises: `Unreachable` if something has the wrong shape."""
    try:
        found = [int(number, 16) for number in numbers]
        tips = [int(tips[0], 16) for tips in fees.get("reward") or () if tips]
        return Instant(
            head=block_ref(head),
            simulated=simulated,
            fees=FeeHistory(int(fees["baseFeePerGas"][-1], 16), tuple(tips)),
            nonces=dict(zip(addresses, found[: len(addresses)], strict=True)),
            balances=dict(zip(addresses, found[len(addresses) :], strict=True)),
        )
    except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise Unreachable(f"unreadable answer before sending ({error!r})") from error
