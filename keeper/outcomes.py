"""What came of what was sent, and what the next decision learns from it.

measure     outcomes of transactions that are final, at the account they were to credit
economics   what gas costs, and what the last day lost: an input of the next decision
remember    what was refused, so that it is left alone for a while; what succeeded, so that it is not
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import structlog

from keeper.domain.action import kind, subject
from keeper.domain.block import BlockRef
from keeper.domain.cycle import CycleInputs, CycleRecord
from keeper.domain.tx import TxRecord, TxState
from keeper.domain.worth import PRIVATE, PUBLIC, Economics
from keeper.errors import Retry
from keeper.policy import backoff
from keeper.ports import Economy, Store

log = structlog.get_logger(__name__)

DAY_S = 86_400
#: Outcomes measured in one block: each asks the node a few questions.
MEASURED_PER_BLOCK = 20
#: Outcomes not measured yet that the day's budget counts in full.
COUNTED = 1_000
#: A refusal is forgotten after so many of the longest waits.
FORGOTTEN_AFTER_WAITS = 4


def measure(block: BlockRef, economy: Economy | None, store: Store) -> tuple[TxRecord, ...]:
    """Measure what became final since the last time.

    Found in the store, not in what settlement returned: a process that died in between measures it after its restart.
    Returns: the transactions measured now.
    """
    done = []
    for record in store.unmeasured(limit=MEASURED_PER_BLOCK) if economy is not None else ():
        assert economy is not None
        try:
            outcome = economy.realise(record, block)
        except Retry as problem:
            log.warning("outcome.later", key=record.intent.key, error=problem.message)
            continue
        outcome = replace(outcome, via=_way(store.sent(record.intent.key)), waited_blocks=_waited(record))
        store.append_realised(outcome)
        done.append(record)
        told = {
            name: None if wad is None else round(wad / 10**18, 2)
            for name, wad in (("gain_usd", outcome.gain_usd), ("gas_usd", outcome.gas_usd))
        }
        tell = log.warning if outcome.note else log.info  # a note is for a person
        tell(
            "outcome", key=outcome.key, via=outcome.via, waited_blocks=outcome.waited_blocks, note=outcome.note, **told
        )
    return tuple(done)


def _way(sent: Mapping[str, int]) -> str:
    """How it was included; "" of what was never for the relay, whose share it does not count in."""
    return "" if PRIVATE not in sent else PUBLIC if PUBLIC in sent else PRIVATE


def _waited(record: TxRecord) -> int | None:
    if record.mined is None or not record.attempts:
        return None
    return max(0, record.mined.number - record.attempts[0].block_number)


def economics(block: BlockRef, economy: Economy | None, store: Store) -> Economics | None:
    """What gas costs, and what is left of the day's money; None where nothing is weighed against gas."""
    if economy is None:
        return None
    lost, unpriced = 0, 0
    for one in store.realised(since_s=block.timestamp - DAY_S):
        if one.beneficiary is None:
            continue  # a duty: the day's gas pays for it
        # An unknown gain counts as none here: a budget that believes in gains nobody saw is none.
        if one.gas_usd is None:
            unpriced += one.gas_wei
        else:
            lost += max(0, one.gas_usd - (one.gain_usd or 0))
    return Economics(
        gas_price_wei=economy.gas_price_wei(block),
        gas=economy.gas,
        lost_usd=lost,
        unpriced_gas_wei=unpriced,
        # What was given up can still mine, and what mined may have lost all of it until it is measured.
        pledged_wei=sum(
            tx.intent.subsidy_wei
            for tx in (*store.open_txs(), *store.abandoned_txs(), *store.unmeasured(limit=COUNTED))
        ),
    )


def remember(record: CycleRecord, inputs: CycleInputs, settled: Sequence[TxRecord], store: Store) -> None:
    """Keep what came to nothing in this block; forget what succeeded.

    Refused by re-check, simulation or the block it mined in, or held by the impact gate.
    """
    refused = {(kind(one.action), subject(one.action)) for one in record.handed if one.refused}
    refused |= {(tx.intent.kind, tx.intent.subject) for tx in settled if tx.state is TxState.REVERTED}
    refused = {of for of in refused if of[0] in backoff.KINDS}
    refused |= {backoff.gated(underlying) for underlying in record.decision.gated}
    if refused:
        old = {(one.kind, one.subject): one for one in inputs.refused}
        wanted = {account for _, on in refused if (account := backoff.account_of(on)) is not None}
        margins = record.decision.report.accounts
        about = {
            account: backoff.fingerprint(state, margins.get(account))
            for account, state in backoff.states(inputs.snapshot.accounts, wanted).items()
        }
        number = record.block.number
        store.refuse(
            [
                backoff.counted(
                    old.get((k, on)),
                    kind=k,
                    subject=on,
                    at_block=number,
                    about=about.get(backoff.account_of(on) or 0, ""),
                )
                for k, on in sorted(refused)
            ],
            forget_before=number - FORGOTTEN_AFTER_WAITS * inputs.policy.refused_wait_max_blocks,
        )
    succeeded = [(tx.intent.kind, tx.intent.subject) for tx in settled if tx.state is TxState.FINAL]
    if succeeded:
        store.forgive(succeeded)
