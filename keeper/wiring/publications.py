"""What the chain remembers of publications, as the settings or a command's own options say where to ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from keeper.abis import load
from keeper.chain.asking.reads import BlockReads
from keeper.chain.asking.rpc import Rpc
from keeper.chain.following.log_search import LogSearch
from keeper.chain.sending.dry import DrySender
from keeper.domain.attested import Attested
from keeper.domain.inputs import InputsFile
from keeper.domain.landed import Landed
from keeper.domain.snapshot import Snapshot
from keeper.errors import BadInput
from keeper.policy.day import DAY_S
from keeper.protocols.abi import Abi
from keeper.protocols.clearinghouse.attest import HouseAttest
from keeper.protocols.clearinghouse.deployment import CONTRACTS, MULTICALL, QUORUM, Deployment, load_deployment
from keeper.protocols.clearinghouse.publications import HousePublications
from keeper.protocols.clearinghouse.rounds import DAY
from keeper.protocols.clearinghouse.views import Views
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
    named_by_file: bool = False
    """Whether the contracts are those that an inputs file names, since nobody named others."""

    def close(self) -> None:
        """Let go of the connection."""
        self.rpc.close()


def chain_memory(
    settings: Settings, *, rpc_url: str = "", deployment_file: Path | None = None, named: InputsFile | None = None
) -> ChainMemory:
    """Connect to where publications are.

    Args:
        settings: the operator's, or the defaults for whoever only checks.
        rpc_url: a node in place of the settings'; of the deployment's chain.
        deployment_file: in place of the settings'.
        named: an inputs file whose own word is taken for chain and contracts where no deployment file is given; None
            to take the settings'.

    Raises: `BadInput` if the deployment cannot be read, or a URL is none.
    """
    if named is not None and deployment_file is None:
        deployment = deployment_in(named)
    else:
        deployment = load_deployment(deployment_file or settings.protocol.deployment_file)
    changed: dict[str, object] = {"chain_id": deployment.chain_id}
    if rpc_url:
        changed |= {"rpc_urls": (Secret(rpc_url),), "quorum": 0}
    chain = settings.chain.model_copy(update=changed)
    rpc = rpc_of(settings.model_copy(update={"chain": chain}))
    search = LogSearch(rpc, deployment.addresses["RiskParameters"])
    views = Views(
        BlockReads(rpc, multicall=settings.chain.multicall or deployment.addresses.get(MULTICALL)), deployment
    )
    return ChainMemory(
        rpc=rpc,
        deployment=deployment,
        publications=HousePublications(search, deployment, abis(), views),
        named_by_file=named is not None and deployment_file is None,
    )


def deployment_in(file: InputsFile) -> Deployment:
    """As much of a deployment as an inputs file tells.  Raises: `BadInput` if it is too old to tell any."""
    if file.deployed is None:
        raise BadInput(
            f"the inputs file does not say which contracts it is of: it has schema {file.schema}",
            hint="name them with --deployment FILE: the deployment file that the protocol's operators publish",
        )
    missing = [name for name in CONTRACTS if name not in file.deployed.addresses]
    if missing:
        raise BadInput(f"the inputs file names no {', '.join(missing)}", hint="name them with --deployment FILE")
    return Deployment(
        chain_id=file.deployed.chain_id,
        block=file.block.number,
        addresses=file.deployed.addresses,
        symbols={file.state.underlying: file.state.symbol},
        collaterals={},
        liquidator_account=None,
    )


def attested(settings: Settings, memory: ChainMemory, file: InputsFile) -> Attested:
    """What the contracts say of an inputs file's underlying at its block, by views alone.

    Raises: `Retry` if the node cannot be asked, or does not have that state (any more); `Refused`.
    """
    reads = BlockReads(memory.rpc, multicall=settings.chain.multicall or memory.deployment.addresses.get(MULTICALL))
    history_s = file.risk.history_days * DAY
    asked = HouseAttest(Views(reads, memory.deployment), chain_id=memory.deployment.chain_id, history_s=history_s)
    return asked.ask(file.block, file.state)


def state_again(settings: Settings, memory: ChainMemory, file: InputsFile) -> Snapshot:
    """Everything at the block of an inputs file as the chain has it, read from nothing.

    Logs are read from the deployment on, and state at an old block: from a node that keeps it.

    Raises: `Retry` if the node cannot be asked, or does not have that state (any more); `BadInput` if only the file
    says where the contracts are, which does not tell from which block on logs are to be read.
    """
    if memory.named_by_file:
        raise BadInput("reading every account again needs the whole deployment", hint="name it: --deployment FILE")
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
    return {name: Abi(name, load(name).abi) for name in (*CONTRACTS, QUORUM)}


def strangers(settings: Settings, snapshot: Snapshot) -> dict[int, tuple[Landed, ...]]:
    """Publications of the last day whose inputs files the configured store has not, by underlying, oldest first.

    The first one of all is none of them: nothing was in force before it, so it brought nobody down.

    Raises: `Retry` if the node cannot be asked.
    """
    since_s = snapshot.block.timestamp - DAY_S
    lately = [u for u in snapshot.underlyings if u.publication is not None and u.publication.last_time > since_s]
    if not lately:
        return {}
    memory, store = chain_memory(settings), open_store(settings.store.url.reveal())
    try:
        found = {u.underlying: memory.publications.lately(u.underlying, since_s=since_s) for u in lately}
        return {
            which: tuple(one for one in landed if one.id > 1 and store.inputs_file(one.inputs_hash) is None)
            for which, landed in found.items()
        }
    finally:
        store.close()
        memory.close()
