"""What the tests ask services that hold keys for, and the signers that ask."""

from keeper.chain.signers.aws_kms import AwsKmsKey
from keeper.chain.signers.digest import DigestSigner
from keeper.chain.signers.gcp_kms import GcpKmsKey
from keeper.chain.signers.vault import Place
from keeper.chain.signers.web3signer import Web3SignerKey
from keeper.testing.key_services import gcp as gcp_fake

KEY = bytes(range(1, 33))
TRANSACTION = {
    "chainId": 1,
    "nonce": 0,
    "to": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    "value": 0,
    "data": b"",
    "gas": 21_000,
    "maxFeePerGas": 1,
    "maxPriorityFeePerGas": 1,
}
PLACE = Place(mount="secret", path="keeper/liquidator", field="private_key")


def secret(path, text):
    path.write_text(text)
    path.chmod(0o600)
    return path


def aws_signer(service, key="alias/keeper", timeout_s=5.0):
    return DigestSigner(AwsKmsKey(key, region="eu-central-1", endpoint_url=service.url, timeout_s=timeout_s))


def gcp_signer(service, account_file, key=gcp_fake.NAME):
    return DigestSigner(GcpKmsKey(key, credentials_file=account_file, endpoint_url=service.url))


def web3_signer(service, held):
    return DigestSigner(Web3SignerKey(service.url, held.address))
