"""A keeper that looks at the newest block and leaves no trace: it may stand beside one that runs on the same store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, cast

from keeper.chain.sending.dry import DrySender
from keeper.domain.block import BlockRef
from keeper.domain.home import Home
from keeper.domain.snapshot import Observation
from keeper.domain.tx import SignerRole
from keeper.domain.updates import KeptInputs
from keeper.ports import Preview, Store
from keeper.protocols.clearinghouse.preview import HousePreview
from keeper.settings import Settings
from keeper.store import open_store
from keeper.wiring import PROTOCOLS, Keeper, deployment_of, quote_source
from keeper.wiring.keys import signers
from keeper.wiring.nodes import endpoints, rpc_of


class Untouched:
    """A store that is read; what a reader would write of its progress is kept for this process alone.

    Args:
        store: where everything else is asked.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._prices: dict[int, dict[int, Observation]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Nothing is written, so nothing waits for the disk."""
        yield

    def dedicate(self, to: Home) -> Home:
        """Whose it is, or would be."""
        return self._store.home() or to

    def save_sync(self, cursor: BlockRef, state: bytes) -> None:
        """The index stays where the running keeper left it."""

    def append_sync(self, cursor: BlockRef, more: bytes) -> None:
        """The same."""

    # The name is the port's.
    def append_prices(self, block: BlockRef, underlying: int, rounds: Sequence[Observation]) -> None:  # noqa: ARG002
        """Remembered while this process lasts."""
        self._prices.setdefault(underlying, {}).update({one.time: one for one in rounds})

    def prices(self, underlying: int, *, since_s: int) -> tuple[Observation, ...]:
        """See `Store.prices`."""
        known = {one.time: one for one in self._store.prices(underlying, since_s=since_s)}
        known |= {at: one for at, one in self._prices.get(underlying, {}).items() if at >= since_s}
        return tuple(known[at] for at in sorted(known))

    def keep_inputs(self, kept: KeptInputs, data: bytes) -> None:
        """Nothing is published, so nobody will ask about it."""

    def orphan_cycles(self, hashes: Iterable[str]) -> None:
        """The running keeper notices reorgs by itself."""


def looking(settings: Settings, *, environ: Mapping[str, str]) -> Keeper:
    """A keeper of the configured protocol that reads and never writes or sends.

    Raises: `BadInput` for an unusable deployment file, key or store; `Retry` if a node or the database is silent.
    """
    deployment = deployment_of(settings)
    nodes = endpoints(settings)
    rpc = rpc_of(settings, nodes)
    keys = signers(settings, environ)
    addresses = {role: own[0].address for role, own in keys.items()}
    store = open_store(settings.store.url.reveal())
    with ExitStack() as undo:
        undo.callback(store.close)
        keeper = PROTOCOLS[settings.protocol.name](
            rpc=rpc,
            store=cast("Store", Untouched(store)),
            deployment=deployment,
            risk=settings.risk,
            policy=settings.policy,
            sender=lambda decode, _recheck: DrySender(rpc, addresses, decode_revert=decode),
            quotes=quote_source(settings, deployment),
            reorg_depth=max(settings.chain.reorg_depth, settings.chain.confirmations),
            multicall=settings.chain.multicall or None,
            accepted_code=settings.protocol.accepted_code,
            publishers=[key.address for key in keys.get(SignerRole.PUBLISHER, ())],
        )
        undo.pop_all()
    return keeper


def preview_of(keeper: Keeper) -> Preview:
    """The contract's own word on what a keeper would publish."""
    return HousePreview(keeper.views)
