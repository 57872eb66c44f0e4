"""Deploying a house: contracts in the order in which they need each other, roles, fences, listings, first publication.

The deployer owns everything until it hands ownership to a timelock.  It lists and publishes once, and gives both roles
up again: the publisher's key and the liquidator's never are the same key, and neither is the owner's.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

from eth_utils import keccak

from keeper.abis import load
from keeper.deploy import structs
from keeper.deploy.checks import check_spec
from keeper.deploy.hand import Hand
from keeper.deploy.spec import HouseSpec
from keeper.domain import codec
from keeper.protocols.clearinghouse.deployment import BREAKER, MULTICALL, QUORUM, Deployment

ROLES = {
    name: keccak(name.encode())
    for name in ("PUBLISHER_ROLE", "LISTER_ROLE", "GUARDIAN_ROLE", "EMERGENCY_ROLE", "BREAKER_ROLE")
}

#: Digest of the last set target before the first publication.
NOTHING_YET = b"\0" * 32

#: Told of progress: name of the step, done, total.
Progress = Callable[[str, int, int], None]


def account_id(owner: str, sub_account: int = 0) -> int:
    """AccountId: the owner in the high 160 bits, the sub-account in the low 96."""
    return int(owner, 16) << 96 | sub_account


def deploy_house(
    spec: HouseSpec,
    hand: Hand,
    *,
    now_s: int | None = None,
    multicall: bool = False,
    progress: Progress = lambda *_: None,
) -> Deployment:
    """Deploy a whole house.

    Args:
        spec: what to deploy.
        hand: who deploys; it stays the owner.
        now_s: chain time, from which the first publication's validity counts; the wall clock if not given.
        multicall: deploy a Multicall3 of our own too, for chains that have none at the usual address.
        progress: told of every step.

    Raises:
        BadInput: the spec has mistakes; nothing was sent.
        Halt: a transaction reverts; what is deployed so far stays.
    """
    if not hand.begun:  # else an earlier run looked, and the chain has moved on since
        check_spec(spec, hand)
    first_block = hand.height() + 1
    steps = _Steps(progress, total=10 + len(spec.feeds) + len(spec.collaterals) + 2 * len(spec.underlyings))
    at = _contracts(spec, hand, steps)
    _configure(spec, hand, at, steps)
    # The tail of the validity is for slow chains; the head of a young test chain may be far from the wall clock.
    deadline = (int(time.time()) if now_s is None else now_s) + spec.valid_for_s
    _open_markets(spec, hand, at, steps, deadline)
    _set_breaker(spec, hand, at)
    _set_quorum(spec, hand, at)
    steps.done("breaker set")
    _seed_fund(spec, hand, at)
    steps.done("fund seeded")
    code = {name: hand.code_hash(address) for name, address in at.items()}
    if multicall:
        at[MULTICALL] = hand.create(MULTICALL)
    return Deployment(
        chain_id=hand.chain_id,
        block=first_block,
        addresses=at,
        symbols={i: u.asset for i, u in enumerate(spec.underlyings)},
        collaterals={i: c.symbol for i, c in enumerate(spec.collaterals)},
        liquidator_account=account_id(spec.liquidator),
        code=code,
    )


class _Steps:
    """Counts steps for the progress."""

    def __init__(self, progress: Progress, *, total: int) -> None:
        self._progress, self._total, self._count = progress, total, 0
        progress("deploying contracts", 0, total)

    def done(self, what: str) -> None:  # noqa: ARG002 - names the step where it is called
        self._count += 1
        self._progress("deploying contracts", self._count, self._total)


def _contracts(spec: HouseSpec, hand: Hand, steps: _Steps) -> dict[str, str]:
    owner = hand.address
    at: dict[str, str] = {}
    libraries: dict[str, str] = {}

    def create(name: str, *args: object) -> str:
        for library in needed(name):
            if library not in libraries:
                libraries[library] = hand.create(library, libraries=libraries)
        at[name] = hand.create(name, *args, libraries=libraries)
        steps.done(name)
        return at[name]

    oracle = create("PriceOracle", owner)
    file = create("RiskFile", oracle)
    parameters = create("RiskParameters", file, owner)
    hand.send("RiskFile", file, "connect", parameters)
    house = create("ClearingHouse", oracle, file, parameters, structs.collateral(spec.collaterals[0]), owner)
    create("InsuranceFund", house, owner, spec.fund_cap_per_auction)
    create("LiquidationAuction", house, owner, structs.auction(spec))
    return at


def needed(name: str) -> list[str]:
    """Libraries of a contract, those that others need first."""
    found: list[str] = []
    for places in load(name).link_references.values():
        for library in places:
            found += [x for x in (*needed(library), library) if x not in found]
    return found


def _configure(spec: HouseSpec, hand: Hand, at: dict[str, str], steps: _Steps) -> None:
    house = at["ClearingHouse"]
    for feed in spec.feeds:
        hand.send("PriceOracle", at["PriceOracle"], "setFeed", structs.asset_id(feed.asset), structs.feed(feed))
        steps.done(feed.asset)
    hand.send("ClearingHouse", house, "wire", at["LiquidationAuction"], at["InsuranceFund"])
    steps.done("wired")
    for collateral in spec.collaterals[1:]:
        hand.send("ClearingHouse", house, "addCollateral", structs.collateral(collateral))
        steps.done(collateral.symbol)
    for function, value in (
        ("setInterest", spec.interest_ppm_per_year),
        ("setFee", spec.fee_ppm),
        ("setMinEquity", spec.min_equity_to_open),
        ("setGuardian", spec.guardian),
    ):
        hand.send("ClearingHouse", house, function, value)
    steps.done("house set")


def _open_markets(spec: HouseSpec, hand: Hand, at: dict[str, str], steps: _Steps, deadline: int) -> None:
    parameters = at["RiskParameters"]

    def send(function: str, *args: object) -> None:
        hand.send("RiskParameters", parameters, function, *args)

    for role in ("LISTER_ROLE", "PUBLISHER_ROLE"):
        send("grantRole", ROLES[role], hand.address)
    for i, u in enumerate(spec.underlyings):
        send(
            "listUnderlying",
            i,
            structs.asset_id(u.asset),
            structs.config(u),
            structs.fences(u),
            structs.vols(u),
            *structs.ranges(u),
        )
        hand.send("ClearingHouse", at["ClearingHouse"], "setMarket", i, structs.market(u))
        for e in u.expiries:
            send("listExpiry", i, e.expiry, list(e.strikes), e.sigma_atm_ppm, e.phi_ppb, e.df_ppb)
        steps.done(f"{u.asset} listed")
        digest = hashlib.sha256(codec.dumps(u)).digest()
        first = [(e.expiry, e.phi_ppb, e.df_ppb, e.sigma_atm_ppm, list(e.smile)) for e in u.expiries]
        send("publish", i, (1, deadline, digest, NOTHING_YET, *structs.ranges(u), first))
        steps.done(f"{u.asset} published")
    for role in ("LISTER_ROLE", "PUBLISHER_ROLE"):
        send("renounceRole", ROLES[role], hand.address)
    if not spec.by_quorum:  # else the quorum's contract alone, once it is there: beside a key it were no quorum
        send("grantRole", ROLES["PUBLISHER_ROLE"], spec.publisher)
    send("grantRole", ROLES["GUARDIAN_ROLE"], spec.guardian)
    steps.done("roles")


def _set_breaker(spec: HouseSpec, hand: Hand, at: dict[str, str]) -> None:
    if spec.breaker is None:
        return
    at[BREAKER] = hand.create(BREAKER, at["ClearingHouse"], hand.address)
    underlyings = {u.asset: i for i, u in enumerate(spec.underlyings)}
    for feed in spec.feeds:
        config = structs.breaker(spec.breaker, feed, underlyings.get(feed.asset))
        hand.send(BREAKER, at[BREAKER], "setConfig", structs.asset_id(feed.asset), config)
    hand.send("RiskParameters", at["RiskParameters"], "grantRole", ROLES["BREAKER_ROLE"], at[BREAKER])
    hand.send("ClearingHouse", at["ClearingHouse"], "setBreaker", at[BREAKER])


def _set_quorum(spec: HouseSpec, hand: Hand, at: dict[str, str]) -> None:
    if spec.quorum is None:
        return
    keepers = sorted(spec.quorum.keepers, key=lambda address: int(address, 16))
    counts = spec.quorum.to_publish, spec.quorum.to_tighten
    at[QUORUM] = hand.create(QUORUM, at["RiskParameters"], hand.address, keepers, *counts)
    roles = ["EMERGENCY_ROLE", *(["PUBLISHER_ROLE"] if spec.by_quorum else [])]
    for role in roles:
        hand.send("RiskParameters", at["RiskParameters"], "grantRole", ROLES[role], at[QUORUM])


def _seed_fund(spec: HouseSpec, hand: Hand, at: dict[str, str]) -> None:
    if not spec.fund_seed:
        return
    fund = hand.view("InsuranceFund", at["InsuranceFund"], "account")
    token = spec.collaterals[0].token
    # `approve` is the same in every ERC-20; the mock's ABI is the one we export.
    hand.send("MockERC20", token, "approve", at["ClearingHouse"], spec.fund_seed)
    hand.send("ClearingHouse", at["ClearingHouse"], "deposit", fund, 0, spec.fund_seed)
