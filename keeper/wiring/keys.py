"""The keys that sign, as the settings describe them.

Nothing is opened and nobody asked before a key's `load`; a service's library is imported where a key lives there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from keeper.chain.signers import Signer, from_environment, from_keystore, from_secret_file
from keeper.domain.tx import SignerRole
from keeper.errors import BadInput
from keeper.settings import KeySource, Settings
from keeper.settings.keys import AwsKms, GcpKms, Vault, Web3Signer


@dataclass(frozen=True, kw_only=True)
class ConfiguredKey:
    """One key of the settings."""

    role: SignerRole
    name: str
    """Its section, e.g. `keys.liquidator`."""
    kind: str
    """What holds it, in a word or two."""
    load: Callable[[], Signer]
    """Opens it.  Raises: `BadInput`; `Retry` if a service cannot be asked now."""
    hot: bool = False
    """Whether it lies open in the environment."""


def configured_keys(settings: Settings, environ: Mapping[str, str]) -> tuple[ConfiguredKey, ...]:
    """Each key of the settings, the first of a role before its further ones."""
    return tuple(_each(settings, environ))


def signers(settings: Settings, environ: Mapping[str, str]) -> dict[SignerRole, tuple[Signer, ...]]:
    """The configured keys by role; a role without a key is left out.

    Raises: `BadInput` if a key cannot be loaded, or two of them are one; `Retry` if a service cannot be asked now.
    """
    found: dict[SignerRole, tuple[Signer, ...]] = {}
    owner: dict[str, ConfiguredKey] = {}
    for key in configured_keys(settings, environ):
        signer = key.load()
        if signer.address in owner:
            raise _shared(owner[signer.address], key, signer.address)
        owner[signer.address] = key
        found[key.role] = (*found.get(key.role, ()), signer)
    return found


def _shared(one: ConfiguredKey, other: ConfiguredKey, address: str) -> BadInput:
    if one.role is other.role:
        return BadInput(
            f"{one.name} and {other.name} are one key, {address}",
            hint="one nonce has one owner: give each a key of its own, or leave one out",
        )
    return BadInput(
        f"two roles share one key: {one.name} and {other.name}, {address}",
        hint="the publisher and the liquidator need keys of their own",
    )


def _each(settings: Settings, environ: Mapping[str, str]) -> Iterator[ConfiguredKey]:
    keys = settings.keys
    for role, first, more in (
        (SignerRole.PUBLISHER, keys.publisher, keys.more_publishers),
        (SignerRole.LIQUIDATOR, keys.liquidator, keys.more_liquidators),
    ):
        if first is not None:
            yield _key(role, f"keys.{role}", first, environ)
        for name, source in more.items():
            yield _key(role, f"keys.more_{role}s.{name}", source, environ)


def _key(role: SignerRole, name: str, source: KeySource, environ: Mapping[str, str]) -> ConfiguredKey:
    kind, load = _source(source, environ)
    return ConfiguredKey(role=role, name=name, kind=kind, load=load, hot=source.env is not None)


def _source(source: KeySource, environ: Mapping[str, str]) -> tuple[str, Callable[[], Signer]]:
    """What holds a key, and how it is opened."""
    keystore, password, secret = source.keystore_file, source.password_file, source.secret_file
    aws, gcp, vault, web3signer = source.aws_kms, source.gcp_kms, source.vault, source.web3signer
    if keystore is not None and password is not None:
        return "keystore", lambda: from_keystore(keystore, password)
    if secret is not None:
        return "secret file", lambda: from_secret_file(secret)
    if aws is not None:
        return "AWS KMS", lambda: _aws(aws)
    if gcp is not None:
        return "Google KMS", lambda: _gcp(gcp)
    if vault is not None:
        return "Vault", lambda: _vault(vault)
    if web3signer is not None:
        return "web3signer", lambda: _web3signer(web3signer)
    return "environment", lambda: from_environment(source.env or "", environ)


def _aws(source: AwsKms) -> Signer:
    from keeper.chain.signers.aws_kms import AwsKmsKey  # noqa: PLC0415 - only where a key lives there
    from keeper.chain.signers.digest import DigestSigner  # noqa: PLC0415 - the same

    return DigestSigner(
        AwsKmsKey(source.key, region=source.region, endpoint_url=source.endpoint_url, timeout_s=source.timeout_s)
    )


def _gcp(source: GcpKms) -> Signer:
    from keeper.chain.signers.digest import DigestSigner  # noqa: PLC0415 - only where a key lives there
    from keeper.chain.signers.gcp_kms import GcpKmsKey  # noqa: PLC0415 - the same

    return DigestSigner(
        GcpKmsKey(
            source.key,
            credentials_file=source.credentials_file,
            endpoint_url=source.endpoint_url,
            timeout_s=source.timeout_s,
        )
    )


def _vault(source: Vault) -> Signer:
    from keeper.chain.signers.vault import Login, Place, from_vault  # noqa: PLC0415 - only where a key lives there

    return from_vault(
        source.url,
        Place(mount=source.mount, path=source.path, field=source.field),
        Login(
            token_file=source.token_file,
            role_id=source.role_id,
            secret_id_file=source.secret_id_file,
            mount=source.approle_mount,
        ),
        namespace=source.namespace,
        ca_file=source.ca_file,
        timeout_s=source.timeout_s,
    )


def _web3signer(source: Web3Signer) -> Signer:
    from keeper.chain.signers.digest import DigestSigner  # noqa: PLC0415 - only where a key lives there
    from keeper.chain.signers.web3signer import Web3SignerKey  # noqa: PLC0415 - the same

    return DigestSigner(
        Web3SignerKey(
            source.url,
            source.address,
            client_cert_file=source.client_cert_file,
            client_key_file=source.client_key_file,
            ca_file=source.ca_file,
            timeout_s=source.timeout_s,
        )
    )
