"""The demo's smallest market, whose publisher's role is with two of three keepers, on a chain behind HTTP."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from eth_account import Account

from keeper.chain.signers import LocalSigner
from keeper.demo.world import FEES
from keeper.deploy import Hand
from keeper.deploy.house import ROLES
from tests.integration.quorum.papers import TWO
from tests.sites import served, smallest_market


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """The demo's smallest market, whose publisher's role is with two of three keepers and with no key."""
    world = smallest_market()
    folder = tmp_path_factory.mktemp("quorum")
    keys = {"ann": _account(world, 1), "liquidator": _account(world, 2)}
    keys |= {name: Account.from_key(n.to_bytes(32, "big")) for n, name in ((71, "bob"), (72, "cem"), (73, "eve"))}
    keepers = sorted((keys[name].address for name in ("ann", "bob", "cem")), key=lambda one: int(one, 16))
    hand = Hand(world.rpc, LocalSigner(_account(world, 0)), fees=FEES, poll_interval_s=0.0)
    parameters = world.deployment.addresses["RiskParameters"]
    at = hand.create("KeeperQuorum", parameters, hand.address, keepers, TWO, TWO)
    for role in ("PUBLISHER_ROLE", "EMERGENCY_ROLE"):
        hand.send("RiskParameters", parameters, "grantRole", ROLES[role], at)
    hand.send("RiskParameters", parameters, "revokeRole", ROLES["PUBLISHER_ROLE"], keys["ann"].address)
    world.deployment.addresses["KeeperQuorum"] = at
    for point in world.path.points[:3]:
        world.reach(point)
    with served(world, folder, {name: bytes(account.key) for name, account in keys.items()}) as site:
        world.chain.send(sender=world.chain.accounts[0], to=keys["eve"].address, value=10**18)
        world.mine()
        yield SimpleNamespace(site=site, world=world, hand=hand, keys=keys, keepers=keepers, at=at)


def _account(world, index):
    return Account.from_key(world.chain.key(index))


@pytest.fixture
def house(built, tmp_path):
    """As it was opened, with the owner's hand as it stood, and a folder for papers."""
    before = built.world.chain.snapshot()
    yield SimpleNamespace(**vars(built), papers=tmp_path)
    built.world.chain.revert(before)
