"""When Python looks for garbage that goes round in circles: after a block, not in the middle of it.

Almost everything here goes by reference count, whoever looks.  What is looked for are cycles, and looking means walking
every container of the process: with a large house, some tenths of a second at a moment that nobody chose.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

#: Blocks after each of which the young are looked at, before everything is.
YOUNG: Final = 32


@contextmanager
def uncollected() -> Iterator[None]:
    """Nothing is looked for inside; may be nested."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class Garbage:
    """Looks when told to.

    What there is at the first call, the program itself above all, is taken to stay and never walked again.
    """

    def __init__(self) -> None:
        self._calls = 0

    def collect(self) -> None:
        """Free what died in cycles since the last call; from time to time, what outlived a few of them too."""
        if self._calls == 0:
            gc.collect()
            gc.freeze()
        else:
            gc.collect(2 if self._calls % YOUNG == 0 else 0)
        self._calls += 1
