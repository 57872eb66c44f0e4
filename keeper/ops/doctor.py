"""Prove that a keeper could run, and say for each thing that is wrong what to do about it.

The checks go from the outside in: a node that answers, the right chain, the contracts on it, the keys and what they may
do, prices, quotes, memory.  One that cannot be made because an earlier one failed is skipped, and says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Protocol

from keeper.domain.block import BlockRef
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.snapshot import Price, Unusable
from keeper.domain.text import usd
from keeper.domain.tx import SignerRole
from keeper.errors import KeeperError
from keeper.policy.signed import otherwise, signed_with, unsigned
from keeper.ports import Store
from keeper.risk.version import MODEL_VERSION

WAD = 10**18
#: Seconds between the head's time and ours that are worth a word, and that are too many.
DRIFT_WORTH_A_WORD_S, DRIFT_TOO_LARGE_S = 60, 900
#: Chains of one machine: ganache, anvil and hardhat, eth-tester.  They make blocks when asked to, so an old head says
#: nothing.
LOCAL_CHAINS = (1337, 31337, 131277322940537)
#: Free bytes beside the store below which a keeper will soon write nothing.
LEAST_ROOM = 2**30


class Verdict(StrEnum):
    """What a check found."""

    GOOD = "good"
    WARNING = "warning"
    """The keeper runs, with less than it could do."""
    BAD = "bad"
    """The keeper cannot run."""
    SKIPPED = "skipped"
    """An earlier finding kept it out."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the answer."""

    what: str
    verdict: Verdict
    said: str
    hint: str = ""
    """What to do; empty if nothing."""
    measured: Mapping[str, str] = field(default_factory=dict)
    """Of an endpoint: what was measured, by the name of its column; empty for all else."""


@dataclass(frozen=True, kw_only=True)
class NodeLook:
    """What one RPC endpoint showed."""

    head: BlockRef
    """Its newest block."""
    latency_s: float
    """Seconds an answer took."""
    arrays: bool
    """Whether it takes several requests in one."""
    by_hash: bool | None
    """Whether it heeds a block named by its hash (EIP-1898); None if its answer told neither."""
    pushes: bool | None
    """Whether it announces new blocks; None where its transport cannot."""


class Node(Protocol):
    """One RPC endpoint."""

    @property
    def name(self) -> str:
        """Its host; never its path, which may hold a key."""

    def look(self) -> NodeLook:
        """What it shows of itself.  Raises: `Retry` if it cannot be asked, `Halt` if it serves another chain."""


@dataclass(frozen=True, kw_only=True)
class Vouching:
    """Whether the endpoints have one and the same block."""

    enough: bool
    """Whether the keeper would send on it."""
    said: str
    """Who says what."""


@dataclass(frozen=True, kw_only=True)
class Unlike:
    """Where the contracts are not as the deployment file says."""

    said: str
    stops: bool
    """Whether another contract stands at a configured address, so that the keeper cannot do its work with it."""


class Contracts(Protocol):
    """The protocol's contracts at one block.  Each may raise `Retry` or `Refused`."""

    def missing(self, block: BlockRef) -> Mapping[str, str]:
        """Address by name of each contract without code."""

    def differences(self, block: BlockRef) -> tuple[Unlike, ...]:
        """Where the contracts' own word or code is not the deployment file's, one line each."""

    def balance(self, address: str, block: BlockRef) -> int:
        """Native balance, wei."""

    def may_publish(self, address: str, block: BlockRef) -> bool:
        """Whether a key holds the publisher's role."""

    def publishing_quorum(self, block: BlockRef) -> str:
        """Address of the quorum of keepers if it holds the publisher's role; empty if not, or there is none."""

    def keeps(self, address: str, block: BlockRef) -> bool:
        """Whether a key is one of the quorum's keepers."""

    def owner(self, account: int) -> str:
        """Who may act for an account."""

    def may_bid(self, account: int, address: str, block: BlockRef) -> bool:
        """Whether a key may bid for an account: its owner's, or one that the owner approved."""

    def approved(self, account: int, block: BlockRef) -> Sequence[str]:
        """Everybody whom the owner approved and who may bid for an account."""

    def equity(self, account: int, block: BlockRef) -> int:
        """An account's equity, wad USD."""

    def prices(self, block: BlockRef) -> dict[str, Price]:
        """The oracle's answers by ticker."""

    def stale_files(self, block: BlockRef, prices: dict[str, Price]) -> tuple[str, ...]:
        """Underlyings whose risk file is stale."""

    def short_sighted(self, block: BlockRef) -> dict[str, tuple[int, int]]:
        """Tickers whose breaker does not see its whole window: seconds of rounds that it sees, and that it wants."""


@dataclass(frozen=True, kw_only=True)
class Quoting:
    """What a source of quotes said about one underlying."""

    symbol: str
    source: str
    taken_s: int | None
    """When it quoted, unix seconds; None if it did not."""
    said: str
    """How much it quotes, or what went wrong."""


class Site(Protocol):
    """What is to be checked, as the settings describe it.  Nothing is opened before it is asked for."""

    chain_id: int
    daily_cap_wei: int
    max_head_age_s: float | None
    """Age of a head beyond which its endpoint is not asked; None if there is none."""
    max_head_lag_blocks: int | None
    """Blocks behind the best endpoint beyond which one is not asked; None if there is none."""
    liquidator_account: int | None
    """As the deployment file says; meaningful once `contracts` was made."""

    def nodes(self) -> Sequence[Node]:
        """The endpoints.  Raises: `BadInput`."""

    def vouching(self, head: BlockRef) -> Vouching:
        """What the endpoints say of a block, against the configured quorum."""

    def contracts(self) -> Contracts:
        """The deployment.  Raises: `BadInput` if its file is missing, malformed or for another chain."""

    def keys(self) -> Mapping[SignerRole, Sequence[str]]:
        """Addresses by role of the configured keys, the first of a role before its further ones.

        Raises: `BadInput` if one cannot be loaded; `Retry` if a service that holds one is silent.
        """

    def quotes(self) -> Sequence[Quoting]:
        """What the configured source says now; empty if none is configured.  Raises: `BadInput`."""

    @property
    def quotes_max_age_s(self) -> int:
        """Age beyond which quotes are not used, seconds."""

    @property
    def knobs(self) -> tuple[RiskKnobs, PolicyKnobs]:
        """What the keeper would push with."""

    def room(self) -> int | None:
        """Bytes that are free where the store's file lies; None if it has none here."""

    def store(self) -> Store:
        """Memory.  Raises: `KeeperError`, also if it is another house's."""


def examine(site: Site, *, now_s: int) -> Iterator[Finding]:
    """Make every check, in order.  What a check raises becomes a finding; nothing is raised.

    Args:
        site: what is to be checked.
        now_s: this machine's clock, unix seconds.
    """
    head: BlockRef | None = None
    found: list[BlockRef] = []
    yield from _guard("node", lambda: _nodes(site, found, now_s))
    if found:
        head = max(found, key=lambda block: block.number)
        yield _clock(head, now_s, site.chain_id)
        # Asked about a block that each has had the time to see.
        yield from _guard("endpoints", lambda: _vouched(site, min(found, key=lambda block: block.number)))
    contracts: list[Contracts] = []
    yield from _guard("contracts", lambda: _contracts(site, head, contracts))
    here = (contracts[0], head) if contracts and head else None
    keys: dict[SignerRole, Sequence[str]] = {}
    yield from _guard("keys", lambda: _keys(site, keys))
    for role, own in keys.items():
        for which, address in enumerate(own, start=1):
            nth = f" {which}" if which > 1 else ""
            judge = partial(_key, role, address, nth=nth, cap_wei=site.daily_cap_wei)
            yield from _needs(here, f"{role} key{nth}", judge)
    yield from _needs(here, "liquidator account", partial(_own_account, site.liquidator_account, keys))
    yield from _needs(here, "oracle prices", partial(_prices, site.knobs[1].addon_peg_symbol))
    yield from _guard("quotes", lambda: _quotes(site, now_s))
    yield from _guard("store", lambda: _store(site))


def ready(findings: Sequence[Finding]) -> bool:
    """Whether the keeper could run: nothing is bad."""
    return all(finding.verdict is not Verdict.BAD for finding in findings)


# --- the checks -------------------------------------------------------------------------------------------------------


def _nodes(site: Site, found: list[BlockRef], now_s: int) -> Iterator[Finding]:
    seen: list[tuple[str, NodeLook | KeeperError]] = []
    for node in site.nodes():
        try:
            seen.append((node.name, node.look()))
        except KeeperError as error:
            seen.append((node.name, error))
    found += [look.head for _, look in seen if isinstance(look, NodeLook)]
    best = max((head.number for head in found), default=0)
    for name, look in seen:
        if isinstance(look, KeeperError):
            hint = look.hint or "check chain.rpc_urls, that the node runs, and that this machine may reach it"
            yield _bad(f"node {name}", look.message, hint)
        else:
            yield _node(site, name, look, behind=best - look.head.number, age_s=now_s - look.head.timestamp)


def _node(site: Site, name: str, look: NodeLook, *, behind: int, age_s: int) -> Finding:
    measured = {
        "endpoint": name,
        "head": f"{look.head.number:,}",
        "age": f"{age_s:,} s",
        "behind": f"{behind:,}" if behind else "–",
        "answers in": f"{look.latency_s * 1e3:,.0f} ms",
        "arrays": "yes" if look.arrays else "one by one",
        "by hash": {True: "yes", False: "number + check", None: "?"}[look.by_hash],
        "new blocks": {True: "announced", False: "polled (refused)", None: "polled"}[look.pushes],
    }
    verdict, said, hint = Verdict.GOOD, f"chain {site.chain_id}, head {look.head.number:,}", ""
    old = site.max_head_age_s is not None and abs(age_s) > site.max_head_age_s
    if old or (site.max_head_lag_blocks is not None and behind > site.max_head_lag_blocks):
        verdict = Verdict.WARNING
        said += f", {age_s:,} s old" if old else f", {behind:,} blocks behind"
        said += ": rotated out until it catches up"
        hint = "if it stays like that, ask its operator, or remove it from chain.rpc_urls"
    return Finding(what=f"node {name}", verdict=verdict, said=said, hint=hint, measured=measured)


def _vouched(site: Site, head: BlockRef) -> Iterator[Finding]:
    vouching = site.vouching(head)
    if not vouching.said:
        return  # one endpoint alone agrees with itself
    if vouching.enough:
        yield _good("endpoints agree", vouching.said)
    else:
        hint = "nothing is sent meanwhile: see to the silent one, or find out which provider is wrong and remove it"
        yield _bad("endpoints agree", vouching.said, hint)


def _clock(head: BlockRef, now_s: int, chain_id: int) -> Finding:
    late = now_s - head.timestamp
    if abs(late) < DRIFT_WORTH_A_WORD_S:
        return _good("clock", f"{late} s from the head's time")
    said = f"the head is {late:,} s old" if late > 0 else f"the head is {-late:,} s ahead of this machine's clock"
    if chain_id in LOCAL_CHAINS:
        return Finding(what="clock", verdict=Verdict.WARNING, said=f"{said}; fine on a test chain")
    verdict = Verdict.BAD if abs(late) > DRIFT_TOO_LARGE_S else Verdict.WARNING
    hint = "wait until the node is synced, or set this machine's clock (timedatectl)"
    return Finding(what="clock", verdict=verdict, said=said, hint=hint)


def _contracts(site: Site, head: BlockRef | None, found: list[Contracts]) -> Iterator[Finding]:
    contracts = site.contracts()
    if head is None:
        yield _skipped("contracts", "no node to ask")
        return
    missing = contracts.missing(head)
    if missing:
        for name, address in missing.items():
            hint = "check protocol.deployment_file: is it for this chain, and is the node past its block?"
            yield _bad(f"contract {name}", f"no code at {address}", hint)
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
        yield _good("contracts", "all there, as the deployment file says")


def _keys(site: Site, keys: dict[SignerRole, Sequence[str]]) -> Iterator[Finding]:
    keys |= site.keys()
    counts = Counter(address for own in keys.values() for address in own)
    for shared in (address for address, count in counts.items() if count > 1):
        hint = "make a second key: who publishes could otherwise liquidate what a publication made liquidatable"
        yield _bad("keys", f"{shared} is configured more than once", hint)
    for role in SignerRole:
        if role not in keys:
            does = "publishes and refreshes" if role is SignerRole.PUBLISHER else "flags, bids and settles"
            said = (
                "not configured: a dry run needs no key, and shows what it would do without simulating what this one "
                f"sends; --send needs it: it {does}"
            )
            hint = f"before --send: [keys.{role}] in the settings file, then keeper keys test"
            yield Finding(what=f"{role} key", verdict=Verdict.WARNING, said=said, hint=hint)


def _key(
    role: SignerRole, address: str, contracts: Contracts, head: BlockRef, *, nth: str, cap_wei: int
) -> Iterator[Finding]:
    what, publishes = f"{role} key{nth}", contracts.may_publish(address, head)
    quorum = contracts.publishing_quorum(head) if role is SignerRole.PUBLISHER else ""
    if quorum and publishes:
        yield Finding(
            what=what,
            verdict=Verdict.WARNING,
            said=f"{address} may publish alone, beside the quorum of keepers at {quorum}: whoever has this one key "
            "needs no other",
            hint=alone_hint(address),
        )
    elif quorum:
        yield _by_quorum(what, address, quorum, keeps=contracts.keeps(address, head))
    elif role is SignerRole.PUBLISHER and not publishes:
        hint = f"have the protocol's owner call RiskParameters.grantRole(PUBLISHER_ROLE, {address})"
        yield _bad(what, f"{address} may not publish", hint)
    elif role is SignerRole.LIQUIDATOR and publishes:
        hint = "use another key, or have the owner revoke its PUBLISHER_ROLE"
        yield _bad(what, f"{address} liquidates and may publish too", hint)
    else:
        yield _good(what, f"{address}{', may publish' if publishes else ''}")
    balance = contracts.balance(address, head)
    if balance == 0:
        yield _bad(f"{role} balance{nth}", "0 ETH: it cannot pay for a transaction", f"send ether to {address}")
    elif balance < cap_wei:
        said = f"{balance / WAD:.4f} ETH, below the {cap_wei / WAD:g} ETH it may spend a day"
        hint = f"send ether to {address}, or lower fees.max_spend_eth_per_day"
        yield Finding(what=f"{role} balance{nth}", verdict=Verdict.WARNING, said=said, hint=hint)
    else:
        yield _good(f"{role} balance{nth}", f"{balance / WAD:,.4f} ETH")


def alone_hint(address: str) -> str:
    """How a key that publishes beside a quorum loses the role."""
    change = f'[[role]] with role = "PUBLISHER_ROLE" and revoke = "{address}"'
    return (
        f"have the protocol's owner call RiskParameters.revokeRole(PUBLISHER_ROLE, {address}); where a timelock owns "
        f"it: keeper propose, {change}; keeper quorum show tells who else holds it"
    )


def _by_quorum(what: str, address: str, quorum: str, *, keeps: bool) -> Finding:
    """Of a publisher key where several keepers publish together: that it sends nothing by itself is as it should be."""
    said = f"{address}; the publisher's role is with the quorum of keepers at {quorum}"
    command = "keeper quorum draft publish TICKER --out FILE; keeper quorum --help tells the rest"
    if keeps:
        return Finding(what=what, verdict=Verdict.GOOD, said=f"{said}, of whom this key is one", hint=command)
    return Finding(
        what=what,
        verdict=Verdict.WARNING,
        said=f"{said}, of whom this key is none: it drafts and carries papers, and pays",
        hint=f"{command}; have governance name it if it is to sign (setKeepers)",
    )


def _own_account(
    account: int | None, keys: Mapping[SignerRole, Sequence[str]], contracts: Contracts, head: BlockRef
) -> Iterator[Finding]:
    what = "liquidator account"
    if account is None:
        hint = "set liquidator_account in the deployment file; without it the keeper neither flags nor bids"
        yield Finding(what=what, verdict=Verdict.WARNING, said="none is named", hint=hint)
        return
    owner, own = contracts.owner(account), keys.get(SignerRole.LIQUIDATOR, ())
    bidders = [key for key in own if key.lower() == owner.lower() or contracts.may_bid(account, key, head)]
    if own and not bidders:
        hint = (
            "correct liquidator_account in the deployment file, or configure its owner's key, or have the owner "
            "approve yours: keeper bidders shows the calls"
        )
        keys_are = "the liquidator key is" if len(own) == 1 else "the liquidator keys are"
        yield _bad(what, f"{owner} owns it, {keys_are} {', '.join(own)}", hint)
        return
    yield from _bidders(account, owner, own, bidders)
    equity = contracts.equity(account, head)
    if equity <= 0:
        hint = f"deposit collateral to account {account:#066x}; a bid must leave it above its initial requirement"
        yield _bad(what, f"equity {usd(equity)}: it cannot bid", hint)
    else:
        yield _good(what, f"equity {usd(equity)}")
    yield from _strangers(account, owner, own, contracts, head)


def _strangers(account: int, owner: str, own: Sequence[str], contracts: Contracts, head: BlockRef) -> Iterator[Finding]:
    """Who may spend the account's cash on bids though nobody configured it: a typing error, or a key of long ago."""
    known = {key.lower() for key in (owner, *own)}
    for key in contracts.approved(account, head):
        if key.lower() not in known:
            yield Finding(
                what="bids by others",
                verdict=Verdict.WARNING,
                said=f"{key} is approved to bid for the account, and is no key that is configured here",
                hint=f"unless it is a key of yours elsewhere: keeper bidders revoke {key} --send",
            )


def _bidders(account: int, owner: str, own: Sequence[str], bidders: Sequence[str]) -> Iterator[Finding]:
    """One line for each key of several, or of one that does not own the account."""
    if [key.lower() for key in own] in ([], [owner.lower()]):
        return
    for which, key in enumerate(own, start=1):
        what = f"bids by liquidator key{f' {which}' if which > 1 else ''}"
        if key in bidders:
            yield _good(what, "owns the account" if key.lower() == owner.lower() else "approved")
            continue
        call = f"LiquidationAuction.approveBidder({account:#066x}, {key}, true)"
        yield Finding(
            what=what,
            verdict=Verdict.WARNING,
            said=f"{key} may not bid: it flags, refreshes and settles only",
            hint=f"have {owner}, who owns the account, call {call}: keeper bidders approve --send",
        )


def _prices(peg_symbol: str, contracts: Contracts, head: BlockRef) -> Iterator[Finding]:
    prices = contracts.prices(head)
    for symbol, price in prices.items():
        if isinstance(price, Unusable):
            hint = f"accounts that hold {symbol} stay unknown until its feed recovers; ask the oracle's operators"
            yield _bad(f"price {symbol}", price.reason, hint)
        else:
            yield _good(f"price {symbol}", usd(price.wad))
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


def _quotes(site: Site, now_s: int) -> Iterator[Finding]:
    quoted = site.quotes()
    if not quoted:
        yield _good("quotes", "no source configured: volatilities are realised")
    for one in quoted:
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


def _store(site: Site) -> Iterator[Finding]:
    store = site.store()
    try:
        newest = store.cycles(limit=1)
        said = f"opens; newest block {newest[0].block.number:,}" if newest else "opens; no block lived yet"
        yield from _model(store, *site.knobs)
        store.try_write()
        yield from _room(site.room())
        yield _good("store", f"{said}, takes writes, {len(store.open_txs())} transactions open")
    finally:
        store.close()


def _room(free: int | None) -> Iterator[Finding]:
    if free is not None and free < LEAST_ROOM:
        yield Finding(
            what="disk",
            verdict=Verdict.WARNING,
            said=f"{free / 2**20:,.0f} MiB are free where the store lies",
            hint="make room, or lower jobs.snapshots_kept: a keeper that cannot write sends nothing",
        )


def _model(store: Store, risk: RiskKnobs, policy: PolicyKnobs) -> Iterator[Finding]:
    words = store.sign_offs()
    if apart := otherwise(signed_with(words), risk, policy):
        said, _, hint = apart.partition(": ")
        yield Finding(what="model", verdict=Verdict.WARNING, said=said, hint=hint)
    if unsigned([one.version for one in words]):
        said = f"version {MODEL_VERSION} is not signed off: with --send it publishes nothing"
        hint = f"keeper shadow, then keeper model sign-off {MODEL_VERSION} --operator NAME --reason WHY"
        hint += "; the first model of a house: with --first"
        yield Finding(what="model", verdict=Verdict.WARNING, said=said, hint=hint)


# --- helpers ----------------------------------------------------------------------------------------------------------


def _guard(what: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """A check whose errors are findings."""
    try:
        yield from check()
    except KeeperError as error:
        yield _bad(what, error.message, error.hint)


def _needs(
    here: tuple[Contracts, BlockRef] | None, what: str, check: Callable[[Contracts, BlockRef], Iterator[Finding]]
) -> Iterator[Finding]:
    """A check that asks the contracts."""
    if here is None:
        yield _skipped(what, "no contracts to ask")
    else:
        yield from _guard(what, lambda: check(*here))


def _good(what: str, said: str) -> Finding:
    return Finding(what=what, verdict=Verdict.GOOD, said=said)


def _bad(what: str, said: str, hint: str) -> Finding:
    return Finding(what=what, verdict=Verdict.BAD, said=said, hint=hint)


def _skipped(what: str, why: str) -> Finding:
    return Finding(what=what, verdict=Verdict.SKIPPED, said=why)
