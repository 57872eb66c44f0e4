"""Hand a deployment to its timelock: scripts/handover.py --rpc URL --deployment FILE --timelock ADDRESS --key-file KEY.

Run it as often as you like: what is to be done follows from the chain.  Without --send it only tells.  With it the
deployer offers every contract and makes the timelock administrator; then the timelock must accept by a proposal of its
own, whose changes are written to --accept for `scripts/propose.py`; after that one is executed, run this again: the
deployer gives up what it still holds, and everything is verified.  Ends with 0 when the handover is complete, 2 when a
person must act.
KEEPER_RPC_URL stands in for --rpc.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

from keeper.chain.asking.rpc import Rpc, http_endpoint
from keeper.chain.sending.fees import FeePolicy
from keeper.chain.signers import from_secret_file
from keeper.deploy import Hand
from keeper.deploy.handover import TIMELOCK, acceptance, finish, todo
from keeper.deploy.options import ACT, DONE, add_rpc, ended, in_options, rpc_url, script_parser
from keeper.deploy.verify import verify
from keeper.errors import KeeperError
from keeper.protocols.clearinghouse.deployment import Deployment, load_deployment

GWEI = 10**9

EXAMPLE = """scripts/handover.py --deployment deployment.json --timelock 0x… --key-file owner.key
scripts/handover.py --deployment deployment.json --key-file owner.key --send"""
CODES = {DONE: "the handover is complete", ACT: "a person must act: what is left is told, or what to correct"}


def main() -> int:
    """Tell or do the next of it.  Returns: the exit code."""
    parser = script_parser(__doc__ or "", example=EXAMPLE, codes=CODES)
    add_rpc(parser)
    parser.add_argument("--deployment", type=Path, metavar="FILE", required=True, help="what scripts/deploy.py wrote")
    parser.add_argument("--timelock", metavar="ADDRESS", help="TimelockController; the deployment file's if left out")
    parser.add_argument("--key-file", type=Path, metavar="FILE", required=True, help="the present owner's key, hex")
    parser.add_argument("--accept", type=Path, default=Path("accept.toml"), help="where the acceptance is written")
    parser.add_argument("--max-fee-gwei", type=int, default=100, help="ceiling per gas (default: 100)")
    parser.add_argument("--poll-s", type=float, default=1.0, help="seconds between looks for a receipt (default: 1)")
    parser.add_argument("--send", action="store_true", help="do it; without it nothing is sent")
    args = parser.parse_args()
    try:
        deployment = load_deployment(args.deployment)
        if args.timelock:
            deployment = replace(deployment, addresses={**deployment.addresses, TIMELOCK: args.timelock})
        cap = args.max_fee_gwei * GWEI
        fees = FeePolicy(max_fee_wei=cap, max_priority_fee_wei=cap)
        rpc = Rpc([http_endpoint(rpc_url(args, os.environ))], chain_id=deployment.chain_id)
        hand = Hand(rpc, from_secret_file(args.key_file), fees=fees, poll_interval_s=args.poll_s)
        return _done(deployment, hand, args) if args.send else _told(deployment, hand)
    except (KeeperError, OSError) as error:
        print(f"error: {in_options(error, file=args.deployment)}", file=sys.stderr)
        return ended(error)


def _told(deployment: Deployment, hand: Hand) -> int:
    lines = todo(deployment, hand)
    for line in lines:
        print(line)
    print("nothing was sent: --send does it" if lines else "the handover is complete")
    return ACT if lines else DONE


def _done(deployment: Deployment, hand: Hand, args: argparse.Namespace) -> int:
    left = finish(deployment, hand, told=print)
    deployment.save(args.deployment)
    if left is not None:
        args.accept.write_text(acceptance(left), encoding="utf-8")
        print(
            f"the timelock must accept {', '.join(left.contracts)}: scripts/propose.py {args.accept} …, then this again"
        )
        return ACT
    wrong = [one for one in verify(deployment, hand) if not one.holds]
    for one in wrong:
        print(f"WRONG {one.what}: {one.said}")
    if not wrong:
        print("the handover is complete: the timelock owns everything, the deployer holds nothing")
    return ACT if wrong else DONE


if __name__ == "__main__":
    sys.exit(main())
