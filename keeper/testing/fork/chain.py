"""A local fork as tests use it: the interface of the embedded chain, on top of another chain's block.

    with a node:      chain = ForkedChain.at("http://127.0.0.1:8545", block=19_000_000)
    kept for later:   chain.save(Path("incident.fork.json"))
    without a node:   chain = ForkedChain.replayed(Path("incident.fork.json"))

anvil does the same in a process of its own: `AnvilChain.fork(url, block=…)`.
"""

from __future__ import annotations

from pathlib import Path

from keeper.testing.embedded import EmbeddedChain
from keeper.testing.fork.backend import ForkBackend
from keeper.testing.fork.node import ForkNode
from keeper.testing.fork.upstream import Provider, Upstream


class ForkedChain(EmbeddedChain):
    """Another chain from one block on, inside this process.  The other chain never hears of it.

    Args:
        upstream: the other chain at one block.
        accounts: how many accounts of the test mnemonic are funded here.
        block_interval_s: seconds between blocks where nothing else was asked for.

    Raises: as `ForkBackend`.
    """

    def __init__(self, upstream: Upstream, *, accounts: int = 10, block_interval_s: int = 12) -> None:
        node = ForkNode(ForkBackend(upstream, accounts=accounts), block_interval_s=block_interval_s)
        super().__init__(node=node)
        self.upstream = upstream

    @classmethod
    def at(cls, source: str | Provider, *, block: int | None = None, accounts: int = 10) -> ForkedChain:
        """Fork a node's chain, at its newest block where none is named."""
        return cls(Upstream(source, block=block), accounts=accounts)

    @classmethod
    def replayed(cls, path: Path, *, accounts: int = 10) -> ForkedChain:
        """Fork from a recording.  What was not read then cannot be read now: the error names it."""
        return cls(Upstream.recorded(path), accounts=accounts)

    def save(self, path: Path) -> None:
        """Write down what was read from the other chain so far, for `replayed`."""
        self.upstream.save(path)
