"""Between a sent transaction and its block: what mempools, and those who own them, do."""

from __future__ import annotations

from typing import Any, Final

from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_utils import keccak
from hexbytes import HexBytes

from keeper.testing.faults.fault import Boundary, Call, Fault, Forward, Shot
from keeper.testing.faults.wire import SEND
from keeper.testing.wire import JsonRpcError, hexed, number, octets, quantity

CODE: Final = -32000
#: What a foreign transaction offers: enough to replace anything reasonable.
FOREIGN_FEE_WEI, FOREIGN_TIP_WEI = 500 * 10**9, 100 * 10**9


def hash_of(call: Call) -> str:
    """Hash of the signed bytes in a send."""
    return hexed(keccak(octets(call.params[0])))


def offer_of(call: Call) -> tuple[str, int, int, int]:
    """Sender, nonce, max fee and tip (wei per gas) of the signed type-2 bytes in a send."""
    raw = octets(call.params[0])
    fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
    sender = str(Account.recover_transaction(raw))
    return sender, int(fields["nonce"]), int(fields["maxFeePerGas"]), int(fields["maxPriorityFeePerGas"])


def _swallow(shot: Shot, call: Call, _forward: Forward) -> str:
    shot.fire()
    return hash_of(call)


def _lie_known(shot: Shot, _call: Call, _forward: Forward) -> Any:
    shot.fire()
    raise JsonRpcError(CODE, "already known")


def _full(shot: Shot, _call: Call, _forward: Forward) -> Any:
    shot.fire()
    raise JsonRpcError(CODE, "txpool is full")


def _hold(shot: Shot, call: Call, _forward: Forward) -> str:
    shot.fire()
    shot.memory.setdefault("held", []).append((shot.height + shot.number("blocks"), call))
    return hash_of(call)


def _release(shot: Shot) -> None:
    held = shot.memory.get("held", [])
    for due, call in [entry for entry in held if entry[0] <= shot.height]:
        held.remove((due, call))
        try:
            shot.node.request(call.method, list(call.params))
        except JsonRpcError:
            continue  # replaced or mined elsewhere meanwhile: nobody is there to be told


def _bump(shot: Shot, call: Call, forward: Forward) -> Any:
    """The node's own rule for replacements, in front of whatever rule the node behind has."""
    sender, nonce, max_fee, tip = offer_of(call)
    held: dict[tuple[str, int], tuple[str, int, int]] = shot.memory.setdefault("offers", {})
    ours = hash_of(call)
    last_hash, last_fee, last_tip = held.get((sender, nonce), (ours, 0, 0))
    used = number(shot.node.request("eth_getTransactionCount", [sender, "latest"]))
    pays = 100 + shot.number("percent")
    if nonce >= used and last_hash != ours and (max_fee * 100 < last_fee * pays or tip * 100 < last_tip * pays):
        shot.fire()
        raise JsonRpcError(CODE, "replacement transaction underpriced")
    answer = forward(call)
    held[sender, nonce] = (ours, max_fee, tip)
    return answer


def _min_tip(shot: Shot, call: Call, forward: Forward) -> Any:
    tip, least = offer_of(call)[3], int(float(shot.options["gwei"]) * 10**9)
    if tip >= least:
        return forward(call)
    shot.fire()
    raise JsonRpcError(CODE, f"transaction underpriced: gas tip cap {tip}, minimum needed {least}")


def _no_gaps(shot: Shot, call: Call, forward: Forward) -> Any:
    sender, nonce, _, _ = offer_of(call)
    pending = number(shot.node.request("eth_getTransactionCount", [sender, "pending"]))
    if nonce <= pending:
        return forward(call)
    shot.fire()
    raise JsonRpcError(CODE, f"nonce too high: address {sender}, tx: {nonce} state: {pending}")


def _remember(shot: Shot, call: Call, forward: Forward) -> Any:
    answer = forward(call)
    if shot.number("blocks") > 0:
        shot.memory.setdefault("sent", []).append((shot.height + shot.number("blocks"), answer))
    elif shot.node.request("anvil_dropTransaction", [answer]):
        shot.fire()
    return answer


def _evict(shot: Shot) -> None:
    sent = shot.memory.get("sent", [])
    for entry in [entry for entry in sent if entry[0] <= shot.height]:
        sent.remove(entry)
        if shot.node.request("anvil_dropTransaction", [entry[1]]):
            shot.fire()


def _foreign(shot: Shot) -> None:
    """Somebody else has our key: a transfer to itself, behind ours or in the place of ours."""
    account = shot.node.request("eth_accounts", [])[shot.number("account")]
    nonce = shot.node.request("eth_getTransactionCount", [account, "pending" if shot.number("behind") else "latest"])
    fees = {"maxFeePerGas": quantity(FOREIGN_FEE_WEI), "maxPriorityFeePerGas": quantity(FOREIGN_TIP_WEI)}
    call = {"from": account, "to": account, "gas": quantity(21_000), "nonce": nonce, "value": "0x0"}
    try:
        shot.node.request("eth_sendTransaction", [call | fees])
    except JsonRpcError:
        return  # outbid: there was nothing foreign after all
    shot.fire()


def _private(shot: Shot, call: Call, forward: Forward) -> Any:
    if call.method == "eth_getTransactionCount":
        if len(call.params) < 2 or call.params[1] != "pending":
            return forward(call)
        shot.fire()
        return forward(call.with_param(1, "latest"))
    found = forward(call)
    if found is None or found["blockNumber"] is not None:
        return found
    shot.fire()
    return None


def _pool(name: str, about: str, *, methods: tuple[str, ...] = (SEND,), **fields: Any) -> Fault:
    return Fault(name=name, boundary=Boundary.POOL, about=about, methods=methods, **fields)


FAULTS: Final = (
    _pool("swallowed", "Accepted with its hash, and never seen again.", on_call=_swallow),
    _pool("lying_known", "'already known', of a transaction the node does not have.", on_call=_lie_known),
    _pool("pool_full", "The pool takes nothing.", on_call=_full),
    _pool(
        "delayed",
        "Accepted, and kept from the pool for `blocks` blocks.",
        on_call=_hold,
        catch_up=_release,
        defaults={"blocks": 3},
    ),
    _pool(
        "stricter_bump",
        "A replacement must pay `percent` more.",
        on_call=_bump,
        defaults={"percent": 25},
        standing=True,
    ),
    _pool("min_tip", "Tips below `gwei` are refused.", on_call=_min_tip, defaults={"gwei": 2.0}, standing=True),
    _pool("refuses_gaps", "A nonce beyond the next one is refused.", on_call=_no_gaps, standing=True),
    _pool(
        "evicted",
        "Accepted, and dropped from the pool `blocks` blocks later if not mined by then; at once if 0.",
        on_call=_remember,
        catch_up=_evict,
        defaults={"blocks": 0},
    ),
    _pool(
        "foreign",
        "Another program sends with the key of `account`; in the place of ours if `behind` is 0.",
        methods=(),
        after_block=_foreign,
        defaults={"account": 2, "behind": 1},
    ),
    _pool(
        "private_pool",
        "What is pending is not shown.",
        standing=True,
        methods=("eth_getTransactionByHash", "eth_getTransactionCount"),
        on_call=_private,
    ),
)
