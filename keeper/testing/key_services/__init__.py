"""Services that hold keys, faked on a loopback port: AWS KMS, Google KMS, Vault, web3signer.

They answer as their references say, and misbehave as `Mood` says.  None of them was compared with the real service.
"""

from keeper.testing.key_services.aws import FakeAwsKms
from keeper.testing.key_services.gcp import FakeGcpKms
from keeper.testing.key_services.held import HeldKey, Mood
from keeper.testing.key_services.server import Reply, Served
from keeper.testing.key_services.vault import FakeVault
from keeper.testing.key_services.web3signer import FakeWeb3Signer

__all__ = ["FakeAwsKms", "FakeGcpKms", "FakeVault", "FakeWeb3Signer", "HeldKey", "Mood", "Reply", "Served"]
