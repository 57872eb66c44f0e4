"""Lives under faults, restarts and deaths, few enough for every run of the suite; `make chaos` lives ten thousand."""

import pytest

from keeper.chain.sending.kept import Kept
from keeper.chain.sending.launch import Launcher
from keeper.chain.sending.upkeep import Upkeep
from keeper.domain.tx import TxState
from keeper.testing.chaos import __main__ as command
from keeper.testing.chaos.crossings import BOUNDARIES
from keeper.testing.chaos.killed import KILLABLE, Graveyard
from keeper.testing.chaos.run import Total, live, run, summary
from keeper.testing.chaos.scenario import SUBSCRIBED, TARGETS, draw
from keeper.testing.faults import CATALOGUE

pytestmark = pytest.mark.chain

SEED = 20
#: One scenario a target, and some.
SCENARIOS = len(TARGETS) + 5


def test_chaos__every_target_once__all_laws_hold_and_nothing_was_never_struck():
    """CHAOS-1 to CHAOS-6: drained, one end a nonce, nothing twice, the chain's own set, nobody healthy."""
    total = run(scenarios=SCENARIOS, kills=0, seed=SEED, workers=2, progress=lambda *_: None)
    assert total.broken == []
    assert total.zeros(scenarios=True, kills=False) == []
    assert total.scenarios >= SCENARIOS
    assert total.liquidations > total.scenarios
    assert "0 broken, 0 never struck" in summary(total, seed=SEED, zeros=[], seconds=1.0)


@pytest.mark.parametrize("first", [0, len(KILLABLE) // 2])
def test_chaos__real_sigkills__the_second_life_comes_to_rest(first):
    """CHAOS-7: whatever a process that was killed left in its file and on the chain, the next one ends it well."""
    with Graveyard() as graveyard:
        killed = [graveyard.kill(SEED, number) for number in range(first, first + 6)]
    assert [one.broken for one in killed] == [[]] * 6
    assert sum(one.died for one in killed) >= 4


def test_targets__every_fault_that_a_polling_keeper_meets_and_every_boundary__are_tried():
    """What is not a target is never missed when it stays silent."""
    assert {target.fault for target in TARGETS} - {""} == set(CATALOGUE) - SUBSCRIBED
    assert {target.boundary for target in TARGETS} - {""} == set(BOUNDARIES)


def test_scenario__same_two_numbers__same_scenario_and_same_life():
    """A failing run is a command line."""
    first, again = live(SEED, 3), live(SEED, 3)
    assert str(first.scenario) == str(again.scenario) == str(draw(SEED, 3))
    assert (first.faults, first.crossed, first.transactions) == (again.faults, again.crossed, again.transactions)


# Broken keepers


def lives(*words):
    """The laws broken in the scenarios that aim at any of these words."""
    wanted = [place for place, target in enumerate(TARGETS) if any(word in str(target) for word in words)]
    numbers = [place + turn * len(TARGETS) for turn in range(3) for place in wanted]
    return [line for number in numbers for line in live(SEED, number).broken]


def test_mutant__signs_before_it_writes_down__acts_twice(monkeypatch):
    """A keeper that broadcasts what its store does not know of sends it again after its death."""
    honest, unwritten = Kept.save, {}

    def save(self, record):
        key = record.intent.key
        if record.state is TxState.SIGNED and len(record.attempts) == 1:
            unwritten[key] = record
            return self._note(record)
        if key in unwritten:
            honest(self, unwritten.pop(key))
        return honest(self, record)

    monkeypatch.setattr(Kept, "save", save)
    assert any("happened" in line for line in lives("after eth_sendRawTransaction", "before store sent"))


def test_mutant__pushes_old_bytes_without_asking__a_healthy_account_is_sent_a_liquidation(monkeypatch):
    """CHAOS-8: the re-broadcast is held to the same law as the first send."""
    monkeypatch.setattr(Upkeep, "_unwanted", lambda *_, **__: "")
    assert any("was healthy" in line for line in lives("abandoned", "swallowed", "evicted"))


def test_mutant__never_launches_what_is_planned__not_drained(monkeypatch):
    """An intent that stays where it is breaks a law, and the run fails."""
    launch = Launcher.launch

    def once(self, record, head):
        return (
            record if head is not None and head.number > record.intent.decided_at.number else launch(self, record, head)
        )

    monkeypatch.setattr(Launcher, "launch", once)
    assert any("not drained" in line for line in lives("store planned", "timeout"))


# The command


def test_command__only__tells_one_scenario_in_full(capsys):
    """`--only` prints the scenario, what struck it, and the verdict."""
    assert command.main(["--seed", str(SEED), "--only", "3"]) == 0
    told = capsys.readouterr().out
    assert str(draw(SEED, 3)) in told
    assert "all laws held" in told


def test_command__only_of_a_broken_keeper__1(capsys, monkeypatch):
    """A broken law is an exit code."""
    monkeypatch.setattr(Launcher, "launch", lambda _self, record, _head: record)
    assert command.main(["--seed", str(SEED), "--only", "3"]) == 1
    assert "not drained" in capsys.readouterr().out


@pytest.mark.parametrize(
    "argv", [["-n", "-1"], ["--workers", "0"], ["--only", "-3"], ["-n", "few"], ["-n", "0", "--kills", "0"], ["--what"]]
)
def test_command__arguments_that_mean_nothing__2(argv, capsys):
    """Bad arguments are told from broken laws."""
    with pytest.raises(SystemExit) as ended:
        command.main(argv)
    assert ended.value.code == 2
    assert "usage" in capsys.readouterr().err


@pytest.mark.parametrize("missed", [False, True])
def test_command__something_was_never_struck__1(missed, capsys, monkeypatch):
    """A run that did not try what it promises proves nothing (CHAOS-10)."""
    total = Total(scenarios=7)
    for target in TARGETS[1:] if missed else TARGETS:
        total.deaths[target.boundary] += bool(target.boundary)
        total.faults[target.fault, target.method or "x"] += bool(target.fault)
    monkeypatch.setattr(command, "run", lambda **_: total)
    assert command.main(["-n", "7", "--kills", "0", "--workers", "1"]) == int(missed)
    told = capsys.readouterr().out
    assert (f"NEVER STRUCK: {TARGETS[0]}" in told) is missed

    assert told.splitlines()[-1].startswith("chaos: 7 scenarios")
