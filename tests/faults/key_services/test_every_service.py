"""What any service that holds a key can do wrong: it ends as the error that says what happens next, and quotes nothing.

Over loopback HTTP against fakes: not met by the real services.
"""

import json
import socket
import threading

import pytest
from coincurve import PrivateKey
from eth_account import Account
from structlog.testing import capture_logs

from keeper.chain.signers.aws_kms import AwsKmsKey
from keeper.chain.signers.digest import DigestSigner
from keeper.chain.signers.gcp_kms import GcpKmsKey
from keeper.chain.signers.port import KeyUnusable, NotSigned, WrongSignature
from keeper.chain.signers.vault import Login, from_vault
from keeper.chain.signers.web3signer import Web3SignerKey
from keeper.errors import BadInput, Halt, Retry
from keeper.testing.key_services import FakeWeb3Signer, HeldKey, Reply
from keeper.testing.key_services import gcp as gcp_fake
from tests.faults.key_services.asked import KEY, PLACE, TRANSACTION, aws_signer, gcp_signer, secret, web3_signer

pytestmark = [pytest.mark.chain, pytest.mark.usefixtures("google_asks_nobody")]


@pytest.fixture(params=["aws", "gcp", "web3signer"])
def remote(request, held):
    """A signer whose key stays behind a service."""
    if request.param == "aws":
        return aws_signer(request.getfixturevalue("aws"))
    if request.param == "gcp":
        return gcp_signer(request.getfixturevalue("gcp"), request.getfixturevalue("account_file"))
    return web3_signer(request.getfixturevalue("web3"), held)


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


def test_private_key_of_the_fakes__is_the_oracles():
    """The fakes and eth_account agree on what the key's address is."""
    assert HeldKey(KEY).address == Account.from_key(KEY).address
    assert PrivateKey(KEY).public_key.format(compressed=False)[1:] == HeldKey(KEY).point
