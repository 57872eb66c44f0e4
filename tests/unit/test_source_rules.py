"""Rules about the source itself that the linter has no words for."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent.parent / "keeper"

#: Makers of randomness that seed themselves from the operating system when called without arguments.
SELF_SEEDING = {"default_rng", "SeedSequence", "PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64", "Random"}


def unseeded_calls(source: str) -> list[int]:
    """Line numbers of calls that make randomness nobody can repeat."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and not node.args and not node.keywords:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in SELF_SEEDING:
                found.append(node.lineno)
    return found


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("rng = np.random.default_rng()", [1]),
        ("\nrng = default_rng()", [2]),
        ("rng = Generator(PCG64())", [1]),
        ("rng = np.random.default_rng(seed)", []),
        ("rng = np.random.default_rng(seed=7)", []),
    ],
)
def test_unseeded_calls__finds_each_form(source: str, lines: list[int]):
    """The rule sees what it is meant to see."""
    assert unseeded_calls(source) == lines


def test_keeper__randomness__is_always_seeded_by_the_caller():
    """A run that cannot be repeated cannot be debugged or verified: REP-1."""
    paths = sorted(PACKAGE.rglob("*.py"))
    assert paths
    found = {
        f"{path.relative_to(PACKAGE.parent)}:{line}"
        for path in paths
        for line in unseeded_calls(path.read_text(encoding="utf-8"))
    }
    assert not found
