"""What a user installs carries what a keeper needs."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def test_wheel__built__carries_abis_and_types(tmp_path: Path):
    """A wheel needs no Node and no checkout: every exported ABI lies in keeper/_abis, and type hints are marked."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {f"keeper/_abis/{path.name}" for path in (ROOT / "abis").glob("*.json")}
    assert expected <= names
    assert "keeper/py.typed" in names
    assert not [name for name in names if name.startswith(("tests/", "contracts/", "scripts/"))]
