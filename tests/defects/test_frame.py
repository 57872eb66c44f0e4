"""Every defect has a law, every law has a mutant, and a mutant that survives is a failure."""

from importlib import import_module
from pathlib import Path

import pytest

from tests.defects.frame import DEFECTS, defect

HERE = Path(__file__).resolve().parent


def test_defects__each__has_a_law_with_a_mutant():
    """None of the defects is only talked about."""
    modules = [import_module(f"tests.defects.{path.stem}") for path in sorted(HERE.glob("test_d*.py"))]
    held = {number for module in modules for thing in vars(module).values() if (number := getattr(thing, "defect", 0))}
    assert held == set(DEFECTS)


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
