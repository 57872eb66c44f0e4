"""One real unit of work: the pure half of a cycle, from a snapshot to decisions, over many accounts."""

import json
from collections.abc import Iterator

import numpy as np

from keeper.cycle import think
from keeper.domain import codec
from keeper.domain.cycle import CycleInputs
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.snapshot import AccountState, Kind, Observation, Snapshot, Usable
from keeper.risk.exact.grid import assess
from keeper.risk.model import file_of
from keeper.risk.one_by_one import holdings
from keeper.testing.builders import (
    EXPIRY,
    NOW,
    STRIKES_USD,
    a_publication,
    a_snapshot,
    an_account,
    an_option,
    an_underlying,
    usd,
)
from tests.bench.timing import Row, best

#: Least ratio that passes.  Well under what a quiet machine shows: a floor catches a lost algorithm, not noise.
FLOORS = {"cycle: think, all accounts": 1.5, "cycle: snapshot bytes": 0.2}


def rows(cycle_accounts: int) -> Iterator[Row]:
    """Thinking about every account against the slow twin's grid alone, and canonical bytes against plain JSON."""
    accounts = cycle_accounts
    inputs = a_cycle(accounts)
    # The slow twin is timed on a part and scaled: its cost is the same for each account.
    part = inputs.snapshot.accounts[: max(1, accounts // 20)]
    slow = best(1, lambda: slowly(inputs.snapshot, part)) * accounts / len(part)
    yield Row(name="cycle: think, all accounts", baseline_s=slow, ours_s=best(3, lambda: think(inputs)))
    plain = json.loads(codec.dumps(inputs))
    yield Row(
        name="cycle: snapshot bytes",
        baseline_s=best(3, lambda: json.dumps(plain, sort_keys=True)),
        ours_s=best(3, lambda: codec.dumps(inputs)),
    )


def slowly(snapshot: Snapshot, accounts: tuple[AccountState, ...]) -> None:
    """The obvious way: one account after the other."""
    (u,) = snapshot.underlyings
    assert u.live is not None
    assert isinstance(u.spot, Usable)
    file = file_of(u.live, u.rules)
    for account in accounts:
        for held in holdings(account, NOW).values():
            assess(file, held.legs, held.perp_size, u.spot.wad, NOW)


def a_cycle(accounts: int) -> CycleInputs:
    """A market of one underlying in which every account holds nine options and a perp."""
    chance = np.random.default_rng(7)
    options = [an_option(k, kind, expiry=EXPIRY) for k in STRIKES_USD for kind in (Kind.CALL, Kind.PUT)]
    made = []
    for number in range(accounts):
        sizes = chance.integers(-50, 50, len(options)) / 10
        held = tuple((option, float(size)) for option, size in zip(options, sizes, strict=True))
        made.append(an_account(number + 10, cash=100_000, perp=float(chance.integers(-20, 20)), options=held))
    history = tuple(
        Observation(time=NOW - 3_600 * (300 - i), price=usd(3_000 * float(1 + 0.01 * chance.standard_normal())))
        for i in range(300)
    )
    underlying = an_underlying(spot=3_040, history=history, publication=a_publication())
    return CycleInputs(
        snapshot=a_snapshot(*made, underlying=underlying),
        in_flight=(),
        called=(),
        risk=RiskKnobs(),
        policy=PolicyKnobs(),
    )
