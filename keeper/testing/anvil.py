"""anvil on a free loopback port, with the same interface as the embedded chain."""

from __future__ import annotations

import gzip
import json
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

    def __init__(self, url: str, *, automine: bool) -> None:
        # Of what web3 would remember only this: a block by its height is another one after a rewind.
        kept = {RPCEndpoint("eth_chainId")}
        super().__init__(url, exception_retry_configuration=None, cache_allowed_requests=True, cacheable_requests=kept)
        self.automine = automine

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
        block_time_s: mine by itself, so often; None mines when told, which is after each send while auto-mine is on.
        extra: more command line arguments, e.g. `("--fork-url", url)`.

    Raises: `FileNotFoundError` if anvil is absent; `TimeoutError` if it does not answer.
    """

    def __init__(self, *, accounts: int = 10, block_time_s: float | None = None, extra: tuple[str, ...] = ()) -> None:
        path = find_anvil()
        if path is None:
            raise FileNotFoundError("anvil is absent: make setup-node")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url, self.ws_url = f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}"
        mining = ("--no-mining",) if block_time_s is None else ("--block-time", str(block_time_s))
        command = [str(path), "--host", "127.0.0.1", "--port", str(port), "--accounts", str(accounts)]
        command += ["--mnemonic", MNEMONIC, "--hardfork", "cancun", *mining, "--silent", *extra]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - a fixed command
        self.w3 = Web3(SteppedProvider(self.url, automine=block_time_s is None))
        self._wait()

    @classmethod
    def fork(cls, url: str, *, block: int | None = None, accounts: int = 10) -> AnvilChain:
        """An anvil on top of another chain's block; the newest where none is named.

        As `keeper.testing.fork.ForkedChain.at`, in a process of its own and at its speed.
        """
        extra = ("--fork-url", url) if block is None else ("--fork-url", url, "--fork-block-number", str(block))
        return cls(accounts=accounts, extra=extra)

    @classmethod
    def loaded(
        cls, path: Path, *, accounts: int = 10, block_time_s: float | None = None, extra: tuple[str, ...] = ()
    ) -> AnvilChain:
        """An anvil that goes on where another one was when it was saved, in chain time too."""
        now_s = int(json.loads(path.read_bytes())["block"]["timestamp"], 16)
        clock = ("--load-state", str(path), "--timestamp", str(now_s + 1))
        return cls(accounts=accounts, block_time_s=block_time_s, extra=clock + extra)

    def save(self, path: Path) -> None:
        """Write down blocks, transactions and the present state, for `loaded`."""
        path.write_bytes(gzip.decompress(bytes.fromhex(self.request("anvil_dumpState", True)[2:])))  # noqa: FBT003 - with the blocks

    def revert(self, snapshot: str) -> None:
        """See `LocalChain.revert`; anvil by itself keeps what waits in its pool."""
        super().revert(snapshot)
        self.request("anvil_dropAllTransactions")

    def stop_mining(self) -> None:
        """Mine no more by itself; a block time of less than a second cannot be set again."""
        self.request("evm_setIntervalMining", 0)

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
