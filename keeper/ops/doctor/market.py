"""Whether the contracts are those that are meant, and what feeds, files and quotes are worth."""

from __future__ import annotations

from collections.abc import Iterator

from keeper.domain.block import BlockRef
from keeper.domain.snapshot import Unusable
from keeper.domain.text import usd
from keeper.ops.doctor.findings import Finding, Verdict, bad, good, skipped
from keeper.ops.doctor.site import Contracts, Site


def deployed(site: Site, head: BlockRef | None, found: list[Contracts]) -> Iterator[Finding]:
    """Whether every contract is there, and as the deployment file says; then they go into `found`."""
    contracts = site.contracts()
    if head is None:
        yield skipped("contracts", "no node to ask")
        return
    missing = contracts.missing(head)
    if missing:
        for name, address in missing.items():
            hint = "check protocol.deployment_file: is it for this chain, and is the node past its block?"
            yield bad(f"contract {name}", f"no code at {address}", hint)
        return
    found.append(contracts)
    differences = contracts.differences(head)
    for one in differences:
        hint = (
            "correct the address in the deployment file (protocol.deployment_file); is it for this chain? If "
            "governance changed the code: look at it, then add its hash to protocol.accepted_code"
        )
        verdict = Verdict.BAD if one.stops else Verdict.WARNING
        yield Finding(what="contracts", verdict=verdict, said=one.said, hint=hint)
    if not differences:
        yield good("contracts", "all there, as the deployment file says")


def priced(peg_symbol: str, contracts: Contracts, head: BlockRef) -> Iterator[Finding]:
    """What feeds, risk files and breakers are worth at a block."""
    prices = contracts.prices(head)
    for symbol, price in prices.items():
        if isinstance(price, Unusable):
            hint = f"accounts that hold {symbol} stay unknown until its feed recovers; ask the oracle's operators"
            yield bad(f"price {symbol}", price.reason, hint)
        else:
            yield good(f"price {symbol}", usd(price.wad))
    if peg_symbol and peg_symbol not in prices:
        hint = f"policy.addon_peg_symbol names one of: {', '.join(sorted(prices))}; empty turns the add-on off"
        said = f"{peg_symbol} has no price here: a weak peg would widen nothing"
        yield Finding(what="peg", verdict=Verdict.WARNING, said=said, hint=hint)
    for symbol in contracts.stale_files(head, prices):
        hint = "the keeper refreshes it with --send; anyone may call RiskFile.refresh"
        yield Finding(what=f"risk file {symbol}", verdict=Verdict.WARNING, said="stale", hint=hint)
    for symbol, (seen, wanted) in contracts.short_sighted(head).items():
        said = f"sees {seen} s of rounds, of {wanted} s: window and hold are {seen * 100 // wanted} % of those set"
        hint = (
            "its feed is too quick for maxRounds, or began anew; governance may raise that (CircuitBreaker.setConfig)"
        )
        yield Finding(what=f"breaker {symbol}", verdict=Verdict.WARNING, said=said, hint=hint)


def quoted(site: Site, now_s: int) -> Iterator[Finding]:
    """What the configured source of quotes says now."""
    said_now = site.quotes()
    if not said_now:
        yield good("quotes", "no source configured: volatilities are realised")
    for one in said_now:
        what, hint = f"quotes {one.symbol}", ""
        verdict, said = Verdict.GOOD, one.said
        if one.taken_s is None:
            verdict, hint = Verdict.WARNING, "check [quotes]; until it answers, volatilities are realised"
        else:
            age = now_s - one.taken_s
            said = f"{one.said}, {age:,} s old"
            if abs(age) > site.quotes_max_age_s:
                verdict = Verdict.WARNING
                hint = "they are too old to be used: renew the source, or raise risk.implied.max_age_s"
        yield Finding(what=what, verdict=verdict, said=said, hint=hint)
