"""What a co-signer holds a drafted publication against: its own node, store, knobs and gate."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from keeper.control.papers import inputs_beside
from keeper.control.rederive import NOTHING, Derived, Own, derived, staged_as
from keeper.control.sight import Sight, at_head
from keeper.domain.block import BlockRef
from keeper.domain.council import Order
from keeper.domain.inputs import InputsFile
from keeper.domain.landed import RefusedItem
from keeper.domain.overrides import Override
from keeper.errors import BadInput
from keeper.protocols.clearinghouse.council import HouseCouncil
from keeper.settings import Settings
from keeper.store import open_store
from keeper.wiring.looking import looking
from keeper.wiring.publications import ChainMemory, attested, chain_memory


def newest(settings: Settings, environ: Mapping[str, str]) -> Sight:
    """The newest block with every account.  Raises: `Retry` if it cannot be read."""
    keeper = looking(settings, environ=environ)
    try:
        return at_head(keeper.heads, keeper.ports, keeper.risk, keeper.policy)
    finally:
        keeper.ports.store.close()


class Cosigning:
    """Derives what is to be signed again.

    Args:
        settings: validated.
        environ: where keys named by variable are looked up.
        chain: the quorum.
        head: the newest block.
    """

    def __init__(self, settings: Settings, environ: Mapping[str, str], chain: HouseCouncil, head: BlockRef) -> None:
        self._settings, self._environ, self._chain, self._head = settings, environ, chain, head

    def derived(self, order: Order, inputs: Path | None, paper: Path) -> Derived:
        """A publication derived again from its inputs file, and held against this keeper's own knobs, floors and gate.

        A flip is held as the publication that is staged.  Nothing for a paper that puts no numbers in force.

        Args:
            order: what the paper has the quorum do.
            inputs: its inputs file; None for the one beside the paper, or of a flip the one that this store kept.
            paper: where that lies.

        Raises: `BadInput` if the file is missing or of something else; `Retry`.
        """
        if order.function != "flip" and order.target is None and not order.rows:
            return NOTHING
        memory = chain_memory(self._settings)
        try:
            if order.function == "flip":
                return self._flip(order, memory, inputs, paper)
            return self._one(order, memory, _read(inputs or inputs_beside(paper)), self._own())
        finally:
            memory.close()

    def _flip(self, order: Order, memory: ChainMemory, inputs: Path | None, paper: Path) -> Derived:
        try:
            staged = memory.publications.staged(order.underlying)
        except BadInput as error:
            said = f"nobody can tell what it puts in force: {error.message}; {error.hint}"
            return Derived(checks=(), unattested=(), objections=(said,))
        if staged is None:
            return Derived(checks=(), unattested=(), objections=(f"nothing of {order.symbol} is staged",))
        beside = inputs_beside(paper)
        path = inputs or (beside if beside.exists() else None)
        data = self._stored(staged.inputs_hash) if path is None else _read(path)
        own = self._own()
        return self._one(staged_as(order, staged, own.snapshot), memory, data, own, refused=staged.refused)

    def _one(
        self, order: Order, memory: ChainMemory, data: bytes, own: Own, *, refused: tuple[RefusedItem, ...] = ()
    ) -> Derived:
        return derived(
            order,
            data,
            deployed=memory.publications.deployed,
            last_target=self._chain.last_target(order.underlying, self._head),
            block_at=memory.publications.block,
            attest=partial(attested, self._settings, memory),
            own=own,
            refused=refused,
        )

    def _own(self) -> Own:
        """What this keeper has to hold a publication against.  Raises: `Retry` if its newest block cannot be read."""
        sight = newest(self._settings, self._environ)
        return Own(
            snapshot=sight.inputs.snapshot,
            risk=sight.inputs.risk,
            policy=sight.inputs.policy,
            brought=dict(sight.inputs.brought),
            overrides=self._floors,
        )

    def _floors(self, file: InputsFile) -> tuple[Override, ...]:
        """This keeper's own that stood when a file was made, or in the time before that the file looks back over."""
        store, at_s = open_store(self._settings.store.url.reveal()), file.block.timestamp
        try:
            return store.overrides(at_s=at_s, since_s=at_s - file.policy.loosen_after_s)
        finally:
            store.close()

    def _stored(self, inputs_hash: str) -> bytes:
        store = open_store(self._settings.store.url.reveal())
        try:
            data = store.inputs_file(inputs_hash)
        finally:
            store.close()
        if data is None:
            raise BadInput(
                f"what is staged was made from inputs {inputs_hash}, which this store does not have",
                hint="ask whoever drafted it for the file; flip no numbers that you cannot derive: --inputs FILE",
            )
        return data


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(
            f"the inputs file {path} cannot be read: {error.strerror}",
            hint="ask whoever drafted it for the file; sign no numbers that you cannot derive: --inputs FILE",
        ) from error
