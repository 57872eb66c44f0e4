"""Fixtures for tests of programs that watch or keep the house; pytest finds them where the keeper is installed.

    chain                a chain in this process, with funded accounts
    anvil                the same in anvil; skipped with the command that adds it where anvil is absent
    fork                 another chain from one block on, in this process, with the interface of `chain`
    anvil_fork           the same fork in anvil
    deployed_protocol    the house on a chain, open: two markets, twenty traders, prices you set
    keeper_under_test    a keeper of it, with outbox and store; `live()` lives the newest block

What a fixture takes can be exchanged, by a fixture of the same name in your own tests: `keeper_store` (in memory by
default), `fault_plan` (none; or the option `--fault-plan "7: timeout%0.1"`), `keeper_nodes` (one node before the chain
that plays the plan), `fork_upstream` (what is forked: the node of `--keeper-fork-url` at `--keeper-fork-block`, what
`--keeper-fork-file` recorded of it, or the deployed protocol's own chain as it opened).

The plugin sits beside the command line, above the composition root: it puts a keeper together as production does.  What
is slow to import is imported by the fixtures that need it, so that a run that needs none of them pays nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from keeper.demo.world import World
    from keeper.ports import Store
    from keeper.pytest_plugin.house import DeployedProtocol, KeeperUnderTest
    from keeper.testing.answers import Node
    from keeper.testing.anvil import AnvilChain
    from keeper.testing.embedded import EmbeddedChain
    from keeper.testing.fork import ForkedChain, Upstream

#: Funded accounts of a chain.
ACCOUNTS: Final = 6
ADD_ANVIL: Final = "make setup-node in a checkout, or npm install @foundry-rs/anvil and put it on PATH"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The faults between the keeper and its chain, and what is forked."""
    parser.addoption(
        "--fault-plan",
        default="",
        help='faults between keeper_under_test and its chain, e.g. "7: timeout%%0.1; reorg@60" (keeper.testing.plan)',
    )

    parser.addoption("--keeper-fork-url", default="", help="node that fork and anvil_fork stand on")
    parser.addoption("--keeper-fork-block", type=int, default=None, help="at this height; the newest without")
    parser.addoption(
        "--keeper-fork-file",
        default="",
        help="recording that fork stands on; written at the end of a run that has --keeper-fork-url",
    )


@pytest.fixture
def chain() -> EmbeddedChain:
    """A fresh chain in this process; it mines at once until told otherwise (`keeper.testing.embedded`)."""
    from keeper.testing.embedded import EmbeddedChain  # noqa: PLC0415 - py-evm and web3 take seconds

    return EmbeddedChain(accounts=ACCOUNTS)


@pytest.fixture
def anvil() -> Iterator[AnvilChain]:
    """A fresh anvil with the interface of `chain`; under REQUIRE_ALL=1 its absence fails the test."""
    from keeper.testing.anvil import AnvilChain  # noqa: PLC0415 - web3 takes seconds

    _need_anvil()
    with AnvilChain(accounts=ACCOUNTS) as running:
        yield running


def _need_anvil() -> None:
    from keeper.testing.anvil import find_anvil  # noqa: PLC0415 - web3 takes seconds

    if find_anvil() is None:
        absent = f"anvil is absent: {ADD_ANVIL}"
        (pytest.fail if os.environ.get("REQUIRE_ALL") == "1" else pytest.skip)(absent)


@pytest.fixture(scope="session")
def _opened() -> World:
    from keeper.pytest_plugin.house import opened  # noqa: PLC0415 - the whole keeper takes seconds

    return opened()


@pytest.fixture(scope="session")
def fork_upstream(request: pytest.FixtureRequest) -> Iterator[Upstream]:
    """The chain that is forked, at one block; read once a session, whoever asks."""
    from keeper.testing.fork import Upstream  # noqa: PLC0415 - py-evm and web3 take seconds

    url, file = (str(request.config.getoption(f"--keeper-fork-{name}")) for name in ("url", "file"))
    if url:
        upstream = Upstream(url, block=request.config.getoption("--keeper-fork-block"))
        yield upstream
        if file:
            upstream.save(Path(file))
    elif file:
        yield Upstream.recorded(Path(file))
    else:
        from keeper.testing.http_node import HttpNode  # noqa: PLC0415 - as above

        own: World = request.getfixturevalue("_opened")
        head = own.chain.block().number
        with HttpNode(own.chain.node) as served:  # type: ignore[attr-defined]  # `opened` takes an embedded chain
            yield Upstream(served.url, block=head)


@pytest.fixture
def fork(fork_upstream: Upstream) -> ForkedChain:
    """A fresh fork in this process; what a test does there, nobody else sees (`keeper.testing.fork`)."""
    from keeper.testing.fork import ForkedChain  # noqa: PLC0415 - py-evm and web3 take seconds

    return ForkedChain(fork_upstream, accounts=ACCOUNTS)


@pytest.fixture
def anvil_fork(fork_upstream: Upstream) -> Iterator[AnvilChain]:
    """The same fork in anvil, which needs a node to stand on and not only what was recorded of one."""
    from keeper.testing.anvil import AnvilChain  # noqa: PLC0415 - web3 takes seconds

    _need_anvil()
    if not fork_upstream.url:
        pytest.fail("anvil cannot stand on a recording; name a node with --keeper-fork-url, or use the fixture fork")
    with AnvilChain.fork(fork_upstream.url, block=fork_upstream.number, accounts=ACCOUNTS) as running:
        yield running


@pytest.fixture
def deployed_protocol(_opened: World) -> Iterator[DeployedProtocol]:
    """The house, opened once a session (some five seconds); what a test does to it is undone."""
    from keeper.pytest_plugin.house import DeployedProtocol  # noqa: PLC0415 - as above

    before = _opened.chain.snapshot()
    yield DeployedProtocol(_opened)
    _opened.chain.revert(before)


@pytest.fixture
def keeper_store() -> Iterator[Store]:
    """The keeper's memory.  Another one: `return open_store("sqlite:///…")` in a fixture of this name."""
    from keeper.testing.memory_store import MemoryStore  # noqa: PLC0415 - with the other slow ones

    store = MemoryStore()
    yield store
    store.close()


@pytest.fixture
def fault_plan(request: pytest.FixtureRequest) -> str:
    """A line of `keeper.testing.plan`; the option `--fault-plan` by default."""
    return str(request.config.getoption("--fault-plan"))


@pytest.fixture
def keeper_nodes(deployed_protocol: DeployedProtocol, fault_plan: str) -> Iterator[Sequence[Node]]:
    """What the keeper's endpoints are, in order of preference: one that plays the plan, by default."""
    with deployed_protocol.behind(fault_plan) as node:
        yield (node,)


@pytest.fixture
def keeper_under_test(
    deployed_protocol: DeployedProtocol, keeper_store: Store, keeper_nodes: Sequence[Node]
) -> KeeperUnderTest:
    """A keeper of the deployed protocol, put together as in production; it publishes and liquidates."""
    from keeper.pytest_plugin.house import KeeperUnderTest  # noqa: PLC0415 - the whole keeper takes seconds

    return KeeperUnderTest(deployed_protocol, keeper_store, keeper_nodes)
