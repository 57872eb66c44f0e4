"""Deploy a house from a spec: scripts/deploy.py --rpc URL --spec spec.toml --key-file KEY --out deployment.json.

The spec is a `keeper.deploy.HouseSpec`, in TOML or JSON; `--example` prints one to start from, with units.  All of it
is looked at before anything is sent, and every mistake is told with its path.  The key that deploys must be neither the
publisher's nor the liquidator's.  It stays the owner, unless the spec names a timelock: then everything is handed over,
and code, wiring, owners and roles are looked at in the end.

A run that was killed is gone on with by the same command: every transaction is written to OUT.journal before it leaves.
So is one that waits because gas became dearer, with a higher --max-fee-gwei: its transaction is offered anew at its own
nonce.  KEEPER_RPC_URL stands in for --rpc.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from keeper.chain.asking.rpc import Rpc, http_endpoint
from keeper.chain.sending.fees import FeePolicy
from keeper.chain.signers import from_secret_file
from keeper.deploy.handover import acceptance
from keeper.deploy.options import ACT, DONE, add_rpc, ended, in_options, rpc_url, script_parser
from keeper.deploy.spec_file import example, read_spec, write_toml
from keeper.deploy.whole import Deployed, deploy_whole
from keeper.domain import codec
from keeper.errors import KeeperError

GWEI = 10**9

EXAMPLE = """scripts/deploy.py --example > spec.toml
KEEPER_RPC_URL=http://127.0.0.1:8545 scripts/deploy.py --spec spec.toml --key-file deployer.key"""
CODES = {DONE: "deployed, and everything is as it should be", ACT: "a person must act: what is wrong or left is told"}


def main() -> int:
    """Deploy, or print an example.  Returns: the exit code."""
    parser = script_parser(__doc__ or "", example=EXAMPLE, codes=CODES)
    parser.add_argument("--example", action="store_true", help="print a spec to start from, TOML")
    parser.add_argument("--json", action="store_true", help="with --example: JSON, which has no room for units")
    add_rpc(parser)
    parser.add_argument("--chain-id", type=int, default=31337, help="refuse another chain (default: 31337)")
    parser.add_argument("--spec", type=Path, metavar="FILE", help="what to deploy, TOML or JSON")
    parser.add_argument("--key-file", type=Path, metavar="FILE", help="file with the deployer's key, hex")
    parser.add_argument("--max-fee-gwei", type=int, default=100, help="ceiling per gas (default: 100)")
    parser.add_argument("--multicall", action="store_true", help="deploy a Multicall3 too, where the chain has none")
    parser.add_argument("--poll-s", type=float, default=1.0, help="seconds between looks for a receipt (default: 1)")
    parser.add_argument("--out", type=Path, default=Path("deployment.json"), help="where the addresses go")
    args = parser.parse_args()
    if args.example:
        print(json.dumps(json.loads(codec.dumps(example())), indent=2) if args.json else write_toml(example()))
        return DONE
    if not (args.spec and args.key_file):
        parser.error("--spec and --key-file are needed")
    if args.out.is_dir() or not os.access(args.out.parent, os.W_OK):  # before anything is paid for
        print(f"error: --out {args.out} cannot be written: choose a file in a folder that exists", file=sys.stderr)
        return ACT
    if args.out.exists():
        print(f"error: {args.out} exists: name another file, or move that deployment away first", file=sys.stderr)
        return ACT
    try:
        spec = read_spec(args.spec)
        rpc = Rpc([http_endpoint(rpc_url(args, os.environ))], chain_id=args.chain_id)
        cap = args.max_fee_gwei * GWEI
        found = deploy_whole(
            spec,
            rpc,
            from_secret_file(args.key_file),
            fees=FeePolicy(max_fee_wei=cap, max_priority_fee_wei=cap),
            journal=args.out.with_name(args.out.name + ".journal"),
            multicall=args.multicall,
            poll_interval_s=args.poll_s,
            progress=_progress,
            told=_note,
        )
    except (KeeperError, OSError) as error:
        print(f"error: {in_options(error)}", file=sys.stderr)
        return ended(error)
    found.deployment.save(args.out)
    print(f"deployed at block {found.deployment.block}: {args.out}")
    return _looked_at(found, args.out)


def _looked_at(found: Deployed, out: Path) -> int:
    """Tell what is not as it should be, or what is left to do.  Returns: 0 if nothing is wrong."""
    if found.repeated:
        _note(f"{found.repeated} transactions were done by an earlier run")
    for one in found.findings:
        if not one.holds:
            _note(f"{'later' if found.holds else 'WRONG'}: {one.what}: {one.said}")
    if found.left is not None:
        accept = out.with_name("accept.toml")
        accept.write_text(acceptance(found.left), encoding="utf-8")
        _note(f"the timelock must accept by a proposal: scripts/propose.py {accept} …, then scripts/handover.py")
    elif found.holds:
        _note(f"verified: {len(found.findings)} findings on code, wiring, owners and roles are as they should be")
    return DONE if found.holds else ACT


def _note(line: str) -> None:
    """Beside the progress, which is stdout's."""
    print(line, file=sys.stderr)


def _progress(name: str, done: int, total: int) -> None:
    """On a terminal one line that moves; in a pipe or a file one line a step."""
    moves = sys.stdout.isatty()
    print(f"{chr(13) if moves else ''}{name} {done}/{total}", end="" if moves and done < total else "\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
