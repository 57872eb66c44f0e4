"""Which way transactions leave, as the settings describe it."""

from __future__ import annotations

from keeper.chain.asking.rpc import Rpc
from keeper.chain.sending.relay import (
    Broadcast,
    HttpRelay,
    PublicBroadcast,
    RelayBroadcast,
    RelayRules,
    auth_headers,
    poster,
)
from keeper.ports import Ledger
from keeper.settings import Settings


def broadcast_of(settings: Settings, rpc: Rpc, ledger: Ledger) -> Broadcast:
    """The public pool, or a relay before it where one is configured.

    Raises: `BadInput` if the relay's URL is none, or its headers cannot be read.
    """
    relay, public = settings.relay, PublicBroadcast(rpc)
    if relay.url is None:
        return public
    post = poster(relay.url.reveal(), timeout_s=relay.request_timeout_s)
    return RelayBroadcast(
        HttpRelay(post, method=relay.method, headers=auth_headers(relay.auth_file)),
        public,
        ledger,
        RelayRules(
            kinds=frozenset(relay.kinds),
            fallback_after_blocks=relay.fallback_after_blocks,
            public_when_down=relay.when_down == "public",
        ),
    )
