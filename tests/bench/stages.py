"""Where the time of a block goes: methods wrapped in a stopwatch, each counted without those it calls."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import numpy as np

#: Time that belongs to no stage.
REST = "the rest"


class Stages:
    """Processor and wall time by stage, of each block from `begin` to `end`.

    A stage that runs inside another is counted for itself alone, so that the stages add up to the whole.  Processor
    time is that of all threads of this process; it is what a shared machine leaves comparable.
    """

    def __init__(self) -> None:
        self.blocks: list[dict[str, tuple[float, float]]] = []
        """Of each block: seconds of the processor and of the wall, by stage."""
        self._open: list[str] = []
        self._spent: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        self._mark = (0.0, 0.0)
        self._undo: list[Callable[[], None]] = []

    def watch(self, owner: object, name: str, stage: str) -> None:
        """Count calls of `owner.name` as a stage; an owner without such a method is left alone."""
        inner = getattr(owner, name)

        def timed(*args: object, **named: object) -> object:
            with self.stage(stage):
                return inner(*args, **named)

        own = vars(owner).get(name)
        setattr(owner, name, timed)
        self._undo.append(lambda: setattr(owner, name, inner) if own is not None else delattr(owner, name))

    @contextmanager
    def stage(self, stage: str) -> Iterator[None]:
        """Count what is done inside."""
        if not self._open:
            yield
            return
        self._lap()
        depth = len(self._open)
        self._open.append(stage)
        try:
            yield
        finally:
            if self._open:  # else the block ended within
                self._lap()
                del self._open[depth:]

    def begin(self) -> None:
        """A block begins."""
        self._open, self._mark = [REST], _now()
        self._spent.clear()

    def end(self) -> None:
        """What is counted of this block ends here, however deep; later ends of it are ignored."""
        if self._open:
            self._lap()
            self._open = []
            self.blocks.append({stage: (cpu, wall) for stage, (cpu, wall) in self._spent.items()})

    def stop(self) -> None:
        """Leave everything as it was found."""
        while self._undo:
            with suppress(AttributeError):
                self._undo.pop()()

    def total_s(self) -> tuple[np.ndarray, np.ndarray]:
        """Processor and wall seconds of each block."""
        found = np.array([np.sum(list(block.values()), axis=0) for block in self.blocks]).reshape(-1, 2)
        return found[:, 0], found[:, 1]

    def lines(self) -> Iterator[str]:
        """A table: median milliseconds by stage, dearest first."""
        names = {name for block in self.blocks for name in block}
        found = {
            name: np.median([block.get(name, (0.0, 0.0)) for block in self.blocks], axis=0) * 1e3 for name in names
        }
        yield f"{'stage, to the first signature':34} {'processor':>10} {'wall':>10}"
        for name in sorted(found, key=lambda n: -found[n][0]):
            yield f"{name:34} {found[name][0]:7.1f} ms {found[name][1]:7.1f} ms"

    def _lap(self) -> None:
        now = _now()
        spent = self._spent[self._open[-1]]
        spent[0] += now[0] - self._mark[0]
        spent[1] += now[1] - self._mark[1]
        self._mark = now


def _now() -> tuple[float, float]:
    return time.process_time(), time.perf_counter()
