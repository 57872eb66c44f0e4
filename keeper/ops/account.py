"""One account at one stored block: what it had, what it had to hold, and what was done about it.

Nothing is read from the chain and nothing is computed anew in another way: the block is replayed, and its figures are
taken apart by the functions that the daemon trusts.
"""

from __future__ import annotations

from dataclasses import dataclass

from keeper.domain.cycle import CycleInputs, CycleRecord, Handed
from keeper.domain.margin import Unpriced
from keeper.domain.market import MarketModel
from keeper.domain.snapshot import AccountState, AuctionState
from keeper.domain.tx import TxRecord
from keeper.errors import BadInput
from keeper.ops.stored import stored_cycle
from keeper.policy.why import Reason, why
from keeper.ports import Store
from keeper.replay import replay
from keeper.risk.explain import AccountExplanation, explain
from keeper.risk.model import model


@dataclass(frozen=True, kw_only=True)
class Handling:
    """An action on the account, and its transaction."""

    handed: Handed
    tx: TxRecord | None
    """None for a notice, a dry run, or what never became a transaction."""


@dataclass(frozen=True, kw_only=True)
class AccountStory:
    """Everything that a block says about an account."""

    record: CycleRecord
    inputs: CycleInputs
    same: bool
    """Whether the replayed decision equals the stored one, byte by byte."""
    market: MarketModel
    state: AccountState
    explained: AccountExplanation | Unpriced
    reasons: tuple[Reason, ...]
    handled: tuple[Handling, ...]
    auction: AuctionState | None


def account_story(store: Store, account: int, *, which: str | None = None) -> AccountStory:
    """Tell an account's story at a block.

    Args:
        store: where the block is.
        account: its id.
        which: height or hash; the newest block if None.

    Raises:
        BadInput: the block was not lived or its snapshot is gone, or the account does not exist in it.
    """
    record = stored_cycle(store, which)
    lived = replay(store, record.block.hash)
    snapshot = lived.inputs.snapshot
    state = snapshot.accounts.get(account)
    found = lived.decision.report.accounts.get(account)
    if state is None or found is None:
        number, known = record.block.number, len(snapshot.accounts)
        raise BadInput(
            f"account {account:#066x} is not among the {known} accounts of block {number}",
            hint="check the owner and the sub-account (OWNER:SUB), or name another block with --block",
            account=account,
            block=number,
        )
    market = model(snapshot, lived.inputs.risk, lived.inputs.quotes)
    return AccountStory(
        record=record,
        inputs=lived.inputs,
        same=lived.same,
        market=market,
        state=state,
        explained=explain(state, found, snapshot, market),
        reasons=why(account, lived.inputs, lived.decision, market),
        handled=tuple(
            Handling(handed=h, tx=store.tx(h.intent_key) if h.intent_key else None)
            for h in record.handed
            if getattr(h.action, "account", None) == account
        ),
        auction=next((a for a in snapshot.auctions if a.account == account), None),
    )
