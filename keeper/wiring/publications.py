"""What the chain remembers of publications, as the settings or a command's own options say where to ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from keeper.abis import load
from keeper.chain.asking.rpc import Rpc
from keeper.chain.following.log_search import LogSearch
from keeper.chain.sending.dry import DrySender
from keeper.domain.inputs import InputsFile
from keeper.domain.snapshot import Snapshot
from keeper.protocols.abi import Abi
from keeper.protocols.clearinghouse.deployment import CONTRACTS, Deployment, load_deployment
from keeper.protocols.clearinghouse.publications import HousePublications
from keeper.settings import Settings
from keeper.settings.secret import Secret
from keeper.store import open_store
from keeper.wiring import PROTOCOLS
from keeper.wiring.nodes import rpc_of


@dataclass(frozen=True, kw_only=True)
class ChainMemory:
    """Publications on a chain, and the connection to it."""

    rpc: Rpc
    deployment: Deployment
    publications: HousePublications

    def close(self) -> None:
        """Let go of the connection."""
        self.rpc.close()


def chain_memory(settings: Settings, *, rpc_url: str = "", deployment_file: Path | None = None) -> ChainMemory:
    """Connect to where publications are.

    Args:
        settings: the operator's, or the defaults for whoever only checks.
        rpc_url: a node in place of the settings'; of the deployment's chain.
        deployment_file: in place of the settings'.

    Raises: `BadInput` if the deployment cannot be read, or a URL is none.
    """
    deployment = load_deployment(deployment_file or settings.protocol.deployment_file)
    changed: dict[str, object] = {"chain_id": deployment.chain_id}
    if rpc_url:
        changed |= {"rpc_urls": (Secret(rpc_url),), "quorum": 0}
    chain = settings.chain.model_copy(update=changed)
    rpc = rpc_of(settings.model_copy(update={"chain": chain}))
    search = LogSearch(rpc, deployment.addresses["RiskParameters"])
    return ChainMemory(rpc=rpc, deployment=deployment, publications=HousePublications(search, deployment, abis()))


def state_again(settings: Settings, memory: ChainMemory, file: InputsFile) -> Snapshot:
    """Everything at the block of an inputs file as the chain has it, read from nothing.

    Logs are read from the deployment on, and state at an old block: from a node that keeps it.

    Raises: `Retry` if the node cannot be asked, or does not have that state (any more).
    """
    with TemporaryDirectory(prefix="keeper-verify-") as folder:
        store = open_store(f"sqlite:///{folder}/looked.sqlite")
        try:
            keeper = PROTOCOLS[file.protocol](
                rpc=memory.rpc,
                store=store,
                deployment=memory.deployment,
                risk=file.risk,
                policy=file.policy,
                sender=lambda decode, _recheck: DrySender(memory.rpc, {}, decode_revert=decode),
                multicall=settings.chain.multicall or None,
                accepted_code=settings.protocol.accepted_code,
            )
            return keeper.reader.read(file.block)
        finally:
            store.close()


def abis() -> Mapping[str, Abi]:
    """ABI of each contract by its name."""
    return {name: Abi(name, load(name).abi) for name in CONTRACTS}
