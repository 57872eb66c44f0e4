"""What `keeper check` looks at, as the settings describe it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keeper.chain.asking.reads import BlockReads
from keeper.chain.asking.rpc import Endpoint, Rpc
from keeper.chain.clock import steady_s
from keeper.chain.following.announcements import head_sources
from keeper.chain.following.log_search import LogSearch
from keeper.domain.block import BlockRef
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.tx import SignerRole
from keeper.errors import BadInput, KeeperError
from keeper.marketdata.chain import Venue
from keeper.ops.doctor.site import NodeLook, Quoting, Unlike, Vouching
from keeper.ports import Store
from keeper.protocols.clearinghouse.bidders import AUCTION, approved
from keeper.protocols.clearinghouse.deployment import CONTRACTS, Deployment
from keeper.protocols.clearinghouse.home import stay
from keeper.protocols.clearinghouse.probe import HouseProbe
from keeper.protocols.clearinghouse.views import Views
from keeper.protocols.clearinghouse.watch import Watch
from keeper.protocols.clearinghouse.watched import OPTIONAL
from keeper.settings import Settings
from keeper.store import free_bytes, open_store
from keeper.wiring import deployment_of, quoted_names, venue_of
from keeper.wiring.keys import signers
from keeper.wiring.nodes import endpoints, fitness_of, rpc_of


class ConfiguredSite:
    """`keeper.ops.doctor.site.Site` as the settings describe it."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._settings, self._environ = settings, environ
        self.chain_id = settings.chain.chain_id
        self.daily_cap_wei = settings.fees.max_spend_wei_per_day
        self.liquidator_account: int | None = None
        fitness = fitness_of(settings)
        self.max_head_age_s = fitness.max_head_age_s
        self.max_head_lag_blocks = fitness.max_head_lag_blocks

    def nodes(self) -> Sequence[ConfiguredNode]:
        """See `Site.nodes`."""
        return [ConfiguredNode(endpoint, self.chain_id) for endpoint in endpoints(self._settings)]

    def vouching(self, head: BlockRef) -> Vouching:
        """See `Site.vouching`."""
        if len(self._settings.chain.rpc_urls) < 2:
            return Vouching(enough=True, said="")
        rpc = rpc_of(self._settings)
        try:
            found = rpc.vouched(head)
        finally:
            rpc.close()
        said = f"block {head.number:,}: {found.sentence()}"
        return Vouching(enough=found.enough(self._settings.chain.quorum), said=said)

    def contracts(self) -> ConfiguredContracts:
        """See `Site.contracts`."""
        deployment = deployment_of(self._settings)
        self.liquidator_account = deployment.liquidator_account
        return ConfiguredContracts(rpc_of(self._settings), deployment, accepted=self._settings.protocol.accepted_code)

    def keys(self) -> Mapping[SignerRole, Sequence[str]]:
        """See `Site.keys`."""
        found = signers(self._settings, self._environ)
        return {role: [key.address for key in own] for role, own in found.items()}

    def quotes(self) -> Sequence[Quoting]:
        """See `Site.quotes`."""
        venue = venue_of(self._settings)
        if venue is None:
            return []
        names = quoted_names(self._settings, deployment_of(self._settings))
        return [_quoting(venue, symbol, name) for symbol, name in sorted(names.items())]

    @property
    def quotes_max_age_s(self) -> int:
        """See `Site.quotes_max_age_s`."""
        return self._settings.risk.implied.max_age_s

    @property
    def knobs(self) -> tuple[RiskKnobs, PolicyKnobs]:
        """See `Site.knobs`."""
        return self._settings.risk, self._settings.policy

    def room(self) -> int | None:
        """See `Site.room`."""
        return free_bytes(self._settings.store.url.reveal())

    def store(self) -> Store:
        """See `Site.store`."""
        store = open_store(self._settings.store.url.reveal())
        try:
            deployment = deployment_of(self._settings)
        except BadInput:
            return store  # told of the contracts
        try:
            stay(store, deployment)
        except BadInput:
            store.close()
            raise
        return store


def _quoting(venue: Venue, symbol: str, name: str) -> Quoting:
    try:
        chain = venue.fetch(name)
    except KeeperError as error:
        return Quoting(symbol=symbol, source=venue.name, taken_s=None, said=error.message)
    expiries = len({quote.expiry_s for quote in chain.quotes})
    said = f"{venue.name}: {len(chain.quotes):,} options of {expiries} expiries, index {chain.index:,.2f} USD"
    return Quoting(symbol=symbol, source=venue.name, taken_s=chain.taken_s, said=said)


class ConfiguredNode:
    """`keeper.ops.doctor.site.Node`: one endpoint by itself, so that a sound one does not hide an ill one."""

    def __init__(self, endpoint: Endpoint, chain_id: int) -> None:
        self.name = endpoint.name
        self._endpoint = endpoint
        self._rpc = Rpc([endpoint], chain_id=chain_id)

    def look(self) -> NodeLook:
        """See `Node.look`."""
        endpoint = self._endpoint
        try:
            self._rpc.block()  # the first answer pays for the connection and the chain id
            began = steady_s()
            head = self._rpc.block()
            latency_s = steady_s() - began
            endpoint.ask_batch([("eth_chainId", ()), ("eth_chainId", ())])
            return NodeLook(
                head=head,
                latency_s=latency_s,
                arrays=bool(endpoint.batches),
                by_hash=endpoint.learn_pins(),
                pushes=self._pushes(),
            )
        finally:
            endpoint.close()

    def _pushes(self) -> bool | None:
        for source in head_sources([self._endpoint]):
            try:
                source.subscribe(lambda: None, lambda _: None)()
            except KeeperError:
                return False
            return True
        return None


class ConfiguredContracts(HouseProbe):
    """`keeper.ops.doctor.site.Contracts`."""

    def __init__(self, rpc: Rpc, deployment: Deployment, *, accepted: Sequence[str] = ()) -> None:
        super().__init__(Views(BlockReads(rpc), deployment), deployment)
        self._rpc, self._addresses, self._since = rpc, deployment.addresses, deployment.block
        self._watch = Watch(self._views, deployment, accepted=accepted)

    def missing(self, block: BlockRef) -> Mapping[str, str]:
        """See `Contracts.missing`."""
        named = [name for name in (*CONTRACTS, *OPTIONAL) if name in self._addresses]
        return {name: at for name in named if not self._rpc.code(at := self._addresses[name], block)}

    def differences(self, block: BlockRef) -> tuple[Unlike, ...]:
        """See `Contracts.differences`: what the running keeper would say of this block."""
        return tuple(Unlike(said=said, stops=stops) for said, stops in self._watch.judged(block))

    def approved(self, account: int, block: BlockRef) -> Sequence[str]:
        """See `Contracts.approved`."""
        search = LogSearch(self._rpc, self._views.address(AUCTION))
        return approved(self._views, account, search, since=self._since, block=block)

    def balance(self, address: str, block: BlockRef) -> int:
        """See `Contracts.balance`."""
        return self._rpc.balance(address, block)
