"""What of a spec belongs together: tickers and feeds, fences and first numbers, expiries in order, strikes in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from keeper.deploy.checks.complaint import Complaint
from keeper.deploy.market_spec import ExpirySpec, UnderlyingSpec
from keeper.deploy.spec import BreakerSpec, HouseSpec, QuorumSpec

DAY: Final = 86_400
YEAR: Final = 365 * DAY
PPM: Final = 10**6
PPB: Final = 10**9
MAX_EXPIRIES, MAX_STRIKES, MAX_LISTED, MAX_COLLATERALS, MAX_KEEPERS = 16, 64, 240, 16, 32
#: Basis that is there without any carry, ppb.
_FREE_CARRY_PPB: Final = 10_000_000
#: What forwards and discount factors may move in an hour, of a slew rate in ppm: a fifth.
_FORWARDS_PPB_OF_PPM: Final = 200
#: A first publication is mined within minutes; an expiry sooner than this is gone before the house is complete.
_SOONEST_S: Final = 3_600


def of_markets(spec: HouseSpec, now_s: int) -> Iterator[Complaint]:
    """Everything but single numbers, which `of_numbers` looked at."""
    yield from _tickers(spec)
    yield from _settings(spec)
    for i, u in enumerate(spec.underlyings):
        path = f"underlyings[{i}]"
        yield from _fences(u, path)
        listed = [e.expiry for e in u.expiries]
        if any(b <= a for a, b in pairwise(listed)):
            yield Complaint(path=f"{path}.expiries", said=f"expiries must ascend, and are {listed}")
        if len(listed) > MAX_EXPIRIES:
            yield Complaint(path=f"{path}.expiries", said=f"{len(listed)} expiries, at most {MAX_EXPIRIES} fit")
        if (total := sum(len(e.strikes) for e in u.expiries)) > MAX_LISTED:
            yield Complaint(path=f"{path}.expiries", said=f"{total} strikes in all, at most {MAX_LISTED} fit")
        for k, e in enumerate(u.expiries):
            yield from _expiry(u, e, f"{path}.expiries[{k}]", now_s)
        yield from _calendar(u.expiries, f"{path}.expiries", now_s)


def _tickers(spec: HouseSpec) -> Iterator[Complaint]:
    feeds = [f.asset for f in spec.feeds]
    named = [(f"feeds[{i}].asset", a) for i, a in enumerate(feeds)]
    named += [(f"collaterals[{i}].asset", c.asset) for i, c in enumerate(spec.collaterals)]
    named += [(f"underlyings[{i}].asset", u.asset) for i, u in enumerate(spec.underlyings)]
    for path, ticker in named:
        if not (ticker.isascii() and ticker.isprintable() and 0 < len(ticker) <= 32):
            yield Complaint(path=path, said=f"{ticker!r} is no ticker: 1 to 32 printable ASCII characters")
        elif not path.startswith("feeds") and path != "collaterals[0].asset" and ticker not in feeds:
            yield Complaint(path=path, said=f"{ticker} has no feed: the feeds are of {', '.join(feeds) or 'nothing'}")
    yield from _twice("feeds", "asset", feeds)
    yield from _twice("underlyings", "asset", [u.asset for u in spec.underlyings])
    yield from _twice("collaterals", "token", [c.token.lower() for c in spec.collaterals])
    if not spec.collaterals:
        yield Complaint(path="collaterals", said="there are none: the first one is the settlement token")
    elif spec.collaterals[0].haircut_ppm:
        said = f"{spec.collaterals[0].haircut_ppm:,} must be 0: the first collateral is the settlement token"
        yield Complaint(path="collaterals[0].haircut_ppm", said=said)
    if len(spec.collaterals) > MAX_COLLATERALS:
        yield Complaint(path="collaterals", said=f"{len(spec.collaterals)}, at most {MAX_COLLATERALS} fit")
    for name in ("feeds", "underlyings"):
        if not getattr(spec, name):
            yield Complaint(path=name, said="there are none")


def _twice(section: str, key: str, values: Sequence[str]) -> Iterator[Complaint]:
    for i, value in enumerate(values):
        if value in values[:i]:
            yield Complaint(path=f"{section}[{i}].{key}", said=f"{value} is named twice")


def _settings(spec: HouseSpec) -> Iterator[Complaint]:
    """Feeds, auction, breaker and quorum."""
    yield from _feeds(spec)
    if spec.auction.cutoff_ppm > spec.auction.start_ppm:
        said = f"{spec.auction.cutoff_ppm:,} is above start_ppm, {spec.auction.start_ppm:,}"
        yield Complaint(path="auction.cutoff_ppm", said=said)
    if spec.breaker is not None:
        yield from _breaker(spec.breaker)
    if spec.quorum is not None:
        yield from _quorum(spec.quorum)


def _feeds(spec: HouseSpec) -> Iterator[Complaint]:
    for i, f in enumerate(spec.feeds):
        if f.min_price >= f.max_price:
            said = f"{f.min_price:,} is not below max_price, {f.max_price:,} (1e-18 USD)"
            yield Complaint(path=f"feeds[{i}].min_price", said=said)
        if f.secondary is not None and f.secondary.lower() == f.primary.lower():
            yield Complaint(path=f"feeds[{i}].secondary", said=f"{f.secondary} is the primary feed too")
        if f.secondary and spec.breaker is not None and spec.breaker.disagree_ppm >= f.max_deviation_ppm:
            said = (
                f"{spec.breaker.disagree_ppm:,} ppm of disagreement are not below the {f.max_deviation_ppm:,} ppm at"
                f" which {f.asset} has no price: lower it, or raise feeds[{i}].max_deviation_ppm"
            )
            yield Complaint(path="breaker.disagree_ppm", said=said)


def _breaker(b: BreakerSpec) -> Iterator[Complaint]:
    if b.window_s < 2 * b.hold_s:
        yield Complaint(path="breaker.window_s", said=f"{b.window_s:,} s is less than twice hold_s, {b.hold_s:,} s")
    if not 0 <= b.confirm_s <= b.hold_s:
        said = f"{b.confirm_s:,} s must be between 0 and hold_s, {b.hold_s:,} s"
        yield Complaint(path="breaker.confirm_s", said=said)


def _quorum(q: QuorumSpec) -> Iterator[Complaint]:
    n = len(q.keepers)
    if not 0 < n <= MAX_KEEPERS:
        yield Complaint(path="quorum.keepers", said=f"{n} keepers, between 1 and {MAX_KEEPERS} are needed")
    for name in ("to_tighten", "to_publish"):
        if not 1 <= getattr(q, name) <= n:
            yield Complaint(path=f"quorum.{name}", said=f"{getattr(q, name):,} of {n} keepers cannot be")


def _fences(u: UnderlyingSpec, path: str) -> Iterator[Complaint]:
    for name in ("psr", "vsr_up", "vsr_down"):
        fence, first = getattr(u, f"{name}_fence"), getattr(u, f"{name}_ppm")
        if fence.min > fence.max:
            yield Complaint(path=f"{path}.{name}_fence", said=f"min {fence.min:,} is above max {fence.max:,} (ppm)")
        elif not fence.min <= first <= fence.max:
            said = f"{first:,} ppm is outside {name}_fence, {fence.min:,} … {fence.max:,} ppm"
            yield Complaint(path=f"{path}.{name}_ppm", said=said)
    v = u.vol_fences
    if v.sigma_min_ppm > v.sigma_max_ppm:
        said = f"{v.sigma_min_ppm:,} is above sigma_max_ppm, {v.sigma_max_ppm:,}"
        yield Complaint(path=f"{path}.vol_fences.sigma_min_ppm", said=said)
    if v.phi_min_ppb > 0 < v.df_min_ppb:
        asked = -(-v.phi_step_ppb * PPB // v.phi_min_ppb) - (-v.df_step_ppb * PPB // v.df_min_ppb)
        most = u.slew_ppm_per_hour * _FORWARDS_PPB_OF_PPM
        if asked > most:
            said = (
                f"phi_step_ppb / phi_min_ppb and df_step_ppb / df_min_ppb are {asked:,} ppb an hour together, at most"
                f" {most:,} may be: a fifth of slew_ppm_per_hour"
            )
            yield Complaint(path=f"{path}.vol_fences.phi_step_ppb", said=said)
    if u.kappa_ppm + u.flag_fee_ppm > PPM:
        said = f"kappa_ppm and flag_fee_ppm are {u.kappa_ppm + u.flag_fee_ppm:,} together, at most {PPM:,} may be"
        yield Complaint(path=f"{path}.kappa_ppm", said=said)


def _expiry(u: UnderlyingSpec, e: ExpirySpec, path: str, now_s: int) -> Iterator[Complaint]:
    left_s = e.expiry - now_s
    if left_s < _SOONEST_S:
        ago = f"{-left_s:,} s ago" if left_s <= 0 else f"in {left_s:,} s"
        said = f"{e.expiry} is {ago} by the chain's clock ({now_s}): at least {_SOONEST_S:,} s must be left"
        yield Complaint(path=f"{path}.expiry", said=said)
    elif left_s > 3 * YEAR:
        said = f"{e.expiry} is {left_s // DAY:,} days away, at most {3 * 365:,} may be (Unix seconds, not milliseconds)"
        yield Complaint(path=f"{path}.expiry", said=said)
    if not 0 < len(e.strikes) <= MAX_STRIKES:
        yield Complaint(path=f"{path}.strikes", said=f"{len(e.strikes)} strikes, between 1 and {MAX_STRIKES} fit")
    for k, strike in enumerate(e.strikes):
        if strike <= (e.strikes[k - 1] if k else 0):
            said = f"{strike:,} does not ascend (1e-8 USD)"
            yield Complaint(path=f"{path}.strikes[{k}]", said=said)
    yield from _first_numbers(u, e, path, left_s)


def _first_numbers(u: UnderlyingSpec, e: ExpirySpec, path: str, left_s: int) -> Iterator[Complaint]:
    v = u.vol_fences
    if not v.sigma_min_ppm <= e.sigma_atm_ppm <= v.sigma_max_ppm:
        said = f"{e.sigma_atm_ppm:,} ppm is outside vol_fences, {v.sigma_min_ppm:,} … {v.sigma_max_ppm:,} ppm"
        yield Complaint(path=f"{path}.sigma_atm_ppm", said=said)
    carry = v.carry_max_ppm * 1_000 * max(left_s, 0) // YEAR + _FREE_CARRY_PPB
    low, high = max(v.phi_min_ppb, PPB - carry), min(v.phi_max_ppb, PPB + carry)
    if not low <= e.phi_ppb <= high:
        said = f"{e.phi_ppb:,} ppb is outside vol_fences and carry, {low:,} … {high:,} ppb of spot"
        yield Complaint(path=f"{path}.phi_ppb", said=said)
    if not v.df_min_ppb <= e.df_ppb <= PPB:
        said = f"{e.df_ppb:,} ppb is outside vol_fences, {v.df_min_ppb:,} … {PPB:,} ppb"
        yield Complaint(path=f"{path}.df_ppb", said=said)
    if e.sigmas_ppm and len(e.sigmas_ppm) != len(e.strikes):
        said = f"{len(e.sigmas_ppm)} volatilities for {len(e.strikes)} strikes"
        yield Complaint(path=f"{path}.sigmas_ppm", said=said)
    for k, sigma in enumerate(e.sigmas_ppm):
        if not e.sigma_atm_ppm * v.smile_min_ppm <= sigma * PPM <= e.sigma_atm_ppm * v.smile_max_ppm:
            said = f"{sigma:,} ppm is too far from sigma_atm_ppm, {e.sigma_atm_ppm:,} ppm, for vol_fences.smile_*"
            yield Complaint(path=f"{path}.sigmas_ppm[{k}]", said=said)


def _calendar(expiries: Sequence[ExpirySpec], path: str, now_s: int) -> Iterator[Complaint]:
    """Total variance may not fall from one expiry to the next."""
    for k, (a, b) in enumerate(pairwise(expiries)):
        if b.expiry > a.expiry > now_s and b.sigma_atm_ppm**2 * (b.expiry - now_s) < a.sigma_atm_ppm**2 * (
            a.expiry - now_s
        ):
            said = f"{b.sigma_atm_ppm:,} ppm has less total variance than the expiry before: calendar arbitrage"
            yield Complaint(path=f"{path}[{k + 1}].sigma_atm_ppm", said=said)
