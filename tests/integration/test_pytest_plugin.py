"""The shipped fixtures, used as a user uses them: the examples of keeper/testing/README.md are run as they stand."""

import re
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "keeper" / "testing" / "README.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
TESTS = [one for one in EXAMPLES if "def test_" in one]
SCRIPTS = [one for one in EXAMPLES if "def test_" not in one]


def run(pytester, *options):
    return pytester.runpytest_subprocess("-p", "keeper.pytest_plugin", "-p", "no:randomly", "-W", "error", *options)


def test_readme__its_tests__pass_in_a_users_project(pytester, monkeypatch):
    """What the guide shows works in a project that has nothing but the wheel's plugin."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (source,) = TESTS
    pytester.makepyfile(test_my_keeper=source)
    pytester.makepyfile(
        test_undone="""
        import pytest

        seen = []

        @pytest.mark.parametrize("time", [1, 2])
        def test_each_starts_where_the_other_did(time, deployed_protocol, chain):
            seen.append(deployed_protocol.chain.block())
            deployed_protocol.set_price("ETH", time)
            deployed_protocol.mine(3)
            assert deployed_protocol.price("ETH") == time
            assert set(seen) == {seen[0]}
            assert chain.block().number == 0
        """
    )
    pytester.makepyfile(
        test_faults="""
        import pytest

        @pytest.fixture
        def fault_plan():
            return "3: timeout[eth_getBlockByNumber]%0.2; base_fee_spike*1{gwei=50}"

        def test_told(keeper_under_test):
            keeper_under_test.advance(6)
            (node,) = keeper_under_test.faults
            assert node.ledger.of("timeout")
            assert node.ledger.of("base_fee_spike") == 1
            assert keeper_under_test.records
        """
    )
    run(pytester, "-s").assert_outcomes(passed=6)


def test_plugin__fault_plan_option__is_the_plan(pytester, monkeypatch):
    """A failing run is a command line: the option is the plan unless a test has one of its own."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    plan = "3: timeout%0.2; base_fee_spike*1{gwei=50}"
    pytester.makepyfile(f"def test_it(fault_plan):\n    assert fault_plan == {plan!r}\n")
    run(pytester, "--fault-plan", plan).assert_outcomes(passed=1)


def test_plugin__anvil_absent__skips_with_the_command_and_fails_under_require_all(pytester, monkeypatch):
    """An absent tool is named with what adds it; where everything is required it is a failure."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeconftest("import keeper.testing.anvil as a\na.find_anvil = lambda: None\n")
    pytester.makepyfile("def test_it(anvil):\n    assert anvil.block().number == 0\n")
    monkeypatch.delenv("REQUIRE_ALL", raising=False)
    skipped = run(pytester, "-rs")
    skipped.assert_outcomes(skipped=1)
    skipped.stdout.fnmatch_lines(["*anvil is absent: make setup-node*"])
    monkeypatch.setenv("REQUIRE_ALL", "1")
    run(pytester).assert_outcomes(errors=1)


@pytest.mark.needs_anvil
def test_plugin__anvil_there__a_chain_like_the_other(pytester, monkeypatch):
    """Where anvil is, the fixture is a chain with the interface of the embedded one."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture(params=["chain", "anvil"])
        def either(request):
            return request.getfixturevalue(request.param)

        def test_it(either):
            head = either.mine(2)
            sent = either.send(sender=either.accounts[1], to=either.accounts[2], value=1, gas=21_000)
            assert either.receipt(sent)["blockNumber"] == hex(head.number + 1)
        """
    )
    run(pytester).assert_outcomes(passed=2)


@pytest.mark.parametrize("source", SCRIPTS, ids=lambda source: source.split("\n")[0][:40])
def test_readme__its_scripts__run(source, capsys):
    """Every other example of the guide runs as it stands."""
    exec(compile(source, str(README), "exec"), {})
