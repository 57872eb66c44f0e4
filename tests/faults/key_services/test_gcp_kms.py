"""Google Cloud KMS that refuses, or whose answers were changed on their way.

Over loopback HTTP against a fake: not met by the real service.
"""

import json
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from keeper.chain.signers.port import KeyUnusable, NotSigned, WrongSignature
from keeper.errors import BadInput
from keeper.testing.key_services import FakeGcpKms, Reply
from keeper.testing.key_services import gcp as gcp_fake
from tests.faults.key_services.asked import TRANSACTION, gcp_signer, secret

pytestmark = [pytest.mark.chain, pytest.mark.usefixtures("google_asks_nobody")]


def test_gcp__each_request__with_token_and_checksum(gcp, account_file):
    gcp_signer(gcp, account_file).sign(TRANSACTION)
    token, shown, signed = gcp.asked
    assert (token.path, shown.method) == ("/token", "GET")
    assert signed.headers["authorization"].startswith("Bearer ")
    assert signed.tree()["digestCrc32c"].isdigit()


@pytest.mark.parametrize(
    ("status", "word"),
    [(400, "FAILED_PRECONDITION"), (403, "PERMISSION_DENIED"), (404, "NOT_FOUND"), (401, "UNAUTHENTICATED")],
)
def test_gcp__refusals__named(gcp, account_file, held, status, word):
    signer = gcp_signer(gcp, account_file)
    held.mood.refuses = gcp_fake.error(status, word)
    with pytest.raises(KeyUnusable, match=word) as caught:
        signer.sign(TRANSACTION)
    assert caught.value.hint
    assert "said by the fake" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"verifiedDigestCrc32c": False}, NotSigned),
        ({"verifiedDigestCrc32c": None}, NotSigned),
        ({"signatureCrc32c": "1"}, NotSigned),
        ({"signatureCrc32c": None}, NotSigned),
        ({"signature": "AAAA"}, NotSigned),
        ({"signature": "§"}, NotSigned),
        ({"name": gcp_fake.NAME[:-1] + "2"}, WrongSignature),
    ],
)
def test_gcp__what_was_changed_on_its_way__not_used(gcp, account_file, changes, kind):
    """Google's own integrity fields are looked at, each of them."""
    signer = gcp_signer(gcp, account_file)
    gcp.changes = changes
    with pytest.raises(kind):
        signer.sign(TRANSACTION)


@pytest.mark.parametrize("changes", [{"pemCrc32c": "1"}, {"pem": "no PEM", "pemCrc32c": "1566423480"}, {"pem": None}])
def test_gcp__public_key_changed_on_its_way__not_used(gcp, account_file, changes):
    gcp.changes = changes
    with pytest.raises(NotSigned):
        gcp_signer(gcp, account_file)


def test_gcp__other_algorithm__refused(held, service_account_pem, tmp_path):
    with FakeGcpKms(held, algorithm="EC_SIGN_P256_SHA256") as service:
        path = secret(tmp_path / "a.json", json.dumps(service.account(service_account_pem)))
        with pytest.raises(KeyUnusable, match="EC_SIGN_P256_SHA256"):
            gcp_signer(service, path)


def test_gcp__point_of_another_curve__refused(gcp, account_file):
    """The label says secp256k1, the key is P-256."""
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = other.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    gcp.changes = {"pem": pem, "pemCrc32c": str(gcp_fake.crc32c(pem.encode()))}
    with pytest.raises(KeyUnusable, match="NIST P-256"):
        gcp_signer(gcp, account_file)


def test_gcp__no_token__sorted(gcp, account_file, monkeypatch):
    """Google refusing who we are is for a person; Google being ill is not."""
    monkeypatch.setattr("google.auth._exponential_backoff.time", SimpleNamespace(sleep=lambda _: None))
    gcp.no_token = Reply.json({"error": "invalid_grant"}, status=400)
    with pytest.raises(KeyUnusable, match="credentials"):
        gcp_signer(gcp, account_file)
    gcp.no_token = Reply.json({"error": "internal_failure"}, status=500)
    with pytest.raises(NotSigned):
        gcp_signer(gcp, account_file)


@pytest.mark.parametrize("content", ["{}", "no JSON", '{"type": "service_account", "private_key": "zzz"}', "[]"])
def test_gcp__no_service_account__refused_without_quoting_it(gcp, tmp_path, content):
    with pytest.raises(KeyUnusable) as caught:
        gcp_signer(gcp, secret(tmp_path / "a.json", content))
    assert "zzz" not in str(caught.value)


def test_gcp__account_open_to_others__refused(gcp, account_file):
    account_file.chmod(0o644)
    with pytest.raises(BadInput, match="can be read by others"):
        gcp_signer(gcp, account_file)


def test_gcp__no_version_named__refused(gcp, account_file):
    with pytest.raises(BadInput) as caught:
        gcp_signer(gcp, account_file, key=gcp_fake.NAME.rpartition("/cryptoKeyVersions")[0])
    assert "cryptoKeyVersions/N" in caught.value.hint
