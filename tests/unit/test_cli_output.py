"""Stdout that is full, closed, or has no letters: a sentence and an exit code, never a traceback."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")
MAIN = "from keeper.cli import main; main()"


def keeper(*args: str, stdout: object = subprocess.PIPE, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", MAIN, *args],
        stdout=stdout,  # type: ignore[arg-type] # a file or a pipe
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
        check=False,
    )


@pytest.mark.skipif(not FULL.exists(), reason="this system has no full device")
@pytest.mark.parametrize("args", [("--version",), ("--help",), ("margin", "--schema"), ("margin", "--json")])
def test_stdout__full__one_sentence_and_a_documented_code(args: tuple[str, ...]):
    """An answer that nobody can read is not done, and is no defect of ours either."""
    with FULL.open("wb") as full:
        found = keeper(*args, stdout=full)
    said = found.stderr.decode()
    assert "Traceback" not in said
    assert "internal error" not in said
    if args == ("margin", "--json"):  # bad input anyway: what is wrong with it is said, and its code is kept
        assert found.returncode == 2
    else:
        assert found.returncode == 3
        assert said.startswith("error: the output cannot be written: No space left on device")


def test_stdout__has_no_letter_for_it__question_marks_and_an_answer(tmp_path: Path):
    desk = str(tmp_path / "desk")
    found = keeper("margin", "--example", desk, PYTHONIOENCODING="ascii")
    assert found.returncode == 0, found.stderr
    assert found.stdout.isascii()


def test_json__stdout_is_ascii__escaped_and_the_same():
    """Nothing is lost: JSON has escapes."""
    plain, whole = (keeper("margin", "--schema", PYTHONIOENCODING=name) for name in ("ascii", "utf-8"))
    assert plain.stdout.isascii()
    assert not whole.stdout.isascii()
    assert json.loads(plain.stdout) == json.loads(whole.stdout)


def test_stdout__closed__ends_as_if_nobody_listened():
    command = f'exec "{sys.executable}" -c "{MAIN}" --version >&-'
    found = subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=False)
    assert (found.returncode, found.stderr) == (0, b"")


def test_stdout__reader_gone__ends_as_other_tools_do(tmp_path: Path):
    """`keeper … | head`: no traceback, and never the code of a defect or of an answer that was given."""
    desk = str(tmp_path / "desk")
    assert keeper("margin", "--example", desk).returncode == 0
    reading, writing = os.pipe()
    os.close(reading)
    try:
        found = keeper(
            "margin", "--market", f"{desk}/market.json", "--portfolio", f"{desk}/portfolio.json", "--json",
            stdout=writing,
        )  # fmt: skip
    finally:
        os.close(writing)
    assert (found.returncode, found.stderr) == (141, b"")
