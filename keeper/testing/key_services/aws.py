"""AWS KMS over its JSON 1.1 protocol: GetPublicKey and Sign.  Source: AWS KMS API reference, 2014-11-01."""

from __future__ import annotations

import base64
from typing import Any

from keeper.testing.key_services.held import HeldKey
from keeper.testing.key_services.server import Asked, Reply, Served

ARN = "arn:aws:kms:eu-central-1:111122223333:key/"


def error(code: str, status: int = 400) -> Reply:
    """An error of the JSON 1.1 protocol."""
    return Reply.json({"__type": code, "message": f"said by the fake: {code}"}, status=status)


class FakeAwsKms(Served):
    """One key, known by an alias.

    Args:
        held: the key.
        alias: its name; pointing it elsewhere is setting `target`.
        spec: the KeySpec it says it has.
    """

    def __init__(self, held: HeldKey, *, alias: str = "alias/keeper", spec: str = "ECC_SECG_P256K1") -> None:
        super().__init__()
        self.held, self.alias, self.spec = held, alias, spec
        self.target = ARN + "1"

    def answer(self, asked: Asked) -> Reply:
        """See `Served.answer`."""
        if self.held.mood.refuses is not None:
            return self.held.mood.refuses
        if not asked.headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 Credential="):
            return error("MissingAuthenticationToken")
        wanted = asked.tree()
        if wanted["KeyId"] not in (self.alias, self.target):
            return error("NotFoundException")
        operation = asked.headers["x-amz-target"]
        if operation == "TrentService.GetPublicKey":
            return self.held.mood.applied(self._json(self._public_key()))
        if operation == "TrentService.Sign":
            if (wanted["MessageType"], wanted["SigningAlgorithm"]) != ("DIGEST", "ECDSA_SHA_256"):
                return error("InvalidKeyUsageException")
            return self.held.mood.applied(self._json(self._signature(base64.b64decode(wanted["Message"]))))
        return error("UnknownOperationException")

    def _public_key(self) -> dict[str, Any]:
        return {
            "KeyId": self.target,
            "PublicKey": base64.b64encode(self.held.spki).decode(),
            "KeySpec": self.spec,
            "CustomerMasterKeySpec": self.spec,
            "KeyUsage": "SIGN_VERIFY",
            "SigningAlgorithms": ["ECDSA_SHA_256"],
        }

    def _signature(self, digest: bytes) -> dict[str, Any]:
        signed = base64.b64encode(self.held.der(digest)).decode()
        return {"KeyId": self.target, "Signature": signed, "SigningAlgorithm": "ECDSA_SHA_256"}

    @staticmethod
    def _json(tree: dict[str, Any]) -> Reply:
        reply = Reply.json(tree)
        return Reply(body=reply.body, headers={"Content-Type": "application/x-amz-json-1.1"})
