"""How nodes and providers word a refusal: code, message and data, as seen in their issue trackers and answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from keeper.testing.wire import JsonRpcError

Wording: TypeAlias = Callable[[int, int, int], JsonRpcError]
"""From the first and last block asked for and the widest range allowed."""


def _plain(code: int, text: str, data: Any = None) -> Wording:
    def word(first: int, last: int, widest: int) -> JsonRpcError:
        fits = f"[{first:#x}, {first + widest - 1:#x}]"
        return JsonRpcError(code, text.format(asked=last - first + 1, widest=widest, fits=fits), data)

    return word


#: eth_getLogs over too many blocks or logs.
LOG_RANGES: Final[Mapping[str, Wording]] = {
    "geth": _plain(-32000, "exceed maximum block range: {widest}"),
    "erigon": _plain(-32005, "block range too large, max range: {widest}"),
    "reth": _plain(-32602, "query exceeds max block range {widest}"),
    "besu": _plain(-32005, "Requested range exceeds maximum RPC range limit"),
    "alchemy": _plain(
        -32602,
        "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range and no limit on "
        "the response size. Based on your parameters, this block range should work: {fits}",
    ),
    "alchemy_free": _plain(
        -32600,
        "You can make eth_getLogs requests with up to a {widest} block range. Based on your parameters, this block "
        "range should work: {fits}",
    ),
    "infura": _plain(-32005, "query returned more than 10000 results. Try with this block range {fits}."),
    "infura_range": _plain(-32602, "range {asked} exceeds limit of {widest}"),
    "quicknode": _plain(-32614, "eth_getLogs is limited to a {widest} range"),
    "ankr": _plain(-32600, "block range is too wide"),
    "cloudflare": _plain(
        -32047, "Invalid eth_getLogs request. 'fromBlock'-'toBlock' range too large. Max range: {widest}."
    ),
}

#: A block named by hash (EIP-1898) that the node cannot read.
BY_HASH: Final[Mapping[str, JsonRpcError]] = {
    "geth": JsonRpcError(
        -32602, "invalid argument 1: json: cannot unmarshal object into Go value of type rpc.BlockNumber"
    ),
    "parity": JsonRpcError(-32602, "Invalid params: invalid type: map, expected a block number or 'latest'."),
    "ganache": JsonRpcError(-32700, 'Cannot wrap a "object" as a json-rpc type: [object Object]'),
}

#: An array of requests.
BATCHES: Final[Mapping[str, JsonRpcError]] = {
    "plain": JsonRpcError(-32600, "batch requests are not supported"),
    "too_large": JsonRpcError(-32600, "batch too large"),
}

#: Asked too often, with 200 and in the body.
RATES: Final[Mapping[str, JsonRpcError]] = {
    "alchemy": JsonRpcError(429, "Your app has exceeded its compute units per second capacity."),
    "infura": JsonRpcError(-32005, "daily request count exceeded, request rate limited"),
    "quicknode": JsonRpcError(-32012, "credits limited to 6000/sec"),
}
