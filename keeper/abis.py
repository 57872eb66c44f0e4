"""The exported contracts: ABI and bytecode, from the wheel or from the checkout.

One file per contract, NAME.json: contractName, abi, bytecode, deployedBytecode, linkReferences.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from keeper.errors import BadInput

#: In an installed wheel first, beside the package in a checkout second.
FOLDERS = (Path(__file__).parent / "_abis", Path(__file__).parent.parent / "abis")


@dataclass(frozen=True)
class Artifact:
    """One compiled contract."""

    name: str
    abi: tuple[dict[str, Any], ...]
    bytecode: str
    """0x-hex creation code; with libraries still to link if `link_references` says so.  "0x" for an interface."""
    link_references: dict[str, dict[str, list[dict[str, int]]]]
    """Where library addresses go: source → library → [{start, length}] in bytes."""
    deployed_bytecode: str = ""
    """0x-hex run-time code, libraries and immutables left open."""

    def link(self, libraries: Mapping[str, str]) -> bytes:
        """Creation code with every library's address filled in.

        Raises: `BadInput` if a library is missing or the contract is an interface.
        """
        code = self.bytecode.removeprefix("0x")
        if not code:
            raise BadInput(f"{self.name} has no bytecode", hint="it is an interface or an abstract contract")
        for references in self.link_references.values():
            for library, places in references.items():
                if library not in libraries:
                    raise BadInput(f"{self.name} needs library {library}", hint="deploy it first and pass its address")
                address = libraries[library].removeprefix("0x").lower()
                for place in places:
                    start = 2 * place["start"]
                    code = code[:start] + address + code[start + 40 :]
        return bytes.fromhex(code)

    @property
    def constructor_types(self) -> tuple[str, ...]:
        """Canonical ABI types of the constructor's arguments."""
        entries = (entry for entry in self.abi if entry["type"] == "constructor")
        return tuple(canonical_type(argument) for entry in entries for argument in entry["inputs"])

    def errors(self) -> Iterator[dict[str, Any]]:
        """The custom errors it declares."""
        return (entry for entry in self.abi if entry["type"] == "error")


def canonical_type(argument: Mapping[str, Any]) -> str:
    """ABI type with tuples spelled out, e.g. `(uint256,address)[]`."""
    kind = str(argument["type"])
    if not kind.startswith("tuple"):
        return kind
    inner = ",".join(canonical_type(component) for component in argument["components"])
    return f"({inner}){kind.removeprefix('tuple')}"


def names() -> tuple[str, ...]:
    """Every contract there is an export of, sorted."""
    return tuple(sorted(path.stem for path in _folder().glob("*.json")))


@cache
def load(name: str) -> Artifact:
    """One contract by name.

    Raises: `BadInput` if there is no export of it.
    """
    path = _folder() / f"{name}.json"
    if not path.is_file():
        raise BadInput(f"no exported contract {name} in {path.parent.name}/", hint="make contracts", name=name)
    found = json.loads(path.read_text())
    return Artifact(
        found["contractName"],
        tuple(found["abi"]),
        found["bytecode"],
        found.get("linkReferences", {}),
        found.get("deployedBytecode", ""),
    )


def _folder() -> Path:
    for folder in FOLDERS:
        if folder.is_dir():
            return folder
    hint = "reinstall the package, or run make contracts in a checkout"
    raise BadInput("the exported contracts are missing", hint=hint)
