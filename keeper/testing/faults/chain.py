"""The chain itself, the same for every node that looks at it."""

from __future__ import annotations

from typing import Any, Final

from keeper.testing.faults.fault import Boundary, Fault, Shot
from keeper.testing.wire import quantity

GWEI = 10**9


def _spike(shot: Shot) -> None:
    shot.fire()
    shot.node.request("anvil_setNextBlockBaseFeePerGas", [quantity(int(float(shot.options["gwei"]) * GWEI))])


def _jump(shot: Shot) -> None:
    shot.fire()
    shot.node.request("evm_increaseTime", [quantity(shot.number("seconds"))])


def _reorg(shot: Shot) -> None:
    depth = min(shot.number("depth"), shot.height)
    if depth < 1:
        return
    shot.fire()
    keep = shot.text("keep")
    own: Any = getattr(shot.node, "reorg", None)
    if own is not None:
        own(depth, keep_transactions=keep != "none", worst_first=keep == "reordered")
        return
    again: list[Any] = []
    for place in range(depth) if keep != "none" else ():
        block = shot.node.request("eth_getBlockByNumber", [quantity(shot.height - depth + 1 + place), False])
        hashes = block["transactions"] if keep == "kept" else reversed(block["transactions"])
        again += [[shot.node.request("eth_getRawTransactionByHash", [one]), place] for one in hashes]
    shot.node.request("anvil_reorg", [depth, again])


def _chain(name: str, about: str, hook: Any, **defaults: float | str) -> Fault:
    return Fault(name=name, boundary=Boundary.CHAIN, about=about, defaults=defaults, before_block=hook)


FAULTS: Final = (
    _chain("base_fee_spike", "The next block's base fee is `gwei`; it falls by an eighth a block.", _spike, gwei=200.0),
    _chain(
        "reorg",
        "The last `depth` blocks are replaced; their transactions are kept, reordered or lost (`keep` is kept, "
        "reordered or none).",
        _reorg,
        depth=2,
        keep="kept",
    ),
    _chain("time_jump", "The next block is `seconds` later than it would have been.", _jump, seconds=600),
)
