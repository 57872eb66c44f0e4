"""The house's chain edge as tests put it together: endpoints in this process, an outbox with generous caps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache

from keeper.abis import load
from keeper.chain.asking.endpoint import Endpoint
from keeper.chain.asking.rpc import Rpc
from keeper.chain.clock import Timekeeper
from keeper.chain.sending.fees import FeePolicy
from keeper.chain.sending.outbox import Outbox, OutboxPolicy
from keeper.chain.signers import Signer
from keeper.domain.tx import SignerRole
from keeper.ports import Recheck, Store
from keeper.protocols.abi import Abi
from keeper.testing.answers import Node
from keeper.testing.embedded import LocalChain
from keeper.testing.provider import EmbeddedProvider

GWEI = 10**9
#: More than a test chain ever costs.
FEES = FeePolicy(max_fee_wei=10_000 * GWEI, max_priority_fee_wei=GWEI)
POLICY = OutboxPolicy(confirmations=3, replace_after_blocks=3, daily_cap_wei=10**24)
#: Where nobody else mines, so that a block is final at once.
ALONE = replace(POLICY, confirmations=0)


@cache
def feed_abi() -> Abi:
    """ABI of the feeds whose prices a test sets."""
    return Abi("MockAggregator", load("MockAggregator").abi)


def rpc_over(nodes: Sequence[Node], *, chain_id: int, now_s: Callable[[], float]) -> Rpc:
    """An RPC whose endpoints are nodes of this process, in order of preference.

    Args:
        nodes: at least one.
        chain_id: theirs.
        now_s: the chain's time: an endpoint that rests for ten seconds rests for a block, and nobody waits.
    """
    endpoints = [Endpoint(f"node-{place}", EmbeddedProvider(node)) for place, node in enumerate(nodes)]
    return Rpc(endpoints, chain_id=chain_id, time=Timekeeper(wall_s=now_s, steady_s=now_s, wait_s=lambda _: None))


def rpc_to(chain: LocalChain) -> Rpc:
    """An RPC to a chain that a test owns."""
    return Rpc([Endpoint(name="chain", provider=chain.provider)], chain_id=chain.chain_id)


def house_outbox(
    rpc: Rpc,
    store: Store,
    signers: Mapping[SignerRole, Signer],
    decode_revert: Callable[[bytes], str],
    recheck: Recheck,
    *,
    policy: OutboxPolicy = POLICY,
) -> Outbox:
    """An outbox with one key a role."""
    keys = {role: (signer,) for role, signer in signers.items()}
    return Outbox(rpc, store, keys, fees=FEES, policy=policy, decode_revert=decode_revert, recheck=recheck)
