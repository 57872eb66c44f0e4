"""HashiCorp Vault: AppRole login, KV version 2, revoke-self.  Source: Vault HTTP API."""

from __future__ import annotations

from typing import Any

from keeper.testing.key_services.held import HeldKey
from keeper.testing.key_services.server import Asked, Reply, Served

TOKEN, ROLE_ID, SECRET_ID = "hvs.known", "a-role", "a-secret-id"


def error(status: int, *words: str) -> Reply:
    """An error of Vault."""
    return Reply.json({"errors": list(words)}, status=status)


class FakeVault(Served):
    """One secret at `secret/keeper/liquidator`.

    Args:
        held: the key it keeps.
        field: the secret's field with the key.
    """

    def __init__(self, held: HeldKey, *, field: str = "private_key") -> None:
        super().__init__()
        self.held, self.field = held, field
        self.tokens = {TOKEN}
        self.logins_left = 1_000
        self.deleted = False
        self.namespace = ""

    def answer(self, asked: Asked) -> Reply:
        """See `Served.answer`."""
        if self.held.mood.refuses is not None:
            return self.held.mood.refuses
        if asked.path == "/v1/auth/approle/login":
            return self._login(asked.tree())
        token = asked.headers.get("x-vault-token", "")
        if token not in self.tokens or asked.headers.get("x-vault-namespace", "") != self.namespace:
            return error(403, "permission denied")
        if asked.path == "/v1/auth/token/revoke-self":
            self.tokens.discard(token)
            return Reply(status=204)
        if asked.path != "/v1/secret/data/keeper/liquidator":
            return error(404)
        return self.held.mood.applied(self._secret())

    def _login(self, wanted: dict[str, Any]) -> Reply:
        if (wanted.get("role_id"), wanted.get("secret_id")) != (ROLE_ID, SECRET_ID) or not self.logins_left:
            return error(400, "invalid role or secret ID")
        self.logins_left -= 1
        self.tokens.add(token := f"hvs.login-{self.logins_left}")
        return Reply.json({"auth": {"client_token": token, "lease_duration": 60, "renewable": False}})

    def _secret(self) -> Reply:
        if self.deleted:
            metadata = {"version": 2, "deletion_time": "2026-01-01T00:00:00Z", "destroyed": False}
            return Reply.json({"data": {"data": None, "metadata": metadata}}, status=404)
        metadata = {"version": 1, "deletion_time": "", "destroyed": False}
        return Reply.json({"data": {"data": {self.field: self.held.private.hex()}, "metadata": metadata}})
