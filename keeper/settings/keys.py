"""The section [keys]: where each key that signs comes from.  keeper/chain/signers/README.md says how each is set up."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from eth_utils import is_hex_address
from pydantic import AfterValidator, Field, model_validator

from keeper.settings.section import Section

TimeoutS = Annotated[float, Field(gt=0, le=60)]


def _an_address(value: str) -> str:
    if not is_hex_address(value):
        raise ValueError("an address is 0x and 40 hexadecimal digits")
    return value


class AwsKms(Section):
    """A key that never leaves AWS KMS (ECC_SECG_P256K1).  Tested against a fake: not met by the real service."""

    key: str = Field(min_length=1)
    """Id, ARN, or alias/NAME; an alias is resolved once, at start.  Needs: pip install 'margin-keeper[aws]'.  Who we
    are comes from AWS's own chain: environment, ~/.aws, or a role."""
    region: str = ""
    """Where the key lives; empty: as AWS's own chain says."""
    endpoint_url: str = ""
    """Another address of the service, such as a VPC endpoint; empty: AWS's."""
    timeout_s: TimeoutS = 5.0
    """Seconds to wait for a connection, and for each answer.  A silent service is asked again at the next block."""


class GcpKms(Section):
    """A key that never leaves Google Cloud KMS.  Tested against a fake: not met by the real service."""

    key: str = Field(min_length=1)
    """Full name of a version: projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N, of algorithm
    EC_SIGN_SECP256K1_SHA256.  Needs: pip install 'margin-keeper[gcp]'."""
    credentials_file: Path | None = None
    """JSON key file of a service account, chmod 600; left out: application default credentials."""
    endpoint_url: str = "https://cloudkms.googleapis.com"
    """Address of the service."""
    timeout_s: TimeoutS = 5.0
    """Seconds to wait for an answer, and for an access token."""


class Vault(Section):
    """A key that HashiCorp Vault keeps and gives us at start.  Tested against a fake: not met by the real service."""

    url: str = Field(min_length=1)
    """https://HOST:8200; http only on this machine, since the key travels.  Vault's Transit engine does not sign on
    secp256k1, so the key is read from its KV engine, version 2, and is in the keeper's memory from then on."""
    mount: str = "secret"
    """Where the KV engine is mounted."""
    path: str = Field(min_length=1)
    """Path of the secret under it, without data/."""
    field: str = "private_key"
    """Field of the secret that holds the key as hex."""
    token_file: Path | None = None
    """File that holds a token, chmod 600; or give an AppRole."""
    role_id: str = ""
    """Role id of an AppRole."""
    secret_id_file: Path | None = None
    """File that holds the AppRole's secret id, chmod 600."""
    approle_mount: str = "approle"
    """Where AppRole is mounted."""
    namespace: str = ""
    """Vault Enterprise namespace; empty: none."""
    ca_file: Path | None = None
    """PEM certificates that vouch for Vault's; left out: the system's."""
    timeout_s: TimeoutS = 5.0
    """Seconds to wait for an answer."""

    @model_validator(mode="after")
    def _one_login(self) -> Self:
        approle = (bool(self.role_id), self.secret_id_file is not None)
        if approle[0] != approle[1]:
            raise ValueError("role_id and secret_id_file go together")
        if (self.token_file is not None) == approle[0]:
            raise ValueError("give either token_file, or role_id with secret_id_file")
        return self


class Web3Signer(Section):
    """A key behind web3signer in its eth1 mode.  Tested against a fake: not met by the real service."""

    url: str = Field(min_length=1)
    """Where web3signer listens, https://HOST:9000; whoever reaches it can sign, so keep it off open networks."""
    address: Annotated[str, AfterValidator(_an_address)]
    """Address of the key: 0x and 40 hexadecimal digits."""
    client_cert_file: Path | None = None
    """PEM certificate that shows who we are; needs client_key_file."""
    client_key_file: Path | None = None
    """PEM key of that certificate."""
    ca_file: Path | None = None
    """PEM certificates that vouch for web3signer's; left out: the system's."""
    timeout_s: TimeoutS = 5.0
    """Seconds to wait for an answer."""

    @model_validator(mode="after")
    def _certificate_with_its_key(self) -> Self:
        if (self.client_cert_file is None) != (self.client_key_file is None):
            raise ValueError("client_cert_file and client_key_file go together")
        return self


class KeySource(Section):
    """Where one key comes from: exactly one of a keystore, a secret file, a variable, or a section below."""

    keystore_file: Path | None = None
    """Encrypted JSON keystore; needs password_file."""
    password_file: Path | None = None
    """File whose first line is the keystore's password."""
    secret_file: Path | None = None
    """File that holds the private key as hex, e.g. a mounted secret."""
    env: str | None = None
    """Name of an environment variable that holds the private key as hex.  Least safe: the keeper warns at start."""
    aws_kms: AwsKms | None = None
    gcp_kms: GcpKms | None = None
    vault: Vault | None = None
    web3signer: Web3Signer | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.keystore_file is None) != (self.password_file is None):
            raise ValueError("keystore_file and password_file go together")
        sources = (
            self.keystore_file,
            self.secret_file,
            self.env,
            self.aws_kms,
            self.gcp_kms,
            self.vault,
            self.web3signer,
        )
        if sum(source is not None for source in sources) != 1:
            raise ValueError(
                "give exactly one of keystore_file with password_file, secret_file, env, aws_kms, gcp_kms, vault, "
                "web3signer"
            )
        return self


class Keys(Section):
    """Who signs.  Leave a key out and the keeper only watches.  keeper keys test proves each of them."""

    publisher: KeySource | None = None
    """Key that pushes and refreshes risk parameters."""
    liquidator: KeySource | None = None
    """Key that flags and bids.  Never the same key as the publisher's."""
    more_publishers: Mapping[str, KeySource] = {}
    """Further keys of the publisher's role, each a section [keys.more_publishers.NAME] written like the first.  One
    that is stuck then holds up its own transactions only.  Each needs the publisher's role on chain, and ether."""
    more_liquidators: Mapping[str, KeySource] = {}
    """Further keys of the liquidator's role, each a section [keys.more_liquidators.NAME].  They flag, refresh and
    settle, and bid once the liquidator account's owner approved them: keeper bidders shows and does it."""

    @model_validator(mode="after")
    def _first_before_more(self) -> Self:
        for role in ("publisher", "liquidator"):
            if getattr(self, f"more_{role}s") and getattr(self, role) is None:
                raise ValueError(f"more_{role}s come after a first key: configure [keys.{role}]")
        return self
