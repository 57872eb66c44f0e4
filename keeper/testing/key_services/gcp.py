"""Google Cloud KMS over REST, and the token endpoint before it.  Source: Cloud KMS v1 reference; RFC 7523."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import parse_qs

from keeper.chain.signers.gcp_kms import crc32c
from keeper.testing.key_services.held import HeldKey, bearer
from keeper.testing.key_services.server import Asked, Reply, Served

NAME = "projects/p/locations/europe-west3/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1"
_TOKEN = "an-access-token"  # noqa: S105 - of a fake


def error(status: int, word: str) -> Reply:
    """An error of Google's REST."""
    tree = {"error": {"code": status, "message": f"said by the fake: {word}", "status": word}}
    return Reply.json(tree, status=status)


class FakeGcpKms(Served):
    """One key version.

    Args:
        held: the key.
        algorithm: the one it says it has.
    """

    def __init__(self, held: HeldKey, *, algorithm: str = "EC_SIGN_SECP256K1_SHA256") -> None:
        super().__init__()
        self.held, self.algorithm = held, algorithm
        self.changes: dict[str, Any] = {}
        """Fields of an answer that leave with another value."""
        self.no_token: Reply | None = None
        """What the token endpoint says instead of giving one."""

    def account(self, private_pem: str) -> dict[str, str]:
        """The key file of a service account whose tokens come from here."""
        return {
            "type": "service_account",
            "client_email": "keeper@p.iam.gserviceaccount.com",
            "private_key": private_pem,
            "private_key_id": "1",
            "token_uri": f"{self.url}/token",
        }

    def answer(self, asked: Asked) -> Reply:
        """See `Served.answer`."""
        if asked.path == "/token":
            return self.no_token or self._token(asked)
        mood = self.held.mood
        if mood.refuses is not None:
            return mood.refuses
        if bearer(asked) != _TOKEN:
            return error(401, "UNAUTHENTICATED")
        if asked.path == f"/v1/{NAME}/publicKey":
            return mood.applied(Reply.json(self._public_key() | self.changes))
        if asked.path == f"/v1/{NAME}:asymmetricSign":
            return mood.applied(Reply.json(self._signature(asked.tree()) | self.changes))
        return error(404, "NOT_FOUND")

    @staticmethod
    def _token(asked: Asked) -> Reply:
        form = parse_qs(asked.body.decode())
        signed = form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
        if not signed or form["assertion"][0].count(".") != 2:
            return Reply.json({"error": "invalid_grant"}, status=400)
        return Reply.json({"access_token": _TOKEN, "expires_in": 3600, "token_type": "Bearer"})

    def _public_key(self) -> dict[str, Any]:
        body = base64.b64encode(self.held.spki).decode()
        lines = [body[i : i + 64] for i in range(0, len(body), 64)]
        pem = "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""])
        return {"pem": pem, "algorithm": self.algorithm, "pemCrc32c": str(crc32c(pem.encode())), "name": NAME}

    def _signature(self, wanted: dict[str, Any]) -> dict[str, Any]:
        digest = base64.b64decode(wanted["digest"]["sha256"])
        der = self.held.der(digest)
        return {
            "signature": base64.b64encode(der).decode(),
            "signatureCrc32c": str(crc32c(der)),
            "verifiedDigestCrc32c": wanted["digestCrc32c"] == str(crc32c(digest)),
            "name": NAME,
            "protectionLevel": "HSM",
        }
