"""Services that hold keys and misbehave: each way ends as the error whose class says what happens next, and no answer
of theirs is quoted.  Over loopback HTTP against fakes: not met by the real services.
"""

import ipaddress
import json
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from coincurve import PrivateKey
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from eth_account import Account
from structlog.testing import capture_logs

from keeper.chain.signers.aws_kms import AwsKmsKey
from keeper.chain.signers.digest import DigestSigner
from keeper.chain.signers.gcp_kms import GcpKmsKey
from keeper.chain.signers.port import KeyUnusable, NotSigned, WrongSignature
from keeper.chain.signers.vault import Login, Place, from_vault
from keeper.chain.signers.web3signer import Web3SignerKey
from keeper.errors import BadInput, Halt, Retry
from keeper.testing.key_services import FakeAwsKms, FakeGcpKms, FakeVault, FakeWeb3Signer, HeldKey, Reply
from keeper.testing.key_services import aws as aws_fake
from keeper.testing.key_services import gcp as gcp_fake
from keeper.testing.key_services import vault as vault_fake

pytestmark = [pytest.mark.chain, pytest.mark.usefixtures("google_asks_nobody")]

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


@pytest.fixture(autouse=True)
def _aws_identity(monkeypatch, tmp_path):
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAFAKE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "fake-secret-access")


def secret(path, text):
    path.write_text(text)
    path.chmod(0o600)
    return path


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


def aws_signer(service, key="alias/keeper", timeout_s=5.0):
    return DigestSigner(AwsKmsKey(key, region="eu-central-1", endpoint_url=service.url, timeout_s=timeout_s))


def gcp_signer(service, account_file, key=gcp_fake.NAME):
    return DigestSigner(GcpKmsKey(key, credentials_file=account_file, endpoint_url=service.url))


def web3_signer(service, held):
    return DigestSigner(Web3SignerKey(service.url, held.address))


@pytest.fixture(params=["aws", "gcp", "web3signer"])
def remote(request, held):
    """A signer whose key stays behind a service."""
    if request.param == "aws":
        return aws_signer(request.getfixturevalue("aws"))
    if request.param == "gcp":
        return gcp_signer(request.getfixturevalue("gcp"), request.getfixturevalue("account_file"))
    return web3_signer(request.getfixturevalue("web3"), held)


# --- what every service can do wrong ----------------------------------------------------------------------------------


def test_sign__with_another_key__refused_before_anything_leaves(remote, held):
    """A signature that does not recover to our address halts with its numbers; there are no bytes to broadcast."""
    held.mood.signs_with = b"\x22" * 32
    with pytest.raises(WrongSignature) as caught:
        remote.sign(TRANSACTION)
    assert isinstance(caught.value, Halt)
    assert caught.value.fields["address"] == held.address
    assert "keeper keys test" in caught.value.hint


@pytest.mark.parametrize("signature", [b"", b"\x30\x06\x02", b"\x00" * 65, b"\xff" * 71], ids=len)
def test_sign__no_signature__asked_again(remote, held, signature):
    """Malformed bytes are no verdict on the key: the next block asks again."""
    held.mood.signature = signature
    with pytest.raises(NotSigned):
        remote.sign(TRANSACTION)
    held.mood.signature = None
    assert Account.recover_transaction(remote.sign(TRANSACTION).raw) == held.address


@pytest.mark.parametrize("cut", [0, 10])
def test_sign__connection_lost_in_the_body__asked_again(remote, held, cut):
    held.mood.cut_at = cut
    with pytest.raises(NotSigned) as caught:
        remote.sign(TRANSACTION)
    assert isinstance(caught.value, Retry)


def test_sign__half_an_answer__asked_again(remote, held):
    """JSON or a hexadecimal text that ends early but says it is whole."""
    held.mood.short_json = True
    with pytest.raises(NotSigned):
        remote.sign(TRANSACTION)


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_sign__service_ill_or_throttling__asked_again(remote, held, status):
    held.mood.refuses = Reply(status=status, body=b"<html>no</html>")
    with pytest.raises(NotSigned):
        remote.sign(TRANSACTION)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_sign__refused_later__a_person_must_act(remote, held, status):
    """Access that was taken away while we run halts; the hint says what to look at."""
    held.mood.refuses = Reply(status=status, body=b"{}", headers={"Content-Type": "application/json"})
    with pytest.raises(KeyUnusable) as caught:
        remote.sign(TRANSACTION)
    assert isinstance(caught.value, BadInput)
    assert caught.value.hint


@pytest.mark.parametrize("service", ["aws", "gcp", "vault", "web3signer"])
def test_start__silent_service__given_up_in_time(service, held, tmp_path, service_account_pem):
    """A port that takes the connection and says nothing costs the time-out, once, and no more."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        account = {"type": "service_account", "client_email": "a@b", "token_uri": f"{url}/token"}
        account_file = secret(tmp_path / "a.json", json.dumps(account | {"private_key": service_account_pem}))
        token = secret(tmp_path / "token", "t")
        start = {
            "aws": lambda: DigestSigner(AwsKmsKey("k", region="r", endpoint_url=url, timeout_s=0.2)),
            "gcp": lambda: DigestSigner(
                GcpKmsKey(gcp_fake.NAME, credentials_file=account_file, endpoint_url=url, timeout_s=0.2)
            ),
            "vault": lambda: from_vault(url, PLACE, Login(token_file=token), timeout_s=0.2),
            "web3signer": lambda: DigestSigner(Web3SignerKey(url, held.address, timeout_s=0.2)),
        }[service]
        with pytest.raises(NotSigned) as caught:
            start()
        assert url not in str(caught.value)


def test_start__service_that_drips__given_up_in_time(held):
    """Bytes that keep coming do not keep us: the time-out is for the whole answer."""
    served = threading.Event()

    def drip(server):
        connection, _ = server.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            try:
                while not served.wait(0.02):
                    connection.sendall(b" " * 20_000)
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        with pytest.raises(NotSigned, match="in time"):
            DigestSigner(Web3SignerKey(f"http://127.0.0.1:{server.getsockname()[1]}", held.address, timeout_s=0.1))
        served.set()
        thread.join()


def test_start__endless_answer__given_up():
    """More than any key or signature takes is not read to its end."""
    held = HeldKey(KEY)
    held.mood.refuses = Reply(body=b" " * (2 << 20))
    with FakeWeb3Signer(held) as service, pytest.raises(NotSigned, match="more than 1 MiB"):
        web3_signer(service, held)


def test_log__each_signature__who_and_how_long_but_no_secret(remote):
    with capture_logs() as events:
        remote.sign(TRANSACTION)
    (event,) = [event for event in events if event["event"] == "signer.signed"]
    assert event["address"] == remote.address
    assert event["took_ms"] >= 0
    assert KEY.hex() not in str(events)


# --- AWS --------------------------------------------------------------------------------------------------------------


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


# --- Google -----------------------------------------------------------------------------------------------------------


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


# --- Vault ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def token_file(tmp_path):
    return secret(tmp_path / "token", vault_fake.TOKEN + "\n")


@pytest.fixture
def approle(tmp_path):
    return Login(role_id=vault_fake.ROLE_ID, secret_id_file=secret(tmp_path / "sid", vault_fake.SECRET_ID))


def test_vault__approle__one_read_and_the_token_given_back(vault, approle, held):
    """A login's token lives for one read."""
    assert from_vault(vault.url, PLACE, approle).address == held.address
    assert [asked.path.rpartition("/v1/")[2] for asked in vault.asked] == [
        "auth/approle/login",
        "secret/data/keeper/liquidator",
        "auth/token/revoke-self",
    ]
    assert vault.tokens == {vault_fake.TOKEN}


def test_vault__given_token__not_revoked(vault, token_file, held):
    """A token from a file is not ours to end."""
    assert from_vault(vault.url, PLACE, Login(token_file=token_file)).address == held.address
    assert vault.tokens == {vault_fake.TOKEN}


def test_vault__namespace__sent(vault, token_file, held):
    vault.namespace = "team"
    assert from_vault(vault.url, PLACE, Login(token_file=token_file), namespace="team").address == held.address
    with pytest.raises(KeyUnusable, match="permission denied"):
        from_vault(vault.url, PLACE, Login(token_file=token_file))


def test_vault__expired_token__permission_denied(vault, token_file):
    """Vault says 403 to a lease that ran out and to a policy that is missing alike; the hint names both."""
    vault.tokens.clear()
    with pytest.raises(KeyUnusable, match="permission denied") as caught:
        from_vault(vault.url, PLACE, Login(token_file=token_file))
    assert "expired" in caught.value.hint
    assert vault_fake.TOKEN not in str(caught.value)


def test_vault__secret_id_used_up__refused_without_showing_it(vault, approle):
    vault.logins_left = 0
    with pytest.raises(KeyUnusable, match="AppRole") as caught:
        from_vault(vault.url, PLACE, approle)
    assert vault_fake.SECRET_ID not in str(caught.value)


def test_vault__version_deleted__said(vault, token_file):
    vault.deleted = True
    with pytest.raises(KeyUnusable, match="deleted"):
        from_vault(vault.url, PLACE, Login(token_file=token_file))


def test_vault__no_such_secret_or_field__said(vault, token_file):
    login = Login(token_file=token_file)
    with pytest.raises(KeyUnusable, match="no such secret"):
        from_vault(vault.url, Place(mount="secret", path="other", field="private_key"), login)
    with pytest.raises(KeyUnusable, match="no field hex"):
        from_vault(vault.url, Place(mount="secret", path="keeper/liquidator", field="hex"), login)


@pytest.mark.parametrize("status", [307, 412, 472, 473, 503])
def test_vault__standby_or_sealed__asked_again(vault, token_file, held, status):
    held.mood.refuses = Reply(status=status, headers={"Location": "http://192.0.2.1/"})
    with pytest.raises(NotSigned):
        from_vault(vault.url, PLACE, Login(token_file=token_file))


def test_vault__half_a_key__never_quoted(vault, token_file, held):
    """The body that cannot be read holds most of a key."""
    held.mood.short_json = True
    with pytest.raises(NotSigned) as caught:
        from_vault(vault.url, PLACE, Login(token_file=token_file))
    shown = f"{caught.value}{caught.value.fields}{caught.value.__cause__!r}"
    assert KEY.hex()[:8] not in shown
    assert "no JSON" in shown


def test_vault__key_in_clear_over_a_network__refused(token_file):
    with pytest.raises(BadInput, match="in clear"):
        from_vault("http://vault.example:8200", PLACE, Login(token_file=token_file))


@pytest.mark.parametrize("url", ["vault:8200", "ftp://vault", "https://", "https://[", "http://h:port"])
def test_vault__no_url__refused(url, token_file):
    with pytest.raises(BadInput, match=r"keys\.….vault\.url"):
        from_vault(url, PLACE, Login(token_file=token_file))


# --- web3signer -------------------------------------------------------------------------------------------------------


def test_web3signer__what_it_signs__is_the_transaction_itself(web3, held):
    """It hashes by itself: it is given the unsigned bytes, and could show its operator what they are."""
    web3_signer(web3, held).sign(TRANSACTION)
    asked = web3.asked[-1]
    assert asked.path.endswith(held.point.hex())
    assert asked.tree()["data"].startswith("0x02")


def test_web3signer__key_not_loaded__refused(web3):
    with pytest.raises(KeyUnusable, match="not among its 1 keys"):
        Web3SignerKey(web3.url, "0x" + "12" * 20).point()


def test_web3signer__hashes_otherwise__refused(web3, held, monkeypatch):
    """If it signed something else than keccak of our bytes, nothing would recover."""
    signer = web3_signer(web3, held)
    monkeypatch.setattr("keeper.testing.key_services.web3signer.keccak", lambda data: b"\x01" * 32)
    with pytest.raises(WrongSignature):
        signer.sign(TRANSACTION)


@pytest.mark.parametrize("known", [b"{}", b'["0x12", 5, null]', b'["0x' + b"04" * 64 + b'"]'])
def test_web3signer__odd_lists_of_keys__never_an_accident(held, known):
    held.mood.refuses = Reply(body=known)
    with FakeWeb3Signer(held) as service, pytest.raises((NotSigned, KeyUnusable)):
        web3_signer(service, held)


def test_web3signer__in_clear_over_a_network__warned(held):
    with capture_logs() as events:
        Web3SignerKey("http://web3signer.example:9000", held.address)
    assert [event["event"] for event in events] == ["signer.web3signer_without_tls"]


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """A CA, and what it signed for 127.0.0.1 and for us: PEM files."""
    folder = tmp_path_factory.mktemp("tls")
    now = datetime.now(UTC)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a test's CA")])

    def certificate(name, key, *, ca, alternative=None):
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(ca_name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if alternative:
            made = made.add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        return made.sign(ca_key, hashes.SHA256())

    def pem(path, certificate, key=None):
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        if key is not None:
            path.with_suffix(".key").write_bytes(
                key.private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                )
            )
        return path

    own = {}
    for name, alternative in (("server", x509.IPAddress(ipaddress.ip_address("127.0.0.1"))), ("client", None)):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        made = certificate(subject, key, ca=False, alternative=alternative)
        own[name] = pem(folder / f"{name}.pem", made, key)
    own["ca"] = pem(folder / "ca.pem", certificate(ca_name, ca_key, ca=True))
    return own


def test_web3signer__mutual_tls__only_with_our_certificate(held, certificates, monkeypatch):
    """Who cannot show a certificate gets no signature; who shows one of the CA does.  A bundle in the environment does
    not win over the configured one."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates["client"]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates["server"], certificates["server"].with_suffix(".key"))
    context.load_verify_locations(certificates["ca"])
    context.verify_mode = ssl.CERT_REQUIRED
    with FakeWeb3Signer(held, tls=context) as service:
        known = Web3SignerKey(
            service.url,
            held.address,
            client_cert_file=certificates["client"],
            client_key_file=certificates["client"].with_suffix(".key"),
            ca_file=certificates["ca"],
        )
        assert Account.recover_transaction(DigestSigner(known).sign(TRANSACTION).raw) == held.address
        with pytest.raises(NotSigned):
            Web3SignerKey(service.url, held.address, ca_file=certificates["ca"]).point()
        with pytest.raises(NotSigned):
            Web3SignerKey(service.url, held.address).point()


def test_web3signer__certificate_that_is_not_there__refused(held, tmp_path):
    with pytest.raises(BadInput, match="does not exist"):
        Web3SignerKey("https://h", held.address, ca_file=tmp_path / "absent.pem")


def test_private_key_of_the_fakes__is_the_oracles():
    """The fakes and eth_account agree on what the key's address is."""
    assert HeldKey(KEY).address == Account.from_key(KEY).address
    assert PrivateKey(KEY).public_key.format(compressed=False)[1:] == HeldKey(KEY).point
