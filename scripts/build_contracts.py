"""Compile contracts/src and export abis/: the ABI and bytecode the Python side ships with.

    python scripts/build_contracts.py             rewrite abis/
    python scripts/build_contracts.py --check     compare a fresh build with abis/, name the first difference

The compiler is the npm package behind contracts/bin/solc, its settings are those of contracts/foundry.toml, and the
bytecode carries no metadata: the same sources give the same bytes on every machine.

One file a contract, `abis/NAME.json`, keys sorted:

    contractName        str
    sourceName          path below contracts/, or the npm path of an OpenZeppelin contract
    abi                 the ABI as the compiler gives it
    bytecode            "0x…" creation code
    deployedBytecode    "0x…" run-time code
    linkReferences      where library addresses go in `bytecode`; {} for a contract without libraries
    compiler            {"version", "evmVersion", "optimizer", "viaIR"}

Needs Node: make setup-node.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CONTRACTS = ROOT / "contracts"
ABIS = ROOT / "abis"

#: Largest run-time code a chain accepts.  Source: EIP-170.
CODE_SIZE_MAX_BYTES = 24_576

#: Sources of npm packages exported beside our own, as "@openzeppelin/contracts/governance/TimelockController.sol".
VENDORED: tuple[str, ...] = ("@openzeppelin/contracts/governance/TimelockController.sol",)


def settings(profile: dict[str, Any]) -> dict[str, Any]:
    """Turn the default profile of foundry.toml into the compiler's standard-JSON settings."""
    return {
        "evmVersion": profile["evm_version"],
        "optimizer": {"enabled": profile["optimizer"], "runs": profile["optimizer_runs"]},
        "viaIR": profile["via_ir"],
        "metadata": {"bytecodeHash": profile["bytecode_hash"], "appendCBOR": profile["cbor_metadata"]},
        "remappings": profile["remappings"],
        "outputSelection": {
            "*": {"*": ["abi", "evm.bytecode.object", "evm.bytecode.linkReferences", "evm.deployedBytecode.object"]}
        },
    }


def compile_sources(profile: dict[str, Any]) -> dict[str, Any]:
    """Compile every source below contracts/src, and the vendored ones, in one run of the compiler.

    Raises:
        SystemExit: the compiler is not there, or does not accept the sources.
    """
    if not (CONTRACTS / "node_modules" / "solc").is_dir():
        sys.exit("build_contracts: the compiler is not installed. Run: make setup-node")
    names = sorted(str(path.relative_to(CONTRACTS)) for path in (CONTRACTS / profile["src"]).rglob("*.sol"))
    sources = {name: {"content": (CONTRACTS / name).read_text(encoding="utf-8")} for name in names}
    for name in VENDORED:
        sources[name] = {"content": (CONTRACTS / "node_modules" / name).read_text(encoding="utf-8")}
    request = {"language": "Solidity", "sources": sources, "settings": settings(profile)}
    # A Node that `make setup-node` brought lives beside our Python; one of the system goes first.
    path = f"{os.environ.get('PATH', os.defpath)}{os.pathsep}{Path(sys.executable).parent}"
    done = subprocess.run(
        [CONTRACTS / "bin" / "solc", "--standard-json"],
        input=json.dumps(request),
        cwd=CONTRACTS,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"build_contracts: the compiler did not run (exit {done.returncode}). {done.stderr.strip()}")
    answer: dict[str, Any] = json.loads(done.stdout)
    problems = [item for item in answer.get("errors", []) if item["severity"] == "error"]
    if problems:
        sys.exit("\n".join(item["formattedMessage"] for item in problems))
    return answer


def compiler_version() -> str:
    """Read the version of the installed compiler package."""
    package = json.loads((CONTRACTS / "node_modules" / "solc" / "package.json").read_text(encoding="utf-8"))
    return str(package["version"])


def artifacts(profile: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Compile and shape one artifact per contract, by name.

    What cannot be deployed or called is left out: interfaces and abstract contracts (the contract that implements them
    carries their ABI) and libraries whose functions are all internal.

    Raises:
        SystemExit: two contracts share a name, or a contract is larger than a chain accepts.
    """
    chosen = settings(profile)
    compiler = {
        "version": compiler_version(),
        "evmVersion": chosen["evmVersion"],
        "optimizer": chosen["optimizer"],
        "viaIR": chosen["viaIR"],
    }
    found: dict[str, dict[str, Any]] = {}
    oversized: list[str] = []
    compiled = compile_sources(profile)["contracts"]
    # A library whose functions take storage references has an empty ABI, and is deployed all the same.
    linked = {
        (source, name)
        for contracts in compiled.values()
        for output in contracts.values()
        for source, names in output["evm"]["bytecode"]["linkReferences"].items()
        for name in names
    }
    for source, contracts in sorted(compiled.items()):
        if not source.startswith(f"{profile['src']}/") and source not in VENDORED:
            continue
        for name, output in sorted(contracts.items()):
            code, deployed = output["evm"]["bytecode"], output["evm"]["deployedBytecode"]["object"]
            callable_from_outside = any(item["type"] not in ("error", "event") for item in output["abi"])
            if not code["object"] or not (callable_from_outside or (source, name) in linked):
                continue
            if name in found:
                sys.exit(f"build_contracts: two contracts are named {name}: {found[name]['sourceName']} and {source}")
            size = len(deployed) // 2
            if size > CODE_SIZE_MAX_BYTES:
                oversized.append(f"{name} is {size} bytes, {size - CODE_SIZE_MAX_BYTES} over the limit of EIP-170")
            found[name] = {
                "contractName": name,
                "sourceName": source,
                "abi": output["abi"],
                "bytecode": f"0x{code['object']}",
                "deployedBytecode": f"0x{deployed}",
                "linkReferences": code["linkReferences"],
                "compiler": compiler,
            }
    if oversized:
        sys.exit("build_contracts: " + "; ".join(oversized))
    return found


def write(folder: Path, found: dict[str, dict[str, Any]]) -> None:
    """Write one file per artifact and remove those of contracts that are gone; subfolders are left alone."""
    folder.mkdir(parents=True, exist_ok=True)
    for stale in set(folder.glob("*.json")) - {folder / f"{name}.json" for name in found}:
        stale.unlink()
    for name, artifact in found.items():
        text = json.dumps(artifact, indent=1, sort_keys=True) + "\n"
        (folder / f"{name}.json").write_text(text, encoding="utf-8")


def first_difference(fresh: Path, committed: Path) -> str | None:
    """Compare two export folders byte for byte; say what differs first, or None."""
    names = sorted({path.name for folder in (fresh, committed) for path in folder.glob("*.json")})
    for name in names:
        new, old = fresh / name, committed / name
        if not old.exists():
            return f"abis/{name} is missing"
        if not new.exists():
            return f"abis/{name} belongs to no contract in contracts/src"
        if new.read_bytes() != old.read_bytes():
            left, right = json.loads(new.read_text(encoding="utf-8")), json.loads(old.read_text(encoding="utf-8"))
            keys = [key for key in sorted({*left, *right}) if left.get(key) != right.get(key)]
            return f"abis/{name} differs from a fresh build in {', '.join(keys) or 'formatting'}"
    return None


def report_sizes(found: dict[str, dict[str, Any]]) -> None:
    """Print run-time code sizes, largest first."""
    sizes = {name: (len(item["deployedBytecode"]) - 2) // 2 for name, item in found.items()}
    for name, size in sorted(sizes.items(), key=lambda pair: (-pair[1], pair[0])):
        if size:
            print(f"  {name:<28} {size:>6} bytes  {size / CODE_SIZE_MAX_BYTES:>4.0%} of the limit")


def main() -> None:
    """Build into abis/, or into a temporary folder to compare."""
    parser = argparse.ArgumentParser(description="Compile contracts/src and export abis/.")
    parser.add_argument("--check", action="store_true", help="compare a fresh build with abis/ and change nothing")
    check: bool = parser.parse_args().check
    profile = tomllib.loads((CONTRACTS / "foundry.toml").read_text(encoding="utf-8"))["profile"]["default"]
    found = artifacts(profile)
    if not check:
        write(ABIS, found)
        report_sizes(found)
        print(f"abis/: {len(found)} contracts written")
        return
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), found)
        difference = first_difference(Path(folder), ABIS)
    if difference is not None:
        sys.exit(f"build_contracts: {difference}. Run: make contracts")
    print(f"abis/: {len(found)} contracts, identical to a fresh build")


if __name__ == "__main__":
    main()
