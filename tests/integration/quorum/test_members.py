"""Keepers whose signatures come from elsewhere: contract wallets, and keys that no settings name."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from eth_account.messages import encode_typed_data
from eth_utils import keccak

from keeper.chain.errors import Reverted
from keeper.control.papers import dump, read
from keeper.domain.council import Signature
from keeper.governance.safe import digest_hash
from keeper.protocols.abi import explain_revert
from keeper.protocols.clearinghouse.quorum import message_of
from tests.integration.quorum.papers import TWO, config, draft, quorum_of, says, send, shown, sign
from tests.safes import RealSafe
from tests.sites import tree_of

pytestmark = [pytest.mark.chain, pytest.mark.timeout(120), pytest.mark.usefixtures("own_logging")]


@pytest.fixture
def with_a_wallet(house):
    """The quorum of ann, bob and a real Safe 1.4.1 of two owners out of three."""
    house.world.chain.set_automine(on=True)
    house.safe = RealSafe(house.world.chain, (3, 4, 5), threshold=TWO)
    keepers = [house.keys["ann"].address, house.keys["bob"].address, house.safe.address]
    house.world.govern("KeeperQuorum", "setKeepers", sorted(keepers, key=lambda one: int(one, 16)), TWO, TWO)
    yield house
    house.world.chain.set_automine(on=False)


def by_the_contract(house, data):
    """What the quorum's contract itself says to a call; empty if it takes it."""
    try:
        house.world.rpc.simulate(house.at, data, sender=house.keys["eve"].address, gas=1_500_000)
    except Reverted as error:
        return explain_revert(error.data, [house.hand.abi("KeeperQuorum")])
    return ""


def attach(house, path, member, signature, *, code=0):
    words = ("--member", member, "--signature", signature)
    return tree_of("quorum", "sign", path, *words, "-c", config(house, "eve"), code=code)


@pytest.mark.needs_node
def test_sign__member_is_a_safe__its_owners_signatures_are_attached_and_count(with_a_wallet):
    """QCL-7: a contract wallet is a keeper like any other: its owners sign what is told, the chain takes it."""
    house, at = with_a_wallet, with_a_wallet.safe.address
    _, path = draft(house, "tighten", "ETH", "30%", "--now", "a test")
    sign(house, path, "ann")
    told = tree_of("quorum", "sign", path, "--member", at.lower(), "-c", config(house, "eve"))["to_sign"]
    digest = bytes.fromhex(told["digest"][2:])
    own = house.safe.ask("getMessageHash", digest, abi=house.safe.handler_abi)
    assert told == {
        "member": at, "wallet": True, "digest": told["digest"], "safe_message_hash": "0x" + own.hex(),
    }  # fmt: skip
    assert "the owners of a Safe there sign" in shown(
        "quorum", "sign", path, "--member", at, "-c", config(house, "eve")
    )
    seen = attach(house, path, at, "0x" + house.safe.signatures(own).hex())
    assert (set(seen["signed_by"]), seen["complete"]) == ({house.keys["ann"].address, at}, True)
    assert send(house, path)["state"] == "sent"
    house.world.mine()
    assert says(house, "RiskParameters", "controls", 0)["emergencyPeakPpm"] == 300_000


@pytest.mark.needs_node
def test_sign__member_is_a_safe_that_does_not_stand_by_it__refused_here_and_by_the_contract(with_a_wallet):
    """QCL-7: over another message, of too few owners, of one owner alone or none: not attached, and nothing lands."""
    house, at = with_a_wallet, with_a_wallet.safe.address
    _, path = draft(house, "tighten", "ETH", "30%", "--now", "a test")
    sign(house, path, "ann")
    tree = json.loads(path.read_text())
    found = read(path)
    quorum = quorum_of(house)
    digest = keccak(b"\x19\x01" + b"".join(message_of(quorum.typed(found.call))))
    right = house.safe.signatures(digest_hash(digest, safe=at, chain_id=house.world.chain.chain_id))
    for wrong in (house.safe.signatures(digest), right[:65], right[65:] + right[:65], b"", b"\0" * 130):
        refused = attach(house, path, at, "0x" + wrong.hex(), code=2)["error"]["message"]
        assert "does not stand by this signature" in refused
        assert json.loads(path.read_text()) == tree
        path.write_text(dump(replace(found, signatures=(*found.signatures, Signature(signer=at, data=wrong)))))
        assert "is not its own, or over something else" in send(house, path, code=2)["reason"]
        path.write_text(json.dumps(tree))
        data = quorum.signed(found.call, {house.keys["ann"].address: found.signatures[0].data, at: wrong})
        assert "BadSignature" in by_the_contract(house, data)
    data = quorum.signed(found.call, {house.keys["ann"].address: found.signatures[0].data, at: right})
    assert by_the_contract(house, data) == ""


@pytest.mark.needs_node
def test_sign__safe_approved_the_message_on_the_chain__no_signature_is_needed(with_a_wallet):
    """QCL-7: ERC-1271 has a wallet decide: one that approved the message beforehand needs to be shown nothing."""
    house, at = with_a_wallet, with_a_wallet.safe.address
    _, path = draft(house, "tighten", "ETH", "30%", "--now", "a test")
    sign(house, path, "bob")
    told = tree_of("quorum", "sign", path, "--member", at, "-c", config(house, "eve"))["to_sign"]
    house.safe.sign_message(bytes.fromhex(told["digest"][2:]))
    assert attach(house, path, at, "0x")["complete"] is True
    assert send(house, path)["state"] == "sent"
    house.world.mine()
    assert says(house, "RiskParameters", "controls", 0)["emergencyPeakPpm"] == 300_000


def test_sign__signature_of_a_key_that_is_elsewhere__attached(house):
    """QCL-7: any wallet that signs typed data will do; what is no keeper's, or not its own, is not attached."""
    _, path = draft(house, "tighten", "ETH", "30%", "--now", "a test")
    bob = house.keys["bob"]
    told = tree_of("quorum", "sign", path, "--member", bob.address, "-c", config(house, "eve"))["to_sign"]
    assert (told["wallet"], told["safe_message_hash"]) == (False, None)
    typed = encode_typed_data(full_message=json.loads(path.read_text())["typed_data"])
    signature = "0x" + bytes(bob.sign_message(typed).signature).hex()
    for member, given, said in (
        (house.keys["eve"].address, signature, "is no keeper of the quorum"),
        (house.keys["cem"].address, signature, "the key of"),
        (bob.address, signature[:-1], "no 0x text"),
    ):
        assert said in attach(house, path, member, given, code=2)["error"]["message"]
    assert attach(house, path, bob.address, signature)["signed_by"] == [bob.address]
    assert "signed it already" in attach(house, path, bob.address, signature, code=2)["error"]["message"]
    alone = tree_of("quorum", "sign", path, "--signature", signature, "-c", config(house, "eve"), code=2)
    assert "whose signature" in alone["error"]["message"]
