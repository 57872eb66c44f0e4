"""Kept machine code is that of the sources: an edit anywhere in the package of kernels compiles anew."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from keeper.risk import compiled

PACKAGE = Path(compiled.__file__).parent

PART = """
from keeper.risk.compiled import inlined_kernel

@inlined_kernel
def part(x):
    return x * 2.0
"""
WHOLE = """
from keeper.risk.compiled import kernel
from keeper.risk.compiled.part import part

@kernel
def whole(x):
    return part(x) + 1.0
"""


def called(folder: Path) -> tuple[float, int]:
    """(value, times the machine code was found in the cache) of a process of its own."""
    code = "from keeper.risk.compiled.whole import whole; print(whole(1.0), sum(whole.stats.cache_hits.values()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    value, hits = done.stdout.split()
    return float(value), int(hits)


@pytest.mark.skipif(not compiled.COMPILED, reason="numba is told not to compile")
def test_cache__inlined_file_edited__compiled_anew(tmp_path: Path):
    """KER-11: kept between processes, and never older than a formula that it has inlined."""
    copy = tmp_path / "keeper" / "risk" / "compiled"
    copy.mkdir(parents=True)
    for folder in (copy, copy.parent, copy.parent.parent):
        (folder / "__init__.py").touch()
    shutil.copy(PACKAGE / "__init__.py", copy)
    (copy / "part.py").write_text(PART)
    (copy / "whole.py").write_text(WHOLE)
    assert called(tmp_path) == (3.0, 0)
    assert called(tmp_path) == (3.0, 1)
    (copy / "part.py").write_text(PART.replace("2.0", "3.0"))
    assert called(tmp_path) == (4.0, 0)
