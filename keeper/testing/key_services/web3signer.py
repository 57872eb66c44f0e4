"""web3signer in its eth1 mode, over REST.  Source: its openapi-specs/eth1."""

from __future__ import annotations

import ssl

from eth_utils import keccak

from keeper.testing.key_services.held import HeldKey
from keeper.testing.key_services.server import Asked, Reply, Served


class FakeWeb3Signer(Served):
    """Any number of keys.

    Args:
        keys: what it holds.
        tls: speaks TLS with it if given.
    """

    def __init__(self, *keys: HeldKey, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls=tls)
        self.keys = keys

    def answer(self, asked: Asked) -> Reply:
        """See `Served.answer`."""
        refusal = next((key.mood.refuses for key in self.keys if key.mood.refuses is not None), None)
        if refusal is not None:
            return refusal
        if asked.path == "/api/v1/eth1/publicKeys":
            reply = Reply.json([f"0x{key.point.hex()}" for key in self.keys])
            return self.keys[0].mood.applied(reply) if self.keys else reply
        named = asked.path.removeprefix("/api/v1/eth1/sign/0x")
        for key in self.keys:
            if key.point.hex() == named:
                # It hashes what it is given: the data are the transaction, not its digest.
                digest = keccak(bytes.fromhex(asked.tree()["data"].removeprefix("0x")))
                body = f"0x{key.words(digest).hex()}".encode()
                return key.mood.applied(Reply(body=body, headers={"Content-Type": "text/plain; charset=utf-8"}))
        return Reply(status=404)
