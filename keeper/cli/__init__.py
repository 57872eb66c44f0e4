"""The command line: argv → settings → one use case; one file a command, no logic.

root        the table of commands, loaded when asked for, and what each error class means for the exit code
output      a stdout that cannot be written, or lacks letters
ending      what that means at the end of the process
options     the options that commands share
show/       answers as tables for a person and as objects for a script
NAME        the command `keeper NAME`: its docstring is its help
"""

from __future__ import annotations

from keeper.cli.ending import watched
from keeper.cli.output import ready
from keeper.cli.root import app


def main() -> None:
    """Entry point of the `keeper` script."""
    ready()
    with watched():
        app(prog_name="keeper")
