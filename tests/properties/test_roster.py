"""A roster of columns is the tuple of accounts that it was made of, whatever is changed in it (ROS-1 … ROS-3)."""

from dataclasses import replace
from itertools import pairwise

import hypothesis
import pytest
from hypothesis import strategies as st

from keeper.domain import codec
from keeper.domain.account import Kind
from keeper.domain.columns import id_column
from keeper.domain.roster import Roster
from keeper.domain.roster_bytes import dump, load
from keeper.domain.roster_change import Change
from keeper.domain.snapshot import Snapshot
from keeper.errors import BadInput, LawBroken
from keeper.testing.builders import DAY, EXPIRY, STRIKES_USD, a_snapshot, an_account, an_option

#: Accounts are drawn from this many ids, so that changes meet accounts that are there.
IDS = 60


def drawn(rng, account):
    """An account that may hold anything, one in ten with a number or an order that the columns cannot hold."""
    expiries = (EXPIRY, EXPIRY + DAY, EXPIRY + rng.randint(2, 9) * DAY)
    options = tuple(
        (an_option(k, rng.choice((Kind.CALL, Kind.PUT)), expiry=rng.choice(expiries)), rng.randint(1, 5))
        for k in STRIKES_USD
        if rng.random() < 0.5
    )
    made = an_account(
        account << rng.choice((0, 96, 248)) if account < 32 else account,
        cash=rng.randint(-5, 5),
        perp=rng.choice((0, 1, -2)),
        options=options,
        in_auction=rng.random() < 0.1,
        collateral=((1, 5), (3, 2**100)) if rng.random() < 0.4 else (),
    )
    odd = rng.randint(0, 30)
    if odd == 0:
        return replace(made, cash=rng.choice((2**127, -(2**127) - 1, 2**300)))
    if odd == 1:
        return replace(made, collateral=((2, 1), (1, 2**200)), positions=made.positions[::-1])
    return replace(made, cash=rng.choice((made.cash, 2**127 - 1, -(2**127))))


@hypothesis.given(st.randoms(use_true_random=False))
def test_roster__random_changes__equal_to_plain_accounts(rng):
    """Replacing, adding and closing accounts leaves what a dictionary of accounts would hold; its bytes tell it all."""
    plain = {a.account: a for a in (drawn(rng, i) for i in rng.sample(range(IDS), rng.randint(0, 20)))}
    roster = Roster.of(plain.values())
    for _ in range(3):
        fresh = [drawn(rng, i) for i in rng.sample(range(IDS), rng.randint(0, 8))]
        changed = {a.account: a for a in fresh} | dict.fromkeys(rng.sample([*plain, 1, 2, 3], rng.randint(0, 3)))
        roster = roster.replaced(changed)
        plain = {account: a for account, a in (plain | changed).items() if a is not None}
        expected = [plain[account] for account in sorted(plain)]
        assert list(roster) == expected, "ROS-1"
        assert roster == Roster.of(expected)
        assert dump(roster) == dump(Roster.of(expected)), "ROS-2: canonical"
        assert load(dump(roster)) == roster, "ROS-2"
        assert roster.accounts() == sorted(plain)
        assert list(roster.auctioned()) == [a.account for a in expected if a.in_auction]
        assert [roster.get(account) for account in range(40)] == [plain.get(account) for account in range(40)]
        assert [roster[i] for i in range(-len(roster), len(roster))] == expected * 2
        assert list(roster[1::2]) == expected[1::2]


def test_roster__in_a_snapshot__written_as_its_accounts():
    """The canonical form of a snapshot is what it was when accounts were a tuple: old stores still read."""
    snapshot = a_snapshot(an_account(9, perp=1), an_account(7))
    data = codec.dumps(snapshot)
    assert b'"accounts":[{"account":7,' in data
    assert codec.loads(Snapshot, data) == snapshot


def test_roster__two_of_one_id__law_broken():
    """An account stands once, or its margin would be counted twice."""
    with pytest.raises(LawBroken):
        Roster.of([an_account(7), an_account(7, cash=1)])
    with pytest.raises(LawBroken):
        Roster.of([an_account(7)]).replaced({8: an_account(7)})
    with pytest.raises(LawBroken):
        id_column([2**256])


@pytest.mark.parametrize(
    "damage", [lambda d: d[:-1], lambda d: d + b"\0", lambda d: b"\xff" * 8 + d[8:], lambda d: b""]
)
def test_load__damaged_bytes__refused(damage):
    """A half-written roster is never read as one with fewer accounts."""
    data = dump(Roster.of([an_account(7, perp=1), an_account(9)]))
    with pytest.raises(BadInput):
        load(damage(data))


@hypothesis.given(st.randoms(use_true_random=False))
def test_change__between_any_two__makes_one_of_the_other(rng):
    """What is stored of a block gives back all of it, alone or after other changes, and is small where little moved."""
    steps = [Roster.of(drawn(rng, i) for i in rng.sample(range(IDS), rng.randint(0, 20)))]
    for _ in range(3):
        fresh = {a.account: a for a in (drawn(rng, i) for i in rng.sample(range(IDS), rng.randint(0, 4)))}
        held = steps[-1].accounts()
        steps.append(steps[-1].replaced(fresh | dict.fromkeys(rng.sample(held, min(len(held), rng.randint(0, 2))))))
    changes = [Change.between(a, b) for a, b in pairwise(steps)]
    total = changes[0].then(changes[1]).then(changes[2])
    for change, (old, new) in zip(changes, pairwise(steps), strict=True):
        again = Change.load(change.dump())
        assert again.after(old) == new, "ROS-3"
        plain = {a.account: a for a in old}
        least = Change.found(old, new)
        assert least.after(old) == new, "ROS-3"
        assert len(least.fresh) == sum(plain.get(a.account) != a for a in new), "nothing that did not change"
        assert len(least.gone) == len(plain.keys() - set(new.accounts()))
    assert total.after(steps[0]) == steps[-1], "ROS-3"
    assert len(Change.between(steps[-1], Roster.of(list(steps[-1])))) == 0
    other = Roster.of(drawn(rng, i) for i in rng.sample(range(IDS), rng.randint(0, 20)))
    assert Change.between(steps[0], other).after(steps[0]) == other, "ROS-3"
    assert Change.between(steps[0], steps[-1]).after(steps[0]) == steps[-1], "ROS-3: over several steps"
