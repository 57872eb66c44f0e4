"""What the clearing house's events do to the index."""

from dataclasses import replace

from keeper.domain.snapshot import Kind
from keeper.protocols.abi import Event
from keeper.protocols.clearinghouse.consumer import HouseConsumer
from keeper.protocols.clearinghouse.ids import account_id, owner_of, pack_instrument, unpack_instrument, unpack_position
from keeper.protocols.clearinghouse.index import HouseIndex
from keeper.testing.builders import EXPIRY, a_perp, an_option, strike

CALL = pack_instrument(an_option(3_000, Kind.CALL))
PUT = pack_instrument(an_option(3_000, Kind.PUT))
PERP = pack_instrument(a_perp())


def position(account: int, instrument: int, size: int) -> Event:
    return Event("ClearingHouse", "PositionChanged", {"account": account, "instrument": instrument, "size": size})


def collateral(account: int, units: int) -> Event:
    return Event("ClearingHouse", "CollateralChanged", {"account": account, "collateral": 1, "balance": units})


def dumped(index: HouseIndex) -> bytes:
    return HouseConsumer(index, {}).dump(index.mark())


def publication(sigma: int, *, epoch: int, flip: bool = True) -> list[Event]:
    strikes = [strike(2_700), strike(3_000)]
    events = [
        Event(
            "RiskParameters",
            "ExpiryPublished",
            {
                "underlying": 1,
                "expiry": EXPIRY,
                "phiPpb": 10**9,
                "dfPpb": 10**9,
                "sigmaAtmPpm": sigma,
                "sigmaPpm": [sigma] * len(strikes),
            },
        )
    ]
    if flip:
        events += [computed(epoch, refresh=False), published(epoch)]
    return events


def computed(epoch: int, *, refresh: bool, spot: int = 3_000) -> Event:
    header = {
        "refSpot": spot, "time": 1_000 + epoch, "epoch": epoch,
        "psrPpm": 150_000 + epoch, "vsrUpPpm": 450_000, "vsrDownPpm": 300_000, "imUpliftPct": 3,
    }  # fmt: skip
    args = {"underlying": 1, "epoch": epoch, "header": header, "strikes": 2, "refresh": refresh}
    return Event("RiskFile", "FileComputed", args)


def published(epoch: int) -> Event:
    args = {
        "underlying": 1, "id": 1, "epoch": epoch, "inputsHash": b"\1" * 32,
        "psrPpm": 150_000, "vsrUpPpm": 450_000, "vsrDownPpm": 300_000,
    }  # fmt: skip
    return Event("RiskParameters", "Published", args)


def listed() -> Event:
    args = {"underlying": 1, "expiry": EXPIRY, "strikes": (strike(2_700), strike(3_000))}
    return Event("RiskParameters", "ExpiryListed", args)


def test_ids__packed__come_back() -> None:
    """Underlying, expiry, strike and kind survive the packing, and the contract's order is perp, call, put."""
    for packed in (CALL, PUT, PERP):
        assert pack_instrument(unpack_instrument(packed)) == packed
    assert PERP < CALL < PUT
    owner = "0x" + "ab" * 20
    assert owner_of(account_id(owner, 5)) == owner
    negative = (CALL << 136) | ((1 << 128) - 3)
    assert unpack_position(negative).size == -3


def test_apply__two_events_of_one_account__the_last_counts() -> None:
    """Two events for one account in one window: it is evaluated after the last."""
    index = HouseIndex()
    index.apply([position(7, CALL, 5), position(7, PUT, -2), position(7, CALL, -1)])
    assert [(p.instrument.kind, p.size) for p in index.account(7).positions] == [(Kind.CALL, -1), (Kind.PUT, -2)]


def test_apply__position_closed__disappears() -> None:
    """A size of zero is no position."""
    index = HouseIndex()
    index.apply([position(7, CALL, 5), position(7, CALL, 0)])
    assert index.account(7).positions == ()
    assert list(index.open_accounts()) == []
    assert len(index.roster()) == 1  # its entries are still known when it comes back


def test_apply__publication__previous_file_is_kept() -> None:
    """The notice window needs the file that was live before."""
    index = HouseIndex()
    index.apply([listed(), *publication(600_000, epoch=1), *publication(700_000, epoch=2)])
    assert (index.live[1].epoch, index.live[1].expiries[0].sigma_atm_ppm) == (2, 700_000)
    assert (index.previous[1].epoch, index.previous[1].expiries[0].sigma_atm_ppm) == (1, 600_000)


def refused(expiry: int) -> Event:
    args = {"underlying": 1, "id": 2, "expiry": expiry, "what": b"phi".ljust(32, b"\0"), "reason": b"\1" * 4}
    return Event("RiskParameters", "ItemRefused", args)


def test_apply__item_refused__the_expiry_keeps_what_was_in_force() -> None:
    """An expiry that the fences refuse goes on with its numbers, announced or not; a refused range is no expiry."""
    for announced in (False, True):
        index = HouseIndex()
        index.apply([listed(), *publication(600_000, epoch=1)])
        staged = publication(900_000, epoch=2, flip=False) if announced else []
        index.apply([refused(0), *staged, refused(EXPIRY), computed(2, refresh=False), published(2)])
        assert index.live[1].epoch == 2
        assert index.live[1].expiries == index.previous[1].expiries
        assert index.live[1].strikes == index.previous[1].strikes


def test_apply__refresh__changes_header_only() -> None:
    """A refresh recomputes rows at live spot; what was published, and the file before it, stay."""
    index = HouseIndex()
    index.apply([listed(), *publication(600_000, epoch=1), *publication(700_000, epoch=2)])
    published_before, previous = index.live[1], index.previous[1]
    index.apply([computed(3, refresh=True, spot=2_900)])
    assert (index.live[1].epoch, index.live[1].ref_spot, index.live[1].time) == (3, 2_900, 1_003)
    assert index.live[1].strikes == published_before.strikes
    assert index.live[1].ranges == replace(published_before.ranges, psr_ppm=150_003)  # those in force move on
    assert index.live[1].im_uplift_pct == 3
    assert index.previous[1] == previous


def test_apply__staged_only__nothing_is_live() -> None:
    """What a publication announces binds when it is flipped, not before; a restart in between forgets nothing."""
    index = HouseIndex()
    index.apply([listed(), *publication(600_000, epoch=1), *publication(900_000, epoch=2, flip=False)])
    assert index.live[1].expiries[0].sigma_atm_ppm == 600_000
    again = HouseIndex()
    HouseConsumer(again, {}).load(dumped(index))
    again.apply([computed(2, refresh=False), published(2)])
    assert again.live[1].expiries[0].sigma_atm_ppm == 900_000


def test_state__dumped_and_loaded__same_bytes() -> None:
    """The stored index is canonical: a restart continues from exactly what was there."""
    index = HouseIndex()
    index.apply([listed(), *publication(600_000, epoch=1), position(7, CALL, 2**90), position(3, PERP, -1)])
    again = HouseIndex()
    HouseConsumer(again, {}).load(dumped(index))
    assert dumped(again) == dumped(index)
    assert again.roster().accounts() == [3, 7]


def test_mark__reset__everything_is_as_it_was() -> None:
    """A mark is never changed by what is applied after it."""
    index = HouseIndex()
    index.apply([listed(), *publication(600_000, epoch=1), position(7, CALL, 5)])
    mark, before = index.mark(), dumped(index)
    index.apply([*publication(700_000, epoch=2), position(7, CALL, 0), position(8, PUT, 1)])
    assert dumped(index) != before
    index.reset(mark)
    assert dumped(index) == before


def test_open_accounts__one_that_columns_cannot_hold__stays_while_something_is_left() -> None:
    """An account kept whole beside the columns is judged like any other."""
    index = HouseIndex()
    index.apply([collateral(7, 2**200), collateral(8, 1)])
    assert index.open_accounts().accounts() == [7, 8]
    index.apply([collateral(7, 0)])
    assert index.open_accounts().accounts() == [8]
