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
        (("--blocks", "999999999999"), "--blocks 999999999999 is too many"),
        (("--accounts", "1"), "--accounts 1 is too few"),
        (("--accounts", "99999999999"), "--accounts 99999999999 is too many"),
        (("--seeds", "0"), "--seeds 0"),
        (("--seed", "-1"), "--seed -1 is negative"),
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


@pytest.mark.parametrize(("minutes", "says"), [(5, "is 1 block(s) of 10 min"), (100, "is 11 block(s) of 10 min")])
def test_demo__short_cut_of_a_file__as_few_blocks_as_asked_for(run, tmp_path, minutes, says):
    """Two moments cannot ask for fewer blocks than --blocks may; the hint says how far apart they must be."""
    path = tmp_path / "prices.csv"
    start = 1_760_000_400
    path.write_text("ts,close\n" + "".join(f"{start + 600 * i},3000\n" for i in range(100)))
    opens = start + 600 * 40
    result = run("--prices", str(path), "--start", str(opens), "--end", str(opens + 60 * minutes))
    assert result.exit_code == 2
    assert says in result.stderr
    assert "110 min apart" in result.stderr


def test_demo__unwritable_report__refused_before_the_run(run, tmp_path):
    """Nobody waits three minutes to hear that the page cannot be written."""
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(app, ["demo", "--report", str(tmp_path / "file" / "page.html")])
    assert result.exit_code == 2
    assert "--report" in result.stderr
