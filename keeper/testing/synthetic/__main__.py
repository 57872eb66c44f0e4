"""`python -m keeper.testing.synthetic --accounts 1000`: serve a made-up house until killed.

Prints one line of JSON once it answers: its URL, its deployment and its head.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from keeper.testing.synthetic import HousePlan, SyntheticNode, SyntheticServer


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=1_000)
    parser.add_argument("--positions", type=int, default=10, help="of each account")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    options = parser.parse_args()
    node = SyntheticNode(HousePlan(accounts=options.accounts, positions=options.positions, seed=options.seed))
    server = SyntheticServer(node, port=options.port)
    about = {
        "url": server.url,
        "deployment": asdict(node.deployment),
        "head": asdict(node.head()),
        "logs": sum(len(block.logs) for block in node.chain.blocks),
    }
    sys.stdout.write(json.dumps(about) + "\n")
    sys.stdout.flush()
    try:
        server.serve()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
