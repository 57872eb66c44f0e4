"""A bad spec is refused before the first transaction, with the path of every mistake."""

from dataclasses import fields, is_dataclass, replace

import pytest

from keeper.deploy import Hand, QuorumSpec, deploy_house
from keeper.deploy.checks import check_spec, complaints_of
from keeper.deploy.spec import BreakerSpec, TimelockSpec
from keeper.deploy.units import unit_of
from keeper.errors import BadInput, Halt
from keeper.testing.small_house import DAY, SmallHouse

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300)]

PLACEHOLDER = "0x" + "11" * 20
NOBODY = "0x00000000000000000000000000000000DeaDBeef"


@pytest.fixture(scope="module")
def house():
    return SmallHouse()


@pytest.fixture(scope="module")
def good(house):
    """A spec with everything that a spec may have, and no mistake."""
    chain = house.chain
    spec = replace(house.spec, breaker=BreakerSpec(), fund_seed=0)
    lock = TimelockSpec(proposers=(chain.accounts[4],), min_delay_s=DAY)
    quorum = QuorumSpec(keepers=(chain.accounts[1], chain.accounts[5]), to_tighten=1, to_publish=2)
    return replace(spec, timelock=lock, quorum=quorum)


def put(record, path, value):
    """The record with one value replaced, by its path."""
    head, _, rest = path.partition(".")
    name, _, place = head.partition("[")
    old = getattr(record, name)
    if not place:
        return replace(record, **{name: put(old, rest, value) if rest else value})
    i = int(place.rstrip("]"))
    new = put(old[i], rest, value) if rest else value
    return replace(record, **{name: (*old[:i], new, *old[i + 1 :])})


def at_path(record, path):
    """A value of the record, by its path."""
    for part in path.split("."):
        name, _, place = part.partition("[")
        record = getattr(record, name)[int(place[:-1])] if place else getattr(record, name)
    return record


#: Path, value, where the complaint is if elsewhere, what it says.
WRONG = [
    ("guardian", PLACEHOLDER, "guardian", "placeholder"),
    ("timelock.proposers[0]", PLACEHOLDER, "timelock.proposers[0]", "placeholder"),
    ("quorum.keepers[1]", "0x" + "00" * 20, "quorum.keepers[1]", "placeholder"),
    ("publisher", "hello", "publisher", "no address"),
    ("publisher", "0x5fbDB2315678afecb367f032d93F642f64180aa3", "publisher", "checksum"),
    ("feeds[0].primary", "0x12", "feeds[0].primary", "no address"),
    ("feeds[0].primary", NOBODY, "feeds[0].primary", "feed of ETH: no contract at"),
    ("collaterals[1].token", NOBODY, "collaterals[1].token", "token WETH: no contract at"),
    ("timelock", TimelockSpec(address=NOBODY), "timelock.address", "no contract at"),
    ("timelock", TimelockSpec(), "timelock.proposers", "nothing can be changed"),
    ("underlyings[0].psr_ppm", -5, "underlyings[0].psr_ppm", "does not fit uint24"),
    ("underlyings[0].psr_ppm", 2**24, "underlyings[0].psr_ppm", "does not fit uint24"),
    ("underlyings[0].psr_ppm", 400_000, "underlyings[0].psr_ppm", "outside psr_fence"),
    ("underlyings[0].tail_ppm", 0, "underlyings[0].tail_ppm", "between 1 and 1,000,000 (ppm"),
    ("underlyings[0].kappa_ppm", 995_000, "underlyings[0].kappa_ppm", "together"),
    ("underlyings[0].max_age_s", 10, "underlyings[0].max_age_s", "between 60 and 604,800 (seconds)"),
    ("underlyings[0].psr_fence.max", 600_000, "underlyings[0].psr_fence.max", "between 1 and 500,000"),
    ("underlyings[0].psr_fence.min", 400_000, "underlyings[0].psr_fence", "above max"),
    ("underlyings[0].vol_fences.phi_min_ppb", 7, "underlyings[0].vol_fences.phi_min_ppb", "ppb"),
    ("underlyings[0].vol_fences.atm_step_ppm", 2**24, "underlyings[0].vol_fences.atm_step_ppm", "uint24"),
    ("underlyings[0].price_band_ppm", 600_000, "underlyings[0].price_band_ppm", "500,000"),
    ("underlyings[0].max_open_interest_perp", 5_000, "underlyings[0].max_open_interest_perp", "1e-18 contracts"),
    ("underlyings[0].asset", "ETC", "underlyings[0].asset", "has no feed"),
    ("underlyings[0].expiries[0].expiry", 1_600_000_000, "underlyings[0].expiries[0].expiry", "s ago by the chain"),
    ("underlyings[0].expiries[0].expiry", 2**32, "underlyings[0].expiries[0].expiry", "uint32"),
    ("underlyings[0].expiries[0].strikes", (3_000,), "underlyings[0].expiries[0].strikes[0]", "in 1e-8 USD"),
    ("underlyings[0].expiries[0].strikes", (30 * 10**8,), "underlyings[0].expiries[0].strikes[0]", "is 30 USD, and"),
    ("underlyings[0].expiries[0].strikes", (3 * 10**13,), "underlyings[0].expiries[0].strikes[0]", "in 1e-8 USD"),
    ("underlyings[0].expiries[0].strikes", (4 * 10**11, 3 * 10**11), "underlyings[0].expiries[0].strikes[1]", "asc"),
    ("underlyings[0].expiries[0].strikes", (), "underlyings[0].expiries[0].strikes", "0 strikes"),
    ("underlyings[0].expiries[0].strikes", (-1,), "underlyings[0].expiries[0].strikes[0]", "uint64"),
    ("underlyings[0].expiries[0].sigma_atm_ppm", 70, "underlyings[0].expiries[0].sigma_atm_ppm", "vol_fences"),
    ("underlyings[0].expiries[0].sigmas_ppm", (1, 1), "underlyings[0].expiries[0].sigmas_ppm[0]", "too far"),
    ("underlyings[0].expiries[0].sigmas_ppm", (700_000,), "underlyings[0].expiries[0].sigmas_ppm", "2 strikes"),
    ("underlyings[0].expiries[0].phi_ppb", 1_100_000_000, "underlyings[0].expiries[0].phi_ppb", "carry"),
    ("underlyings[0].expiries[0].df_ppb", 2_000_000_000, "underlyings[0].expiries[0].df_ppb", "vol_fences"),
    ("collaterals[0].decimals", 18, "collaterals[0].decimals", "says 6"),
    ("collaterals[0].haircut_ppm", 5, "collaterals[0].haircut_ppm", "settlement token"),
    ("collaterals[1].haircut_ppm", 1_000_001, "collaterals[1].haircut_ppm", "1,000,000 (ppm"),
    ("collaterals[1].cap_total", 1_000, "collaterals[1].cap_total", "less than one WETH"),
    ("collaterals[1].asset", "BTC", "collaterals[1].asset", "has no feed"),
    ("feeds[0].max_price", 2_000 * 10**18, "feeds[0].max_price", "ETH is 3,000 USD now"),
    ("feeds[0].max_price", 10**30, "feeds[0].max_price", "uint96"),
    ("feeds[0].max_age_s", 0, "feeds[0].max_age_s", "at least 1"),
    ("auction.cutoff_ppm", 990_000, "auction.cutoff_ppm", "above start_ppm"),
    ("auction.fast_s", 100_000, "auction.fast_s", "86,400"),
    ("auction.dust_usd", 500, "auction.dust_usd", "1e-18 USD"),
    ("breaker.window_s", 500, "breaker.window_s", "twice hold_s"),
    ("breaker.max_rounds", 300, "breaker.max_rounds", "uint8"),
    ("quorum.to_publish", 3, "quorum.to_publish", "3 of 2"),
    ("fee_ppm", 20_000, "fee_ppm", "between 0 and 10,000"),
    ("min_equity_to_open", 100, "min_equity_to_open", "1e-18 USD"),
    ("fund_cap_per_auction", 2**256, "fund_cap_per_auction", "uint256"),
    ("fund_seed", 10**30, "fund_seed", "the deployer"),
    ("timelock.min_delay_s", 0, "timelock.min_delay_s", "between 1 and"),
]


@pytest.mark.parametrize("wrong", WRONG, ids=[f"{w[0]}={w[1]}"[:60] for w in WRONG])
def test_deploy__bad_value__refused_with_its_path_and_nothing_sent(house, good, wrong):
    """DEP-3: whatever a contract would refuse later, or nobody could have meant, is named first."""
    path, value, where, says = wrong
    before = house.hand.height(), house.rpc.next_nonce(house.hand.address)
    with pytest.raises(BadInput) as refusal:
        deploy_house(put(good, path, value), house.hand)
    mistakes = refusal.value.fields["mistakes"]
    assert any(one.startswith(f"{where}: ") and says in one for one in mistakes), mistakes
    assert (house.hand.height(), house.rpc.next_nonce(house.hand.address)) == before


ROLES = [("publisher", "liquidator"), ("publisher", "guardian"), ("liquidator", "guardian"),
         *((role, "timelock.proposers[0]") for role in ("publisher", "liquidator")),
         *((role, "quorum.keepers[1]") for role in ("liquidator", "guardian")),
         ("timelock.proposers[0]", "quorum.keepers[1]")]  # fmt: skip


@pytest.mark.parametrize(("role", "other"), ROLES)
def test_deploy__one_address_in_two_roles__refused(house, good, role, other):
    """Who acts and who may stop or govern it are never one key."""
    with pytest.raises(BadInput, match="too: "):
        check_spec(put(good, other, at_path(good, role)), house.hand)


@pytest.mark.parametrize("role", ["publisher", "liquidator", "guardian", "timelock.proposers[0]", "quorum.keepers[1]"])
def test_deploy__deployer_in_a_role__refused(house, good, role):
    """The deployer keeps nothing; case makes no other address of it."""
    with pytest.raises(BadInput, match="deployer"):
        check_spec(put(good, role, house.hand.address.lower()), house.hand)


def test_deploy__several_mistakes__all_named_at_once(house, good):
    """One run tells everything: a person corrects a spec once."""
    spec = put(put(good, "guardian", PLACEHOLDER), "underlyings[0].psr_ppm", -5)
    with pytest.raises(BadInput, match="2 mistakes") as refusal:
        check_spec(spec, house.hand)
    assert len(refusal.value.fields["mistakes"]) == 2


def test_deploy__good_spec__no_complaint(house, good):
    """What the contracts take is not refused."""
    check_spec(good, house.hand)


def test_deploy__feed_that_is_a_token__told(house, good):
    """Code is there, and it is no feed; likewise a token that is a feed, and a timelock that is a token."""
    usdc, feed = house.tokens["USDC"], house.feeds[0]
    for path, at, says in (
        ("feeds[0].primary", usdc, "no Chainlink feed"),
        ("timelock", TimelockSpec(address=usdc), "no TimelockController"),
        ("collaterals[1].token", feed, "says 8"),
    ):
        with pytest.raises(BadInput, match=says):
            check_spec(put(good, path, at), house.hand)


def test_deploy__stale_feed__told(house, good):
    """A first publication needs a price: a feed that sleeps is found before anything is paid for."""
    with pytest.raises(BadInput, match="the last answer is"):
        check_spec(put(good, "feeds[0].max_age_s", 1), house.hand)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("underlyings[0].tail_ppm", 10**6),
        ("underlyings[0].kappa_ppm", 100_000),
        ("underlyings[0].max_age_s", 604_800),
        ("underlyings[0].psr_ppm", 325_000),
        ("auction.dust_usd", 10**22),
        ("fee_ppm", 10_000),
        ("breaker.hold_s", 60),
        ("min_equity_to_open", 10**23),
        ("underlyings[0].vol_fences.smile_max_ppm", 2_088_959),
    ],
)
def test_checks__value_at_its_bound__allowed(good, path, value):
    """A bound is the last value that the contract takes."""
    deployer = "0x976EA74026E726554dB657fA54763abd0C3a0aa9"  # the seventh: the sixth is one of the keepers
    now_s = good.underlyings[0].expiries[0].expiry - 6 * DAY
    assert complaints_of(put(good, path, value), deployer=deployer, now_s=now_s) == ()


#: A bound of ours, the value beyond it: the contract says no to the same, in these words.
BEYOND = [
    ("underlyings[0].tail_ppm", 10**6 + 1, "BadConfig(what=tailPpm)"),
    ("underlyings[0].psr_ppm", 325_001, "OutOfRange(what=psr"),
    ("underlyings[0].expiries[0].df_ppb", 10**9 + 1, "OutOfRange(what=df"),
    ("collaterals[0].decimals", 18, "BadSetting(what=decimals"),
    ("auction.dust_usd", 10**22 + 1, "BadParams(what=dustUsd)"),
    ("fee_ppm", 10_001, "BadSetting(what=fee"),
]


@pytest.mark.parametrize("beyond", BEYOND)
def test_contracts__value_beyond_a_bound__refuse_the_same_in_their_own_words(house, good, monkeypatch, beyond):
    """The bounds are the contracts' own; a revert that comes all the same is told by its name, constructors' too."""
    path, value, words = beyond
    monkeypatch.setattr("keeper.deploy.house.check_spec", lambda *_: None)
    hand = Hand(house.rpc, house.hand._signer, fees=house.hand._fees, poll_interval_s=0.0)
    with pytest.raises(Halt) as stopped:
        deploy_house(put(good, path, value), hand, now_s=house.chain.block().timestamp)
    assert words in stopped.value.message


def test_units__every_number_of_a_spec__has_one(good):
    """Whoever fills a spec in finds the unit beside the number."""
    records, seen = [good], set()
    while records:
        record = records.pop()
        for field in fields(record):
            value = getattr(record, field.name)
            inner = value if isinstance(value, tuple) else (value,)
            records += [one for one in inner if is_dataclass(one)]
            if any(isinstance(one, int) and not isinstance(one, bool) for one in inner):
                seen.add((type(record).__name__, field.name))
                assert unit_of(type(record), field.name), (type(record).__name__, field.name)
    assert len(seen) > 60
