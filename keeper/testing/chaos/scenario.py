"""One scenario: weather, endpoints, deaths.  All of it follows from two numbers, so a failing run is a command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from keeper.testing.chaos.crossings import BOUNDARIES
from keeper.testing.faults import CATALOGUE, Boundary
from keeper.testing.plan import FaultPlan, Rule

#: Blocks of weather.
STORM: Final = 14
#: Most calm blocks until everything must be at rest.
CALM: Final = 60
#: Accounts that the house may have.
ACCOUNTS: Final = range(1, 7)

#: Faults of a subscription: a scenario's keeper polls.  They are the business of the tests of heads.
SUBSCRIBED: Final = frozenset(name for name, fault in CATALOGUE.items() if fault.boundary is Boundary.HEADS)
#: Faults that one endpoint alone cannot be caught at: it tells a whole and wrong story of the present, or of logs that
#: no bloom contradicts.  They strike one endpoint of several, and a quorum is asked for.
TREACHEROUS: Final = frozenset({"stale_head", "lagging", "lying_hash", "zeroed_call", "missing_logs"})
#: Faults that strike anywhere.
PLAIN: Final = tuple(sorted(set(CATALOGUE) - SUBSCRIBED - TREACHEROUS))


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a scenario is sure to try: one fault in one method, or a death at one boundary."""

    fault: str = ""
    method: str = ""
    """A request's method; empty where the fault is the chain's."""
    boundary: str = ""

    def __str__(self) -> str:
        return self.boundary or f"{self.fault} {self.method}".strip()


#: What makes a transaction be raised, given up or outrun, so that lives can end there: by a word of the target.  Where
#: nobody lies there is one endpoint then: another one would take what the first swallowed.
HARDSHIPS: Final = (
    ("signed again", ("timeout[eth_sendRawTransaction]@5-11",)),
    ("abandoned", ("swallowed@4-17",)),
    ("replaced", ("base_fee_spike@6{gwei=60.0}", "foreign@7-9{behind=0}")),
    ("dropped", ("server_error[eth_feeHistory]@5-10",)),
    ("again", ("base_fee_spike@6{gwei=60.0}",)),
    ("stricter_bump", ("stricter_bump@5-17", "base_fee_spike@6{gwei=60.0}")),
    ("null_transactions", ("base_fee_spike@6{gwei=60.0}", "null_transactions@7-17%0.3")),
    ("private_pool", ("base_fee_spike@6{gwei=60.0}", "private_pool@7-17")),
    ("zeroed_call", ("base_fee_spike@6{gwei=90.0}", "zeroed_call@4-17")),
    ("refuses_gaps", ("swallowed@4-17%0.7", "refuses_gaps@4-17")),
    ("refuses_logs", ("refuses_logs@4-17{widest=1}", "html_body@5-8")),
)
#: Where faults of the wire must strike; the other faults know their own methods.
WIRED: Final = ("batch", "eth_getBlockByNumber", "eth_sendRawTransaction")


def _targets() -> tuple[Target, ...]:
    found = []
    for name, fault in sorted(CATALOGUE.items()):
        if name in SUBSCRIBED:
            continue
        anywhere = fault.boundary is Boundary.WIRE and not fault.methods
        found += [Target(fault=name, method=method) for method in (WIRED if anywhere else ("",))]
    return (*found, *(Target(boundary=boundary) for boundary in BOUNDARIES))


#: What a run is sure to try.
TARGETS: Final = _targets()


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What will happen."""

    seed: int
    number: int
    plans: tuple[FaultPlan, ...]
    """One an endpoint; the first owns the weather."""
    quorum: int
    deaths: tuple[tuple[int, str, int], ...]
    """(block of the storm, boundary, at its n-th crossing from there)."""
    restarts: tuple[int, ...]
    """Blocks of the storm before which the process ends between two looks at the chain."""

    @property
    def rng(self) -> np.random.Generator:
        """Chance of prices and accounts."""
        return np.random.default_rng([self.seed, self.number, 1])

    def __str__(self) -> str:
        nodes = " | ".join(map(str, self.plans))
        deaths = "; ".join(f"dies in block {block}, {what} ({count})" for block, what, count in self.deaths)
        return f"scenario {self.number} of seed {self.seed}: {nodes}; quorum {self.quorum}; {deaths or 'nobody dies'}"


def draw(seed: int, number: int) -> Scenario:
    """Scenario `number` of `seed`.  The targets are tried in turn, so that none is missed."""
    rng = np.random.default_rng([seed, number])
    target = TARGETS[number % len(TARGETS)]
    treacherous = target.fault in TREACHEROUS or (not _hard(target) and rng.random() < 0.3)
    endpoints = int(rng.integers(2, 4)) if treacherous else 1 if _hard(target) else int(rng.integers(1, 3))
    deaths = []
    if target.boundary:
        deaths.append((int(rng.integers(1, 5)), target.boundary, 1))
    if rng.random() < 0.3:
        deaths.append((int(rng.integers(5, STORM)), str(rng.choice(np.array(BOUNDARIES))), int(rng.integers(1, 3))))
    return Scenario(
        seed=seed,
        number=number,
        plans=tuple(_plan(rng, place, target, treacherous=treacherous) for place in range(endpoints)),
        quorum=2 if treacherous else int(rng.integers(0, endpoints + 1)),
        deaths=tuple(deaths),
        restarts=tuple(int(b) for b in rng.integers(1, STORM, size=int(rng.integers(0, 3)))),
    )


def _hard(target: Target) -> tuple[str, ...]:
    return next((rules for word, rules in HARDSHIPS if word in str(target)), ())


def _plan(rng: np.random.Generator, place: int, target: Target, *, treacherous: bool) -> FaultPlan:
    """The faults of one endpoint.  The last of several is the honest one where one of them is treacherous."""
    own = [name for name in PLAIN if place == 0 or CATALOGUE[name].boundary not in (Boundary.CHAIN, Boundary.POOL)]
    if treacherous:
        own = own + sorted(TREACHEROUS) if place == 0 else [n for n in own if CATALOGUE[n].boundary is Boundary.WIRE]
    drawn = FaultPlan.drawn(
        int(rng.integers(2**31)), faults=own, count=int(rng.integers(1, 4)), first_block=4, last_block=STORM + 3
    )
    if place:
        return drawn
    if hard := _hard(target):
        return FaultPlan(seed=drawn.seed, rules=(*map(Rule.parse, hard), *drawn.rules))
    if not target.fault:
        return drawn
    methods = (target.method,) if target.method and target.method != "batch" else ()
    first = int(rng.integers(4, STORM))
    certain = CATALOGUE[target.fault].boundary is Boundary.CHAIN
    aimed = Rule(fault=target.fault, methods=methods, first_block=first, last_block=first if certain else None, times=2)
    return FaultPlan(seed=drawn.seed, rules=(aimed, *drawn.rules))
