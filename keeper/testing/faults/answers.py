"""Proper answers that are wrong, late or refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from eth_utils import keccak

from keeper.testing.faults import words
from keeper.testing.faults.fault import Boundary, Call, Fault, Forward, Shot, Tell
from keeper.testing.faults.view import BLOCK_AT, METHODS, View
from keeper.testing.wire import JsonRpcError, hexed, number, octets, quantity

Twist = Callable[[Shot, Any], Any]


def _stale(shot: Shot, call: Call, _forward: Forward) -> Any:
    """Frozen at the block that was the head when the spell began."""
    shot.fire()
    if "head" not in shot.memory:
        shot.memory["head"] = shot.node.request("eth_getBlockByNumber", [quantity(shot.since), False])
    return View(shot.node, shot.since, shot.memory["head"]).request(call)


def _stale_heads(shot: Shot, head: dict[str, Any], tell: Tell) -> None:
    """A node that stands still announces nothing."""
    if "head" not in shot.memory:
        tell(head)


def _lagging(shot: Shot, call: Call, _forward: Forward) -> Any:
    shot.fire()
    return View(shot.node, max(0, shot.height - shot.number("blocks"))).request(call)


def _lying_hash(shot: Shot, call: Call, forward: Forward) -> Any:
    """Blocks from the spell's beginning on have other hashes, wherever one is named."""
    lies: dict[str, str] = shot.memory.setdefault("lies", {})
    first = int(shot.memory.setdefault("next", max(1, shot.since - shot.number("depth") + 1)))
    for height in range(first, shot.height + 1):
        found = shot.node.request("eth_getBlockByNumber", [quantity(height), False])
        lies[found["hash"]] = hexed(keccak(octets(found["hash"])))
    shot.memory["next"] = max(first, shot.height + 1)
    truths = {lie: truth for truth, lie in lies.items()}
    told = _swapped(forward(Call(call.method, tuple(_swapped(list(call.params), truths)))), lies)
    shot.fire()
    return told


def _swapped(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, list | tuple):
        return [_swapped(one, names) for one in value]
    if isinstance(value, dict):
        return {key: _swapped(one, names) for key, one in value.items()}
    return value


def _telling(name: str, about: str, methods: tuple[str, ...], twist: Twist, **defaults: float | str) -> Fault:
    """A fault that alters true answers; it has struck if `twist` returns another one."""

    def on_call(shot: Shot, call: Call, forward: Forward) -> Any:
        true = forward(call)
        told = twist(shot, true)
        if told != true:
            shot.fire()
        return told

    return Fault(name=name, boundary=Boundary.ANSWER, about=about, methods=methods, defaults=defaults, on_call=on_call)


def _beyond(shot: Shot, logs: list[Any]) -> list[Any]:
    if not logs:
        return logs
    height = quantity(shot.height + shot.number("blocks"))
    phantom = logs[-1] | {"blockNumber": height, "blockHash": hexed(keccak(octets(logs[-1]["blockHash"])))}
    return [*logs, phantom]


def _shuffled(shot: Shot, answers: list[Any]) -> list[Any]:
    """Another order, if there can be one."""
    order = shot.rng.permutation(len(answers))
    told = [answers[int(place)] for place in order]
    return told if told != answers else [*answers[1:], *answers[:1]]


def _missing(shot: Shot, logs: list[Any]) -> list[Any]:
    if not logs:
        return logs
    kept = [one for one in logs if shot.rng.random() < 0.5]
    return kept if len(kept) < len(logs) else kept[:-1]


Refuse = Callable[[Shot, Call], JsonRpcError | None]


def _refusing(name: str, about: str, refuse: Refuse, *, standing: bool = True, **defaults: str | int) -> Fault:
    def on_call(shot: Shot, call: Call, forward: Forward) -> Any:
        error = refuse(shot, call)
        if error is None:
            return forward(call)
        shot.fire()
        raise error

    return Fault(
        name=name, boundary=Boundary.ANSWER, about=about, on_call=on_call, defaults=defaults, standing=standing
    )


def _names_hash(shot: Shot, call: Call) -> JsonRpcError | None:
    place = BLOCK_AT.get(call.method)
    block = call.params[place] if place is not None and len(call.params) > place else None
    return words.BY_HASH[shot.text("words")] if isinstance(block, dict) else None


def _too_wide(shot: Shot, call: Call) -> JsonRpcError | None:
    query = call.params[0] if call.method == "eth_getLogs" else {"blockHash": ""}
    if "blockHash" in query:
        return None
    first, last = (_height(shot, query.get(key, "latest")) for key in ("fromBlock", "toBlock"))
    widest = shot.number("widest")
    return words.LOG_RANGES[shot.text("words")](first, last, widest) if last - first + 1 > widest else None


def _height(shot: Shot, block: Any) -> int:
    return 0 if block == "earliest" else shot.height if block in ("latest", "pending") else number(block)


def _lost_state(shot: Shot, call: Call) -> JsonRpcError | None:
    """Only the newest states are there; the block is named by number or hash."""
    place = BLOCK_AT.get(call.method)
    block = call.params[place] if place is not None and len(call.params) > place else "latest"
    if isinstance(block, dict):
        found = shot.node.request("eth_getBlockByHash", [block.get("blockHash", ""), False])
        block = "latest" if found is None else found["number"]
    if block in ("latest", "pending", "safe", "finalized") or shot.height - _height(shot, block) <= shot.number(
        "depth"
    ):
        return None
    return JsonRpcError(-32000, "missing trie node 5a0b54d5 (path ) state 0x5a0b54d5 is not available")


def _refuse_batch(shot: Shot, asked: list[Any], forward: Callable[[list[Any]], Any]) -> Any:
    if len(asked) <= shot.number("largest"):
        return forward(asked)
    shot.fire()
    return {"jsonrpc": "2.0", "id": None, "error": words.BATCHES[shot.text("words")].as_json()}


def _shuffle_batch(shot: Shot, asked: list[Any], forward: Callable[[list[Any]], Any]) -> Any:
    answers = forward(asked)
    if not isinstance(answers, list) or len(answers) < 2:
        return answers
    shot.fire()
    return _shuffled(shot, answers)


def _partial_batch(shot: Shot, asked: list[Any], forward: Callable[[list[Any]], Any]) -> Any:
    answers = forward(asked)
    if not isinstance(answers, list) or len(answers) < 2:
        return answers
    shot.fire()
    del answers[int(shot.rng.integers(len(answers)))]
    return answers


def _null(_shot: Shot, _true: Any) -> None:
    return None


NONCE: Final = ("eth_getTransactionCount",)
BLOCKS: Final = ("eth_getBlockByNumber", "eth_getBlockByHash")

FAULTS: Final = (
    Fault(
        name="stale_head",
        boundary=Boundary.ANSWER,
        about="200, and the newest block is the one at which the spell began.",
        methods=METHODS,
        on_call=_stale,
        on_head=_stale_heads,
        lasts_blocks=4,
    ),
    Fault(
        name="lagging",
        boundary=Boundary.ANSWER,
        about="The node is `blocks` behind.",
        methods=METHODS,
        defaults={"blocks": 2},
        on_call=_lagging,
    ),
    Fault(
        name="lying_hash",
        boundary=Boundary.ANSWER,
        about="The newest block (the newest `depth`) and its successors have other hashes here than elsewhere.",
        defaults={"depth": 1},
        on_call=_lying_hash,
        lasts_blocks=2,
    ),
    _telling(
        "wrong_chain_id",
        "The node serves chain `chain_id`.",
        ("eth_chainId", "net_version"),
        lambda shot, true: quantity(shot.number("chain_id")) if true.startswith("0x") else shot.text("chain_id"),
        chain_id=5,
    ),
    _telling("null_receipts", "Receipts are null.", ("eth_getTransactionReceipt", "eth_getBlockReceipts"), _null),
    _telling("null_blocks", "Blocks are null.", BLOCKS, _null),
    _telling("null_transactions", "Transactions are null.", ("eth_getTransactionByHash",), _null),
    _telling("empty_logs", "200, and no logs.", ("eth_getLogs",), lambda _shot, _true: []),
    _telling("missing_logs", "200, and some logs are not there.", ("eth_getLogs",), _missing),
    _telling("logs_beyond_head", "A log of a block that does not exist.", ("eth_getLogs",), _beyond, blocks=3),
    _telling("reordered_logs", "Logs in another order.", ("eth_getLogs",), _shuffled),
    _telling(
        "duplicated_logs", "Every log twice.", ("eth_getLogs",), lambda _, logs: [x for x in logs for _ in (0, 1)]
    ),
    _telling(
        "dishonest_balance",
        "Balances are `wei`.",
        ("eth_getBalance",),
        lambda shot, _true: quantity(shot.number("wei")),
        wei=0,
    ),
    _telling(
        "zeroed_call",
        "A view's answer is all zeros, of the right length.",
        ("eth_call",),
        lambda _shot, true: "0x" + "0" * (len(true) - 2),
    ),
    _telling(
        "nonce_too_low",
        "The account's nonce is `by` less.",
        NONCE,
        lambda shot, true: quantity(max(0, number(true) - shot.number("by"))),
        by=1,
    ),
    _telling(
        "nonce_too_high",
        "The account's nonce is `by` more.",
        NONCE,
        lambda shot, true: quantity(number(true) + shot.number("by")),
        by=633,
    ),
    _refusing("refuses_hash", "Blocks named by hash are refused, in `words`.", _names_hash, words="geth"),
    _refusing(
        "refuses_logs",
        "Logs of more than `widest` blocks are refused, in `words`.",
        _too_wide,
        words="infura",
        widest=2,
    ),
    _refusing("lost_state", "States older than `depth` blocks are gone.", _lost_state, depth=2),
    _refusing(
        "rate_limited_in_body",
        "200, and the body says that there were too many requests, in `words`.",
        lambda shot, _call: words.RATES[shot.text("words")],
        standing=False,
        words="alchemy",
    ),
    _refusing(
        "internal_error",
        "200, and an error that means nothing.",
        lambda *_: JsonRpcError(-32603, "Internal error"),
        standing=False,
    ),
    Fault(
        name="refuses_batches",
        boundary=Boundary.ANSWER,
        about="Arrays of more than `largest` requests are refused, in `words`.",
        defaults={"words": "plain", "largest": 0},
        on_batch=_refuse_batch,
        standing=True,
    ),
    Fault(
        name="reordered_batch",
        boundary=Boundary.ANSWER,
        about="The answers of an array come in another order.",
        on_batch=_shuffle_batch,
    ),
    Fault(
        name="partial_batch",
        boundary=Boundary.ANSWER,
        about="One answer of an array is missing.",
        on_batch=_partial_batch,
    ),
)
