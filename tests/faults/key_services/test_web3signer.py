"""web3signer that hashes otherwise, lists odd keys, or wants a certificate.

Over loopback HTTP against a fake: not met by the real service.
"""

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from eth_account import Account
from structlog.testing import capture_logs

from keeper.chain.signers.digest import DigestSigner
from keeper.chain.signers.port import KeyUnusable, NotSigned, WrongSignature
from keeper.chain.signers.web3signer import Web3SignerKey
from keeper.errors import BadInput
from keeper.testing.key_services import FakeWeb3Signer, Reply
from tests.faults.key_services.asked import TRANSACTION, web3_signer

pytestmark = pytest.mark.chain


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
