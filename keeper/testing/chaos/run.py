"""Many scenarios and many kills, over all cores: progress, what struck where, one summary line.

python -m keeper.testing.chaos --scenarios 10000 --kills 500 --seed 1
python -m keeper.testing.chaos --seed 1 --only 4711            one scenario again, told in full
"""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import structlog

from keeper.testing.chaos.killed import KILLABLE, Graveyard, Killed
from keeper.testing.chaos.life import Life, Outcome
from keeper.testing.chaos.scenario import TARGETS, Target, draw
from keeper.testing.toy import ToyWorld

#: Scenarios and kills that a worker is handed at once.
BATCH, KILLS = 20, 12
#: How often a target that was never struck is tried again.
TRIES: Final = 40

#: Told of progress: what is done, how many of how many, and how many laws were broken so far.
Progress = Callable[[str, int, int, int], None]


@dataclass
class Total:
    """Everything that happened."""

    scenarios: int = 0
    kills: int = 0
    unkilled: int = 0
    """First lives that ended before they reached their boundary a third time; they count for no kill."""
    faults: Counter[tuple[str, str]] = field(default_factory=Counter)
    deaths: Counter[str] = field(default_factory=Counter)
    """Ends of a life in the run's own process, by boundary."""
    killed: Counter[str] = field(default_factory=Counter)
    """Real SIGKILLs by boundary."""
    restarts: int = 0
    transactions: int = 0
    liquidations: int = 0
    slowest_calm: int = 0
    """Most calm blocks until everything was at rest."""
    broken: list[tuple[str, list[str]]] = field(default_factory=list)
    """Scenario or kill, and the laws it broke."""

    def add(self, outcome: Outcome) -> None:
        """Count one scenario."""
        self.scenarios += 1
        self.faults += outcome.faults
        self.deaths += outcome.deaths
        self.restarts += outcome.restarts
        self.transactions += outcome.transactions
        self.liquidations += outcome.liquidations
        self.slowest_calm = max(self.slowest_calm, outcome.calm_blocks)
        if outcome.broken:
            self.broken.append((str(outcome.scenario), outcome.broken))

    def bury(self, killed: Killed) -> None:
        """Count one kill."""
        self.kills += killed.died
        self.unkilled += not killed.died
        self.killed[killed.boundary] += killed.died
        if killed.broken:
            self.broken.append((f"kill {killed.number}: {killed.boundary} ({killed.times})", killed.broken))

    def struck(self, target: Target) -> bool:
        """Whether a target was hit at least once."""
        if target.boundary:
            return self.deaths[target.boundary] > 0
        places = [count for (fault, where), count in self.faults.items() if fault == target.fault]
        return self.faults[target.fault, target.method] > 0 if target.method else any(places)

    def zeros(self, *, scenarios: bool, kills: bool) -> list[str]:
        """What never happened though it should have, of the two kinds that were asked for."""
        missed = [str(target) for target in TARGETS if scenarios and not self.struck(target)]
        return missed + [f"SIGKILL {boundary}" for boundary in KILLABLE if kills and not self.killed[boundary]]


def run(*, scenarios: int, kills: int, seed: int, workers: int, progress: Progress) -> Total:
    """Live `scenarios` and kill `kills` times.

    Args:
        scenarios: at least so many; targets that chance left out get more.
        kills: real deaths wanted.
        seed: everything follows from it.
        workers: processes beside each other.
        progress: told now and then.
    """
    total = Total()
    context = multiprocessing.get_context("fork")
    with context.Pool(workers, initializer=_quiet) as pool:
        for outcomes in pool.imap_unordered(_scenarios, _batches(seed, range(scenarios), BATCH)):
            for outcome in outcomes:
                total.add(outcome)
            progress("scenarios", total.scenarios, scenarios, len(total.broken))
        for attempt in range(1, TRIES + 1 if scenarios else 0):
            missed = [place for place, target in enumerate(TARGETS) if not total.struck(target)]
            if not missed:
                break
            first = (scenarios // len(TARGETS) + attempt) * len(TARGETS)
            again = [first + place for place in missed]
            for outcomes in pool.imap_unordered(_scenarios, _batches(seed, again, 2)):
                for outcome in outcomes:
                    total.add(outcome)
            progress("scenarios, some again for what was never struck:", total.scenarios, scenarios, len(total.broken))
        number = 0
        while total.kills < kills and number < 3 * kills + len(KILLABLE):
            wanted = max(KILLS * workers, min(kills - total.kills, KILLS * 8 * workers))
            numbers = range(number, number + wanted)
            number += wanted
            for buried in pool.imap_unordered(_kills, _batches(seed, numbers, KILLS)):
                for one in buried:
                    total.bury(one)
                progress("kills", total.kills, kills, len(total.broken))
    return total


def _quiet() -> None:
    """What a keeper says of every fault would bury what the run says."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))


def _batches(seed: int, numbers: Sequence[int], size: int) -> Iterator[tuple[int, list[int]]]:
    rest = iter(numbers)
    while batch := list(islice(rest, size)):
        yield seed, batch


_WORLDS: dict[int, ToyWorld] = {}


def _world() -> ToyWorld:
    """This process's world, made at its first scenario."""
    own = os.getpid()
    if own not in _WORLDS:
        _WORLDS[own] = ToyWorld.fast()
    return _WORLDS[own]


def _scenarios(work: tuple[int, list[int]]) -> list[Outcome]:
    seed, numbers = work
    return [live(seed, number) for number in numbers]


def live(seed: int, number: int) -> Outcome:
    """One scenario."""
    scenario = draw(seed, number)
    try:
        return Life(_world(), scenario).live()
    except Exception as error:  # noqa: BLE001 - a keeper that raises what it never said it would broke a law
        return Outcome(scenario, broken=[f"raised {type(error).__name__}: {error}"])


def _kills(work: tuple[int, list[int]]) -> list[Killed]:
    seed, numbers = work
    with Graveyard() as graveyard:
        return [graveyard.kill(seed, number) for number in numbers]


def table(total: Total) -> Iterator[str]:
    """How often each fault struck at each boundary, and how often a life ended at each: lines for a person."""
    by_fault: dict[str, dict[str, int]] = {}
    for (fault, where), count in sorted(total.faults.items()):
        by_fault.setdefault(fault, {})[where.removeprefix("eth_")] = count
    for target in TARGETS:
        if target.fault:
            by_fault.setdefault(target.fault, {})
    yield f"{'fault':22} {'struck':>8}  where"
    for fault, places in sorted(by_fault.items()):
        where = "  ".join(f"{name} {count:,}" for name, count in sorted(places.items(), key=lambda one: -one[1]))
        yield f"{fault:22} {sum(places.values()):8,}  {where}"
    yield f"\n{'boundary':32} {'restarts':>8} {'SIGKILLs':>9}"
    boundaries = [target.boundary for target in TARGETS if target.boundary]
    for name in (*boundaries, *sorted(set(total.deaths) - set(boundaries))):
        killed = f"{total.killed[name]:,}" if name in KILLABLE else "—"
        yield f"{name:32} {total.deaths[name]:8,} {killed:>9}"


def summary(total: Total, *, seed: int, zeros: Sequence[Any], seconds: float) -> str:
    """The one line at the end."""
    kinds = len({fault for fault, _ in total.faults})
    return (
        f"chaos: {total.scenarios:,} scenarios and {total.kills:,} kills of seed {seed} in {seconds:,.0f} s: "
        f"{sum(total.faults.values()):,} faults of {kinds} kinds, {total.restarts:,} restarts, "
        f"{total.transactions:,} transactions, {total.liquidations:,} liquidations sent; "
        f"{len(total.broken)} broken, {len(zeros)} never struck"
    )
