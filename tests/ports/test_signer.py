"""One suite for every signer: in this process, and behind each service (faked on a loopback port)."""

import json
from contextlib import ExitStack

import pytest
from coincurve import PrivateKey
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_utils import keccak
from hexbytes import HexBytes

from keeper.chain.signers import from_key
from keeper.chain.signers.aws_kms import AwsKmsKey
from keeper.chain.signers.der import ORDER
from keeper.chain.signers.digest import DigestSigner
from keeper.chain.signers.gcp_kms import GcpKmsKey
from keeper.chain.signers.rehearsal import IMPOSSIBLE_NONCE, rehearse
from keeper.chain.signers.vault import Login, Place, from_vault
from keeper.chain.signers.web3signer import Web3SignerKey
from keeper.errors import LawBroken
from keeper.testing.key_services import FakeAwsKms, FakeGcpKms, FakeVault, FakeWeb3Signer, HeldKey, Mood
from keeper.testing.key_services.gcp import NAME
from keeper.testing.key_services.vault import TOKEN

pytestmark = [pytest.mark.chain, pytest.mark.usefixtures("google_asks_nobody")]

KEY = b"\x11" * 32
CALL = {
    "chainId": 31337,
    "nonce": 7,
    "to": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    "value": 5,
    "data": b"\x01\x02",
    "gas": 100_000,
    "maxFeePerGas": 10**11,
    "maxPriorityFeePerGas": 10**9,
}
CREATION = CALL | {"to": "", "value": 0, "nonce": 0}


@pytest.fixture(scope="session")
def service_account_pem() -> str:
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@pytest.fixture(params=["local", "aws", "gcp", "vault", "web3signer"])
def signer(request, tmp_path, monkeypatch, service_account_pem):
    """A signer of each kind over the same key; the services answer a high s."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAFAKE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "fake")
    held = HeldKey(KEY, Mood(high_s=True))
    with ExitStack() as open_:
        if request.param == "local":
            yield from_key(KEY)
        elif request.param == "aws":
            aws = open_.enter_context(FakeAwsKms(held))
            yield DigestSigner(AwsKmsKey("alias/keeper", region="eu-central-1", endpoint_url=aws.url))
        elif request.param == "gcp":
            gcp = open_.enter_context(FakeGcpKms(held))
            account = tmp_path / "account.json"
            account.write_text(json.dumps(gcp.account(service_account_pem)))
            account.chmod(0o600)
            yield DigestSigner(GcpKmsKey(NAME, credentials_file=account, endpoint_url=gcp.url))
        elif request.param == "vault":
            vault = open_.enter_context(FakeVault(held))
            token = tmp_path / "token"
            token.write_text(TOKEN)
            token.chmod(0o600)
            place = Place(mount="secret", path="keeper/liquidator", field="private_key")
            yield from_vault(vault.url, place, Login(token_file=token))
        else:
            web3 = open_.enter_context(FakeWeb3Signer(HeldKey(b"\x22" * 32), held))
            yield DigestSigner(Web3SignerKey(web3.url, held.address))


def test_address__each_signer__that_of_the_key(signer):
    """The address is known from the start on and is the key's."""
    assert signer.address == Account.from_key(KEY).address


@pytest.mark.parametrize("transaction", [CALL, CREATION], ids=["call", "creation"])
def test_sign__each_signer__what_was_asked_and_nothing_else(signer, transaction):
    """What a node would read is the transaction we gave, from our address, with a low s; the hash is its own."""
    signed = signer.sign(dict(transaction))
    assert Account.recover_transaction(signed.raw) == signer.address
    fields = TypedTransaction.from_bytes(HexBytes(signed.raw)).as_dict()
    assert fields["s"] <= ORDER // 2
    oracle = TypedTransaction.from_bytes(HexBytes(from_key(KEY).sign(dict(transaction)).raw)).as_dict()
    unsigned = {name: value for name, value in oracle.items() if name not in ("v", "r", "s")}
    assert {name: fields[name] for name in unsigned} == unsigned
    assert signed.tx_hash == "0x" + keccak(signed.raw).hex()


def test_sign_typed__each_signer__recovers_and_ends_in_27_or_28(signer):
    """Typed data are signed as a contract's ecrecover wants them, and are no transaction."""
    typed = {
        "types": {
            "EIP712Domain": [{"name": "name", "type": "string"}, {"name": "chainId", "type": "uint256"}],
            "Word": [{"name": "said", "type": "string"}],
        },
        "primaryType": "Word",
        "domain": {"name": "Test", "chainId": 31337},
        "message": {"said": "yes"},
    }
    message = encode_typed_data(full_message=typed)
    signature = signer.sign_typed(bytes(message.header), bytes(message.body))
    assert len(signature) == 65
    assert signature[64] in (27, 28)
    assert int.from_bytes(signature[32:64], "big") <= ORDER // 2
    assert Account.recover_message(message, signature=signature) == signer.address


def test_sign__twice__never_by_another_address(signer):
    """Two transactions of different nonces both recover to the one address."""
    raws = {signer.sign(CALL | {"nonce": nonce}).raw for nonce in (1, 2)}
    assert len(raws) == 2
    assert {Account.recover_transaction(raw) for raw in raws} == {signer.address}


def test_rehearse__each_signer__proven_by_a_transaction_no_chain_can_take(signer):
    """The rehearsal recovers to the address; its nonce and its gas are impossible on every chain."""
    seen = []

    class Watched:
        address = signer.address

        def sign(self, transaction):
            seen.append(transaction)
            return signer.sign(transaction)

    found = rehearse(Watched(), challenge=b"\x07" * 32, elapsed_s=iter([1.0, 1.25]).__next__)
    assert (found.address, found.took_ms) == (signer.address, 250.0)
    assert (seen[0]["nonce"], seen[0]["gas"]) == (IMPOSSIBLE_NONCE, 0) == (2**64 - 1, 0)
    assert seen[0]["data"] == b"\x07" * 32


def test_repr__each_signer__no_key(signer):
    """Neither repr nor str shows a digit of it."""
    assert KEY.hex() not in f"{signer!r}{signer}{vars(signer)!r}"


@pytest.mark.parametrize("wrong", [{"gasPrice": 1}, {"type": 0}, {"accessList": [1]}, {"blobVersionedHashes": []}])
def test_sign__fields_that_would_not_be_signed__refused(wrong):
    """A field that the bytes have no room for is never dropped silently."""

    class Untouched:
        name = "untouched"

        def point(self):
            return PrivateKey(KEY).public_key.format(compressed=False)[1:]

    with pytest.raises(LawBroken):
        DigestSigner(Untouched()).sign(CALL | wrong)
