"""The demo's smallest market behind HTTP, two hours after its opening: everything may be published again."""

from __future__ import annotations

import pytest

from keeper.domain.overrides import Override
from keeper.store import open_store
from tests.sites import keys_of, served, smallest_market


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The demo's smallest market two hours after its opening, so that everything may be published again."""
    world = smallest_market(points=3)
    with served(world, tmp_path_factory.mktemp("control"), keys_of(world)) as site:
        yield site


@pytest.fixture(autouse=True)
def _undone(site):
    """What a test does to the market is undone."""
    before = site.world.chain.snapshot()
    yield
    site.world.chain.revert(before)


@pytest.fixture
def floor_under(site):
    """Puts a floor under ETH's scan range, in the chain's time."""

    def put(name, floor_ppm):
        store = open_store(f"sqlite:///{site.folder}/{name}.toml.sqlite")
        now = site.world.chain.block().timestamp
        store.set_override(
            Override(
                number=0,
                underlying=0,
                parameter="psr",
                floor_ppm=floor_ppm,
                reason="a fork is announced",
                operator="alice",
                set_at_s=now - 1,
                expires_at_s=now + 86_400,
            )
        )
        store.close()

    return put
