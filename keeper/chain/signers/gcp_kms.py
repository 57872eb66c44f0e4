"""A key version in Google Cloud KMS: EC_SIGN_SECP256K1_SHA256, over REST.  Needs the extra `gcp`.

Grant the identity cloudkms.cryptoKeyVersions.useToSign and .viewPublicKey on this one key (role Cloud KMS CryptoKey
Signer/Verifier).  Every answer is checked as Google asks: CRC32C of what came, its word that it saw the CRC32C of what
was sent, and the name of the key that signed.
"""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

from keeper.chain.signers.ask import Answer, ask, host_of
from keeper.chain.signers.der import point_of_pem, signature_of
from keeper.chain.signers.local import read_file
from keeper.chain.signers.port import KeyUnusable, NotSigned, WrongSignature
from keeper.domain.nested import json_of
from keeper.errors import BadInput

ENDPOINT = "https://cloudkms.googleapis.com"
ALGORITHM = "EC_SIGN_SECP256K1_SHA256"
#: Source: Cloud KMS, OAuth 2.0 scopes.
SCOPES = ("https://www.googleapis.com/auth/cloudkms",)
_VERSION = re.compile(r"projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+/cryptoKeyVersions/[1-9][0-9]*")
_HINTS = {
    400: "is the key version enabled, and does it sign? gcloud kms keys versions describe",
    401: "check the credentials: keys.….gcp_kms.credentials_file, or gcloud auth application-default login",
    403: "grant roles/cloudkms.signerVerifier on the key to this identity",
    404: "check keys.….gcp_kms.key: projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N",
}


class GcpKmsKey:
    """A `RemoteKey`.

    Args:
        key: full name of a key version.
        credentials_file: of a service account; application default credentials if None.
        endpoint_url: another address of the service.
        timeout_s: for each answer, and for a new access token.

    Raises: `BadInput` if google-auth is not installed, or the name or the file cannot be used; `NotSigned` if Google
        cannot be asked who we are.
    """

    def __init__(
        self, key: str, *, credentials_file: Path | None = None, endpoint_url: str = ENDPOINT, timeout_s: float = 5.0
    ) -> None:
        if not _VERSION.fullmatch(key):
            raise BadInput("keys.….gcp_kms.key names no key version", hint=_HINTS[404])
        host_of(endpoint_url, setting="keys.….gcp_kms.endpoint_url")
        self._key, self._timeout_s = key, timeout_s
        self._url = f"{endpoint_url.rstrip('/')}/v1/{key}"
        self._session = _session(credentials_file, timeout_s)

    @property
    def name(self) -> str:
        """See `RemoteKey.name`."""
        _, project, _, place, _, ring, _, key, _, version = self._key.split("/")
        return f"Google KMS {project}/{place}/{ring}/{key}/{version}"

    def point(self) -> bytes:
        """See `RemoteKey.point`."""
        found = self._asked("GET", "/publicKey")
        if found.get("algorithm") != ALGORITHM:
            hint = f"make a key version with --default-algorithm {ALGORITHM.lower().replace('_', '-')}"
            raise KeyUnusable(f"{self.name} is for {found.get('algorithm')}, not {ALGORITHM}", hint=hint)
        pem = str(found.get("pem", ""))
        self._intact(pem.encode(), found.get("pemCrc32c"))
        return point_of_pem(pem, self.name)

    def sign(self, digest: bytes, message: bytes) -> tuple[int, int]:  # noqa: ARG002 - the port's; KMS takes the digest
        """See `RemoteKey.sign`."""
        # The field is named after the digest's length; 32 bytes of keccak are as good.
        sent = {"digest": {"sha256": base64.b64encode(digest).decode()}, "digestCrc32c": str(crc32c(digest))}
        found = self._asked("POST", ":asymmetricSign", sent)
        if found.get("verifiedDigestCrc32c") is not True:
            raise NotSigned(f"{self.name} does not say that the digest reached it whole")
        if found.get("name") != self._key:
            raise WrongSignature(f"{self.name} signed with {found.get('name')}")
        try:
            der = base64.b64decode(str(found.get("signature", "")), validate=True)
        except ValueError:
            raise NotSigned(f"{self.name} answered a signature that is no base64") from None
        self._intact(der, found.get("signatureCrc32c"))
        return signature_of(der, self.name)

    def _asked(self, method: str, what: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        from google.auth import exceptions  # noqa: PLC0415 - an extra

        try:
            answer = ask(
                self._session, method, self._url + what, source=self.name, timeout_s=self._timeout_s, body=body
            )
        except exceptions.RefreshError as error:
            if error.retryable:
                raise NotSigned(f"{self.name}: Google gives no access token now") from None
            raise KeyUnusable(f"{self.name}: Google refuses these credentials", hint=_HINTS[401]) from None
        except exceptions.GoogleAuthError as error:
            raise NotSigned(f"{self.name}: no access token: {type(error).__name__}") from None
        if not answer.ok:
            raise self._refused(answer)
        return answer.tree()

    def _refused(self, answer: Answer) -> KeyUnusable:
        try:
            status = str(answer.tree()["error"]["status"])
        except (NotSigned, KeyError, TypeError):
            status = ""
        # Google's words are capitals and underscores; nothing else of the body is repeated.
        word = f" {status}" if re.fullmatch(r"[A-Z_]{1,40}", status) else ""
        hint = _HINTS.get(answer.status, "look the status up in Google's Cloud KMS reference")
        return KeyUnusable(f"{self.name}: HTTP {answer.status}{word}", hint=hint, status=answer.status)

    def _intact(self, data: bytes, checksum: object) -> None:
        if str(checksum) != str(crc32c(data)):  # int64 is text in Google's JSON
            raise NotSigned(f"{self.name} answered {len(data)} bytes that were changed on their way (CRC32C)")


def _session(credentials_file: Path | None, timeout_s: float) -> Any:
    try:
        import google.auth  # noqa: PLC0415 - an extra
        from google.auth.transport.requests import AuthorizedSession  # noqa: PLC0415 - the same
        from google.oauth2 import service_account  # noqa: PLC0415 - the same
    except ImportError:
        raise BadInput("google-auth is not installed", hint="pip install 'margin-keeper[gcp]'") from None
    try:
        if credentials_file is None:
            credentials, _ = google.auth.default(scopes=SCOPES)
        else:
            account = json_of(read_file(credentials_file, secret=True))
            made: Any = service_account.Credentials  # typed in part only
            credentials = made.from_service_account_info(account, scopes=SCOPES)
    except google.auth.exceptions.DefaultCredentialsError:
        raise KeyUnusable("Google finds no credentials", hint=_HINTS[401]) from None
    except (ValueError, TypeError, KeyError, AttributeError):  # without its text, which may quote the file
        hint = "give the JSON key file of a service account"
        raise KeyUnusable(f"{credentials_file} holds no service account", hint=hint) from None
    session: Any = AuthorizedSession  # the same
    return session(credentials, refresh_timeout=timeout_s, max_refresh_attempts=1)


def crc32c(data: bytes) -> int:
    """Castagnoli's CRC of `data`.  Source: RFC 3720, appendix B.4 (reflected polynomial 0x82F63B78)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
