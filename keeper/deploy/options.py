"""What an error says, in the words of the command line that caused it: a script has options, no settings file."""

from __future__ import annotations

from typing import Final

from keeper.errors import KeeperError

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
