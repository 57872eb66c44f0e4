"""A market to try the keeper on: anvil & scripts/trial.py --rpc http://127.0.0.1:8545 --dir trial.

Deploys mock feeds with a past, mock tokens and a house to a node on this machine, makes keys (chmod 600), funds the
liquidator's account and writes keeper.toml, all into --dir; then it prints what to run.  --price ETH=2500 moves the
price of a trial that is there.  Refuses another machine, and another chain than 31337 unless --chain-id says so.  Ends
with 0, or 2 for what a person must correct.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from numpy.random import default_rng

from keeper.chain.asking.rpc import Rpc, http_endpoint
from keeper.chain.sending.fees import FeePolicy
from keeper.deploy.options import in_options
from keeper.deploy.trial import push_price, refuse_elsewhere, set_up
from keeper.errors import BadInput, KeeperError

GWEI = 10**9
#: On a chain of one's own nothing is dear.
FEES = FeePolicy(max_fee_wei=10_000 * GWEI, max_priority_fee_wei=GWEI)
#: The same past in every trial.
SEED = 1
DONE, INPUT = 0, 2
KEEPER = ".venv/bin/keeper"


def main() -> int:
    """Set it up, or move a price.  Returns: the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rpc", metavar="URL", default="http://127.0.0.1:8545", help="a node on this machine")
    parser.add_argument("--chain-id", type=int, default=31337, help="refuse another chain (default: 31337)")
    parser.add_argument("--dir", type=Path, default=Path("trial"), help="where everything goes (default: trial)")
    parser.add_argument("--price", metavar="COIN=USD", help="a new price in the trial that is in --dir: ETH=2500")
    args = parser.parse_args()
    try:
        refuse_elsewhere(args.rpc)
        rpc = Rpc([http_endpoint(args.rpc)], chain_id=args.chain_id)
        if args.price:
            coin, usd = _price(args.price)
            push_price(args.dir, rpc, coin, usd, fees=FEES)
            print(f"{coin} is {usd:,.2f} USD")
            return DONE
        trial = set_up(args.rpc, args.dir, rpc, fees=FEES, rng=default_rng(SEED), told=print)
    except (KeeperError, OSError) as error:
        print(f"error: {in_options(error)}", file=sys.stderr)
        return INPUT
    wrong = [one for one in trial.deployed.findings if not one.holds]
    for one in wrong:
        print(f"WRONG {one.what}: {one.said}", file=sys.stderr)
    print(
        f"house deployed and handed to its timelock: {len(trial.deployed.findings) - len(wrong)} findings hold\nnext:"
    )
    for line in (
        f"{KEEPER} check -c {trial.settings}",
        f"{KEEPER} once -c {trial.settings}",
        f"{KEEPER} model sign-off 1 --first --operator ME --reason trial -c {trial.settings}",
        f"{KEEPER} run -c {trial.settings} --send",
        f".venv/bin/python scripts/trial.py --rpc {args.rpc} --dir {args.dir} --price ETH=2500",
    ):
        print(f"  {line}")
    return INPUT if wrong else DONE


def _price(said: str) -> tuple[str, float]:
    coin, _, usd = said.partition("=")
    try:
        return coin, float(usd)
    except ValueError:
        raise BadInput(f"{said} is no COIN=USD", hint="e.g. --price ETH=2500") from None


if __name__ == "__main__":
    sys.exit(main())
