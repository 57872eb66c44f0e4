"""scripts/deploy.py refuses what it cannot finish before it pays for anything."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "deploy.py"


@pytest.mark.parametrize("out", ["absent/deployment.json", "."])
def test_deploy_script__addresses_could_not_be_written__exit_2_before_the_node_is_asked(tmp_path, out):
    """Whoever deploys and cannot write the addresses has lost them."""
    done = subprocess.run(
        [sys.executable, SCRIPT, "--rpc", "http://127.0.0.1:1", "--spec", "s", "--key-file", "k", "--out", out],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert f"--out {out} cannot be written" in done.stderr
    assert "Traceback" not in done.stderr


def test_deploy_script__deployment_file_exists__exit_2_and_it_is_kept(tmp_path):
    """The addresses of an earlier deployment are never overwritten."""
    (tmp_path / "deployment.json").write_text("the only copy")
    done = subprocess.run(
        [sys.executable, SCRIPT, "--rpc", "http://127.0.0.1:1", "--spec", "s", "--key-file", "k"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "deployment.json exists" in done.stderr
    assert (tmp_path / "deployment.json").read_text() == "the only copy"


@pytest.mark.parametrize(("moves", "said"), [(True, "\rx 1/2\rx 2/2\n"), (False, "x 1/2\nx 2/2\n")])
def test_progress__terminal_or_pipe__one_line_that_moves_or_one_a_step(monkeypatch, capsys, moves, said):
    """What a log keeps has lines."""
    program = runpy.run_path(str(SCRIPT))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: moves)
    for step in (1, 2):
        program["_progress"]("x", step, 2)
    assert capsys.readouterr().out == said
