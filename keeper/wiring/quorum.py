"""`keeper quorum` as the settings describe it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from keeper.chain.asking.reads import BlockReads
from keeper.chain.clock import SystemClock
from keeper.chain.following.log_search import LogSearch
from keeper.chain.sending.dry import DrySender
from keeper.chain.signers import Signer
from keeper.control.drafts import draft_publication
from keeper.control.quorum import Review, attached, chosen, intent, member, review, send, signed
from keeper.control.rederive import Derived
from keeper.control.sight import at_head
from keeper.domain.council import Council, LaneNonce, Order, Paper, RoleHolder
from keeper.domain.cycle import DRY, REHEARSED
from keeper.domain.inputs import dump, load
from keeper.domain.previews import Previewed
from keeper.domain.tx import SignerRole, TxRecord
from keeper.errors import BadInput
from keeper.governance.safe import digest_hash
from keeper.policy.effect import Effect
from keeper.policy.signed import unsigned
from keeper.protocols.abi import explain_revert
from keeper.protocols.clearinghouse.council import HOUSE, PARAMETERS, HouseCouncil
from keeper.protocols.clearinghouse.deployment import MULTICALL
from keeper.protocols.clearinghouse.preview import HousePreview
from keeper.protocols.clearinghouse.standing import HouseStanding
from keeper.protocols.clearinghouse.views import Views
from keeper.settings import Settings
from keeper.store import open_store
from keeper.updates import keep_inputs, keep_signed
from keeper.wiring import deployment_of
from keeper.wiring.cosigning import Cosigning
from keeper.wiring.keys import signers
from keeper.wiring.looking import looking
from keeper.wiring.nodes import rpc_of
from keeper.wiring.sender import outbox_of
from keeper.wiring.tightening import effect_of

#: Functions of the quorum's contract that carry what is published, or put it in force.
PUBLISHING: Final = frozenset({"publish", "stage", "stageExpiries", "flip"})


@dataclass(frozen=True, kw_only=True)
class Shown:
    """Everything about a quorum at one block."""

    council: Council
    nonces: tuple[LaneNonce, ...]
    roles: tuple[RoleHolder, ...]
    own: tuple[str, ...]
    """Addresses of this keeper's publisher keys."""


@dataclass(frozen=True, kw_only=True)
class ToSign:
    """What a member signs that is a contract, or whose key is elsewhere."""

    member: str
    wallet: bool
    """Whether it is a contract."""
    digest: bytes
    """Of the typed data: what the quorum's contract asks it about."""
    by_owners: bytes | None
    """What the owners of a Safe sign so that it stands by the digest; None for a key."""


class QuorumDesk:
    """Drafts, looks at, signs and sends papers.

    Args:
        settings: validated.
        environ: where keys named by variable are looked up.

    Raises: `BadInput` if the deployment has no quorum; `Retry`.
    """

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._settings, self._environ = settings, environ
        self._deployment = deployment_of(settings)
        self._rpc = rpc_of(settings)
        multicall = settings.chain.multicall or self._deployment.addresses.get(MULTICALL)
        self._views = Views(BlockReads(self._rpc, multicall=multicall), self._deployment)
        self.chain = HouseCouncil(self._views, self._deployment)
        self.head = self._rpc.block()

    def close(self) -> None:
        """Let go of the connection."""
        self._rpc.close()

    def show(self) -> Shown:
        """Who the keepers are, how many it takes, every nonce, and who holds a role.  Raises: `Retry`."""
        own = tuple(key.address for key in self._keys())
        names = dict.fromkeys(own, "this keeper's publisher key")
        search = LogSearch(self._rpc, self._deployment.addresses[PARAMETERS])
        return Shown(
            council=self.chain.council(self.head),
            nonces=self.chain.nonces(self.head),
            roles=self.chain.roles(self.head, search, names),
            own=own,
        )

    def underlying(self, symbol: str) -> int:
        """Id by ticker.  Raises: `BadInput` naming those that there are."""
        for underlying, ticker in self._deployment.symbols.items():
            if ticker.lower() == symbol.lower():
                return underlying
        known = ", ".join(self._deployment.symbols.values())
        raise BadInput(f"no underlying is called {symbol}", hint=f"there are: {known}", symbol=symbol)

    @property
    def house(self) -> str:
        """Address of the clearing house."""
        return self._views.address(HOUSE)

    def publication(self, symbol: str, *, asked: str, lasts_s: int, staged: int | None = None) -> tuple[Paper, bytes]:
        """What would be pushed now, on paper, and its inputs file, which the store keeps too.

        Args:
            symbol: ticker.
            asked: as `keeper.control.drafts.draft_publication`.
            lasts_s: how long signatures are good.
            staged: as there.

        Raises: `BadInput` if nothing is due, or the model was not signed off; `Retry`.
        """
        policy = replace(self._settings.policy, intent_ttl_s=lasts_s)
        keeper = looking(self._settings.model_copy(update={"policy": policy}), environ=self._environ)
        try:
            # What a quorum publishes needs the operator's word on the model as much as what one key does.
            ports = replace(keeper.ports, needs_sign_off=True)
            sight = at_head(keeper.heads, ports, keeper.risk, keeper.policy)
            paper, push, file = draft_publication(
                sight, ports.encoder, self.chain, symbol=symbol, asked=asked, staged=staged
            )
        finally:
            keeper.ports.store.close()
        store = open_store(self._settings.store.url.reveal())
        try:
            keep_inputs((push,), (file,), store)
        finally:
            store.close()
        return paper, dump(file)

    def review(self, paper: Paper) -> Review:
        """See `keeper.control.quorum.review`."""
        return review(paper, self.chain, self.head)

    def previewed(self, found: Review) -> Previewed | None:
        """The contract's word on a publication; None of all else.  Raises: `Retry`."""
        if found.order.function != "publish":
            return None
        asked = replace(intent(found, self.chain), data=self.chain.inner(found.paper.call)[1])
        return HousePreview(self._views).preview(asked, self.head)

    def tried(self, found: Review) -> str:
        """What would become of anything but a publication if the quorum called it now, in words; empty of that one.

        Raises: nothing; that it could not be tried is said.
        """
        if found.order.function == "publish":
            return ""
        to, data = self.chain.inner(found.paper.call)
        sender = DrySender(self._rpc, {SignerRole.PUBLISHER: self.chain.address}, decode_revert=self._words)
        said = sender.submit(replace(intent(found, self.chain), to=to, data=data)).reason
        return "it would pass now" if said == REHEARSED else said.removeprefix(DRY)

    def _words(self, data: bytes) -> str:
        return explain_revert(data, self._views.abis.values())

    def unsigned(self, order: Order) -> str:
        """Why this keeper's model may not publish what a paper does; empty if it may, or it publishes nothing."""
        if order.function not in PUBLISHING:
            return ""
        store = open_store(self._settings.store.url.reveal())
        try:
            return unsigned({one.version for one in store.sign_offs()})
        finally:
            store.close()

    def effect(self, found: Review) -> Effect | str:
        """See `keeper.wiring.tightening.effect_of`."""
        return effect_of(self._settings, self._environ, self._views, found.order)

    def derived(self, found: Review, inputs: Path | None, paper: Path) -> Derived:
        """See `keeper.wiring.cosigning.Cosigning.derived`."""
        return Cosigning(self._settings, self._environ, self.chain, self.head).derived(found.order, inputs, paper)

    def keep(self, made: Derived) -> None:
        """Keep the inputs file of a publication that has this keeper's signature now."""
        if made.data:
            store = open_store(self._settings.store.url.reveal())
            try:
                keep_signed(load(made.data), made.data, store)
            finally:
                store.close()

    def sign(self, found: Review) -> Paper:
        """The paper with this keeper's signature.  Raises: `BadInput` if it has no key of the quorum; as the key."""
        return signed(found, chosen(found, self._keys()), self.chain)

    def attach(self, found: Review, address: str, data: bytes) -> Paper:
        """See `keeper.control.quorum.attached`."""
        return attached(found, address, data, self.chain)

    def to_sign(self, found: Review, address: str) -> ToSign:
        """What a keeper signs where its key is not this keeper's.  Raises: `BadInput` if it is none; `Retry`."""
        ours, digest = member(found, address), self.chain.digest(found.paper.call)
        wallet = self.chain.is_wallet(ours, self.head)
        by_owners = digest_hash(digest, safe=ours, chain_id=self.chain.chain_id) if wallet else None
        return ToSign(member=ours, wallet=wallet, digest=digest, by_owners=by_owners)

    def send(self, found: Review, *, leaves: bool) -> TxRecord:
        """Carry a complete paper to the contract, or try what would become of it.

        Raises: `BadInput` if it is incomplete, or no key pays; `Retry`; `Halt` if another process sends from the store.
        """
        keys = signers(self._settings, self._environ)
        if SignerRole.PUBLISHER not in keys:
            raise BadInput("no key pays for sending it", hint="configure [keys.publisher]; it need not be a keeper's")

        if not leaves:
            senders = {role: own[0].address for role, own in keys.items()}
            return send(found, self.chain, DrySender(self._rpc, senders, decode_revert=self._words))
        store = open_store(self._settings.store.url.reveal())
        with ExitStack() as undo:
            undo.callback(store.close)
            store.lock_sending(at_s=SystemClock().now_s())
            outbox = outbox_of(
                self._settings, self._rpc, store, keys, decode_revert=self._words, recheck=HouseStanding(self._views)
            )
            outbox.recover(self.head)
            return send(found, self.chain, outbox)

    def _keys(self) -> Sequence[Signer]:
        return signers(self._settings, self._environ).get(SignerRole.PUBLISHER, ())
