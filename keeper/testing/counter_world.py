"""A small valid world for tests of the chain edge: a counter contract, known keys, an outbox over any local chain."""

from __future__ import annotations

from typing import Any

from keeper.chain.asking.rpc import Endpoint, Rpc
from keeper.chain.sending.fees import FeePolicy
from keeper.chain.sending.outbox import Outbox, OutboxPolicy
from keeper.chain.signers import Signer, from_key
from keeper.domain.block import BlockRef
from keeper.domain.tx import SignerRole, TxIntent
from keeper.ports import Store
from keeper.testing.anvil import AnvilChain
from keeper.testing.embedded import EmbeddedChain

#: Runtime code, assembled by hand.  Called without data it adds one to slot 0 and logs the new count under topic 1;
#: while slot 1 is set it reverts with 0xdeadbeef instead.  Called with a word it stores that in slot 1.
COUNTER = bytes.fromhex(
    "36601f57"  # with data: go to 1f
    "600154602757"  # while slot 1 is set: go to 27
    "60005460010180600055600052"  # slot 0 plus one, kept in slot 0 and memory
    "600160206000a100"  # log it under topic 1
    "5b60003560015500"  # 1f: slot 1 becomes the word
    "5b63deadbeef60e01b60005260046000fd"  # 27: revert with 0xdeadbeef
)
#: Data that makes the counter refuse, and that makes it count again.
CLOSE, OPEN = (1).to_bytes(32, "big"), (0).to_bytes(32, "big")

FEES = FeePolicy(max_fee_wei=100 * 10**9, max_priority_fee_wei=20 * 10**9)
POLICY = OutboxPolicy(confirmations=3, replace_after_blocks=2, daily_cap_wei=10**18)

Chain = EmbeddedChain | AnvilChain


def rpc_of(chain: Chain) -> Rpc:
    """One endpoint: the chain itself."""
    return Rpc([Endpoint("local", chain.provider)], chain_id=chain.chain_id)


def signers_of(chain: Chain, *, liquidators: int = 1) -> dict[SignerRole, tuple[Signer, ...]]:
    """Account 1 publishes, account 2 liquidates; with more liquidators 3, 4, … too."""
    keys = tuple(from_key(chain.key(2 + index)) for index in range(liquidators))
    return {SignerRole.PUBLISHER: (from_key(chain.key(1)),), SignerRole.LIQUIDATOR: keys}


def an_outbox(chain: Chain, store: Store, *, rpc: Rpc | None = None, **options: Any) -> Outbox:
    """An outbox with generous caps; `options` are its own keyword arguments, or `signers`."""
    signers = options.pop("signers", None) or signers_of(chain)
    given: dict[str, Any] = {"fees": FEES, "policy": POLICY} | options
    return Outbox(rpc or rpc_of(chain), store, signers, **given)


def an_intent(to: str, at: BlockRef, *, key: str = "a", **fields: Any) -> TxIntent:
    """One poke of the counter, decided at `at`."""
    given: dict[str, Any] = {
        "kind": "poke",
        "subject": key,
        "role": SignerRole.LIQUIDATOR,
        "data": b"",
        "gas_limit": 200_000,
        "deadline_s": at.timestamp + 3600,
        "why": "a test",
    }
    return TxIntent(key=key, to=to, decided_at=at, **(given | fields))


def count(chain: Chain, counter: str) -> int:
    """How many pokes the counter has taken."""
    return int(chain.request("eth_getStorageAt", counter, "0x0", "latest"), 16)
