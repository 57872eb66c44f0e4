"""Run every static check of `make check`, all of them even when one fails, and say at the end what is left to do.

A check whose tool is absent is named and left out; under REQUIRE_ALL=1 that is a failure.
"""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
CONTRACTS = ROOT / "contracts"
NODE_BIN = CONTRACTS / "node_modules" / ".bin"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One command that must succeed."""

    name: str
    """What a person reads."""

    command: list[str]
    """Argument vector."""

    cwd: Path = ROOT
    """Where it runs."""

    needs: Path | None = None
    """A file that exists only where the tool is installed; None for what `make setup` brings."""

    add: str = ""
    """The command that brings the tool."""

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
        needs=CONTRACTS / "node_modules" / "solc" / "package.json",
        add="make setup-node",
        repair="make contracts",
    ),
    Check(
        name="Solidity format",
        command=[str(NODE_BIN / "forge"), "fmt", "--check"],
        cwd=CONTRACTS,
        needs=NODE_BIN / "forge",
        add="make setup-node",
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
        if check.needs is not None and not check.needs.exists():
            print(f"  --    {check.name}: {check.needs.name} is not installed. Add it: {check.add}", flush=True)
            if require_all:
                failed.append(check.name)
            continue
        started = time.monotonic()
        done = subprocess.run(check.command, cwd=check.cwd, capture_output=True, text=True, check=False)
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
