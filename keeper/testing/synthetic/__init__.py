"""A node that serves a made-up clearing house of any size: seeded, cheap, and honest about every log and view.

    population   who holds what, and how an account changes
    logs         what the contracts would have emitted, as JSON
    chain        blocks, their logs and blooms; mining and reorgs
    views        what the contracts would answer
    node         JSON-RPC
    server       the same over loopback HTTP, without re-encoding a million logs

Mining a million positions on an EVM takes hours; here the logs are written down and the views follow from the same
truth, so that what an index makes of the logs can be held against the views.
"""

from keeper.testing.synthetic.node import SyntheticNode
from keeper.testing.synthetic.population import HousePlan
from keeper.testing.synthetic.server import SyntheticServer

__all__ = ["HousePlan", "SyntheticNode", "SyntheticServer"]
