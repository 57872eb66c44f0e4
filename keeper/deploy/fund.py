"""Collateral for an account of a house: `approve`, then `deposit`, by whoever holds the tokens."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.deploy.hand import Hand
from keeper.errors import BadInput
from keeper.protocols.clearinghouse.deployment import Deployment


@dataclass(frozen=True, kw_only=True)
class Funding:
    """What is to be paid in."""

    account: int
    """AccountId: owner in the high 160 bits, sub-account in the low 96."""
    collateral: int
    """Its number in the house; 0 is the settlement token."""
    token: str
    amount: int
    """Token units."""
    held: int
    """Of the payer, token units."""


def funding(deployment: Deployment, hand: Hand, *, amount: int, collateral: int = 0) -> Funding:
    """What a deposit into the liquidator's account would be; nothing is sent.

    Args:
        deployment: the house; its `liquidator_account` is funded.
        hand: who pays.
        amount: token units.
        collateral: which token, by its number in the house.

    Raises: `BadInput` if the file names no account or no such collateral, or the payer holds too little.
    """
    account = deployment.liquidator_account
    if account is None:
        raise BadInput("the deployment file names no liquidator_account", hint="add it to the file")
    listed = int(hand.view("ClearingHouse", deployment.addresses["ClearingHouse"], "collateralCount"))
    if not 0 <= collateral < listed:
        raise BadInput(f"no collateral {collateral}: the house has {listed}", hint="0 is the settlement token")
    found = hand.view("ClearingHouse", deployment.addresses["ClearingHouse"], "collateral", collateral)
    held = int(hand.view("MockERC20", found["token"], "balanceOf", hand.address))
    if not 0 < amount <= held:
        raise BadInput(
            f"{amount} token units cannot be paid: {hand.address} holds {held} of {found['token']}",
            hint=f"the token has {found['decimals']} decimals: 1 of it is {10 ** found['decimals']} units",
        )
    return Funding(account=account, collateral=collateral, token=found["token"], amount=amount, held=held)


def pay(deployment: Deployment, hand: Hand, what: Funding) -> None:
    """Approve exactly that much, and deposit it.  Raises: as `Hand.send`."""
    house = deployment.addresses["ClearingHouse"]
    # `approve` is the same in every ERC-20; the mock's ABI is the one we export.
    hand.send("MockERC20", what.token, "approve", house, what.amount)
    hand.send("ClearingHouse", house, "deposit", what.account, what.collateral, what.amount)
