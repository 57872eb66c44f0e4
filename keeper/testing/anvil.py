"""anvil on a free loopback port, with the same interface as the embedded chain."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from web3 import Web3
from web3.exceptions import Web3Exception
from web3.providers.rpc import HTTPProvider
from web3.types import RPCEndpoint, RPCResponse

from keeper.testing.embedded import LocalChain
from keeper.testing.evm import MNEMONIC

#: Where `make setup-node` puts it, in a checkout.
_OWN = Path(__file__).parent.parent.parent / "contracts" / "node_modules" / ".bin" / "anvil"
#: It starts in about 0.1 s; a loaded machine gets patience.
_START_S = 15.0


def find_anvil() -> Path | None:
    """The anvil of contracts/node_modules, else the one on PATH; None if there is none."""
    if _OWN.exists():
        return _OWN
    found = shutil.which("anvil")
    return Path(found) if found else None


class SteppedProvider(HTTPProvider):
    """HTTP to an anvil that mines only when told, and tells it after each send while auto-mine is on.

    anvil's own auto-mine answers a send before the block is there; a test would have to wait and guess.
    """

    automine = True

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Answer one request; a send is mined when this returns."""
        if method == "evm_setAutomine":
            self.automine = bool(params[0])
            return {"jsonrpc": "2.0", "id": 0, "result": None}
        answer: RPCResponse = super().make_request(method, params)
        if self.automine and method in ("eth_sendTransaction", "eth_sendRawTransaction") and "result" in answer:
            super().make_request(RPCEndpoint("evm_mine"), [])
        return answer


class AnvilChain(LocalChain):
    """An anvil process that ends with this object.

    Args:
        accounts: how many funded accounts of the test mnemonic.
        extra: more command line arguments, e.g. `("--fork-url", url)`.

    Raises: `FileNotFoundError` if anvil is absent; `TimeoutError` if it does not answer.
    """

    def __init__(self, *, accounts: int = 10, extra: tuple[str, ...] = ()) -> None:
        path = find_anvil()
        if path is None:
            raise FileNotFoundError("anvil is absent: make setup-node")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        command = [str(path), "--host", "127.0.0.1", "--port", str(port), "--accounts", str(accounts)]
        command += ["--mnemonic", MNEMONIC, "--hardfork", "cancun", "--no-mining", "--silent", *extra]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - a fixed command
        self.w3 = Web3(SteppedProvider(self.url, exception_retry_configuration=None, cache_allowed_requests=True))
        self._wait()

    @classmethod
    def fork(cls, url: str, *, block: int | None = None, accounts: int = 10) -> AnvilChain:
        """An anvil on top of another chain's block; the newest where none is named.

        As `keeper.testing.fork.ForkedChain.at`, in a process of its own and at its speed.
        """
        extra = ("--fork-url", url) if block is None else ("--fork-url", url, "--fork-block-number", str(block))
        return cls(accounts=accounts, extra=extra)

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if self.w3.is_connected():
                    return
            except (Web3Exception, OSError):
                pass
            time.sleep(0.02)  # another process's start is nothing we can be told of
        self.close()
        raise TimeoutError(f"anvil does not answer at {self.url}")

    def close(self) -> None:
        """End the process."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(timeout=10)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
