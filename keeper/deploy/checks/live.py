"""What the chain says to a spec: code at its addresses, tokens' decimals, feeds' prices, the deployer's balance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from eth_utils import is_address

from keeper.deploy.checks.addresses import addresses
from keeper.deploy.checks.complaint import Complaint
from keeper.deploy.hand import Hand
from keeper.deploy.spec import FeedSpec, HouseSpec
from keeper.errors import KeeperError, Retry

#: A strike further than this from spot, as a ratio, is taken for one in another unit.
FAR: Final = 20
STRIKE_UNIT: Final = 10**8
WAD: Final = 10**18
#: Paths whose address must be a contract; the timelock's too, where there is one already.
_CONTRACTS: Final = (".primary", ".secondary", ".token", "timelock.address")
_NAMES: Final = {".primary": "feed of {}", ".secondary": "second feed of {}", ".token": "token {}"}


def of_chain(spec: HouseSpec, hand: Hand, now_s: int) -> Iterator[Complaint]:
    """Everything that needs the chain.  Raises: `Retry` if the node cannot be asked."""
    empty: set[str] = set()
    for path, address in addresses(spec):
        if path.endswith(_CONTRACTS) and is_address(address) and not hand.has_code(address):
            empty.add(path)
            yield Complaint(path=path, said=f"{_called(spec, path)}no contract at {address}")
    yield from _tokens(spec, hand, empty)
    prices: dict[str, int] = {}
    for i, feed in enumerate(spec.feeds):
        for name, at in (("primary", feed.primary), ("secondary", feed.secondary)):
            path = f"feeds[{i}].{name}"
            if at is None or path in empty or not is_address(at):
                continue
            price = _price(hand, at)
            if isinstance(price, str):
                yield Complaint(path=path, said=price)
                continue
            prices.setdefault(feed.asset, price[0])
            yield from _answer(feed, path, price, now_s)
    yield from _strikes(spec, prices)
    yield from _timelock(spec, hand, empty)


def _timelock(spec: HouseSpec, hand: Hand, empty: set[str]) -> Iterator[Complaint]:
    at = spec.timelock.address if spec.timelock is not None else ""
    if not is_address(at) or "timelock.address" in empty:
        return
    if isinstance(_asked(hand, "TimelockController", at, "getMinDelay"), str):
        yield Complaint(path="timelock.address", said=f"{at} is no TimelockController")


def _called(spec: HouseSpec, path: str) -> str:
    """`feed of ETH: `, for a path like `feeds[0].primary`."""
    section, _, rest = path.partition("[")
    if not rest:
        return "timelock: "
    record = getattr(spec, section)[int(rest.partition("]")[0])]
    end = path[path.rindex(".") :]
    return _NAMES[end].format(record.symbol if end == ".token" else record.asset) + ": "


def _tokens(spec: HouseSpec, hand: Hand, empty: set[str]) -> Iterator[Complaint]:
    for i, c in enumerate(spec.collaterals):
        path = f"collaterals[{i}].token"
        if path in empty or not is_address(c.token):
            continue
        # `decimals` is the same in every ERC-20; the mock's ABI is the one we export.
        decimals = _asked(hand, "MockERC20", c.token, "decimals")
        if isinstance(decimals, str):
            yield Complaint(path=path, said=f"{c.token} is no token: decimals() {decimals}")
        elif decimals != c.decimals:
            said = f"{c.decimals:,}, and {c.symbol} at {c.token} says {decimals}"
            yield Complaint(path=f"collaterals[{i}].decimals", said=said)
        elif decimals > 18:
            yield Complaint(path=path, said=f"{c.symbol} has {decimals} decimals, at most 18 work")
        elif i == 0 and spec.fund_seed:
            held = _asked(hand, "MockERC20", c.token, "balanceOf", hand.address)
            if not isinstance(held, str) and held < spec.fund_seed:
                said = f"{spec.fund_seed:,} token units, and the deployer {hand.address} has {held:,} of {c.symbol}"
                yield Complaint(path="fund_seed", said=said)


def _price(hand: Hand, feed: str) -> tuple[int, int] | str:
    """Latest price, wad USD, and when it was told; or why there is none."""
    decimals = _asked(hand, "MockAggregator", feed, "decimals")
    latest = _asked(hand, "MockAggregator", feed, "latestRoundData", whole=True)
    for found, what in ((decimals, "decimals"), (latest, "latestRoundData")):
        if isinstance(found, str):
            return f"{feed} is no Chainlink feed: {what}() {found}"
    _, answer, _, updated_at, _ = latest.values()
    if decimals > 36 or answer <= 0:
        return f"{feed} answers {answer} with {decimals} decimals, which is no price"
    return (answer * 10 ** (18 - decimals) if decimals <= 18 else answer // 10 ** (decimals - 18)), updated_at


def _answer(feed: FeedSpec, path: str, price: tuple[int, int], now_s: int) -> Iterator[Complaint]:
    wad, updated_at = price
    head = path.rpartition(".")[0]
    if not feed.min_price <= wad <= feed.max_price:
        said = (
            f"{feed.asset} is {_usd(wad)} now, outside min_price … max_price, {_usd(feed.min_price)} …"
            f" {_usd(feed.max_price)} (1e-18 USD each)"
        )
        yield Complaint(path=f"{head}.{'min_price' if wad < feed.min_price else 'max_price'}", said=said)
    if now_s - updated_at > feed.max_age_s:
        said = f"the last answer is {now_s - updated_at:,} s old, max_age_s is {feed.max_age_s:,}"
        yield Complaint(path=path, said=said)


def _strikes(spec: HouseSpec, prices: dict[str, int]) -> Iterator[Complaint]:
    for i, u in enumerate(spec.underlyings):
        spot = prices.get(u.asset)
        if spot is None:
            continue
        for k, e in enumerate(u.expiries):
            for n, strike in enumerate(e.strikes):
                wad = strike * (WAD // STRIKE_UNIT)
                if strike > 0 and not spot <= FAR * wad <= FAR * FAR * spot:
                    said = (
                        f"{strike:,} is {_usd(wad)}, and {u.asset} is {_usd(spot)} now: strikes are in 1e-8 USD,"
                        f" {_usd(spot)} is {spot * STRIKE_UNIT // WAD}; beyond {FAR} times spot is refused"
                    )
                    yield Complaint(path=f"underlyings[{i}].expiries[{k}].strikes[{n}]", said=said)


def _asked(hand: Hand, contract: str, at: str, function: str, *args: object, whole: bool = False) -> Any:
    """An answer; a string says why there is none.  Raises: `Retry` if the node cannot be asked."""
    try:
        return (hand.views if whole else hand.view)(contract, at, function, *args)
    except Retry:
        raise
    except KeeperError as error:
        return f"says: {error.message}"
    except (ValueError, OverflowError):  # eth_abi's own errors are such: another contract's answer, or none
        return "has no such answer"


def _usd(wad: int) -> str:
    return f"{wad / WAD:,.6g} USD"
