"""The services, each a fake over loopback HTTP, all with one key."""

import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from keeper.testing.key_services import FakeAwsKms, FakeGcpKms, FakeVault, FakeWeb3Signer, HeldKey
from tests.faults.key_services.asked import KEY, secret


@pytest.fixture(autouse=True)
def _aws_identity(monkeypatch, tmp_path):
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAFAKE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "fake-secret-access")


@pytest.fixture(scope="session")
def service_account_pem() -> str:
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@pytest.fixture
def held() -> HeldKey:
    return HeldKey(KEY)


@pytest.fixture
def aws(held):
    with FakeAwsKms(held) as service:
        yield service


@pytest.fixture
def gcp(held):
    with FakeGcpKms(held) as service:
        yield service


@pytest.fixture
def vault(held):
    with FakeVault(held) as service:
        yield service


@pytest.fixture
def web3(held):
    with FakeWeb3Signer(held) as service:
        yield service


@pytest.fixture
def account_file(gcp, service_account_pem, tmp_path):
    return secret(tmp_path / "account.json", json.dumps(gcp.account(service_account_pem)))
