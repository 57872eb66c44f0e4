"""The command refuses what it cannot use before it starts a chain."""

import pytest
from typer.testing import CliRunner

from keeper.cli.root import app


@pytest.fixture
def run(tmp_path):
    def run(*args):
        return CliRunner().invoke(app, ["demo", "--report", str(tmp_path / "r" / "page.html"), *args])

    return run


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--prices", "absent.csv"), "no such file"),
        (("--prices", "LUNA=x.csv"), "not LUNA"),
        (("--start", "2025-10-10"), "there is none"),
        (("--blocks", "3"), "--blocks 3 is too few"),
        (("--seeds", "0"), "--seeds 0"),
    ],
)
def test_demo__unusable_input__exit_2_with_what_to_do(run, args, says):
    """Exit code 2, one sentence, one hint, no traceback."""
    result = run(*args)
    assert result.exit_code == 2
    assert says in result.stderr
    assert "→" in result.stderr
    assert "Traceback" not in result.output


def test_demo__malformed_line__named(run, tmp_path):
    """The file and the line are in the message."""
    path = tmp_path / "prices.csv"
    path.write_text("ts,close\n1760000400,3000\n1760000700,oops\n")
    result = run("--prices", str(path))
    assert result.exit_code == 2
    assert f"{path}, line 3" in result.stderr


def test_demo__unwritable_report__refused_before_the_run(run, tmp_path):
    """Nobody waits three minutes to hear that the page cannot be written."""
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(app, ["demo", "--report", str(tmp_path / "file" / "page.html")])
    assert result.exit_code == 2
    assert "--report" in result.stderr
