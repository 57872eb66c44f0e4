"""Pay collateral into the liquidator's account: scripts/fund.py --rpc URL --deployment FILE --key-file KEY --amount N.

Any key that holds the token may pay; what it pays belongs to the account.  By hand it is two calls, of the token and
of the house: approve(ClearingHouse, amount), then deposit(uint256 account, uint8 collateral, uint256 amount), where
account is liquidator_account of the deployment file.  Without --send it only tells.  Ends with 0, or 2 for what a
person must correct.
KEEPER_RPC_URL stands in for --rpc.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from keeper.chain.asking.rpc import Rpc, http_endpoint
from keeper.chain.sending.fees import FeePolicy
from keeper.chain.signers import from_secret_file
from keeper.deploy import Hand
from keeper.deploy.fund import funding, pay
from keeper.deploy.options import ACT, DONE, add_rpc, ended, in_options, rpc_url, script_parser
from keeper.errors import KeeperError
from keeper.protocols.clearinghouse.deployment import load_deployment

GWEI = 10**9

EXAMPLE = """scripts/fund.py --deployment deployment.json --key-file owner.key --amount 1000000 --send"""
CODES = {DONE: "told, or paid with --send", ACT: "a person must correct something"}


def main() -> int:
    """Tell or do it.  Returns: the exit code."""
    parser = script_parser(__doc__ or "", example=EXAMPLE, codes=CODES)
    add_rpc(parser)
    parser.add_argument("--deployment", type=Path, metavar="FILE", required=True, help="what scripts/deploy.py wrote")
    parser.add_argument("--key-file", type=Path, metavar="FILE", required=True, help="key that holds the token, hex")
    parser.add_argument("--amount", type=int, required=True, help="token units: 1 USDC is 1000000")
    parser.add_argument("--collateral", type=int, default=0, help="its number in the house (default: 0, settlement)")
    parser.add_argument("--max-fee-gwei", type=int, default=100, help="ceiling per gas (default: 100)")
    parser.add_argument("--poll-s", type=float, default=1.0, help="seconds between looks for a receipt (default: 1)")
    parser.add_argument("--send", action="store_true", help="do it; without it nothing is sent")
    args = parser.parse_args()
    try:
        deployment = load_deployment(args.deployment)
        rpc = Rpc([http_endpoint(rpc_url(args, os.environ))], chain_id=deployment.chain_id)
        cap = args.max_fee_gwei * GWEI
        fees = FeePolicy(max_fee_wei=cap, max_priority_fee_wei=cap)
        hand = Hand(rpc, from_secret_file(args.key_file), fees=fees, poll_interval_s=args.poll_s)
        what = funding(deployment, hand, amount=args.amount, collateral=args.collateral)
        print(
            f"{what.amount} units of {what.token} into account {what.account:#066x}; {hand.address} holds {what.held}"
        )
        if args.send:
            pay(deployment, hand, what)
    except (KeeperError, OSError) as error:
        print(f"error: {in_options(error, file=args.deployment)}", file=sys.stderr)
        return ended(error)
    print("done" if args.send else "nothing was sent: --send does it")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
