"""A market to try the keeper on, on a node of one's own: feeds with a past, tokens, keys, a house, a funded account.

The house comes out of the same use case as every other deployment; only feeds and tokens are mocks.
"""

from __future__ import annotations

import json
import math
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from numpy.random import Generator

from keeper.chain.asking.rpc import Rpc
from keeper.chain.sending.fees import FeePolicy
from keeper.chain.signers import LocalSigner, from_key, from_secret_file
from keeper.deploy.fund import funding, pay
from keeper.deploy.hand import Hand
from keeper.deploy.house import Progress
from keeper.deploy.market_spec import ExpirySpec, UnderlyingSpec
from keeper.deploy.spec import CollateralSpec, FeedSpec, HouseSpec, TimelockSpec
from keeper.deploy.whole import Deployed, deploy_whole
from keeper.domain.nested import json_of
from keeper.errors import BadInput, KeeperError

DAY: Final = 86_400
ETHER: Final = 10**18
TRANSFER_GAS: Final = 21_000
#: Of every feed, and of the prices of a strike.
DECIMALS: Final = 8
#: USD of one coin, and its volatility a year, for the past of its feed.
COINS: Final = {"ETH": (3_000, 0.7), "BTC": (60_000, 0.5)}
#: Rounds of a feed's past and the time between two: more than `risk.min_observations`.
ROUNDS, ROUND_S = 72, 3_600
#: Seconds between two blocks once everything stands.
BLOCK_S: Final = 2
#: A trial's feed only speaks when told to.
FEED_MAX_AGE_S: Final = 30 * DAY
ROLES: Final = ("deployer", "publisher", "liquidator", "guardian", "owner")
#: Paid into the liquidator's account and into the insurance fund, USDC units.
LIQUIDATOR_USDC, FUND_USDC = 1_000_000 * 10**6, 100_000 * 10**6
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_FEEDS: Final = "feeds.json"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What was set up."""

    folder: Path
    deployed: Deployed
    settings: Path
    """Of a keeper with both keys; it still sends only when told to."""


def refuse_elsewhere(url: str) -> None:
    """A trial makes keys and mock money: nowhere but on this machine.  Raises: `BadInput`."""
    host = urlsplit(url).hostname
    if host not in _LOOPBACK:
        raise BadInput(f"{host or url} is not this machine", hint="start a node here, e.g. anvil, and name its URL")


def set_up(
    url: str,
    folder: Path,
    rpc: Rpc,
    *,
    fees: FeePolicy,
    rng: Generator,
    poll_interval_s: float = 0.1,
    progress: Progress = lambda *_: None,
    told: Callable[[str], None] = lambda _: None,
) -> Trial:
    """Set a trial market up.

    Args:
        url: the node, on this machine; it has unlocked accounts with ether.
        folder: where keys, deployment.json and keeper.toml go; absent or empty.
        rpc: the same node.
        fees: what may be paid.
        rng: of the past of the feeds.
        poll_interval_s: between two looks for a receipt.
        progress: told of every step of the house.
        told: told of everything else.

    Raises: `BadInput` for another machine, a folder that is in use, or a node without such accounts; as `deploy_whole`.
    """
    refuse_elsewhere(url)
    folder = folder.resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"{folder} is in use", hint="name another folder, or remove that trial")
    rich = rpc.request("eth_accounts")
    if not rich:
        raise BadInput("the node has no unlocked account to pay from", hint="a trial runs on anvil or a node like it")
    folder.mkdir(parents=True, exist_ok=True)
    signers = {role: _new_key(folder / f"{role}.key") for role in ROLES}
    hands = {role: Hand(rpc, signer, fees=fees, poll_interval_s=poll_interval_s) for role, signer in signers.items()}
    for role, signer in signers.items():
        call = {"from": rich[0], "to": signer.address, "value": hex(100 * ETHER), "gas": hex(TRANSFER_GAS)}
        hands[role].mined(rpc.request("eth_sendTransaction", call), f"ether for the {role}")
    told(f"keys of {', '.join(ROLES)} in {folder}, 100 ether each")
    spec = _spec(hands["deployer"], signers, rng)
    (folder / _FEEDS).write_text(json.dumps({f.asset: f.primary for f in spec.feeds}, indent=1), encoding="utf-8")
    told(f"feeds of {', '.join(COINS)} with {ROUNDS} hourly rounds, mock tokens USDC and WETH")
    deployed = deploy_whole(
        spec,
        rpc,
        signers["deployer"],
        fees=fees,
        journal=folder / "deployment.json.journal",
        multicall=True,
        poll_interval_s=poll_interval_s,
        progress=progress,
    )
    deployed.deployment.save(folder / "deployment.json")
    liquidator = hands["liquidator"]
    liquidator.send("MockERC20", spec.collaterals[0].token, "mint", liquidator.address, LIQUIDATOR_USDC)
    pay(deployed.deployment, liquidator, funding(deployed.deployment, liquidator, amount=LIQUIDATOR_USDC))
    told(f"liquidator's account funded with {LIQUIDATOR_USDC // 10**6:,} USDC")
    with suppress(KeeperError):  # anvil mines when it is sent something; a daemon is to see time go by
        rpc.request("evm_setIntervalMining", BLOCK_S)
        told(f"a block every {BLOCK_S} s from now on")
    settings = folder / "keeper.toml"
    settings.write_text(_settings(url, rpc.chain_id, folder), encoding="utf-8")
    return Trial(folder=folder, deployed=deployed, settings=settings)


def push_price(folder: Path, rpc: Rpc, coin: str, usd: float, *, fees: FeePolicy, poll_interval_s: float = 0.1) -> None:
    """A new round of a trial's feed.

    Raises: `BadInput` for a folder without a trial, another coin, or no price.
    """
    try:
        feeds = json_of((folder / _FEEDS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{folder} holds no trial", hint="set one up first, without --price") from error
    if coin not in feeds:
        raise BadInput(f"the trial has no feed of {coin}", hint=f"it has {', '.join(feeds)}")
    if not 0 < usd < 10**9:
        raise BadInput(f"{usd} USD is no price", hint="e.g. --price ETH=2500")
    hand = Hand(rpc, from_secret_file(folder / "owner.key"), fees=fees, poll_interval_s=poll_interval_s)
    hand.send("MockAggregator", feeds[coin], "push", round(usd * 10**DECIMALS))


def _new_key(path: Path) -> LocalSigner:
    """A fresh key in a file that only its owner reads."""
    key = secrets.token_bytes(32)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(key.hex() + "\n")
    return from_key(key)


def _spec(hand: Hand, signers: dict[str, LocalSigner], rng: Generator) -> HouseSpec:
    """Mock feeds and tokens, and the house on them."""
    now_s = hand.now_s()
    feeds = {coin: _feed(hand, coin, now_s, rng) for coin in COINS}
    usdc, weth = (hand.create("MockERC20", f"Trial {n}", n, d) for n, d in (("USDC", 6), ("WETH", 18)))
    hand.send("MockERC20", usdc, "mint", hand.address, FUND_USDC)
    return HouseSpec(
        feeds=tuple(FeedSpec(asset=coin, primary=at, max_age_s=FEED_MAX_AGE_S) for coin, at in feeds.items()),
        collaterals=(
            CollateralSpec(symbol="USDC", token=usdc, decimals=6, asset="USD"),
            CollateralSpec(symbol="WETH", token=weth, decimals=18, asset="ETH", haircut_ppm=100_000),
        ),
        underlyings=tuple(
            UnderlyingSpec(asset=coin, psr_ppm=120_000, expiries=_expiries(usd, vol, now_s))
            for coin, (usd, vol) in COINS.items()
        ),
        publisher=signers["publisher"].address,
        liquidator=signers["liquidator"].address,
        guardian=signers["guardian"].address,
        timelock=TimelockSpec(proposers=(signers["owner"].address,), min_delay_s=60),
        fund_seed=FUND_USDC,
    )


def _expiries(usd: int, vol: float, now_s: int) -> tuple[ExpirySpec, ...]:
    strikes = tuple(usd * part // 100 * 10**DECIMALS for part in (80, 90, 100, 110, 120))
    today = now_s // DAY * DAY + 8 * 3_600
    return tuple(
        ExpirySpec(expiry=today + days * DAY, strikes=strikes, sigma_atm_ppm=round(vol * 10**6)) for days in (8, 29)
    )


def _feed(hand: Hand, coin: str, now_s: int, rng: Generator) -> str:
    """A feed whose past is a random walk that ends at the coin's price."""
    usd, vol = COINS[coin]
    step = vol * math.sqrt(ROUND_S / (365 * DAY))
    path = [float(usd)]
    while len(path) < ROUNDS:
        path.append(path[-1] * math.exp(rng.normal(0.0, step)))
    feed = hand.create("MockAggregator", DECIMALS, round(path[-1] * 10**DECIMALS))
    for i, price in enumerate(reversed(path)):
        answer, at = round(price * 10**DECIMALS), now_s - (ROUNDS - 1 - i) * ROUND_S
        if i == 0:  # the constructor made round 1 now; it is rewritten as the oldest
            hand.send("MockAggregator", feed, "setRound", 1, answer, at, at, 1)
        else:
            hand.send("MockAggregator", feed, "pushAt", answer, at)
    return feed


def _settings(url: str, chain_id: int, folder: Path) -> str:
    """Settings of a keeper on the trial; everything else has its default."""
    files = {name: json.dumps(str(folder / name)) for name in ("deployment.json", "publisher.key", "liquidator.key")}
    store = json.dumps(f"sqlite:///{folder / 'keeper.sqlite'}")
    return f"""\
# A keeper on a trial market.  keeper init writes a file with every key and its meaning.
[chain]
rpc_urls = [{json.dumps(url)}]
chain_id = {chain_id}
confirmations = 1

[protocol]
deployment_file = {files["deployment.json"]}

[store]
url = {store}

[keys.publisher]
secret_file = {files["publisher.key"]}

[keys.liquidator]
secret_file = {files["liquidator.key"]}
"""
