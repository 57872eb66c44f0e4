"""What scripts have in place of a settings file: their node, and what an error says in the words of their options."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Final

from keeper.errors import BadInput, KeeperError

#: Where a node's URL may stand in place of `--rpc`: everybody on a machine sees what a program was started with.
RPC_VARIABLE: Final = "KEEPER_RPC_URL"

#: What the rest of the keeper calls them; the first that is found is replaced first.
_NAMES: Final = (
    ("check the path in the settings", "check --key-file"),
    ("this one was in the settings", "this one was given as --key-file"),
    ("chain.rpc_urls", "--rpc"),
    ("chain.chain_id", "--chain-id"),
    ("fees.max_fee_gwei", "--max-fee-gwei"),
)


def in_options(error: KeeperError | OSError) -> str:
    """The error as a person at a shell reads it."""
    said = str(error)
    for name, option in _NAMES:
        said = said.replace(name, option)
    return said


def add_rpc(parser: argparse.ArgumentParser) -> None:
    """The option of a node."""
    words = f"node of the chain, over HTTP; a URL with a provider's key in it better stands in {RPC_VARIABLE}"
    parser.add_argument("--rpc", metavar="URL", help=words)


def rpc_url(args: argparse.Namespace, environ: Mapping[str, str]) -> str:
    """Of the option, or else of the environment.  Raises: `BadInput` if neither names one."""
    found = args.rpc or environ.get(RPC_VARIABLE, "").strip()
    if not found:
        raise BadInput("no node is named", hint=f"set {RPC_VARIABLE}, or give --rpc")
    return str(found)
