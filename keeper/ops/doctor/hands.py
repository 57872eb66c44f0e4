"""Whether each key may do its work and can pay for it, and who else may."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from keeper.domain.block import BlockRef
from keeper.domain.text import usd
from keeper.domain.tx import SignerRole
from keeper.ops.doctor.findings import Finding, Verdict, bad, good
from keeper.ops.doctor.site import Contracts, Site

WAD = 10**18


def configured(site: Site, found: dict[SignerRole, Sequence[str]]) -> Iterator[Finding]:
    """Keys that load, each for one role; their addresses go into `found`."""
    found |= site.keys()
    counts = Counter(address for own in found.values() for address in own)
    for shared in (address for address, count in counts.items() if count > 1):
        hint = "make a second key: who publishes could otherwise liquidate what a publication made liquidatable"
        yield bad("keys", f"{shared} is configured more than once", hint)
    for role in SignerRole:
        if role not in found:
            does = "publishes and refreshes" if role is SignerRole.PUBLISHER else "flags, bids and settles"
            said = (
                "not configured: a dry run needs no key, and shows what it would do without simulating what this one "
                f"sends; --send needs it: it {does}"
            )
            hint = f"before --send: [keys.{role}] in the settings file, then keeper keys test"
            yield Finding(what=f"{role} key", verdict=Verdict.WARNING, said=said, hint=hint)


def key(
    role: SignerRole, address: str, contracts: Contracts, head: BlockRef, *, nth: str, cap_wei: int
) -> Iterator[Finding]:
    """One key: what it may do, and what it can pay for."""
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
        yield bad(what, f"{address} may not publish", hint)
    elif role is SignerRole.LIQUIDATOR and publishes:
        hint = "use another key, or have the owner revoke its PUBLISHER_ROLE"
        yield bad(what, f"{address} liquidates and may publish too", hint)
    else:
        yield good(what, f"{address}{', may publish' if publishes else ''}")
    balance = contracts.balance(address, head)
    if balance == 0:
        yield bad(f"{role} balance{nth}", "0 ETH: it cannot pay for a transaction", f"send ether to {address}")
    elif balance < cap_wei:
        said = f"{balance / WAD:.4f} ETH, below the {cap_wei / WAD:g} ETH it may spend a day"
        hint = f"send ether to {address}, or lower fees.max_spend_eth_per_day"
        yield Finding(what=f"{role} balance{nth}", verdict=Verdict.WARNING, said=said, hint=hint)
    else:
        yield good(f"{role} balance{nth}", f"{balance / WAD:,.4f} ETH")


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


def own_account(
    account: int | None, keys: Mapping[SignerRole, Sequence[str]], contracts: Contracts, head: BlockRef
) -> Iterator[Finding]:
    """The account that bids: whose it is, who may bid for it, and what it is worth."""
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
        yield bad(what, f"{owner} owns it, {keys_are} {', '.join(own)}", hint)
        return
    yield from _bidders(account, owner, own, bidders)
    equity = contracts.equity(account, head)
    if equity <= 0:
        hint = f"deposit collateral to account {account:#066x}; a bid must leave it above its initial requirement"
        yield bad(what, f"equity {usd(equity)}: it cannot bid", hint)
    else:
        yield good(what, f"equity {usd(equity)}")
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
            yield good(what, "owns the account" if key.lower() == owner.lower() else "approved")
            continue
        call = f"LiquidationAuction.approveBidder({account:#066x}, {key}, true)"
        yield Finding(
            what=what,
            verdict=Verdict.WARNING,
            said=f"{key} may not bid: it flags, refreshes and settles only",
            hint=f"have {owner}, who owns the account, call {call}: keeper bidders approve --send",
        )
