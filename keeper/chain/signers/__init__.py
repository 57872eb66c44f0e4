"""Keys that sign: in a file, in a variable, or behind a service that never gives them out.

port        what a signer is, and how its errors are sorted
local       a key in this process: keystore, secret file, environment variable
vault       a key read from HashiCorp Vault at start; in this process from then on
digest      a key that stays behind a service: low s, recovery id, and nothing that is not ours leaves
aws_kms, gcp_kms, web3signer    the services
eip1559, der                    what is signed, and how services write keys and signatures
ask         one bounded HTTP request
rehearsal   a signature over a transaction that no chain can take

README.md beside this file says how each is set up, and what was tested against what.
"""

from keeper.chain.signers.local import LocalSigner, from_environment, from_key, from_keystore, from_secret_file
from keeper.chain.signers.port import KeyUnusable, NotSigned, Signed, Signer, WrongSignature

__all__ = [
    "KeyUnusable",
    "LocalSigner",
    "NotSigned",
    "Signed",
    "Signer",
    "WrongSignature",
    "from_environment",
    "from_key",
    "from_keystore",
    "from_secret_file",
]
