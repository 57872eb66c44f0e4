"""Prove each configured key: it loads, it signs, what it signed is its own, and it may do its role's work.

One key's trouble does not stop the next.  What only the chain knows is left out where no node answers: a key can be
proven before there is anything to send.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from keeper.domain.tx import SignerRole
from keeper.errors import KeeperError, Retry
from keeper.ops.doctor.hands import alone_hint

WEI_PER_ETH = 10**18


class KeyVerdict(StrEnum):
    """What a key turned out to be."""

    SIGNS = "signs"
    WARNING = "warning"
    """It signs, and something about it needs a look."""
    UNREACHABLE = "unreachable"
    """The service that holds it gave no answer; the same may work later."""
    UNUSABLE = "unusable"
    """It cannot sign, or must not in its role."""


@dataclass(frozen=True, kw_only=True)
class KeyFinding:
    """What was found out about one key."""

    role: SignerRole
    name: str
    """Its section of the settings."""
    kind: str
    """What holds it."""
    verdict: KeyVerdict
    said: str
    hint: str = ""
    address: str | None = None
    """None if it could not be loaded."""
    took_ms: float | None = None
    """How long the signature took; None if there is none."""
    balance_wei: int | None = None
    """None if no node answered."""
    transactions: int | None = None
    """How many of its role's usual transactions the balance pays for at the fee ceiling; None if no node answered."""


class KeyUnderTest(Protocol):
    """One configured key."""

    @property
    def role(self) -> SignerRole:
        """What it signs for."""

    @property
    def name(self) -> str:
        """Its section of the settings."""

    @property
    def kind(self) -> str:
        """What holds it."""

    @property
    def hot(self) -> bool:
        """Whether it lies open in the environment."""

    def rehearse(self, challenge: bytes) -> tuple[str, float]:
        """Load it, sign once, check the signature.

        Returns: address, and milliseconds the signature took.

        Raises: `BadInput` if it cannot be loaded, `Halt` if what it signed is not its own, `Retry` if its service is
            silent.
        """


class KeysOnChain(Protocol):
    """What a node knows about addresses.  Each may raise `KeeperError`."""

    def balance(self, address: str) -> int:
        """Native balance, wei."""

    def cost(self, role: SignerRole) -> int:
        """What a usual transaction of the role costs at the fee ceiling, wei."""

    def may_publish(self, address: str) -> bool:
        """Whether it holds the publisher's role."""

    def publishing_quorum(self) -> str:
        """Address of the quorum of keepers if it holds the publisher's role; empty if not, or there is none."""


def try_keys(
    keys: Sequence[KeyUnderTest], chain: KeysOnChain, *, challenge: Callable[[], bytes]
) -> Iterator[KeyFinding]:
    """Try each key, in order.  What goes wrong becomes a finding; nothing is raised.

    Args:
        keys: to be tried.
        chain: asked about each that signs.
        challenge: fresh bytes for each signature.
    """
    seen: dict[str, str] = {}
    for key in keys:
        try:
            address, took_ms = key.rehearse(challenge())
        except KeeperError as error:
            verdict = KeyVerdict.UNREACHABLE if isinstance(error, Retry) else KeyVerdict.UNUSABLE
            yield KeyFinding(
                role=key.role, name=key.name, kind=key.kind, verdict=verdict, said=error.message, hint=error.hint
            )
            continue
        yield _judged(key, address, took_ms, chain, seen.setdefault(address, key.name))


def _judged(key: KeyUnderTest, address: str, took_ms: float, chain: KeysOnChain, first: str) -> KeyFinding:
    balance, transactions, funds = _funds(key.role, address, chain)
    remarks = [remark for remark in (_duplicate(key, first), _role(key.role, address, chain), funds) if remark]
    if key.hot:
        hint = "every child process and crash dump can read it: keep it in a keystore, or behind a KMS"
        remarks.append((KeyVerdict.WARNING, "lies open in the environment", hint))
    worst = next((one for one in remarks if one[0] is KeyVerdict.UNUSABLE), None)
    verdict = worst[0] if worst else KeyVerdict.WARNING if any(one[2] for one in remarks) else KeyVerdict.SIGNS
    return KeyFinding(
        role=key.role,
        name=key.name,
        kind=key.kind,
        verdict=verdict,
        said="; ".join(["signs, recovers, low s", *(one[1] for one in remarks)]),
        hint="; ".join(one[2] for one in remarks if one[2]),
        address=address,
        took_ms=took_ms,
        balance_wei=balance,
        transactions=transactions,
    )


#: A verdict, what is said, and what to do; nothing to do where the last is empty.
_Remark = tuple[KeyVerdict, str, str]


def _duplicate(key: KeyUnderTest, first: str) -> _Remark | None:
    if key.name == first:
        return None
    return KeyVerdict.UNUSABLE, f"the same key as {first}", "give each a key of its own"


def _role(role: SignerRole, address: str, chain: KeysOnChain) -> _Remark | None:
    try:
        publishes = chain.may_publish(address)
        quorum = chain.publishing_quorum() if role is SignerRole.PUBLISHER else ""
    except KeeperError as error:
        return KeyVerdict.SIGNS, f"its role was not asked: {error.message}", ""
    if quorum and publishes:
        return KeyVerdict.WARNING, f"may publish alone, beside the quorum of keepers at {quorum}", alone_hint(address)
    if quorum:
        return KeyVerdict.SIGNS, f"publishes with the quorum of keepers at {quorum}: keeper quorum", ""
    if role is SignerRole.PUBLISHER and not publishes:
        hint = f"have the protocol's owner call RiskParameters.grantRole(PUBLISHER_ROLE, {address})"
        return KeyVerdict.UNUSABLE, "may not publish", hint
    if role is SignerRole.LIQUIDATOR and publishes:
        return KeyVerdict.UNUSABLE, "may publish too", "use another key, or have the owner revoke its PUBLISHER_ROLE"
    return (KeyVerdict.SIGNS, "may publish", "") if publishes else None


def _funds(role: SignerRole, address: str, chain: KeysOnChain) -> tuple[int | None, int | None, _Remark | None]:
    try:
        balance, cost = chain.balance(address), chain.cost(role)
    except KeeperError as error:
        return None, None, (KeyVerdict.SIGNS, f"its balance was not asked: {error.message}", "")
    remark = None
    if balance < cost:
        said = f"{balance / WEI_PER_ETH:.4f} ETH pay for no transaction at the fee ceiling"
        remark = (KeyVerdict.WARNING, said, f"send ether to {address}, or lower fees.max_fee_gwei")
    return balance, balance // cost, remark
