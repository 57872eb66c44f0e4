"""The golden cases in tests/cases/exact.json are what the twin says; forge replays the same file."""

from __future__ import annotations

import json

from tests.cases import make_exact


def test_exact_cases__regenerated__same_bytes() -> None:
    """PAR-1: the committed cases are the twin's own, so that both languages are held to one file."""
    assert json.loads(make_exact.PATH.read_text(encoding="utf-8")) == {"cases": make_exact.cases()}
