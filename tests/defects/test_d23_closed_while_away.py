"""Defect 23: accounts closed while events were missed stayed in the monitored set for ever."""

from dataclasses import replace

import pytest

from keeper.chain.following.log_sync import LogSync
from keeper.domain import codec
from keeper.protocols.clearinghouse.index import HouseIndex
from keeper.testing.memory_store import MemoryStore
from keeper.testing.small_house import SmallHouse
from tests.defects.frame import defect
from tests.defects.houses import DEPTH, watching

pytestmark = pytest.mark.chain

UNITS = 10**6


def account_of(house, sub):
    return int(house.hand.address, 16) << 96 | sub


def deposit(house, sub):
    house.do("MockERC20", "mint", house.hand.address, UNITS, to=house.tokens["USDC"])
    house.do("MockERC20", "approve", house.deployment.addresses["ClearingHouse"], UNITS, to=house.tokens["USDC"])
    house.do("ClearingHouse", "deposit", account_of(house, sub), 0, UNITS)


def withdraw(house, sub):
    house.do("ClearingHouse", "withdraw", account_of(house, sub), 0, UNITS, house.hand.address)


def monitored(keeper, house):
    return {a.account for a in keeper.reader.read(house.chain.block()).accounts}


def only_ever_adds(patch):
    """Resync looks for accounts that are new; whoever is known is known, and nobody asks whether he left."""
    patch.setattr(HouseIndex, "open_accounts", lambda self: self.roster())


def listens_from_now_on(patch):
    """A restart loads what was stored, and its filter begins at the newest block."""
    start = LogSync._start

    def from_now(self, target):
        base = start(self, target)
        return base if base.fresh else self._rebase(replace(base, block=self._rpc.block("latest")))

    patch.setattr(LogSync, "_start", from_now)


def closes_while_away():
    """One account closes while no process runs, far more blocks than are walked one by one; the other stays."""
    house, store = SmallHouse(), MemoryStore()
    for sub in (1, 2):
        deposit(house, sub)
    house.chain.mine(2 * DEPTH)
    assert {account_of(house, 1), account_of(house, 2)} <= monitored(watching(house, store), house)
    withdraw(house, 1)
    house.chain.mine(30 * DEPTH)
    back = watching(house, store)
    after = back.reader.read(house.chain.block())
    held = {a.account for a in after.accounts}
    assert account_of(house, 1) not in held, "RD-3"
    assert account_of(house, 2) in held
    afresh = watching(house).reader.read(house.chain.block())
    assert codec.dumps(after) == codec.dumps(afresh), "RD-3: as if it had never been away"
    deposit(house, 1)
    assert account_of(house, 1) in monitored(back, house), "and it may come back"


@defect(23, mutant=only_ever_adds)
def test_closed_while_away__gone_after_resync():
    """RD-3: the monitored set equals the chain's set, whoever left in between."""
    closes_while_away()


@defect(23, mutant=listens_from_now_on)
def test_missed_events__caught_up_with_after_a_restart():
    """RD-3: the same, against a keeper that listens from where it wakes up."""
    closes_while_away()
