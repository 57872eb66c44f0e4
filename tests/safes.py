"""A real Safe 1.4.1 on a test chain: the published bytecode, from the npm package."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from eth_account import Account
from web3.logs import DISCARD

from keeper.abis import Artifact
from keeper.governance import safe
from keeper.protocols.abi import Abi
from keeper.testing.embedded import LocalChain, known_key

PACKAGE = Path(__file__).parents[1] / "contracts" / "node_modules" / "@safe-global" / "safe-contracts"
ZERO = "0x" + "00" * 20


@cache
def artifact(source: str) -> Artifact:
    """A contract of the package by its path below contracts/, such as "Safe.sol"."""
    name = Path(source).stem
    found = json.loads((PACKAGE / "build" / "artifacts" / "contracts" / source / f"{name}.json").read_text())
    return Artifact(name, tuple(found["abi"]), found["bytecode"], found["linkReferences"])


class RealSafe:
    """One Safe behind its proxy, with owners whose keys are known.

    Args:
        chain: where.
        owners: indices of its accounts.
        threshold: how many must sign.
        wallets: owners beside them that are contracts.
    """

    def __init__(
        self, chain: LocalChain, owners: tuple[int, ...], *, threshold: int, wallets: tuple[str, ...] = ()
    ) -> None:
        self.chain, self.owners, self.threshold = chain, owners, threshold
        self.abi = Abi("Safe", artifact("Safe.sol").abi)
        handler = artifact("handler/CompatibilityFallbackHandler.sol")
        self.handler_abi = Abi("Handler", handler.abi)
        singleton = chain.deploy(artifact("Safe.sol")).address
        fallback = chain.deploy(handler).address
        self.multi_send = str(chain.deploy(artifact("libraries/MultiSendCallOnly.sol")).address)
        factory = chain.deploy(artifact("proxies/SafeProxyFactory.sol"))
        addresses = [*(chain.accounts[owner] for owner in owners), *wallets]
        setup = self.abi.call("setup", addresses, threshold, ZERO, b"", fallback, ZERO, 0, ZERO)
        receipt = chain.transact(factory.functions.createProxyWithNonce(singleton, setup, 7))
        (made,) = factory.events.ProxyCreation().process_receipt(receipt, errors=DISCARD)
        self.address = str(made["args"]["proxy"])

    def ask(self, function: str, *args: Any, abi: Abi | None = None) -> Any:
        """One of its views."""
        abi = abi or self.abi
        data = "0x" + abi.call(function, *args).hex()
        answer = self.chain.request("eth_call", {"to": self.address, "data": data}, "latest")
        return next(iter(abi.result(function, bytes.fromhex(answer[2:])).values()))

    def sign_message(self, message: bytes) -> None:
        """Its owners have it approve a message on the chain, through the published library."""
        library = artifact("libraries/SignMessageLib.sol")
        lib = str(self.chain.deploy(library).address)
        data = Abi("SignMessageLib", library.abi).call("signMessage", message)
        tx = safe.SafeTx(to=lib, value=0, data=data, operation=safe.DELEGATE_CALL, nonce=int(self.ask("nonce")))
        digest = safe.safe_tx_hash(tx, safe=self.address, chain_id=self.chain.chain_id)
        self.send(safe.exec_arguments(tx, self.signatures(digest)))

    def signatures(self, digest: bytes) -> bytes:
        """What its owners sign, as many as are needed, ascending by address."""
        chosen = sorted(self.owners, key=lambda i: int(self.chain.accounts[i], 16))[: self.threshold]
        signed = [Account.unsafe_sign_hash(digest, known_key(i)) for i in chosen]
        return b"".join(one.signature for one in signed)

    def send(self, arguments: tuple[Any, ...], *, sender: int = 0) -> dict[str, Any]:
        """`execTransaction`.  Raises: `AssertionError` if the Safe refuses."""
        data = self.abi.call("execTransaction", *arguments)
        return self.chain.receipt(self.chain.send(sender=self.chain.accounts[sender], to=self.address, data=data))
