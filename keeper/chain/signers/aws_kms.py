"""A key in AWS KMS: ECC_SECG_P256K1, signing digests.  Needs the extra `aws`.

Who we are comes from AWS's own chain: environment, ~/.aws, container or instance role.  Allow that identity
kms:GetPublicKey and kms:Sign on this one key, nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keeper.chain.signers.ask import ILL, THROTTLED
from keeper.chain.signers.der import point_of, signature_of
from keeper.chain.signers.port import KeyUnusable, NotSigned, WrongSignature
from keeper.errors import BadInput, KeeperError

#: What passes by itself.  Source: AWS KMS API reference, Sign and common errors; "you can retry" stands beside each.
_LATER = {
    "DependencyTimeoutException",
    "InternalFailure",
    "KMSInternalException",
    "KeyUnavailableException",
    "LimitExceededException",
    "RequestLimitExceeded",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
#: What a person must change.
_HINTS = {
    "AccessDeniedException": "allow this identity kms:GetPublicKey and kms:Sign in the key's policy",
    "DisabledException": "enable the key: aws kms enable-key",
    "ExpiredTokenException": "renew the credentials of this identity",
    "IncompleteSignature": "check the credentials of this identity",
    "InvalidArnException": "check keys.….aws_kms.key",
    "InvalidKeyUsageException": "make a key with KeyUsage SIGN_VERIFY and KeySpec ECC_SECG_P256K1",
    "InvalidSignatureException": "check the credentials of this identity, and this machine's clock",
    "KMSInvalidStateException": "the key is disabled, being deleted or not imported: aws kms describe-key",
    "NotFoundException": "check keys.….aws_kms.key and region: keys live in one region",
    "UnrecognizedClientException": "check the credentials of this identity",
    "UnsupportedOperationException": "make an asymmetric key with KeySpec ECC_SECG_P256K1",
}


class AwsKmsKey:
    """A `RemoteKey`.

    Args:
        key: id, ARN, or alias/NAME.  An alias is resolved once, so pointing it elsewhere changes nothing until restart.
        region: where it lives; AWS's own chain says if empty.
        endpoint_url: another address of the service, such as a VPC endpoint; AWS's if empty.
        timeout_s: for connecting, and for each read.

    Raises: `BadInput` if boto3 is not installed, or there is no region.
    """

    def __init__(self, key: str, *, region: str = "", endpoint_url: str = "", timeout_s: float = 5.0) -> None:
        try:
            import boto3  # noqa: PLC0415 - an extra, and slow to import
            from botocore.config import Config  # noqa: PLC0415 - the same
        except ImportError:
            raise BadInput("boto3 is not installed", hint="pip install 'margin-keeper[aws]'") from None
        # One attempt: the outbox asks again at the next block, and knows better what is still wanted then.
        config = Config(
            connect_timeout=timeout_s,
            read_timeout=timeout_s,
            retries={"mode": "standard", "total_max_attempts": 1},
        )
        self._key, self._used = key, key
        self._client: Any = self._answered(
            lambda: boto3.session.Session().client(
                "kms", region_name=region or None, endpoint_url=endpoint_url or None, config=config
            )
        )

    @property
    def name(self) -> str:
        """See `RemoteKey.name`."""
        return f"AWS KMS {self._key}"

    def point(self) -> bytes:
        """See `RemoteKey.point`."""
        found = self._answered(
            lambda: self._client.get_public_key(KeyId=self._key), "KeyId", "KeyUsage", "KeySpec", "PublicKey"
        )
        usage, spec = found["KeyUsage"], found["KeySpec"]
        if (usage, spec) != ("SIGN_VERIFY", "ECC_SECG_P256K1"):
            hint = "make a key with KeyUsage SIGN_VERIFY and KeySpec ECC_SECG_P256K1"
            raise KeyUnusable(f"{self.name} is {spec} for {usage}", hint=hint)
        self._used = str(found["KeyId"])
        return point_of(bytes(found["PublicKey"]), self.name)

    def sign(self, digest: bytes, message: bytes) -> tuple[int, int]:  # noqa: ARG002 - the port's; KMS takes the digest
        """See `RemoteKey.sign`."""
        found = self._answered(
            lambda: self._client.sign(
                KeyId=self._used,
                Message=digest,
                MessageType="DIGEST",
                # It names the length of the digest; KMS does not hash what MessageType says is one.
                SigningAlgorithm="ECDSA_SHA_256",
            ),
            "KeyId",
            "Signature",
        )
        if found["KeyId"] != self._used:
            raise WrongSignature(f"{self.name} signed with {found['KeyId']}, not with {self._used}")
        return signature_of(bytes(found["Signature"]), self.name)

    def _answered(self, asked: Callable[[], Any], *fields: str) -> Any:
        """What a call returns, its errors ours.  Raises: `NotSigned`, also if a field is missing; `KeyUnusable`."""
        from botocore import exceptions  # noqa: PLC0415 - an extra, and slow to import

        try:
            found = asked()
        except exceptions.ClientError as error:
            raise self._sorted(error.response) from None
        except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.ProfileNotFound):
            hint = "set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run under a role"
            raise KeyUnusable(f"{self.name}: AWS finds no credentials", hint=hint) from None
        except (exceptions.NoRegionError, exceptions.InvalidRegionError):
            raise KeyUnusable(f"{self.name}: no region", hint="set keys.….aws_kms.region or AWS_REGION") from None
        except exceptions.ParamValidationError:
            raise KeyUnusable(f"{self.name}: AWS takes no such key", hint="check keys.….aws_kms.key") from None
        except (exceptions.BotoCoreError, KeyError, ValueError, OSError) as error:
            hint = "check region and endpoint_url, and that this machine may reach AWS"
            raise NotSigned(f"{self.name} gave no answer that can be read: {type(error).__name__}", hint=hint) from None
        # From a body that ends early botocore reads an empty answer.
        missing = [name for name in fields if not found.get(name)]
        if missing:
            raise NotSigned(f"{self.name} gave an answer without {', '.join(missing)}")
        return found

    def _sorted(self, response: dict[str, Any]) -> KeeperError:
        code = str(response.get("Error", {}).get("Code", ""))
        status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        said = f"{self.name}: {code} (HTTP {status})"
        if code in _LATER or status == THROTTLED or status >= ILL:
            return NotSigned(said, code=code, status=status)
        return KeyUnusable(said, hint=_HINTS.get(code, "look the code up in AWS's KMS reference"), code=code)
