"""Whatever governance sets is in the snapshot of the very block that sets it, without restart (WATCH-1, defect 18)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from keeper.abis import load
from keeper.deploy import structs
from keeper.deploy.house import ROLES
from keeper.domain.snapshot import Unusable
from keeper.protocols.clearinghouse.deployment import BREAKER, CONTRACTS
from keeper.testing.small_house import DAY, SmallHouse
from tests.onlooker import onlooker

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300)]

PSR, ETH, NEW = b"psr".ljust(32, b"\0"), structs.asset_id("ETH"), structs.asset_id("SOL")
PUBLISHER, GUARDIAN = 1, 3
#: Of `effective`, what no margin depends on by itself; of `controls`, what the policy reads.
NO_RULES = ("noticeBlocks", "listed", "slewPpmPerHour", "breakerAddOnPpm")
CONTROLS = ("pausedUntil", "noLooseningUntil", "stateAddOnPpm", "stateUntil")


@pytest.fixture(scope="module")
def built():
    house = SmallHouse()
    house.do("RiskParameters", "grantRole", ROLES["LISTER_ROLE"], house.hand.address)
    house.spare_feed = house.hand.create("MockAggregator", 8, 150 * 10**8)
    house.spare_breaker = house.hand.create(BREAKER, house.deployment.addresses["ClearingHouse"], house.hand.address)
    house.spare_token = house.hand.create("MockERC20", "SOL", "SOL", 9)
    house.do("PriceOracle", "setFeed", NEW, structs.feed(replace(house.spec.feeds[0], primary=house.spare_feed)))
    return house


@pytest.fixture
def house(built):
    """As it was opened; whatever a test does to it is forgotten."""
    snapshot = built.chain.snapshot()
    yield built
    built.chain.revert(snapshot)


def a_keeper(house):
    return onlooker(house.rpc, house.deployment, reorg_depth=8)


def says(house, contract, function, *args):
    """All outputs of a view at the head, by name: asked by itself, past everything the reader does."""
    abi = house.hand.abi(contract)
    call = {"to": house.deployment.addresses[contract], "data": "0x" + abi.call(function, *args).hex()}
    return abi.result(function, bytes.fromhex(house.chain.request("eth_call", call, "latest")[2:]))


def one(house, contract, function, *args):
    return next(iter(says(house, contract, function, *args).values()))


def the_contracts(house) -> dict[str, Any]:
    """What all accounts share, in the contracts' own words, one plain question after the other."""
    found: dict[str, Any] = {"in_house": []}
    for u in range(4):
        market = one(house, "ClearingHouse", "marketState", u)
        config = one(house, "RiskParameters", "effective", u)
        controls = one(house, "RiskParameters", "controls", u)
        if not config["listed"] or not int.from_bytes(market["market"]["asset"], "big"):
            continue
        found["in_house"].append(u)
        expiries = one(house, "RiskFile", "expiries", u)
        fence = {n: one(house, "RiskParameters", "fence", u, n.encode().ljust(32, b"\0")) for n in ("psr", "vsrUp")}
        vols = one(house, "RiskParameters", "volFences", u)
        last = says(house, "RiskParameters", "lastPublication", u)
        slew = says(house, "RiskFile", "slew", u)
        found[f"U{u}"] = {
            "rules": {k: v for k, v in config.items() if k not in NO_RULES},
            "listings": {e: tuple(one(house, "RiskFile", "strikes", u, e)) for e in expiries},
            "fences": {n: (f["min"], f["max"], f["stepRelPpm"], f["budgetAbs"]) for n, f in fence.items()},
            "joint": tuple(one(house, "RiskParameters", "jointFence", u).values()),
            "digest": "0x" + one(house, "RiskParameters", "targetDigest", u).hex(),
            "vols": (vols["sigmaMinPpm"], vols["atmStepPpm"], vols["smileMaxPpm"], vols["phiStepPpb"]),
            "next": last["time"] + vols["minDelayS"] if last["id"] else 0,
            "last": (last["id"], last["time"]),
            "frozen": one(house, "RiskParameters", "frozen", u),
            "psr": one(house, "RiskFile", "header", u, 0)["psrPpm"],
            "controls": tuple(controls[k] for k in CONTROLS),
            "slew": (slew["target"]["psrPpm"], slew["ratePpmPerHour"], slew["time"], slew["heldUntil"]),
            "notice": one(house, "RiskParameters", "inNotice", u),
            "funding": (market["fundingIndex"], market["ratePpmPerDay"]),
            "price": price(house, market["market"]["asset"]),
            "settled": {e: s["price"] for e in expiries if (s := settlement(house, u, e))["settled"]},
        }
    for c in range(1, one(house, "ClearingHouse", "collateralCount")):
        config = one(house, "ClearingHouse", "collateral", c)
        kept = (config["decimals"], config["haircutPpm"], config["capPerAccount"])
        found[f"C{c}"] = (*kept, price(house, config["asset"]))
    state = one(house, "ClearingHouse", "houseState")
    found["interest"] = state["interestIndexRay"]
    params = one(house, "LiquidationAuction", "params")
    found["auction"] = {k: v for k, v in params.items() if k not in ("coolOffS", "minGateUsd")}
    found["breaker"] = int(one(house, "ClearingHouse", "breaker"), 16) != 0
    fund = ("balance", "capPerAuction", "account")
    found["fund"] = tuple(one(house, "InsuranceFund", function) for function in fund)
    return found


def settlement(house, underlying, expiry):
    return says(house, "ClearingHouse", "settlement", underlying, expiry)


def price(house, asset):
    abi = house.hand.abi("PriceOracle")
    call = {"to": house.deployment.addresses["PriceOracle"], "data": "0x" + abi.call("price", asset).hex()}
    answer = house.chain.w3.provider.make_request("eth_call", [call, "latest"])
    return int(answer["result"], 16) if "result" in answer else None


def the_snapshot(snapshot) -> dict[str, Any]:
    """The same of a snapshot."""
    found: dict[str, Any] = {"in_house": [u.underlying for u in snapshot.underlyings]}
    for u in snapshot.underlyings:
        p, r = u.publication, u.rules
        fences = {{"vsr_up": "vsrUp"}.get(f.name, f.name): f for f in p.fences if f.name != "vsr_down"}
        found[f"U{u.underlying}"] = {
            "rules": {
                "tailPpm": r.tail_ppm,
                "shortMinPpm": r.short_min_ppm,
                "kappaPpm": r.kappa_ppm,
                "flagFeePpm": r.flag_fee_ppm,
                "staleAddOnPpm": r.stale_add_on_ppm,
                "imAddOnPpm": r.im_add_on_ppm,
                "volFloorPpm": r.vol_floor_ppm,
                "maxAgeS": r.max_age_s,
            },
            "listings": {x.expiry: x.strikes for x in u.listings},
            "fences": {n: (f.min, f.max, f.step_rel_ppm, f.budget_abs) for n, f in fences.items()},
            "joint": (p.joint.step_ppm, p.joint.budget_ppm),
            "digest": p.digest,
            "vols": (p.vol.sigma_min_ppm, p.vol.atm_step_ppm, p.vol.smile_max_ppm, p.vol.phi_step_ppb),
            "next": p.next_allowed_s,
            "last": (p.last_id, p.last_time),
            "frozen": p.frozen,
            "psr": u.live.ranges.psr_ppm if u.live else 0,
            "controls": (p.paused_until_s, p.no_loosening_until_s, p.state_add_on_ppm, p.state_until_s),
            "slew": (p.slew.target.psr_ppm, p.slew.rate_ppm_per_hour, p.slew.time_s, p.slew.held_until_s),
            "notice": p.in_notice,
            "funding": (u.funding_index, u.funding_rate_ppm_per_day),
            "price": None if isinstance(u.spot, Unusable) else u.spot.wad,
            "settled": dict(u.settled),
        }
    for c in snapshot.collaterals:
        kept = (c.decimals, c.haircut_ppm, c.cap_per_account)
        found[f"C{c.collateral}"] = (*kept, None if isinstance(c.price, Unusable) else c.price.wad)
    a, f = snapshot.auction_rules, snapshot.fund
    found["interest"] = snapshot.interest_index
    found["auction"] = {
        "fastS": a.fast_s,
        "slowS": a.slow_s,
        "startPpm": a.start_ppm,
        "cutoffPpm": a.cutoff_ppm,
        "insolventS": a.insolvent_s,
        "bufferPpm": a.buffer_ppm,
        "dustUsd": a.dust_usd,
    }
    found["breaker"] = snapshot.underlyings[0].breaker is not None
    found["fund"] = (f.balance, f.cap_per_auction, f.account)
    return found


@dataclass(frozen=True)
class Setter:
    """One thing that governance does."""

    contract: str
    function: str
    args: Callable[[SmallHouse], tuple[Any, ...]]
    moves: str = ""
    """The part of the snapshot that it changes; empty where nothing that the keeper decides from changes."""
    sender: int = 0
    before: tuple[tuple[str, str, Callable[[SmallHouse], tuple[Any, ...]], int], ...] = ()
    """What must have happened first: contract, function, arguments, sender."""

    def __str__(self) -> str:
        return f"{self.contract}.{self.function}"


def u0(house):
    return house.spec.underlyings[0]


def a_publication(house, *, psr_ppm=125_000, id_=2):
    now = house.chain.block().timestamp
    e = u0(house).expiries[0]
    smile = list(e.smile) or [e.sigma_atm_ppm] * len(e.strikes)
    vols = [(e.expiry, e.phi_ppb, e.df_ppb, e.sigma_atm_ppm, smile)]
    digest = house.hand.view("RiskParameters", house.deployment.addresses["RiskParameters"], "targetDigest", 0)
    ranges = psr_ppm, u0(house).vsr_up_ppm, u0(house).vsr_down_ppm
    return 0, (id_, now + 3_600, b"\1" * 32, digest, *ranges, vols)


def a_market(house, asset):
    market = list(structs.market(u0(house)))
    market[0] = asset
    return tuple(market)


def a_listing(house):
    u = u0(house)
    return 1, NEW, structs.config(u), structs.fences(u), structs.vols(u), *structs.ranges(u)


def with_(values, **places):
    changed = list(values)
    for place, value in places.items():
        changed[int(place[1:])] = value
    return tuple(changed)


#: No waiting between two publications.
HASTE = ("RiskParameters", "setVolFences", lambda h: (0, with_(structs.vols(u0(h)), _12=0)), 0)
PAUSED = ("ClearingHouse", "pause", lambda _: (600,), GUARDIAN)
STAGED = ("RiskParameters", "stage", a_publication, PUBLISHER)
LISTED = ("RiskParameters", "listUnderlying", a_listing, 0)

LOOSENED = ("RiskParameters", "publish", lambda h: a_publication(h, psr_ppm=110_000), PUBLISHER)
EMERGENCY, BREAKS = (
    ("RiskParameters", "grantRole", lambda h, role=role: (ROLES[role], h.hand.address), 0)
    for role in ("EMERGENCY_ROLE", "BREAKER_ROLE")
)

SETTERS = [
    Setter("RiskParameters", "setConfig", lambda h: (0, with_(structs.config(u0(h)), _2=810_000, _7=9_000)), "U0"),
    Setter("RiskParameters", "setFence", lambda h: (0, PSR, with_(structs.fence(u0(h).psr_fence), _0=21_000)), "U0"),
    Setter("RiskParameters", "setVolFences", lambda h: (0, with_(structs.vols(u0(h)), _2=190_000, _12=60)), "U0"),
    Setter("RiskParameters", "setJointFence", lambda _: (0, (250_000, 900_000)), "U0"),
    Setter("RiskParameters", "listUnderlying", a_listing),  # it is kept from its market on
    Setter(
        "RiskParameters",
        "listExpiry",
        lambda h: (0, h.chain.block().timestamp + 30 * DAY, [2_900 * 10**8], 700_000, 10**9, 10**9),
        "U0",
    ),
    Setter("RiskParameters", "listStrikes", lambda h: (0, u0(h).expiries[0].expiry, [3_200 * 10**8]), "U0"),
    Setter("RiskParameters", "publish", a_publication, "U0", PUBLISHER, (HASTE,)),
    Setter("RiskParameters", "stage", a_publication, "U0", PUBLISHER, (HASTE,)),
    Setter("RiskParameters", "stageExpiries", lambda h: (0, a_publication(h)[1][-1]), "", PUBLISHER, (HASTE, STAGED)),
    Setter("RiskParameters", "flip", lambda _: (0,), "U0", PUBLISHER, (HASTE, STAGED)),
    Setter("RiskParameters", "freeze", lambda _: (0,), "U0"),
    Setter("RiskParameters", "thaw", lambda _: (0,), "U0", 0, (("RiskParameters", "freeze", lambda _: (0,), 0),)),
    Setter("RiskParameters", "pause", lambda _: (0,), "U0", GUARDIAN),
    Setter("RiskParameters", "veto", lambda _: (0,), "U0", GUARDIAN, (HASTE, LOOSENED)),
    Setter("RiskParameters", "tighten", lambda _: (0, 500_000), "U0", 0, (EMERGENCY,)),
    Setter("RiskParameters", "setStateAddOn", lambda h: (0, 90_000, h.chain.block().timestamp + 600), "U0", PUBLISHER),
    Setter("RiskParameters", "widen", lambda h: (0, h.chain.block().timestamp + 600), "U0", 0, (BREAKS,)),
    Setter("RiskParameters", "grantRole", lambda h: (ROLES["GUARDIAN_ROLE"], h.chain.accounts[4])),
    Setter("RiskParameters", "revokeRole", lambda h: (ROLES["GUARDIAN_ROLE"], h.chain.accounts[3])),
    Setter("RiskParameters", "renounceRole", lambda h: (ROLES["LISTER_ROLE"], h.hand.address)),
    Setter("ClearingHouse", "setMarket", lambda h: (0, with_(a_market(h, ETH), _1=20_000))),
    Setter("ClearingHouse", "setMarket", lambda h: (1, a_market(h, NEW)), "in_house", 0, (LISTED,)),
    Setter(
        "ClearingHouse",
        "addCollateral",
        lambda h: ((h.spare_token, 9, NEW, 200_000, 10**20, 10**21),),
        "C2",
    ),
    Setter("ClearingHouse", "setCollateral", lambda _: (1, 150_000, 10**20, 10**21), "C1"),
    Setter("ClearingHouse", "setInterest", lambda _: (500_000,), "interest"),
    Setter("ClearingHouse", "setFundingRate", lambda _: (0, 1_000), "U0", PUBLISHER),
    Setter("ClearingHouse", "setFee", lambda _: (300,)),
    Setter("ClearingHouse", "setMinEquity", lambda _: (10**20,)),
    Setter("ClearingHouse", "setGuardian", lambda h: (h.chain.accounts[4],)),
    Setter("ClearingHouse", "setBreaker", lambda h: (h.spare_breaker,), "breaker"),
    Setter("ClearingHouse", "pause", lambda _: (600,), "", GUARDIAN),
    Setter("ClearingHouse", "unpause", lambda _: (), "", GUARDIAN, (PAUSED,)),
    Setter("PriceOracle", "setFeed", lambda h: (ETH, with_(structs.feed(h.spec.feeds[0]), _0=h.spare_feed)), "U0"),
    Setter("PriceOracle", "setFeed", lambda h: (ETH, with_(structs.feed(h.spec.feeds[0]), _4=4_000 * 10**18)), "U0"),
    Setter("PriceOracle", "setSequencer", lambda h: (h.spare_feed, 60), "U0"),
    Setter(
        "LiquidationAuction", "setParams", lambda h: (with_(structs.auction(h.spec), _0=600, _5=60_000),), "auction"
    ),
    Setter("InsuranceFund", "setCap", lambda _: (7 * 10**18,), "fund"),
    Setter("InsuranceFund", "withdraw", lambda h: (10**9, h.hand.address), "fund"),
]

#: What changes state and is nobody's setting: users, keepers, the contracts among themselves, once-only wiring, and
#: handing ownership on.  Time-bound `settleExpiryByHand` has its own test below.
NO_SETTERS = {
    "ClearingHouse": {
        *("accrueFunding", "cancel", "deposit", "moveCash", "payFromFund", "raiseNonce", "seize", "setInAuction"),
        *("settleExpiry", "settleExpiryByHand", "socialise", "sweepDust", "touch", "trade", "wire", "withdraw"),
    },
    "RiskParameters": {"checkPublication", "dryRun"},
    "RiskFile": {"begin", "carry", "configure", "connect", "flip", "list", "refresh", "retarget", "write"},
    "LiquidationAuction": {"approveBidder", "bid", "flag", "remeasure", "unflag"},
    "InsuranceFund": {"cover"},
}
OWNERSHIP = {"acceptOwnership", "renounceOwnership", "transferOwnership"}


def test_setters__every_function_that_changes_state__is_in_the_table():
    """WATCH-1: a setter that a later version adds fails here until it is watched."""
    for contract in CONTRACTS:
        functions = [entry for entry in load(contract).abi if entry["type"] == "function"]
        changing = {e["name"] for e in functions if e["stateMutability"] not in ("view", "pure")} - OWNERSHIP
        tried = {setter.function for setter in SETTERS if setter.contract == contract}
        assert changing == tried | NO_SETTERS.get(contract, set()), contract


@pytest.mark.parametrize("setter", SETTERS, ids=str)
def test_setter__next_snapshot__says_what_the_contracts_say(house, setter):
    """WATCH-1: read in the block before, and in the block that changes it; nothing is restarted in between."""
    keeper = a_keeper(house)
    for contract, function, args, sender in setter.before:
        house.do(contract, function, *args(house), sender=sender)
    before = the_snapshot(keeper.reader.read(house.chain.block()))
    house.do(setter.contract, setter.function, *setter.args(house), sender=setter.sender)
    after = the_snapshot(keeper.reader.read(house.chain.block()))
    assert after == the_contracts(house), f"WATCH-1 {setter}"
    if setter.moves:
        assert after.get(setter.moves) != before.get(setter.moves), f"{setter} had no effect: the test tests nothing"


def test_expiry_settled_by_hand__next_snapshot__settled(house):
    """WATCH-1: governance settles what no oracle round could; the keeper sees it in the same block."""
    keeper = a_keeper(house)
    expiry = u0(house).expiries[0].expiry
    keeper.reader.read(house.chain.block())
    house.chain.advance_to(expiry + 4 * DAY)
    house.do("ClearingHouse", "settleExpiryByHand", 0, expiry, 3_100 * 10**18)
    snapshot = keeper.reader.read(house.chain.block())
    assert snapshot.underlyings[0].settled == ((expiry, 3_100 * 10**18),), "WATCH-1"


def test_market__before_its_underlying_is_listed__said_and_left_out(house):
    """A market that nothing is known of yet stops nobody else."""
    keeper = a_keeper(house)
    house.do("ClearingHouse", "setMarket", 1, a_market(house, NEW))
    snapshot = keeper.reader.read(house.chain.block())
    assert [u.underlying for u in snapshot.underlyings] == [0]
    assert [p for p in snapshot.problems if p.startswith("U1: it has a market and no configuration")]
    house.do("RiskParameters", "listUnderlying", *a_listing(house))
    snapshot = keeper.reader.read(house.chain.block())
    assert [u.underlying for u in snapshot.underlyings] == [0, 1]
    assert the_snapshot(snapshot) == the_contracts(house)


def test_feed__replaced__history_goes_on_with_the_new_one(house):
    """A feed that governance replaced is followed in the same block; what the old one said stays known."""
    keeper = a_keeper(house)
    before = keeper.reader.read(house.chain.block())
    house.do("MockAggregator", "push", 3_050 * 10**8, to=house.spare_feed)
    house.do("PriceOracle", "setFeed", ETH, with_(structs.feed(house.spec.feeds[0]), _0=house.spare_feed))
    after = keeper.reader.read(house.chain.block())
    assert after.underlyings[0].spot.wad == 3_050 * 10**18
    assert {o.price for o in before.underlyings[0].history} < {o.price for o in after.underlyings[0].history}
    assert [p for p in after.problems if p.startswith("feed of ETH moved from")]
    house.chain.mine()
    assert keeper.reader.read(house.chain.block()).problems == ()
