"""What scripts have in place of a settings file: their node, and what an error says in the words of their options."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from keeper.errors import BadInput, KeeperError, LawBroken, Refused, Retry

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


#: Width of the words below a script's options.
_COLUMNS: Final = 79
#: What scripts end with, as `keeper` does.
DONE, ACT, UNREACHABLE, LAW = 0, 2, 3, 4


def script_parser(doc: str, *, example: str, codes: Mapping[int, str]) -> argparse.ArgumentParser:
    """A parser whose help tells everything that the script's own words do, an example, and the exit codes.

    Args:
        doc: of the script; its first line is the description, what follows stands below the options.
        example: one command line or several.
        codes: what each exit code means; 3 is that of a node that does not answer.
    """
    first, _, rest = doc.partition("\n")
    told = {**codes, UNREACHABLE: "the node did not answer, or moved on: the same may work later"}
    words = [textwrap.fill(" ".join(part.split()), _COLUMNS) for part in rest.strip().split("\n\n")]
    lines = [f"  {code}  {told[code]}" for code in sorted(told)]
    epilog = "\n".join(["\n\n".join(words), "", "example:", *(f"  {one}" for one in example.splitlines())])
    return argparse.ArgumentParser(
        description=first.partition(": scripts/")[0] + ".",
        epilog="\n".join([epilog, "", "exit codes:", *lines]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def ended(error: KeeperError | OSError) -> int:
    """The exit code of an error."""
    if isinstance(error, LawBroken):
        return LAW
    return UNREACHABLE if isinstance(error, Retry | Refused) else ACT


def in_options(error: KeeperError | OSError, *, file: Path | None = None) -> str:
    """The error as a person at a shell reads it.

    Args:
        error: what went wrong.
        file: the deployment file, which is named where one of its addresses is wrong.
    """
    said = str(error)
    if file is not None and isinstance(error, KeeperError) and "contract" in error.fields:
        said = f"{file}: {said}"
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
