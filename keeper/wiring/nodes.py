"""The endpoints and the pool around them, as the settings describe them."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from keeper.chain.asking.endpoint import Endpoint, endpoint_at, name_apart
from keeper.chain.asking.health import Fitness
from keeper.chain.asking.members import PoolPolicy, in_parallel
from keeper.chain.asking.rpc import Rpc
from keeper.ops.doctor.site import LOCAL_CHAINS
from keeper.settings import Settings


def endpoints(settings: Settings) -> Sequence[Endpoint]:
    """The configured nodes; nothing is connected yet.  Raises: `BadInput` if a URL is none."""
    chain = settings.chain
    found = [
        endpoint_at(url.reveal(), timeout_s=chain.request_timeout_s, batch_size=chain.batch_size)
        for url in chain.rpc_urls
    ]
    name_apart(found)
    return found


def fitness_of(settings: Settings) -> Fitness:
    """What heads must be like.

    A chain of one machine makes blocks when asked to, so the age of its head says nothing.
    """
    chain = settings.chain
    ages = chain.max_head_age_s > 0 and chain.chain_id not in LOCAL_CHAINS
    return Fitness(
        max_head_age_s=float(chain.max_head_age_s) if ages else None,
        max_head_lag_blocks=chain.max_head_lag_blocks if len(chain.rpc_urls) > 1 else None,
    )


def rpc_of(settings: Settings, nodes: Sequence[Endpoint] | None = None) -> Rpc:
    """The chain through the configured nodes, or through these.

    Raises: `BadInput` if a URL is none, or the quorum is larger than the number of nodes.
    """
    chain = settings.chain
    return Rpc(
        endpoints(settings) if nodes is None else nodes,
        chain_id=chain.chain_id,
        policy=PoolPolicy(
            fitness=fitness_of(settings),
            retries=chain.retries,
            deadline_s=chain.call_deadline_s,
            patience_s=min(PoolPolicy.patience_s, chain.request_timeout_s),
            probe_pins=True,
        ),
        quorum=chain.quorum,
        jitter=_chance,
        run=in_parallel,
    )


def _chance() -> float:
    """A number in [0, 1).  It only spreads the pauses of many keepers; nothing that is decided depends on it."""
    return secrets.randbelow(1 << 32) / (1 << 32)
