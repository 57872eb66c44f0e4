"""Who is flagged, released and bid on."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.domain.knobs import PolicyKnobs
from keeper.domain.margin import AccountMargin, Band, Unpriced
from keeper.domain.market import MarketModel, UnderlyingMarket
from keeper.policy import auction as dutch
from keeper.policy.auction import WAD
from keeper.policy.liquidate import bids, flags, remeasures, unflags
from keeper.policy.room import UnderWay
from keeper.testing.builders import NOW, a_margin, a_snapshot, an_auction, auction_rules, usd

KNOBS = PolicyKnobs(max_inventory_usd=100_000)
MARKET = MarketModel(
    now=NOW,
    underlyings=(
        UnderlyingMarket(
            underlying=1, symbol="ETH", spot=usd(3_000), why_unpriced="", file=None, previous=None, refreshed=None,
            epoch=65_536, stale=False, target=None, why_untargeted="",
        ),
    ),
)  # fmt: skip


def priced(*margins: AccountMargin) -> dict[int, AccountMargin]:
    return {m.account: m for m in margins}


def short(account: int, equity: float, mm: float) -> AccountMargin:
    return a_margin(account, equity=equity, mm=mm, band=Band.LIQUIDATABLE)


def test_flags__several_short__largest_shortfall_first() -> None:
    """When blocks are full the account that loses most must not wait behind one that loses little."""
    got = flags(a_snapshot(), priced(short(7, 90, 100), short(8, 10, 100), a_margin(9)), ())
    assert [f.account for f in got] == [8, 7]


def test_flags__warning_or_in_auction__left_alone() -> None:
    """Only a proven shortfall is flagged, and only once."""
    calls = a_margin(7, equity=105, mm=100, band=Band.WARNING)
    running = replace(short(8, 10, 100), in_auction=True)
    assert list(flags(a_snapshot(), priced(calls, running), ())) == []


def test_flags__short_only_under_new_file__waits() -> None:
    """A publication alone must not liquidate anybody inside its notice window."""
    account = short(7, 90, 100)
    healthy_before = a_margin(7, equity=130, mm=100)
    assert list(flags(a_snapshot(), priced(account), (healthy_before,))) == []
    assert list(flags(a_snapshot(), priced(account), (Unpriced(account=7, reason="?", in_auction=False),))) == []
    assert [f.account for f in flags(a_snapshot(), priced(account), (account,))] == [7]


def test_flags_and_bids__expired_option_without_price__wait_for_settlement() -> None:
    """Settlement may make the account healthy, so nobody is liquidated before it; the contract would refuse."""
    held = replace(short(7, 90, 100), unsettled=True)
    assert list(flags(a_snapshot(), priced(held), ())) == []
    snapshot = a_snapshot(auctions=(an_auction(7),), own_account=2)
    own = a_margin(2, equity=50_000, mm=0, im=0)
    assert list(bids(snapshot, MARKET, priced(own, replace(held, in_auction=True)), KNOBS)) == []
    assert list(bids(snapshot, MARKET, priced(own, replace(short(7, 90, 100), in_auction=True)), KNOBS))


def test_flags__own_account_and_fund__never() -> None:
    """We do not put ourselves or the insurance fund up for auction."""
    snapshot = a_snapshot(own_account=7)
    assert list(flags(snapshot, priced(short(7, 1, 100), short(1, 1, 100)), ())) == []


@pytest.mark.parametrize(("equity", "released"), [(109.99, False), (110, True), (-1, False)])
def test_unflags__buffer__exact(equity: float, released: bool) -> None:
    """An auction ends at health 1 + b, not at 1."""
    snapshot = a_snapshot(auctions=(an_auction(7),))
    account = a_margin(7, equity=equity, mm=100, in_auction=True)
    assert bool(list(unflags(snapshot, priced(account)))) is released


def test_max_fraction__taken__restores_health_to_buffer() -> None:
    """LIQ-1: what is left after the closed form has health 1 + b, to the slack of the contract."""
    rules = auction_rules()
    equity, mm, reserved = usd(800), usd(1_000), usd(100)
    d = dutch.discount_ppm(rules, 600)
    f = dutch.max_fraction_wad(
        equity=equity, mm=mm, buffer_ppm=rules.buffer_ppm, mtm=equity, d_ppm=d, reserved=reserved
    )
    assert 0 < f < WAD
    paid = (equity - reserved) * d * f // (10**6 * WAD)
    left = equity - (equity - reserved) * f // WAD + paid
    needed = mm * (WAD - f) // WAD * 11 // 10
    assert 0 <= left - needed < usd(1_000) // 10**8


def test_offer__restored_or_dust__none_or_whole() -> None:
    """Nothing may be taken from an account that does not need it; dust is closed whole."""
    rules = auction_rules()
    restored = a_margin(7, equity=1_100, mm=1_000, in_auction=True)
    assert dutch.restored(restored, rules)
    assert dutch.offer(an_auction(7), restored, rules, NOW).most == 0
    dust = dutch.offer(an_auction(7), a_margin(7, equity=40, mm=41, in_auction=True), rules, NOW)
    assert (dust.most, dust.indivisible) == (WAD, True)


def test_discount__over_time__falls_through_cutoff_to_zero() -> None:
    """d never rises, meets the cutoff after the fast period and ends at zero."""
    rules = auction_rules()
    path = [dutch.discount_ppm(rules, t) for t in range(0, 9_000, 60)]
    assert path == sorted(path, reverse=True)
    assert dutch.discount_ppm(rules, 900) == 800_000
    assert path[-1] == 0


def test_bids__little_margin_to_spare__slice_fits() -> None:
    """We never bid for more than our own initial margin carries, counted conservatively."""
    snapshot = a_snapshot(auctions=(an_auction(7),), own_account=2)
    own = a_margin(2, equity=1_000, mm=0, im=0)
    target = replace(short(7, 800, 5_000), in_auction=True)
    (bid,) = bids(snapshot, MARKET, priced(own, target), KNOBS)
    value = target.equity * bid.fraction_wad // WAD
    cost = bid.max_cost * 1000 // 1005
    assert 0 < bid.fraction_wad < WAD
    assert own.equity + value - cost >= target.im * bid.fraction_wad // WAD - 10**6
    assert bid.epochs == (65_536,)


def test_bids__second_auction__uses_what_the_first_left() -> None:
    """Two bids in one block share one account's margin."""
    snapshot = a_snapshot(auctions=(an_auction(7, started_s_ago=90), an_auction(8)), own_account=2)
    own = a_margin(2, equity=3_000, mm=0, im=0)
    targets = [replace(short(n, 800, 2_400), in_auction=True) for n in (7, 8)]
    both = list(bids(snapshot, MARKET, priced(own, *targets), KNOBS))
    alone = list(bids(snapshot, MARKET, priced(own, targets[1]), KNOBS))
    assert [b.account for b in both] == [7, 8]
    assert both[1].fraction_wad < alone[0].fraction_wad


def under_way(*accounts: int, mined: tuple[int, ...] = ()) -> UnderWay:
    named = {account: ("bid", f"account:{account:#066x}") for account in (*accounts, *mined)}
    return UnderWay.of(frozenset(named.values()), frozenset(named[account] for account in accounts))


def test_bids__one_under_way__keeps_its_share_of_the_margin() -> None:
    """DEL-7: what an open bid may still take is set aside, whoever is older; once it mined, the margin tells."""
    snapshot = a_snapshot(auctions=(an_auction(7, started_s_ago=90), an_auction(8)), own_account=2)
    own = a_margin(2, equity=3_000, mm=0, im=0)
    targets = [replace(short(n, 800, 2_400), in_auction=True) for n in (7, 8)]
    everything = priced(own, *targets)
    first, _ = bids(snapshot, MARKET, everything, KNOBS)
    (beside,) = bids(snapshot, MARKET, everything, KNOBS, under_way=under_way(8))
    assert beside.account == 7
    assert beside.fraction_wad < first.fraction_wad
    (mined,) = bids(snapshot, MARKET, everything, KNOBS, under_way=under_way(mined=(8,)))
    assert mined == first


@given(
    spare=st.integers(0, 20_000),
    book=st.lists(st.tuples(st.integers(1, 4_000), st.integers(0, 3_000)), min_size=2, max_size=8),
    open_=st.sets(st.integers(0, 7)),
    wait=st.integers(0, 4_000),
)
def test_bids__any_under_way__together_within_our_margin(
    spare: int, book: list[tuple[int, int]], open_: set[int], wait: int
) -> None:
    """DEL-7: whatever is open at its largest and whatever is decided beside it fit our IM together, in any order."""
    accounts = range(10, 10 + len(book))
    auctions = tuple(an_auction(a, started_s_ago=wait) for a in accounts)
    snapshot = a_snapshot(auctions=auctions, own_account=2)
    own = a_margin(2, equity=spare, mm=0, im=0)
    targets = {
        account: replace(short(account, equity, equity + lacking), in_auction=True)
        for account, (equity, lacking) in zip(accounts, book, strict=True)
    }
    rules = auction_rules()

    def use(account: int, fraction: int) -> int:
        offer = dutch.offer(an_auction(account, started_s_ago=wait), targets[account], rules, NOW)
        whole = targets[account].im - (targets[account].equity - offer.cost - offer.reserved)
        return -(-max(0, whole) * min(fraction, WAD) // WAD)

    # A life: bids are decided, some stay open, and block after block more is decided beside them.
    everything, pending = priced(own, *targets.values()), dict[int, int]()
    for _ in range(3):
        fresh = list(bids(snapshot, MARKET, everything, KNOBS, under_way=under_way(*pending)))
        assert not {b.account for b in fresh} & set(pending)
        pending |= {b.account: b.fraction_wad for b in fresh}
        assert sum(use(account, fraction) for account, fraction in pending.items()) <= own.equity, "DEL-7"
        pending = {a: f for a, f in pending.items() if a - 10 in open_}  # the others were refused


def test_bids__insolvent__waits_until_the_payout_pays() -> None:
    """At the start the payout only fills the hole; later it pays for the risk."""
    own = a_margin(2, equity=50_000, mm=0, im=0)
    broke = replace(a_margin(7, equity=-100, mm=1_000, band=Band.INSOLVENT), in_auction=True)
    early = a_snapshot(auctions=(an_auction(7, insolvent_since=NOW - 1),), own_account=2)
    late = a_snapshot(auctions=(an_auction(7, insolvent_since=NOW - 1_800),), own_account=2)
    assert list(bids(early, MARKET, priced(own, broke), KNOBS)) == []
    (bid,) = bids(late, MARKET, priced(own, broke), KNOBS)
    assert bid.fraction_wad == WAD
    assert bid.max_cost == -usd(600) + usd(3)


def test_remeasures__insolvent_unnoticed__once() -> None:
    """An account that falls below zero in its auction starts the insolvent clock; one that did already does not."""
    broke = replace(a_margin(7, equity=-100, mm=1_000, band=Band.INSOLVENT), in_auction=True)
    unnoticed = a_snapshot(auctions=(an_auction(7),))
    assert [r.account for r in remeasures(unnoticed, priced(broke))] == [7]
    noticed = a_snapshot(auctions=(an_auction(7, insolvent_since=NOW - 5),))
    assert list(remeasures(noticed, priced(broke))) == []
    assert list(remeasures(unnoticed, priced(replace(short(7, 1, 100), in_auction=True)))) == []


def test_bids__no_inventory_left__none() -> None:
    """The inventory limit binds before our money does."""
    snapshot = a_snapshot(auctions=(an_auction(7),), own_account=2)
    own = a_margin(2, equity=10**6, mm=81_000, im=100_000)
    target = replace(short(7, 800, 1_000), in_auction=True)
    assert list(bids(snapshot, MARKET, priced(own, target), KNOBS)) == []
