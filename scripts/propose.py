"""Build a proposal without a settings file: scripts/propose.py CHANGES.toml --rpc URL --deployment deployment.json.

The same use case as `keeper propose`: what changes, whom it concerns, what recorded prices say, what became of it on a
fork; with --out also the files.  Nothing is sent.  Ends with 0 if it goes through, 2 for what a person must correct, 6
if the simulation does not end as wanted.
KEEPER_RPC_URL stands in for --rpc.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from keeper.chain.asking.rpc import Rpc, http_endpoint
from keeper.deploy.options import ACT, DONE, add_rpc, ended, in_options, rpc_url, script_parser
from keeper.errors import KeeperError
from keeper.governance.files import write_files
from keeper.governance.forum import markdown
from keeper.protocols.clearinghouse.deployment import load_deployment
from keeper.wiring.proposals import ProposalDesk, engine_named, given_route, named_histories, named_vols, read_changes

DEAD = 6

EXAMPLE = """scripts/propose.py CHANGES.toml --deployment deployment.json --governor 0x… --out proposal"""
CODES = {DONE: "it goes through", ACT: "a person must correct something", DEAD: "the simulation does not end as wanted"}


def main() -> int:
    """Build it.  Returns: the exit code."""
    parser = script_parser(__doc__ or "", example=EXAMPLE, codes=CODES)
    parser.add_argument("changes", type=Path, metavar="CHANGES.toml", help="what is to change; keeper propose --help")
    add_rpc(parser)
    parser.add_argument("--deployment", type=Path, metavar="FILE", required=True, help="what scripts/deploy.py wrote")
    for name, who in (("governor", "Governor"), ("timelock", "TimelockController"), ("safe", "Safe")):
        parser.add_argument(f"--{name}", metavar="ADDRESS", help=f"the {who} that the proposal goes through")
    parser.add_argument("--proposer", metavar="ADDRESS", help="who proposes in the simulation")
    parser.add_argument("--voter", metavar="ADDRESS", action="append", default=[], help="who votes in it; repeatable")
    parser.add_argument("--prices", metavar="NAME=FILE", action="append", default=[], help="price history; repeatable")
    parser.add_argument(
        "--vols", type=Path, metavar="FILE", action="append", default=[], help="volatilities; repeatable"
    )
    parser.add_argument("--engine", default="auto", help="auto, anvil or embedded: what runs the fork")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write the files there")
    args = parser.parse_args()
    try:
        deployment = load_deployment(args.deployment)
        url = rpc_url(args, os.environ)
        rpc = Rpc([http_endpoint(url)], chain_id=deployment.chain_id)
        desk = ProposalDesk(rpc, deployment, url, engine=engine_named(args.engine))
        given = given_route(
            governor=args.governor, timelock=args.timelock, safe=args.safe, proposer=args.proposer, voters=args.voter
        )
        report = desk.prepare(
            read_changes(args.changes),
            given,
            histories=named_histories(args.prices),
            vol_histories=named_vols(args.vols),
        )
        files = write_files(report, args.out) if args.out else ()
    except KeeperError as error:
        print(f"error: {in_options(error, file=args.deployment)}", file=sys.stderr)
        return ended(error)
    print(markdown(report), end="")
    for path in files:
        print(f"written: {path}", file=sys.stderr)
    return DONE if report.simulation is not None and report.simulation.holds else DEAD


if __name__ == "__main__":
    sys.exit(main())
