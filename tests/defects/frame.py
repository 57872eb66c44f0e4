"""A defect seen in a live bot, as a law that we keep and a mutant that breaks it.

    def forgets_older_attempts(patch):
        patch.setattr(Settlement, "_find", _only_the_newest)

    @defect(4, mutant=forgets_older_attempts)
    def test_mined_under_an_earlier_hash__is_success(): ...

The law runs twice: on the keeper, where it must hold, and on the mutant, a copy of the defect that replaces the part of
the keeper that avoids it, where it must fail.  A law that a mutant survives proves nothing, so that is a failure too.
Build the world inside the law: the mutant is in place before it runs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

#: The defects, in the words of those who suffered them.
DEFECTS = {
    1: "a transient read error dropped or demoted an account",
    2: "two events for one account in one window, and only the first was evaluated",
    3: "one chain that failed stopped another",
    4: "a transaction mined under an earlier hash counted as failed",
    5: "a transaction that timed out jammed the queue",
    6: "a receipt lost to a reorg was never looked for again, and its decisions stayed",
    7: "kill -9 between sign, send and record lost or repeated a transaction",
    8: "a partial write left a state that could not be read",
    9: "many false positives killed a worker",
    10: "a transaction that never mined held its worker for ever, silently",
    11: "a config key had no effect",
    12: "an empty or failed fetch at boot was taken for no accounts",
    13: "profit was measured at the wrong address",
    14: "item k failed, and k + 1 was never tried",
    15: "a node that answered 200 with an old head was believed; two that disagreed did not stop a send",
    16: "a WebSocket dropped for n blocks, and what happened in them was lost",
    17: "the nonce counter ran ahead of the chain and never came back",
    18: "the protocol changed its own parameters, and nobody noticed",
    19: "each field in range, their combination out of it",
    20: "micro-steps walked past the bound of one step",
    21: "a proposal that no longer simulated was executed",
    22: "off-chain rounding differed from the contract's",
    23: "accounts closed while events were missed stayed for ever",
    24: "frozen was overwritten",
    25: "a missing price was taken for safe, or for a reason to liquidate",
}

#: What a broken law looks like: a failed assertion, or the keeper's own loud refusal to go on.
BROKEN = (AssertionError, pytest.fail.Exception)


def defect(
    number: int, *, mutant: Callable[[pytest.MonkeyPatch], None], breaks: tuple[type[BaseException], ...] = BROKEN
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make two tests of a law: it holds for the keeper, and it fails for the mutant.

    Args:
        number: which of `DEFECTS`.
        mutant: puts the defect in.
        breaks: what the law may raise under the mutant; anything else is an error of the test.
    """
    assert number in DEFECTS

    def wrap(law: Callable[..., None]) -> Callable[..., None]:
        def run(subject: str, monkeypatch: pytest.MonkeyPatch, **fixtures: Any) -> None:
            if subject == "keeper":
                law(**fixtures)
                return
            mutant(monkeypatch)
            try:
                law(**fixtures)
            except breaks:
                return
            pytest.fail(f"the law survives its mutant: {DEFECTS[number]}")

        own = [p for name, p in inspect.signature(law).parameters.items() if name not in ("subject", "monkeypatch")]
        kind = inspect.Parameter.KEYWORD_ONLY
        taken = [inspect.Parameter(name, kind) for name in ("subject", "monkeypatch")]
        run.__signature__ = inspect.Signature([*taken, *(p.replace(kind=kind) for p in own)])  # type: ignore[attr-defined]  # pytest reads it off the function
        run.__name__, run.__doc__, run.__module__ = law.__name__, law.__doc__, law.__module__
        run.defect = number  # type: ignore[attr-defined]  # pytest reads it off the function
        for mark in getattr(law, "pytestmark", []):
            run = getattr(pytest.mark, mark.name)(*mark.args, **mark.kwargs)(run)
        return pytest.mark.parametrize("subject", ["keeper", "mutant"])(run)

    return wrap
