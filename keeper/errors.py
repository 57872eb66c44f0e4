"""Errors, named by what happens next.

    KeeperError
      Retry          the world was unreachable or moved; the same call may work next block
      Refused        the world answered no; drop this action, keep running
      Halt           a person must look: bad config, wrong chain, spending cap hit
        BadInput     what the operator gave us cannot be used (exit code 2)
      LawBroken      our own arithmetic contradicts itself; stop before acting

The daemon reacts by class alone.  Every error carries its numbers as fields, so that a log line, a JSON answer and a
sentence for a person are three views of the same thing.
"""

from __future__ import annotations


class KeeperError(Exception):
    """Base of everything the keeper raises on purpose.

    Args:
        message: one sentence with the numbers in it.
        hint: what the person should do next, if a person can do something.
        fields: the same numbers, machine-readable.
    """

    def __init__(self, message: str, *, hint: str = "", **fields: object) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.fields = fields

    def __str__(self) -> str:
        return f"{self.message}\n  → {self.hint}" if self.hint else self.message


class Retry(KeeperError):
    """The world was unreachable or moved; the same call may work next block."""


class Refused(KeeperError):
    """The world answered no; drop this action, keep running."""


class Halt(KeeperError):
    """A person must look before anything else happens."""


class BadInput(Halt):
    """What the operator gave us cannot be used.  The command ends with exit code 2 and never a traceback."""


class LawBroken(KeeperError):
    """Our own arithmetic contradicts itself.  Nothing is decided from it."""
