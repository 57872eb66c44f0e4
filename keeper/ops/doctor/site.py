"""What is to be checked of a keeper, as the checks ask for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from keeper.domain.block import BlockRef
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.snapshot import Price
from keeper.domain.tx import SignerRole
from keeper.ports import Store

#: Chains of one machine: ganache, anvil and hardhat, eth-tester.  They make blocks when asked to, so an old head says
#: nothing.
LOCAL_CHAINS = (1337, 31337, 131277322940537)


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
