"""Defect 1: one read failed for a moment, and an account was dropped from the watch or counted as something else."""

from dataclasses import replace

import pytest

from keeper.chain.following.log_batch import LogBatch
from keeper.chain.following.log_reader import LogReader
from keeper.domain.snapshot import AccountState
from keeper.errors import KeeperError, Retry
from keeper.protocols.clearinghouse.reader import HouseReader
from keeper.testing.memory_store import MemoryStore
from keeper.testing.synthetic.views import NoView
from tests.defects.frame import defect
from tests.defects.made_up_house import MadeUpHouse, no_answer, tried

pytestmark = pytest.mark.chain

WAD = 10**18


class Fails:
    """The nth request has no answer; all others have."""

    def __init__(self, at=0):
        self.at, self.seen = at, 0

    def __call__(self, method, _params):
        self.seen += 1
        if self.seen == self.at:
            no_answer(method)


def skips_what_failed(patch):
    """`try: logs = get_logs(block) except RpcError: continue`: the next block is read, this one never again."""
    of = LogReader.of

    def or_nothing(self, blocks):
        try:
            return of(self, blocks)
        except Retry:
            return tuple(LogBatch.parse([]) for _ in blocks)

    patch.setattr(LogReader, "of", or_nothing)


@defect(1, mutant=skips_what_failed)
def test_any_one_read_fails__everybody_is_watched_and_judged_as_before():
    """Whichever request of a block has no answer, the block is decided on whole or not at all, and then whole.

    In each block some trade, one sinks below its margin, and in every other one somebody closes.
    """
    house = MadeUpHouse()
    undisturbed, keeper = house.keeper(MemoryStore()), house.keeper()
    house.margins(keeper)
    sinking = list(house.truth().values())
    failed = 0
    for at in range(1, 100):
        for _ in range(1 + at % 2):
            house.node.mine(changed=3, closed=at % 2)
        house.node.mine(states=[replace(sinking[at], cash=-(10**7) * WAD)])
        house.line.meddle = lambda *_: None
        right = house.margins(undisturbed)
        house.line.meddle = request = Fails(at)
        first = tried(house.margins, keeper)
        assert first in (None, right), at
        failed += first is None
        assert house.margins(keeper) == right, at
        if request.seen < at:
            break
    assert failed > 5


def no_answer_is_nothing(patch):
    """`state = read(account) or {}`: what cannot be read holds nothing, and who holds nothing is not watched."""
    read = HouseReader.account

    def or_nothing(self, block, account):
        try:
            return read(self, block, account)
        except KeeperError:
            return AccountState(
                account=account,
                cash=0,
                interest_entry=0,
                keep_entry=0,
                collateral=(),
                positions=(),
                perps=(),
                in_auction=False,
            )

    patch.setattr(HouseReader, "account", or_nothing)


@defect(1, mutant=no_answer_is_nothing)
def test_one_accounts_view_fails__it_stays_as_it_was_and_the_others_are_compared():
    """A node that cannot say what one account holds says nothing about it; what it says of others counts."""
    house = MadeUpHouse()
    keeper = house.keeper()
    house.read(keeper)
    silent, *_ = house.truth().values()
    view = house.node.views._account_state

    def account_state(account, block):
        if account == silent.account:
            raise NoView("out of gas")
        return view(account, block)

    house.node.views._account_state = account_state
    house.node.mine(changed=2)
    snapshot = keeper.reader.read(house.node.head())
    lines = keeper.reader.reconcile(snapshot, sample=len(snapshot.accounts))
    assert len(lines) == 1
    assert f"{silent.account:#066x}" in lines[0]
    assert house.read(keeper) == house.truth()
