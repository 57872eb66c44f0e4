import pytest

from keeper.testing.harness import Harness


@pytest.fixture(scope="session")
def harness():
    """The contracts' arithmetic, in batches."""
    return Harness()
