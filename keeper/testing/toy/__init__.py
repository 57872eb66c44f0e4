"""A house small enough for ten thousand lives: a contract, its index, what is decided, and a keeper put together.

    world = ToyWorld.fast()            the contract in Python on a ledger: a block costs 0.1 ms
    world = ToyWorld.real()            the same contract's bytecode on py-evm: a block costs 1 to 5 ms

Both answer JSON-RPC through the same node, pool and faults; `tests/faults/test_toy.py` holds them to each other.
"""

from keeper.testing.toy.house import ToyIndex, ToyRecheck, liquidation, publication
from keeper.testing.toy.keeper import ToyKeeper
from keeper.testing.toy.world import ToyWorld

__all__ = ["ToyIndex", "ToyKeeper", "ToyRecheck", "ToyWorld", "liquidation", "publication"]
