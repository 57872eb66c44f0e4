"""Contracts that carry a defect: our own sources with a few lines replaced, compiled by the project's compiler.

    no_budget = Mutation(source="src/libraries/Fences.sol", edits=(("what stands there", "what does not"),))
    no_budget.put_in(patch)         # from here on `deploy_house` deploys the mutant

Compiling takes seconds, so the result is kept in this user's temporary folder, under a hash of everything it follows
from.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import tempfile
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import keeper.deploy.hand
from keeper.abis import Artifact, load

ROOT = Path(__file__).resolve().parents[2]


@cache
def _builder() -> ModuleType:
    """`scripts/build_contracts.py`, which is no package."""
    spec = importlib.util.spec_from_file_location("build_contracts", ROOT / "scripts" / "build_contracts.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """Replacements in one source file.  The file defines one contract or library, named like it unless `into` says."""

    source: str
    """Below contracts/."""
    edits: tuple[tuple[str, str], ...]
    """What stands there, once, and what somebody would have written.  A source that moved on fails its test."""

    into: str = ""
    """Source of the contract that the code ends up in, if the file is an internal library."""

    @property
    def contract(self) -> str:
        """Name of the contract."""
        return Path(self.into or self.source).stem

    def put_in(self, patch: pytest.MonkeyPatch) -> None:
        """Let every house deployed from here on have the mutant."""
        mutant = self.artifact()
        patch.setattr(keeper.deploy.hand, "load", lambda name: mutant if name == mutant.name else load(name))

    def artifact(self) -> Artifact:
        """The mutant, compiled as the original is."""
        found = _compiled(self._request(), self.into or self.source, self.contract)
        code, links = found["bytecode"]["object"], found["bytecode"]["linkReferences"]
        original = load(self.contract)
        assert "0x" + code != original.bytecode, "the mutant is the original"
        return Artifact(self.contract, original.abi, "0x" + code, links)

    def _request(self) -> str:
        build = _builder()
        profile = tomllib.loads((build.CONTRACTS / "foundry.toml").read_text(encoding="utf-8"))["profile"]["default"]
        files = sorted((build.CONTRACTS / profile["src"]).rglob("*.sol"))
        sources = {str(f.relative_to(build.CONTRACTS)): f.read_text(encoding="utf-8") for f in files}
        for old, new in self.edits:
            assert sources[self.source].count(old) == 1, f"{self.source} is not what the mutation was written for"
            sources[self.source] = sources[self.source].replace(old, new)
        wanted = {self.into or self.source: {self.contract: ["evm.bytecode.object", "evm.bytecode.linkReferences"]}}
        return json.dumps(
            {
                "language": "Solidity",
                "sources": {name: {"content": text} for name, text in sources.items()},
                "settings": build.settings(profile) | {"outputSelection": wanted},
            }
        )


def _compiled(request: str, source: str, contract: str) -> Any:
    """The compiler's `evm` output."""
    build = _builder()
    of = hashlib.sha256((build.compiler_version() + request).encode()).hexdigest()
    kept = Path(tempfile.gettempdir()) / f"keeper-mutants-{os.getuid()}" / f"{contract}-{of[:32]}.json"
    if not kept.is_file():
        solc = build.CONTRACTS / "bin" / "solc"
        done = subprocess.run(
            [solc, "--standard-json"], input=request, cwd=build.CONTRACTS, capture_output=True, text=True, check=True
        )
        answer = json.loads(done.stdout)
        wrong = [item["formattedMessage"] for item in answer.get("errors", []) if item["severity"] == "error"]
        assert not wrong, "\n".join(wrong)
        kept.parent.mkdir(mode=0o700, exist_ok=True)
        whole = kept.with_suffix(f".{os.getpid()}")  # two workers may compile the same
        whole.write_text(json.dumps(answer["contracts"][source][contract]["evm"]), encoding="utf-8")
        whole.rename(kept)
    return json.loads(kept.read_text(encoding="utf-8"))
