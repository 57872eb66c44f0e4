"""The rules of conftest.py hold: they are what makes a green run mean something."""

import socket
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

CONFTEST = Path(__file__).resolve().parent.parent / "conftest.py"


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project of its own that runs under our conftest, without the machine's tools."""
    monkeypatch.setenv("KEEPER_MARKET_DATA", str(pytester.path / "nowhere"))
    monkeypatch.setenv("REQUIRE_ALL", "")
    pytester.makeini("[pytest]\nmarkers =\n    needs_market_data: x\n    chain: x\n")
    pytester.makeconftest(CONFTEST.read_text(encoding="utf-8"))
    return pytester


def test_sockets__unit_test__closed():
    """A unit test that reaches for the network fails, even for this machine."""
    with socket.socket() as line, pytest.raises(RuntimeError, match="a unit test reached for"):
        line.connect(("127.0.0.1", 9))


@pytest.mark.chain
def test_sockets__chain_test__this_machine_only():
    """A test of an embedded chain may talk to this machine and to no other."""
    with socket.socket() as server, socket.socket() as line:
        server.bind(("127.0.0.1", 0))
        server.listen()
        line.connect(server.getsockname())
    with socket.socket() as line, pytest.raises(RuntimeError, match="not this machine"):
        line.connect(("192.0.2.1", 80))


@pytest.mark.parametrize("workers", ["0", "2"])
def test_absent_tool__skips_and_is_named(suite: pytest.Pytester, workers: str):
    """The end of a run names the absent tool, how many tests it kept out and how to add it."""
    suite.makepyfile(
        """
        import pytest

        @pytest.mark.needs_market_data
        @pytest.mark.parametrize("i", range(3))
        def test_data(i): ...

        def test_plain(): ...
        """
    )
    result = suite.runpytest_subprocess("-n", workers)
    result.assert_outcomes(passed=1, skipped=3)
    result.stdout.fnmatch_lines(["*recorded market data is absent: 3 test(s) not run. Add it: KEEPER_MARKET_DATA=*"])
    assert result.ret == pytest.ExitCode.OK


@pytest.mark.parametrize(
    ("body", "workers"), [("pytest.skip('later')", "2"), ("pytest.xfail('later')", "0")], ids=["skip", "xfail"]
)
def test_require_all__anything_left_out__fails(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, body: str, workers: str
):
    """In CI no test may quietly not run."""
    suite.makepyfile(f"import pytest\n\ndef test_plain(): ...\n\ndef test_x():\n    {body}\n")
    assert suite.runpytest_subprocess("-n", workers).ret == pytest.ExitCode.OK
    monkeypatch.setenv("REQUIRE_ALL", "1")
    result = suite.runpytest_subprocess("-n", workers)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*REQUIRE_ALL=1*"])


def test_require_all__everything_ran__passes(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    """With nothing left out, REQUIRE_ALL changes nothing."""
    monkeypatch.setenv("REQUIRE_ALL", "1")
    suite.makepyfile("def test_plain(): ...\n")
    assert suite.runpytest_subprocess().ret == pytest.ExitCode.OK
