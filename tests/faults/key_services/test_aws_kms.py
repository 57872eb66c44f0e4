"""AWS KMS that refuses, throttles or holds another key.

Over loopback HTTP against a fake: not met by the real service.
"""

import pytest

from keeper.chain.signers.aws_kms import AwsKmsKey
from keeper.chain.signers.port import KeyUnusable, NotSigned
from keeper.testing.key_services import FakeAwsKms
from keeper.testing.key_services import aws as aws_fake
from tests.faults.key_services.asked import TRANSACTION, aws_signer

pytestmark = pytest.mark.chain


def test_aws__each_request__signed_by_sigv4_and_of_json_1_1(aws):
    """The digest goes as a digest, under the key's ARN, with the signature of our identity."""
    aws_signer(aws).sign(TRANSACTION)
    shown, signed = aws.asked
    assert shown.headers["x-amz-target"] == "TrentService.GetPublicKey"
    assert signed.headers["content-type"] == "application/x-amz-json-1.1"
    assert signed.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIAFAKE/")
    assert "eu-central-1/kms/aws4_request" in signed.headers["authorization"]
    asked = signed.tree()
    assert (asked["MessageType"], asked["SigningAlgorithm"], asked["KeyId"]) == ("DIGEST", "ECDSA_SHA_256", aws.target)


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("ThrottlingException", 400, NotSigned),
        ("LimitExceededException", 400, NotSigned),
        ("DependencyTimeoutException", 500, NotSigned),
        ("KMSInternalException", 500, NotSigned),
        ("KeyUnavailableException", 500, NotSigned),
        ("AccessDeniedException", 400, KeyUnusable),
        ("NotFoundException", 400, KeyUnusable),
        ("DisabledException", 400, KeyUnusable),
        ("KMSInvalidStateException", 400, KeyUnusable),
        ("InvalidKeyUsageException", 400, KeyUnusable),
        ("ExpiredTokenException", 400, KeyUnusable),
        ("UnrecognizedClientException", 400, KeyUnusable),
        ("SomethingNewException", 400, KeyUnusable),
    ],
)
def test_aws__each_error__sorted_by_what_happens_next(aws, held, code, status, kind):
    signer = aws_signer(aws)
    asked = len(aws.asked)
    held.mood.refuses = aws_fake.error(code, status)
    with pytest.raises(kind, match=code) as caught:
        signer.sign(TRANSACTION)
    assert len(aws.asked) == asked + 1, "one attempt: the outbox asks again"
    assert "said by the fake" not in str(caught.value)
    assert kind is NotSigned or caught.value.hint


def test_aws__alias_moved_after_start__the_first_key_keeps_signing(aws, held):
    """An alias is resolved once: moving it does not make another key sign for our address."""
    signer = aws_signer(aws)
    first = aws.target
    signer.sign(TRANSACTION)
    assert aws.asked[-1].tree()["KeyId"] == first
    aws.target = aws_fake.ARN + "2"
    with pytest.raises(KeyUnusable, match="NotFound"):
        signer.sign(TRANSACTION)


@pytest.mark.parametrize("spec", ["ECC_NIST_P256", "RSA_2048", "SYMMETRIC_DEFAULT"])
def test_aws__wrong_kind_of_key__refused_with_the_right_one(held, spec):
    with FakeAwsKms(held, spec=spec) as service, pytest.raises(KeyUnusable, match=spec) as caught:
        aws_signer(service)
    assert "ECC_SECG_P256K1" in caught.value.hint


def test_aws__no_such_key__refused(aws):
    with pytest.raises(KeyUnusable, match="NotFound"):
        aws_signer(aws, key="alias/other")


def test_aws__nobody_to_be__refused(aws, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(KeyUnusable, match="no credentials"):
        aws_signer(aws)


def test_aws__no_region__refused(aws):
    with pytest.raises(KeyUnusable, match="region"):
        AwsKmsKey("alias/keeper", endpoint_url=aws.url)
