"""A key kept in HashiCorp Vault's KV engine, version 2, and read once at start.

Vault's Transit engine has no secp256k1 in the open version, so Vault cannot sign for us: it guards the key at rest and
says who read it when.  Warning: from then on the key is in this process's memory, as one from a file is.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import structlog

from keeper.chain.signers.ask import Answer, ask, host_of, on_this_machine
from keeper.chain.signers.local import LocalSigner, from_text, read_file
from keeper.chain.signers.port import KeyUnusable, NotSigned
from keeper.errors import BadInput, KeeperError

log = structlog.get_logger(__name__)

#: Vault's own meanings.  Source: Vault HTTP API, status codes.
_FORBIDDEN, _ABSENT, _NOT_YET, _STANDBY = 403, 404, 412, (472, 473)


@dataclass(frozen=True, kw_only=True)
class Login:
    """How we prove who we are: a token, or an AppRole."""

    token_file: Path | None = None
    role_id: str = ""
    secret_id_file: Path | None = None
    mount: str = "approle"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the key lies."""

    mount: str
    path: str
    field: str


def from_vault(
    url: str,
    place: Place,
    login: Login,
    *,
    namespace: str = "",
    ca_file: Path | None = None,
    timeout_s: float = 5.0,
) -> LocalSigner:
    """A signer from a key that Vault keeps.

    Raises:
        BadInput: a URL, file or field that cannot be used; the key in clear over a network.
        KeyUnusable: Vault says no: login, permission, no such secret, deleted version.
        NotSigned: Vault is silent, sealed, or answers what cannot be read.
    """
    name = f"Vault {host_of(url, setting='keys.….vault.url')} {place.mount}/{place.path}"
    if not url.startswith("https://") and not on_this_machine(url):
        raise BadInput(f"{name}: the key would cross the network in clear", hint="give Vault an https:// URL")
    with requests.Session() as session:
        session.headers.update({"X-Vault-Request": "true"} | ({"X-Vault-Namespace": namespace} if namespace else {}))
        if ca_file is not None:
            session.verify = str(ca_file)
        vault = _Vault(session, url.rstrip("/"), name, timeout_s)
        if login.token_file is not None:
            return _read(vault, place, read_file(login.token_file, secret=True).strip())
        token = _logged_in(vault, login)
        try:
            return _read(vault, place, token)
        finally:
            _revoke(vault, token)


@dataclass(frozen=True)
class _Vault:
    session: requests.Session
    url: str
    name: str
    timeout_s: float

    def asked(self, method: str, path: str, *, token: str = "", body: dict[str, Any] | None = None) -> Answer:
        headers = {"X-Vault-Token": token} if token else {}
        answer = ask(
            self.session,
            method,
            f"{self.url}/v1/{path}",
            source=self.name,
            timeout_s=self.timeout_s,
            headers=headers,
            body=body,
        )
        if answer.status in (_NOT_YET, *_STANDBY) or 300 <= answer.status < 400:
            hint = "point keys.….vault.url at the active node, or at a load balancer that finds it"
            raise NotSigned(f"{self.name}: not the active node (HTTP {answer.status})", hint=hint, status=answer.status)
        return answer


def _logged_in(vault: _Vault, login: Login) -> str:
    assert login.secret_id_file is not None, "settings give a token file or both halves of an AppRole"
    secret = read_file(login.secret_id_file, secret=True).strip()
    answer = vault.asked("POST", f"auth/{login.mount}/login", body={"role_id": login.role_id, "secret_id": secret})
    if not answer.ok:
        hint = "check role_id, that the secret id is not used up or expired, and where AppRole is mounted"
        raise KeyUnusable(f"{vault.name}: the AppRole login is refused (HTTP {answer.status})", hint=hint)
    token = _at(answer.tree(), "auth", "client_token")
    if not isinstance(token, str) or not token:
        raise NotSigned(f"{vault.name} answered a login without a token")
    return token


def _read(vault: _Vault, place: Place, token: str) -> LocalSigner:
    answer = vault.asked("GET", f"{place.mount}/data/{place.path}", token=token)
    if answer.status == _FORBIDDEN:
        hint = f"the token needs the capability read on {place.mount}/data/{place.path}, and may have expired"
        raise KeyUnusable(f"{vault.name}: permission denied (HTTP 403)", hint=hint)
    if answer.status == _ABSENT:
        # A deleted version answers 404 too, with its metadata.
        gone = _at(answer.json(), "data", "metadata", "deletion_time")
        said = "its newest version is deleted" if gone else "there is no such secret, or no KV engine of version 2"
        raise KeyUnusable(f"{vault.name}: {said} (HTTP 404)", hint=f"vault kv get -mount={place.mount} {place.path}")
    if not answer.ok:
        raise KeyUnusable(f"{vault.name}: HTTP {answer.status}", hint="look the status up in Vault's HTTP reference")
    fields = _at(answer.tree(), "data", "data")
    if not isinstance(fields, dict):
        raise NotSigned(f"{vault.name} answered a secret without data")
    if not isinstance(fields.get(place.field), str):
        hint = f"vault kv patch -mount={place.mount} {place.path} {place.field}=…"
        raise KeyUnusable(f"{vault.name} has no field {place.field}", hint=hint)
    return from_text(fields[place.field], f"{vault.name} field {place.field}")


def _revoke(vault: _Vault, token: str) -> None:
    """Give the token back: it was for one read.  What goes wrong is logged, for it expires by itself."""
    try:
        vault.asked("POST", "auth/token/revoke-self", token=token)
    except KeeperError as error:
        log.warning("signer.vault_token_left", error=error.message)


def _at(tree: Any, *steps: str) -> Any:
    """The value at a path of keys; None if the path ends early."""
    for step in steps:
        tree = tree.get(step) if isinstance(tree, dict) else None
    return tree
