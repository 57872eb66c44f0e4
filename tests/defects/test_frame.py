"""Every defect has a law, every law has a mutant, and a mutant that survives is a failure."""

from importlib import import_module
from pathlib import Path

import pytest

from tests.defects.frame import DEFECTS, defect

HERE = Path(__file__).resolve().parent


def held_by(module):
    """Numbers of the defects whose laws are in a module."""
    numbers = (getattr(thing, "defect", None) for thing in vars(module).values())
    return {number for number in numbers if isinstance(number, int)}


def test_defects__each__has_a_law_with_a_mutant():
    """None of the defects is only talked about, and each is where its number says."""
    held = {path.stem: held_by(import_module(f"tests.defects.{path.stem}")) for path in HERE.glob("test_d*.py")}
    assert {int(name[6:8]): numbers for name, numbers in held.items()} == {number: {number} for number in DEFECTS}


class Counter:
    step = 1


def test_mutant__survives__is_a_failure(monkeypatch):
    """A law that cannot tell the mutant from the keeper fails."""

    @defect(1, mutant=lambda patch: patch.setattr(Counter, "step", 2))
    def law():
        assert Counter.step > 0

    with pytest.raises(pytest.fail.Exception, match="survives its mutant"):
        law(subject="mutant", monkeypatch=monkeypatch)


def test_mutant__breaks_the_law__passes(monkeypatch):
    """A law that holds and that the mutant breaks is what we want."""

    @defect(1, mutant=lambda patch: patch.setattr(Counter, "step", 2))
    def law():
        assert Counter.step == 1

    law(subject="keeper", monkeypatch=monkeypatch)
    law(subject="mutant", monkeypatch=monkeypatch)
