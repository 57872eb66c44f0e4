"""The outbox as the settings describe it: one for the daemon, `once` and `keeper nonce`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keeper.chain.asking.rpc import Rpc
from keeper.chain.sending.dispatch import Decode, selector_only
from keeper.chain.sending.fees import FeePolicy
from keeper.chain.sending.outbox import Outbox, OutboxPolicy
from keeper.chain.sending.relay import Broadcast
from keeper.chain.signers import Signer
from keeper.domain.tx import SignerRole
from keeper.ports import Recheck, Store
from keeper.settings import Settings
from keeper.wiring.finality import finality_of
from keeper.wiring.relay import broadcast_of


def outbox_of(
    settings: Settings,
    rpc: Rpc,
    store: Store,
    keys: Mapping[SignerRole, Sequence[Signer]],
    *,
    decode_revert: Decode = selector_only,
    recheck: Recheck | None = None,
    broadcast: Broadcast | None = None,
) -> Outbox:
    """An outbox over the configured chain.

    Args:
        settings: validated.
        rpc: the chain.
        store: its memory.
        keys: who signs.
        decode_revert: the contracts' words for a revert.
        recheck: the protocol's last word; everything is wanted unless given.
        broadcast: who is handed signed bytes; the configured way unless given.
    """
    fees = settings.fees
    return Outbox(
        rpc,
        store,
        keys,
        fees=FeePolicy(
            max_fee_wei=fees.max_fee_wei,
            max_priority_fee_wei=fees.max_fee_wei,
            default_priority_fee_wei=fees.priority_fee_wei,
        ),
        policy=OutboxPolicy(
            confirmations=settings.chain.confirmations,
            replace_after_blocks=fees.replace_after_blocks,
            # Raising the fee comes first: what it frees was not stuck.
            stuck_after_blocks=max(fees.stuck_after_blocks, fees.replace_after_blocks),
            abandon_after_blocks=fees.abandon_after_blocks,
            daily_cap_wei=fees.max_spend_wei_per_day,
        ),
        decode_revert=decode_revert,
        finality=finality_of(settings, rpc),
        recheck=recheck,
        broadcast=broadcast or broadcast_of(settings, rpc, store),
    )
