"""Whom our own pushes of the day brought down counts whatever became of them: closed, restored, or still there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keeper.cycle import think, thought
from keeper.domain import codec
from keeper.domain.action import Publish
from keeper.domain.cycle import CycleInputs
from keeper.domain.deployed import Deployed
from keeper.domain.inputs import Brought, dump, hash_of, load
from keeper.domain.knobs import RiskKnobs
from keeper.domain.updates import KeptInputs
from keeper.policy.cosign import gate_now
from keeper.policy.day import DAY_S
from keeper.policy.publish import propose
from keeper.policy.verify import gate_again
from keeper.policy.weigh import Scale
from keeper.testing.builders import NOW
from keeper.testing.memory_store import MemoryStore
from keeper.updates import brought_lately, keep_inputs, keep_signed
from tests.weighed import TIGHT, a_house, a_target, after, forty_holders, market_of, short_now, with_rounds

HERE = Deployed(chain_id=1, contracts=(("ClearingHouse", "0x" + "11" * 20), ("RiskParameters", "0x" + "22" * 20)))


def a_crowd():
    """Forty holders of one perp, each of whom falls at a scan range of its own; one in forty a 4,100 ppm step."""
    return replace(a_house(*forty_holders()), deployed=HERE)


def asked(snapshot, psr_ppm, brought=(), knobs=TIGHT):
    target = a_target(psr_ppm=psr_ppm)
    u = snapshot.underlyings[0]
    return propose(snapshot, u, market_of(snapshot, target), knobs, asked="a test", brought=brought)


def lived(snapshot, found):
    """The block after a push landed in which everybody whom it brought down was closed."""
    moved = after(snapshot, found.push.params)
    short = short_now(moved)
    left = [account for account in moved.accounts if account.account not in short]
    return replace(moved, accounts=type(moved.accounts).of(left)), short


@pytest.mark.parametrize("remembered", [True, False])
def test_gate__those_brought_down_are_closed_in_between__they_count_all_the_same(remembered):
    """IMP-12: five pushes, each of which finds a book that its predecessors' victims have left."""
    snapshot, brought, gone, said = a_crowd(), (), set(), []
    for _ in range(5):
        psr = next(f.current for f in snapshot.underlyings[0].publication.fences if f.name == "psr")
        found = asked(snapshot, psr + 8_300, brought if remembered else ())
        said.append(found.waits + (found.push.why if found.push else ""))
        if found.push is None:
            continue
        brought = found.file.brought
        snapshot, short = lived(snapshot, found)
        gone |= short
    if remembered:
        assert 0 < len(gone) <= 4, "IMP-12: a tenth of forty"
        assert "of the accounts with" in said[-1]
        assert "by the pushes of the last day" in said[-1], "IMP-12: it says what the day is full of"
    else:
        assert len(gone) > 4, "IMP-12 can fail: the anchors alone do not see who is gone"


def test_file__brought__those_of_the_day_then_its_own():
    """IMP-12: a file forwards what it was told, drops what is older than a day, and leaves out who brings nobody."""
    old, young = (Brought(at_s=NOW - ago, accounts_ppm=1, requirement_ppm=2) for ago in (DAY_S, DAY_S - 1))
    found = asked(a_crowd(), 154_500, (old, young))
    own = found.file.brought[-1]
    assert found.file.brought == (young, own), "IMP-12"
    assert (own.at_s, own.accounts_ppm) == (NOW, 25_000), "IMP-12: one of forty"
    assert own == found.gated.brings
    assert load(dump(found.file)) == found.file
    assert hash_of(dump(found.file)) == found.push.inputs_hash
    assert asked(a_crowd(), 149_000, (young,)).file.brought == (young,), "it brings nobody"


def test_file__no_deployment__tells_nothing():
    """Files of schema 1 cannot tell of the day."""
    bare = replace(a_crowd(), deployed=None)
    assert asked(bare, 154_500).file.brought == ()


def pushes(snapshot, brought, *, closes):
    """One push a hundredth up from where the range was set; whom it brings down is closed at once, or stays.

    Returns: the block after it, what its keeper remembers then, and whom it brought down.
    """
    was = short_now(snapshot)
    psr = next(f.current for f in snapshot.underlyings[0].publication.fences if f.name == "psr")
    found = asked(snapshot, psr + 8_300, brought)
    if found.push is None:
        return snapshot, brought, set()
    if closes:
        snapshot, short = lived(snapshot, found)
    else:
        snapshot = after(snapshot, found.push.params)
        short = short_now(snapshot) - was
    return snapshot, found.file.brought, short


def test_gate__another_keeper_closed_theirs_before__ours_add_one_share_and_no_more():
    """IMP-13: nobody knows whom a stranger's push brought down once they are closed; ours are held to one share then,
    and two keepers with gates of their own to one share each, however they take turns."""
    snapshot, theirs, gone = a_crowd(), (), set()
    for _ in range(6):
        snapshot, theirs, short = pushes(snapshot, theirs, closes=True)
        gone |= short
    assert 0 < len(gone) <= 4, "a tenth of forty: the stranger's share"
    ours, mine = (), set()
    for turn in range(12):
        if turn % 2:
            snapshot, theirs, short = pushes(snapshot, theirs, closes=True)
            assert not short, "IMP-13: the stranger's day is full"
        else:
            snapshot, ours, short = pushes(snapshot, ours, closes=True)
            mine |= short
    assert 0 < len(mine) <= 4, "IMP-13: a tenth once more, and no more"


def test_gate__another_keepers_victims_still_there__ours_add_nobody():
    """IMP-13: as long as the book shows whom a stranger's pushes brought down, they fill our day too."""
    snapshot, theirs, gone = a_crowd(), (), set()
    for _ in range(6):
        snapshot, theirs, short = pushes(snapshot, theirs, closes=False)
        gone |= short
    assert len(gone) == 4, "the stranger's share is full"
    _, _, mine = pushes(snapshot, (), closes=True)
    assert not mine - gone, "IMP-13"


def test_brought_lately__signed_for_another_keeper__counts_with_what_it_left_out():
    """IMP-14: whom a publication brings down that we signed is ours too, and its author cannot make us forget."""
    store, found = MemoryStore(), asked(a_crowd(), 154_500)
    mine, hers, later = (Brought(at_s=NOW - ago, accounts_ppm=ago, requirement_ppm=1) for ago in (90, 60, 30))
    keep(store, found, publication=4, brought=(mine,))

    def signed(publication, *told):
        state = replace(found.file.state, publication=replace(found.file.state.publication, last_id=publication - 1))
        file = replace(found.file, state=state, brought=told)
        keep_signed(file, dump(file), store)

    def told(publication):
        return brought_lately(landed_at(a_crowd(), publication), store)

    signed(5, hers)
    assert told(4) == ((1, (mine,)),), "IMP-14: what is signed and did not land is not counted"
    assert told(5) == ((1, (mine, hers)),), "IMP-14"
    signed(6, hers, later)
    assert told(6) == ((1, (mine, hers, later)),), "IMP-14: each push once"
    keep(store, found, publication=7, brought=(later,))
    assert told(7) == ((1, (later,)),), "our own file was made from all that was known"
    assert [one.co_signed for one in store.kept_inputs()] == [False, True, True, False]


def keep(store, found, *, publication=5, brought=None):
    """Keep a proposal's file as its publication's."""
    file = found.file if brought is None else replace(found.file, brought=brought)
    data = dump(file)
    kept = KeptInputs(
        hash=hash_of(data),
        underlying=1,
        symbol="ETH",
        publication=publication,
        block_number=file.block.number,
        model=file.model,
        why="",
    )
    store.keep_inputs(kept, data)


def landed_at(snapshot, publication, *, at_s=NOW):
    u = snapshot.underlyings[0]
    state = replace(u.publication, last_id=publication, last_time=at_s)
    return replace(snapshot, underlyings=(replace(u, publication=state),))


def test_brought_lately__newest_file_that_can_have_landed__tells_of_the_day():
    """IMP-12: of several decisions with one id the heaviest; of a publication that is not ours the file before it."""
    store, found = MemoryStore(), asked(a_crowd(), 154_500)
    one, two, three = (Brought(at_s=NOW - 60, accounts_ppm=n, requirement_ppm=n) for n in (1, 2, 3))
    keep(store, found, publication=4, brought=(two,))
    keep(store, found, publication=5, brought=(three,))
    keep(store, found, publication=5, brought=(one,))
    keep(store, found, publication=6, brought=(one, two, three))

    def told(publication, **when):
        return brought_lately(landed_at(a_crowd(), publication, **when), store)

    assert told(5) == ((1, (three,)),), "IMP-12: what is on its way did not land yet"
    assert told(6) == ((1, (one, two, three)),)
    assert told(9) == ((1, (one, two, three)),), "IMP-12: somebody else's came after ours"
    assert told(4) == ((1, (two,)),)
    assert told(3) == ()
    assert told(6, at_s=NOW - DAY_S) == (), "nothing was published within the day"
    late = replace(a_crowd(), block=replace(a_crowd().block, timestamp=NOW + DAY_S - 60))
    assert brought_lately(landed_at(late, 6), store) == (), "IMP-12: they are a day old"


def test_think__brought__an_input_and_replayed_to_the_same_bytes():
    """IMP-12: the loop finds its own push's file again and holds the next by it; nothing else is remembered."""
    store, snapshot = MemoryStore(), with_rounds(a_crowd())

    def inputs(now, floor):
        return CycleInputs(
            snapshot=now,
            in_flight=(),
            called=(),
            risk=RiskKnobs(psr_floor_ppm=floor),
            policy=replace(TIGHT, hysteresis_ppm=1_000),
            brought=brought_lately(now, store),
        )

    decision, files = thought(inputs(snapshot, 165_000))
    keep_inputs(decision.actions, files, store)
    (push,) = [one for one in decision.actions if isinstance(one, Publish)]
    moved = landed_at(after(snapshot, push.params), push.id)
    left = [account for account in moved.accounts if account.account not in short_now(moved)]
    closed = replace(moved, accounts=type(moved.accounts).of(left))
    again = inputs(closed, 180_000)
    assert again.brought == ((1, files[0].brought),), "IMP-12"
    later = think(again)
    assert codec.dumps(later) == codec.dumps(think(codec.loads(CycleInputs, codec.dumps(again))))
    assert any("by the pushes of the last day" in alert for alert in later.alerts), "IMP-12"


def test_gate_again__brought__derived_from_the_file_and_its_accounts():
    """IMP-12: whoever has the file and the accounts finds the same step kept; a forged day is told."""
    snapshot = a_crowd()
    before = (Brought(at_s=NOW - 60, accounts_ppm=60_000, requirement_ppm=60_000),)
    found = asked(snapshot, 180_000, before)
    assert found.file.kept_ppm < 10**6

    def difference(file):
        u = replace(snapshot.underlyings[0], history=file.state.history)
        return gate_again(file, replace(snapshot, underlyings=(u,))).difference

    seen = with_rounds(snapshot)
    inputs = CycleInputs(
        snapshot=seen,
        in_flight=(),
        called=(),
        risk=RiskKnobs(psr_floor_ppm=180_000),
        policy=TIGHT,
        brought=((1, before),),
    )
    _, (file,) = thought(inputs)
    assert file.brought[:1] == before
    assert difference(file) is None, "IMP-12"
    assert difference(replace(file, brought=file.brought[1:])).name == "kept_ppm", "IMP-12: without the day more passes"
    own = replace(file.brought[-1], accounts_ppm=1)
    assert difference(replace(file, brought=(*before, own))).name.startswith("brought"), "IMP-12"


def test_gate_now__the_day_is_full__a_co_signer_does_not_sign():
    """IMP-12: keepers of a quorum hold a publication to what its file says of the day, by their own shares."""
    target = a_target(psr_ppm=154_500)
    assert gate_now(a_crowd(), target, TIGHT).difference is None
    full = (Brought(at_s=NOW - 60, accounts_ppm=90_000, requirement_ppm=90_000),)
    assert "by the pushes of the last day" in gate_now(a_crowd(), target, TIGHT, full).difference.ours


def test_weigh__day_is_full__going_back_passes():
    """IMP-9: a push that adds nobody is never held by what others did."""
    full = (Brought(at_s=NOW - 60, accounts_ppm=10**6, requirement_ppm=10**6),)
    snapshot = a_crowd()
    scale = Scale(snapshot, snapshot.underlyings[0], TIGHT, full)
    assert scale.weigh(a_target(psr_ppm=149_000)).passes, "IMP-9"
    assert scale.weigh(a_target()).passes, "IMP-9"
    assert not scale.weigh(a_target(psr_ppm=154_500)).passes
