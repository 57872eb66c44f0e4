"""A key behind web3signer, by its REST interface.

`POST /api/v1/eth1/sign/{public key}` signs the keccak hash of the data it is given; we give it the bytes of the
unsigned transaction.  Its JSON-RPC `eth_signTransaction` is left alone on purpose: it puts the chain id of its own
command line into what it signs (web3signer issue 977), so that what comes back may be another transaction.
"""

from __future__ import annotations

from pathlib import Path

import requests
import structlog

from keeper.chain.signers.ask import Answer, ask, host_of, on_this_machine
from keeper.chain.signers.der import address_of, checked_point, signature_of_words
from keeper.chain.signers.port import KeyUnusable, NotSigned
from keeper.errors import BadInput

log = structlog.get_logger(__name__)

_HINTS = {
    400: "is this web3signer in its eth1 mode?",
    401: "what guards web3signer refuses us: check client_cert_file",
    403: "what guards web3signer refuses us: check client_cert_file",
    404: "is the key loaded, and web3signer in its eth1 mode?",
}


class Web3SignerKey:
    """A `RemoteKey`.

    Args:
        url: where web3signer listens.
        address: which of its keys; it knows them by public key, which is looked up once.
        client_cert_file: PEM certificate that shows who we are.
        client_key_file: PEM key of that certificate.
        ca_file: PEM certificates that vouch for web3signer's; the system's if None.
        timeout_s: for each answer.

    Raises: `BadInput` if the URL or a file cannot be used.
    """

    def __init__(
        self,
        url: str,
        address: str,
        *,
        client_cert_file: Path | None = None,
        client_key_file: Path | None = None,
        ca_file: Path | None = None,
        timeout_s: float = 5.0,
    ) -> None:
        self._host = host_of(url, setting="keys.….web3signer.url")
        for path in (client_cert_file, client_key_file, ca_file):
            if path is not None and not path.is_file():
                raise BadInput(f"{path} does not exist", hint="check the files of keys.….web3signer")
        if not url.startswith("https://") and not on_this_machine(url):
            log.warning("signer.web3signer_without_tls", host=self._host)
        self._url, self._address, self._timeout_s = url.rstrip("/"), address, timeout_s
        self._identifier = ""
        self._session = requests.Session()
        if ca_file is not None:
            self._session.verify = str(ca_file)
        if client_cert_file is not None and client_key_file is not None:
            self._session.cert = (str(client_cert_file), str(client_key_file))

    @property
    def name(self) -> str:
        """See `RemoteKey.name`."""
        return f"web3signer {self._host} {self._address}"

    def point(self) -> bytes:
        """See `RemoteKey.point`."""
        known = self._asked("GET", "publicKeys").json()
        if not isinstance(known, list):
            raise NotSigned(f"{self.name} answered no list of public keys")
        for identifier in known:
            point = _point(identifier)
            if point is not None and address_of(point).lower() == self._address.lower():
                self._identifier = identifier
                return point
        raise KeyUnusable(f"{self.name}: not among its {len(known)} keys", hint=_HINTS[404])

    def sign(self, digest: bytes, message: bytes) -> tuple[int, int]:  # noqa: ARG002 - the port's; it hashes by itself
        """See `RemoteKey.sign`."""
        answer = self._asked("POST", f"sign/{self._identifier}", {"data": "0x" + message.hex()})
        try:
            words = bytes.fromhex(answer.body.decode("ascii").strip().strip('"').removeprefix("0x"))
        except ValueError:
            problem = f"{self.name} answered {len(answer.body)} bytes that are no hexadecimal signature"
            raise NotSigned(problem) from None
        return signature_of_words(words, self.name)

    def _asked(self, method: str, what: str, body: dict[str, str] | None = None) -> Answer:
        answer = ask(
            self._session,
            method,
            f"{self._url}/api/v1/eth1/{what}",
            source=self.name,
            timeout_s=self._timeout_s,
            body=body,
        )
        if not answer.ok:
            hint = _HINTS.get(answer.status, "look the status up in web3signer's reference")
            raise KeyUnusable(f"{self.name}: HTTP {answer.status}", hint=hint, status=answer.status)
        return answer


def _point(identifier: object) -> bytes | None:
    """The public key that web3signer calls a key by; None for what is none."""
    try:
        return checked_point(bytes.fromhex(str(identifier).removeprefix("0x")))
    except ValueError:
        return None
