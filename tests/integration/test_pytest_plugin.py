"""The shipped fixtures, used as a user uses them: the examples of keeper/testing/README.md are run as they stand."""

import re
from pathlib import Path

import pytest

from keeper.testing.anvil import AnvilChain

pytest_plugins = ["pytester"]

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "keeper" / "testing" / "README.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
TESTS = [one for one in EXAMPLES if "def test_" in one]
SCRIPTS = [one for one in EXAMPLES if "def test_" not in one]


def run(pytester, *options):
    return pytester.runpytest_subprocess("-p", "no:randomly", "-W", "error", *options)


def test_readme__its_tests__pass_in_a_users_project(pytester, monkeypatch):
    """What the guide shows works in a project that has nothing but the wheel's plugin."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makepyfile(test_my_keeper=TESTS[0])
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


@pytest.mark.needs_anvil
def test_readme__its_fork_tests__pass_and_undo_themselves(pytester, monkeypatch):
    """The fixture `fork` works out of the box, in this process and in anvil, and each test gets a fresh one."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makepyfile(test_my_incident=TESTS[1])
    pytester.makepyfile(
        test_fresh="""
        import pytest

        seen = set()

        @pytest.mark.parametrize("time", [1, 2])
        @pytest.mark.parametrize("kind", ["fork", "anvil_fork"])
        def test_each_starts_where_the_other_did(request, kind, time, fork_upstream):
            chain = request.getfixturevalue(kind)
            seen.add(chain.block())
            assert len(seen) == 1
            assert chain.block().number == fork_upstream.number
            sent = chain.send(sender=chain.accounts[1], to=chain.accounts[2], value=1, gas=21_000)
            snapshot = chain.snapshot()
            chain.mine(3)
            chain.revert(snapshot)
            assert chain.receipt(sent)["blockNumber"] == hex(fork_upstream.number + 1)
        """
    )
    run(pytester).assert_outcomes(passed=7)


@pytest.mark.needs_anvil
def test_plugin__fork_of_a_node__recorded_and_run_again_without_it(pytester, monkeypatch):
    """A run with a URL and a file writes the file; the next has the file alone, and the node is gone."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makepyfile(
        """
        def test_it(fork):
            rich = "0x" + "77" * 20
            assert fork.block().number == 3
            assert fork.request("eth_getBalance", rich, "latest") == hex(5)
            sent = fork.send(sender=fork.accounts[0], to=rich, value=2, gas=21_000)
            assert fork.receipt(sent)["blockNumber"] == "0x4"
            assert fork.request("eth_getBalance", rich, "latest") == hex(7)
        """
    )
    with AnvilChain(accounts=2) as node:
        node.mine(2)
        node.send(sender=node.accounts[0], to="0x" + "77" * 20, value=5, gas=21_000)
        node.mine(4)
        options = ("--keeper-fork-url", node.url, "--keeper-fork-block", "3")
        run(pytester, *options, "--keeper-fork-file", "kept.json").assert_outcomes(passed=1)
    run(pytester, "--keeper-fork-file", "kept.json").assert_outcomes(passed=1)
    pytester.makepyfile(test_anvil="def test_it(anvil_fork):\n    pass\n")
    refused = run(pytester, "--keeper-fork-file", "kept.json", "-k", "anvil")
    refused.assert_outcomes(errors=1, deselected=1)
    refused.stdout.fnmatch_lines(["*anvil cannot stand on a recording*"])


@pytest.mark.parametrize("source", SCRIPTS, ids=lambda source: source.split("\n")[0][:40])
def test_readme__its_scripts__run(source, capsys):
    """Every other example of the guide runs as it stands."""
    exec(compile(source, str(README), "exec"), {})
