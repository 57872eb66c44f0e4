"""Composition root: the only place that turns settings into concrete adapters.

`assemble` puts a keeper together from adapters; the daemon, `once`, the demo and the tests all get theirs from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from eth_utils import to_checksum_address

from keeper.chain.asking.reads import BlockReads
from keeper.chain.asking.rpc import Rpc
from keeper.chain.clock import SystemClock
from keeper.chain.following.announcements import HeadSource, head_sources
from keeper.chain.following.heads import ChainHeads
from keeper.chain.following.log_sync import LogSync
from keeper.chain.following.sync_plan import SyncPlan
from keeper.chain.sending.dry import DrySender
from keeper.chain.sending.gas import Gas
from keeper.cycle import Ports
from keeper.daemon import Daemon, Rhythm
from keeper.domain.cycle import CycleRecord
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.modes import DRY, SENDING
from keeper.domain.tx import SignerRole
from keeper.errors import BadInput
from keeper.marketdata.board import NoSource, QuoteBoard
from keeper.marketdata.chain import Venue
from keeper.marketdata.venues import BookSummary, QuotesFile
from keeper.ports import Clock, QuoteSource, Recheck, Store, TxSender
from keeper.protocols.abi import Abi, explain_revert
from keeper.protocols.clearinghouse.bidders import Bidders
from keeper.protocols.clearinghouse.consumer import HouseConsumer
from keeper.protocols.clearinghouse.deployment import CONTRACTS, MULTICALL, Deployment, load_deployment
from keeper.protocols.clearinghouse.encoder import HouseEncoder
from keeper.protocols.clearinghouse.home import move_in
from keeper.protocols.clearinghouse.index import HouseIndex
from keeper.protocols.clearinghouse.markets import Markets
from keeper.protocols.clearinghouse.publishers import Publishers
from keeper.protocols.clearinghouse.reader import HouseReader
from keeper.protocols.clearinghouse.rounds import DAY, RoundHistory
from keeper.protocols.clearinghouse.short_sight import ShortSight
from keeper.protocols.clearinghouse.standing import HouseStanding
from keeper.protocols.clearinghouse.views import Views
from keeper.protocols.clearinghouse.watch import Watch
from keeper.protocols.clearinghouse.worth import HouseEconomy
from keeper.risk.calibration.implied import fitted
from keeper.settings import Settings
from keeper.store import open_store
from keeper.wiring.following import Following
from keeper.wiring.keys import signers
from keeper.wiring.nodes import endpoints, rpc_of
from keeper.wiring.sender import outbox_of


@dataclass(frozen=True, kw_only=True)
class Keeper:
    """A keeper put together."""

    rpc: Rpc
    heads: ChainHeads
    ports: Ports
    reader: HouseReader
    views: Views
    deployment: Deployment
    risk: RiskKnobs
    policy: PolicyKnobs


def assemble(
    *,
    rpc: Rpc,
    store: Store,
    deployment: Deployment,
    risk: RiskKnobs,
    policy: PolicyKnobs,
    sender: Callable[[Callable[[bytes], str], Recheck], TxSender],
    quotes: QuoteSource | None = None,
    reorg_depth: int = 32,
    sources: Sequence[HeadSource] = (),
    multicall: str | None = None,
    accepted_code: Sequence[str] = (),
    needs_sign_off: bool = False,
    liquidators: Sequence[str] = (),
    publishers: Sequence[str] = (),
) -> Keeper:
    """Put a keeper together from its adapters.

    Args:
        rpc: the chain.
        store: its memory.
        deployment: the contracts.
        risk: estimation knobs.
        policy: decision knobs.
        sender: makes the outbox (or the dry one) around the contracts' words for a revert, and their last word before
            something is sent.
        quotes: where implied volatilities come from; None leaves them realised.
        reorg_depth: blocks that a reorg may still replace.
        sources: nodes that announce their heads.
        multicall: address of a Multicall3; None for the deployment's, or the usual one where there is code.
        accepted_code: hashes of contract code that may run beside what the deployment names.
        needs_sign_off: whether only a model that an operator signed off may push.
        liquidators: addresses of the liquidator's keys; those that may bid do.
        publishers: addresses of the publisher's keys; where none of them may publish, nothing is published.

    Raises: `BadInput` if the store is of another house.
    """
    move_in(store, deployment)
    reads = BlockReads(rpc, multicall=multicall or deployment.addresses.get(MULTICALL))
    views = Views(reads, deployment)
    index = HouseIndex()

    def sync_over(addresses: Mapping[str, str], kept: Store) -> LogSync:
        abis: dict[str, Abi] = {to_checksum_address(addresses[name]): views.abis[name] for name in CONTRACTS}
        consumer = HouseConsumer(index, abis)
        plan = SyncPlan(addresses=tuple(abis), topics=consumer.topics, deployed_at=deployment.block, depth=reorg_depth)
        return LogSync(rpc, kept, consumer, plan)

    sync = Following(sync_over, deployment.addresses, store)
    rounds = RoundHistory(views, store, history_s=risk.history_days * DAY)
    watch = Watch(views, deployment, accepted=accepted_code, moved=sync.move)
    bidders = Bidders(views, deployment.liquidator_account, liquidators)
    rights = Publishers(views, publishers)
    reader = HouseReader(
        views=views,
        index=index,
        advance=sync.sync_to,
        amend=sync.amend,
        tidy=sync.tidy,
        markets=Markets(views, index, deployment, rounds),
        watch=watch,
        own_account=deployment.liquidator_account,
        bidders=bidders,
        publishers=rights,
        short_sight=ShortSight(views, deployment.symbols),
    )
    recheck = HouseStanding(views)
    ports = Ports(
        reader=reader,
        quotes=quotes or NoSource(),
        encoder=HouseEncoder(
            views=views,
            deployment=deployment,
            intent_ttl_s=policy.intent_ttl_s,
            paused=watch.paused,
            bidders=bidders,
        ),
        sender=sender(lambda data: explain_revert(data, views.abis.values()), recheck),
        store=store,
        economy=HouseEconomy(views=views, chain=Gas(rpc), deployment=deployment, native_symbol=policy.native_symbol),
        recheck=recheck,
        needs_sign_off=needs_sign_off,
        rights=rights,
    )
    return Keeper(
        rpc=rpc,
        heads=ChainHeads(rpc, depth=reorg_depth, sources=sources),
        ports=ports,
        reader=reader,
        views=views,
        deployment=deployment,
        risk=risk,
        policy=policy,
    )


#: How a keeper of each protocol is put together.
PROTOCOLS = {"clearinghouse": assemble}


def build(settings: Settings, *, environ: Mapping[str, str], send: bool) -> Keeper:
    """A keeper as the settings describe it.

    Args:
        settings: validated.
        environ: where keys named by variable are looked up.
        send: whether transactions leave the machine; otherwise they are decided, encoded and shown only.

    Raises:
        BadInput: sending without a key, a deployment for another chain, an unusable store, key or deployment file, or
            a store of another house.
        Halt: another process sends from this store.
    """
    deployment = deployment_of(settings)
    nodes = endpoints(settings)
    rpc = rpc_of(settings, nodes)
    keys = signers(settings, environ)
    if send and len(keys) < len(SignerRole):
        missing = ", ".join(role for role in SignerRole if role not in keys)
        raise BadInput(
            f"--send needs a key for {missing}",
            hint=f"configure [keys.{missing.split(', ')[0]}], or leave --send away to watch only",
        )
    store = open_store(settings.store.url.reveal())

    def sender(decode: Callable[[bytes], str], recheck: Recheck) -> TxSender:
        if not send:
            return DrySender(rpc, {role: own[0].address for role, own in keys.items()}, decode_revert=decode)
        return outbox_of(settings, rpc, store, keys, decode_revert=decode, recheck=recheck)

    with ExitStack() as undo:
        undo.callback(store.close)
        if send:
            store.lock_sending(at_s=SystemClock().now_s())  # before anything is read that another could still change
        keeper = PROTOCOLS[settings.protocol.name](
            rpc=rpc,
            store=store,
            deployment=deployment,
            risk=settings.risk,
            policy=settings.policy,
            sender=sender,
            quotes=quote_source(settings, deployment),
            reorg_depth=max(settings.chain.reorg_depth, settings.chain.confirmations),
            sources=head_sources(nodes),
            multicall=settings.chain.multicall or None,
            accepted_code=settings.protocol.accepted_code,
            needs_sign_off=send,
            liquidators=[key.address for key in keys.get(SignerRole.LIQUIDATOR, ())],
            publishers=[key.address for key in keys.get(SignerRole.PUBLISHER, ())],
        )
        undo.pop_all()
    return keeper


def quote_source(settings: Settings, deployment: Deployment) -> QuoteSource:
    """Where implied volatilities come from.

    Raises: `BadInput` if the URL is none.
    """
    venue = venue_of(settings)
    if venue is None:
        return NoSource()
    return QuoteBoard(
        venue,
        quoted_names(settings, deployment),
        poll_every_s=settings.quotes.poll_every_s,
        max_per_expiry=settings.quotes.max_per_expiry,
        prepare=lambda sheet: fitted(sheet, settings.risk.implied),
    )


def quoted_names(settings: Settings, deployment: Deployment) -> dict[str, str]:
    """The source's name of each underlying by its ticker, without those it does not quote."""
    names = {ticker: ticker for ticker in deployment.symbols.values()}
    for pair in settings.quotes.names:
        ticker, _, name = pair.partition("=")
        names[ticker] = name
    return {ticker: name for ticker, name in names.items() if name}


def venue_of(settings: Settings) -> Venue | None:
    """The configured source of quotes, or None."""
    quotes = settings.quotes
    if quotes.source == "file":
        return QuotesFile(quotes.file)
    if quotes.source == "http":
        return BookSummary(quotes.url.reveal(), timeout_s=quotes.request_timeout_s)
    return None


def deployment_of(settings: Settings) -> Deployment:
    """The configured deployment.  Raises: `BadInput` if it cannot be read, or is of another chain."""
    deployment = load_deployment(settings.protocol.deployment_file)
    if deployment.chain_id != settings.chain.chain_id:
        raise BadInput(
            f"the deployment file is for chain {deployment.chain_id}, the settings for {settings.chain.chain_id}",
            hint="set chain.chain_id and protocol.deployment_file to one network",
        )
    return deployment


def daemon(
    settings: Settings,
    keeper: Keeper,
    *,
    clock: Clock | None = None,
    on_cycle: Callable[[CycleRecord], None] | None = None,
    send: bool = False,
) -> Daemon:
    """The block loop around a keeper that was built to send, or not."""
    return Daemon(
        heads=keeper.heads,
        ports=keeper.ports,
        clock=clock or SystemClock(),
        risk=keeper.risk,
        policy=keeper.policy,
        rhythm=Rhythm(
            poll_interval_s=settings.chain.poll_interval_s,
            heartbeat_every_s=settings.jobs.heartbeat_every_s,
            quotes_every_s=settings.quotes.poll_every_s,
            reconcile_every_s=settings.jobs.reconcile_every_s,
            reconcile_sample=settings.jobs.reconcile_sample,
            housekeeping_every_s=settings.jobs.housekeeping_every_s,
            keep_blocks=settings.jobs.snapshots_kept,
        ),
        on_cycle=on_cycle,
        mode=SENDING if send else DRY,
    )
