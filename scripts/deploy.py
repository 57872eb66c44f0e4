"""Deploy a house from a JSON spec: scripts/deploy.py --rpc URL --spec spec.json --key-file KEY --out deployment.json.

The spec is a `keeper.deploy.HouseSpec`; `--example` prints one to start from.  The key that deploys stays the owner and
must be neither the publisher's nor the liquidator's.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from keeper.chain.asking.rpc import Rpc, http_endpoint
from keeper.chain.sending.fees import FeePolicy
from keeper.chain.signers import from_secret_file
from keeper.deploy import CollateralSpec, ExpirySpec, FeedSpec, Hand, HouseSpec, UnderlyingSpec, deploy_house
from keeper.domain import codec
from keeper.errors import KeeperError

GWEI = 10**9
SOMEBODY = "0x" + "11" * 20


def example() -> HouseSpec:
    """A spec with every key, to be filled in."""
    return HouseSpec(
        feeds=(FeedSpec(asset="ETH", primary=SOMEBODY),),
        collaterals=(
            CollateralSpec(symbol="USDC", token=SOMEBODY, decimals=6, asset="USD"),
            CollateralSpec(symbol="WETH", token=SOMEBODY, decimals=18, asset="ETH", haircut_ppm=100_000),
        ),
        underlyings=(
            UnderlyingSpec(
                asset="ETH",
                psr_ppm=100_000,
                expiries=(ExpirySpec(expiry=1_800_000_000, strikes=(3_000 * 10**8,), sigma_atm_ppm=700_000),),
            ),
        ),
        publisher=SOMEBODY,
        liquidator=SOMEBODY,
        guardian=SOMEBODY,
    )


def main() -> int:
    """Deploy, or print an example.  Returns: 0 done, 2 a person must act."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--example", action="store_true", help="print a spec to start from")
    parser.add_argument("--rpc", metavar="URL", help="node of the chain")
    parser.add_argument("--chain-id", type=int, default=31337, help="refuse another chain (default: 31337)")
    parser.add_argument("--spec", type=Path, metavar="FILE", help="what to deploy, JSON")
    parser.add_argument("--key-file", type=Path, metavar="FILE", help="file with the deployer's key, hex")
    parser.add_argument("--max-fee-gwei", type=int, default=100, help="ceiling per gas (default: 100)")
    parser.add_argument("--multicall", action="store_true", help="deploy a Multicall3 too, where the chain has none")
    parser.add_argument("--out", type=Path, default=Path("deployment.json"), help="where the addresses go")
    args = parser.parse_args()
    if args.example:
        print(json.dumps(json.loads(codec.dumps(example())), indent=2))
        return 0
    if not (args.rpc and args.spec and args.key_file):
        parser.error("--rpc, --spec and --key-file are needed")
    if args.out.is_dir() or not os.access(args.out.parent, os.W_OK):  # before anything is paid for
        print(f"error: --out {args.out} cannot be written: choose a file in a folder that exists", file=sys.stderr)
        return 2
    if args.out.exists():
        print(f"error: {args.out} exists: name another file, or move that deployment away first", file=sys.stderr)
        return 2
    try:
        spec = codec.loads(HouseSpec, args.spec.read_bytes())
    except (KeeperError, OSError) as error:
        print(f"error: {args.spec}: {error}", file=sys.stderr)
        return 2
    try:
        rpc = Rpc([http_endpoint(args.rpc)], chain_id=args.chain_id)
        cap = args.max_fee_gwei * GWEI
        hand = Hand(rpc, from_secret_file(args.key_file), fees=FeePolicy(max_fee_wei=cap, max_priority_fee_wei=cap))
        deployment = deploy_house(spec, hand, now_s=rpc.block().timestamp, multicall=args.multicall, progress=_progress)
    except (KeeperError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    deployment.save(args.out)
    print(f"deployed at block {deployment.block}: {args.out}")
    return 0


def _progress(name: str, done: int, total: int) -> None:
    """On a terminal one line that moves; in a pipe or a file one line a step."""
    moves = sys.stdout.isatty()
    print(f"{chr(13) if moves else ''}{name} {done}/{total}", end="" if moves and done < total else "\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
