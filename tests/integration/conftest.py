"""What several files of these tests are about, made once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.governed import Governed


@pytest.fixture(scope="session")
def a_governed_house() -> Governed:
    """A small house that was handed over to its governor."""
    return Governed()


@pytest.fixture
def governed(a_governed_house: Governed) -> Iterator[Governed]:
    """The house as it was handed over; what a test did is undone."""
    before = a_governed_house.chain.snapshot()
    yield a_governed_house
    a_governed_house.chain.revert(before)
