"""Run every static check of `make check`, all of them even when one fails, and say at the end what is left to do.

A check whose tool is absent is named and left out; under REQUIRE_ALL=1 that is a failure.
"""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
CONTRACTS = ROOT / "contracts"
NODE_BIN = CONTRACTS / "node_modules" / ".bin"

#: npm packages of contracts/, then the system, then a Node that `make setup-node` brought beside our Python.
TOOL_PATH = os.pathsep.join([str(NODE_BIN), os.environ.get("PATH", os.defpath), str(BIN)])


@dataclass(frozen=True, kw_only=True)
class Check:
    """One command that must succeed."""

    name: str
    """What a person reads."""

    command: list[str]
    """Argument vector."""

    cwd: Path = ROOT
    """Where it runs."""

    needs: tuple[str, ...] = ()
    """Node tools it calls; they come with `make setup-node`.  What `make setup` brings is always there."""

    repair: str = ""
    """The command that often repairs a failure."""


CHECKS = (
    Check(
        name="format",
        command=[str(BIN / "ruff"), "format", "--check", "--quiet", "."],
        repair=".venv/bin/ruff format .",
    ),
    Check(name="lint", command=[str(BIN / "ruff"), "check", "--quiet", "."], repair=".venv/bin/ruff check --fix ."),
    Check(name="types", command=[str(BIN / "mypy")]),
    Check(name="import contracts", command=[str(BIN / "lint-imports")]),
    Check(
        name="ABIs match the contracts",
        command=[sys.executable, str(ROOT / "scripts" / "build_contracts.py"), "--check"],
        needs=("node", "solcjs"),
        repair="make contracts",
    ),
    Check(
        name="Solidity format",
        command=["forge", "fmt", "--check"],
        cwd=CONTRACTS,
        needs=("forge",),
        repair="cd contracts && node_modules/.bin/forge fmt",
    ),
)


def main() -> None:
    """Run the checks in order.

    Raises:
        SystemExit: a check failed, or under REQUIRE_ALL=1 its tool is absent.
    """
    require_all = os.environ.get("REQUIRE_ALL") == "1"
    failed: list[str] = []
    for check in CHECKS:
        absent = [tool for tool in check.needs if shutil.which(tool, path=TOOL_PATH) is None]
        if absent:
            print(f"  --    {check.name}: {', '.join(absent)} not installed. Add: make setup-node", flush=True)
            if require_all:
                failed.append(check.name)
            continue
        started = time.monotonic()
        environment = {**os.environ, "PATH": TOOL_PATH}
        done = subprocess.run(
            check.command, cwd=check.cwd, env=environment, capture_output=True, text=True, check=False
        )
        took_s = time.monotonic() - started
        if done.returncode == 0:
            print(f"  ok    {check.name} ({took_s:.1f} s)", flush=True)
            continue
        failed.append(check.name)
        print(done.stdout + done.stderr, flush=True)
        print(f"  FAIL  {check.name}{f'. Try: {check.repair}' if check.repair else ''}", flush=True)
    if failed:
        sys.exit(f"check: failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
