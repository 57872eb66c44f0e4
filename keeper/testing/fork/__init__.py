"""Local forks: another chain from one block on, read lazily, recorded if asked."""

from keeper.testing.fork.backend import ForkBackend
from keeper.testing.fork.chain import ForkedChain
from keeper.testing.fork.upstream import Upstream

__all__ = ["ForkBackend", "ForkedChain", "Upstream"]
