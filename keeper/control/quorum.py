"""What needs several keepers: draft it, look at it with one's own eyes, sign it, send it.

    draft   whatever the contract does for a quorum → a paper (`keeper.control.drafts`)
    review  everything of a paper made again and compared with the chain → objections
    sign    a paper without objections → the paper with one more signature
    send    a paper with enough signatures of today's keepers → the outbox

It lives beside `push`, not in governance: what is signed is what one key would push, decided by the same functions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from keeper.domain.block import BlockRef
from keeper.domain.council import Council, Order, Paper, Signature
from keeper.domain.market import ExpiryTarget
from keeper.domain.tx import SignerRole, TxIntent, TxRecord
from keeper.errors import BadInput
from keeper.ports import TxSender

#: Gas that a call may use; the unused is refunded.  Beside a publication a few signatures weigh nothing.
GAS_LIMIT: Final = {"publish": 16_000_000, "stage": 16_000_000, "stageExpiries": 16_000_000, "flip": 4_000_000}
#: Of the others: one word written, and up to 32 signatures.
GAS_LIMIT_ELSE: Final = 1_500_000


class CouncilChain(Protocol):
    """The quorum's contract.  Whatever asks the chain may raise `Retry`."""

    @property
    def address(self) -> str:
        """Checksummed address of the contract."""

    @property
    def chain_id(self) -> int:
        """On which chain."""

    def council(self, block: BlockRef) -> Council:
        """Who the keepers are, and how many it takes."""

    def draft(self, function: str, *args: Any, underlying: int, valid_until: int, block: BlockRef) -> bytes:
        """A call without signatures, with the next nonce of its lane."""

    def publication(
        self, data: bytes, *, valid_until: int, block: BlockRef, function: str = "publish", count: int | None = None
    ) -> bytes:
        """The same of the calldata that a single publisher would send.

        Args:
            data: of `publish`.
            valid_until: how long signatures are good, unix seconds.
            block: the head.
            function: `publish`, or `stage` to open a publication in several transactions.
            count: of its expiries only so many of the first; None for all.
        """

    def rows(self, underlying: int, expiries: Sequence[ExpiryTarget], *, valid_until: int, block: BlockRef) -> bytes:
        """The next expiries of a publication that was opened."""

    def order(self, call: bytes) -> Order:
        """What a call has the quorum do.  Raises: `BadInput` if it is none that this keeper knows to the last byte."""

    def decoded(self, call: bytes) -> dict[str, str]:
        """A call taken apart."""

    def typed(self, call: bytes) -> dict[str, Any]:
        """What is signed for a call, for this contract on this chain."""

    def hashes(self, call: bytes) -> tuple[bytes, bytes]:
        """The two hashes of what is signed: domain and message."""

    def objections(self, call: bytes, block: BlockRef) -> Iterator[str]:
        """Why the contract would not carry a call out at a block, however many sign it."""

    def vouches(self, signer: str, call: bytes, signature: bytes, block: BlockRef) -> bool:
        """Whether a signature is a key's or a wallet's own, over this very call."""

    def is_wallet(self, signer: str, block: BlockRef) -> bool:
        """Whether there is code at an address, so that it is a contract that stands by signatures (ERC-1271)."""

    def digest(self, call: bytes) -> bytes:
        """The hash of what is signed for a call."""

    def signed(self, call: bytes, signatures: Mapping[str, bytes]) -> bytes:
        """The calldata that carries signatures."""

    def inner(self, call: bytes) -> tuple[str, bytes]:
        """What the quorum's contract calls in turn: whom, and with what."""


class Signs(Protocol):
    """A key of this keeper."""

    @property
    def address(self) -> str:
        """Checksummed."""

    def sign_typed(self, domain: bytes, struct: bytes) -> bytes:
        """See `keeper.chain.signers.Signer.sign_typed`."""


@dataclass(frozen=True, kw_only=True)
class Review:
    """A paper under one's own eyes at one block."""

    paper: Paper
    order: Order
    council: Council
    block: BlockRef
    objections: tuple[str, ...]
    """Why nobody should sign or send it; empty if nothing speaks against it."""
    bad: tuple[str, ...]
    """What is wrong with signatures that it carries, one line each."""
    good: tuple[str, ...]
    """Keepers of today who signed it, ascending."""

    @property
    def needed(self) -> int:
        """Signatures that it takes."""
        return self.council.to_tighten if self.order.emergency else self.council.to_publish

    @property
    def complete(self) -> bool:
        """Whether it can be sent."""
        return not self.objections and not self.bad and len(self.good) >= self.needed


# --- review -----------------------------------------------------------------------------------------------------------


def review(paper: Paper, chain: CouncilChain, block: BlockRef) -> Review:
    """Look at a paper: its parts against its call, its call and its signatures against the chain.

    Raises: `BadInput` if its call is none, or it was made for another chain or contract; `Retry`.
    """
    _for_this(paper, chain)
    order, council = chain.order(paper.call), chain.council(block)
    objections = tuple(chain.objections(paper.call, block))
    good: list[str] = []
    bad: list[str] = []
    known = {one.lower(): one for one in council.keepers}
    seen: set[str] = set()
    for one in paper.signatures:
        keeper = known.get(one.signer.lower())
        if one.signer.lower() in seen:
            bad.append(f"{one.signer} signed twice: each keeper counts once")
        elif keeper is None:
            bad.append(f"{one.signer} is no keeper of the quorum")
        elif not chain.vouches(keeper, paper.call, one.data, block):
            bad.append(f"the signature of {keeper} is not its own, or over something else")
        else:
            good.append(keeper)
        seen.add(one.signer.lower())
    return Review(
        paper=paper,
        order=order,
        council=council,
        block=block,
        objections=objections,
        bad=tuple(bad),
        good=tuple(sorted(good, key=lambda address: int(address, 16))),
    )


def _for_this(paper: Paper, chain: CouncilChain) -> None:
    """Raises: `BadInput` if the typed data or the words of a paper are not those of its call, here."""
    typed = chain.typed(paper.call)
    domain = paper.typed.get("domain")
    theirs = domain if isinstance(domain, Mapping) else {}
    if theirs.get("chainId") != chain.chain_id:
        raise BadInput(f"the paper is for chain {theirs.get('chainId')}, this deployment is on chain {chain.chain_id}")
    if str(theirs.get("verifyingContract")).lower() != chain.address.lower():
        raise BadInput(
            f"the paper is for the quorum at {theirs.get('verifyingContract')}, this deployment's is {chain.address}"
        )
    if _folded(paper.typed) != _folded(typed):
        raise BadInput(
            "what the paper would have you sign is not its call: it was altered", hint="have it drafted anew"
        )
    if dict(paper.decoded) != chain.decoded(paper.call):
        raise BadInput("what the paper tells is not its call: it was altered", hint="have it drafted anew")


def _folded(value: Any) -> Any:
    """Typed data without what means the same: letter case of addresses, numbers as text."""
    if isinstance(value, Mapping):
        return {name: _folded(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_folded(inner) for inner in value]
    return str(value).lower()


def gathered(papers: Sequence[Paper]) -> Paper:
    """One paper with the signatures of several copies of it.  Raises: `BadInput` if they are not of one order."""
    first = papers[0]
    found = list(first.signatures)
    for paper in papers[1:]:
        if paper.call != first.call:
            raise BadInput("the papers are not copies of one order", hint="send them one by one")
        # A copy carries what it was given; the same keeper twice on one paper is told.
        found += [one for one in paper.signatures if one not in found]
    return replace(first, signatures=tuple(found))


# --- sign and send ----------------------------------------------------------------------------------------------------


def chosen(found: Review, keys: Sequence[Signs]) -> Signs:
    """The key of this keeper that signs.  Raises: `BadInput` if none is a keeper's, or it signed already."""
    ours = [key for key in keys if key.address in found.council.keepers]
    if not ours:
        here = ", ".join(key.address for key in keys) or "none is configured"
        raise BadInput(
            f"no publisher key of this keeper is among the {len(found.council.keepers)} of the quorum: {here}",
            hint="configure it as [keys.publisher], or have governance name it: setKeepers",
        )
    fresh = [key for key in ours if key.address.lower() not in {one.signer.lower() for one in found.paper.signatures}]
    if not fresh:
        raise BadInput(f"{ours[0].address} signed it already", hint="each keeper counts once; hand it to the next")
    return fresh[0]


def signed(found: Review, key: Signs, chain: CouncilChain) -> Paper:
    """The paper with a key's signature.  Raises: as the key."""
    signature = key.sign_typed(*chain.hashes(found.paper.call))
    return replace(found.paper, signatures=(*found.paper.signatures, Signature(signer=key.address, data=signature)))


def member(found: Review, address: str) -> str:
    """A keeper of today by its address.  Raises: `BadInput` if it is none, or signed already."""
    known = {one.lower(): one for one in found.council.keepers}
    if (ours := known.get(address.lower())) is None:
        raise BadInput(f"{address[:50]} is no keeper of the quorum", hint="keeper quorum show lists them")
    if ours.lower() in {one.signer.lower() for one in found.paper.signatures}:
        raise BadInput(f"{ours} signed it already", hint="each keeper counts once; hand it to the next")
    return ours


def attached(found: Review, address: str, data: bytes, chain: CouncilChain) -> Paper:
    """The paper with a signature that was made elsewhere: by a wallet's owners, or by a key in another program.

    Args:
        found: the paper.
        address: the keeper's.
        data: what the quorum's contract is to be shown; a contract wallet may need none.
        chain: the quorum.

    Raises: `BadInput` if the keeper does not stand by it at this block; `Retry`.
    """
    ours = member(found, address)
    if not chain.vouches(ours, found.paper.call, data, found.block):
        whose = "the contract at" if chain.is_wallet(ours, found.block) else "the key of"
        raise BadInput(
            f"{whose} {ours} does not stand by this signature",
            hint=f"see what is to be signed: keeper quorum sign FILE --member {ours}",
        )
    return replace(found.paper, signatures=(*found.paper.signatures, Signature(signer=ours, data=data)))


def intent(found: Review, chain: CouncilChain) -> TxIntent:
    """The transaction that carries a complete paper."""
    whose = {one.signer.lower(): one.data for one in found.paper.signatures}
    order = found.order
    return TxIntent(
        key=f"{chain.chain_id}:{found.block.hash}:{order.subject}",
        kind="quorum",
        subject=order.subject,
        role=SignerRole.PUBLISHER,
        to=chain.address,
        data=chain.signed(found.paper.call, {keeper: whose[keeper.lower()] for keeper in found.good}),
        gas_limit=GAS_LIMIT.get(order.function, GAS_LIMIT_ELSE),
        decided_at=found.block,
        deadline_s=order.valid_until,
        why=f"{order.what} {order.symbol} by {len(found.good)} keepers: {found.paper.why}",
    )


def send(found: Review, chain: CouncilChain, sender: TxSender) -> TxRecord:
    """Hand a complete paper to the outbox, which simulates it once more.

    Raises: `BadInput` if it is not complete; `Retry`; `Halt` if a spending cap is hit.
    """
    if not found.complete:
        raise BadInput("the paper cannot be sent", hint=" and ".join(wanting(found)))
    return sender.submit(intent(found, chain))


def wanting(found: Review) -> tuple[str, ...]:
    """What keeps a paper from being sent, one line each."""
    short = found.needed - len(found.good)
    missing = (f"it has {len(found.good)} of the {found.needed} signatures it takes",) if short > 0 else ()
    return (*found.objections, *found.bad, *missing)
