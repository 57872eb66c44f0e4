"""A market with accounts that a governor governs, behind HTTP."""

from __future__ import annotations

import pytest

from keeper.testing.http_node import HttpNode
from tests.governed import Crowd, Governed
from tests.sites import settings_in


@pytest.fixture(scope="session")
def a_served_market(tmp_path_factory):
    governed = Governed(house=Crowd())
    governed.folder = tmp_path_factory.mktemp("market")
    with HttpNode(governed.chain.node) as node:
        governed.settings = settings_in(governed.folder, node.url, governed.deployment)
        yield governed


@pytest.fixture
def market(a_served_market):
    """As it was opened; what a test did is undone."""
    before = a_served_market.chain.snapshot()
    yield a_served_market
    a_served_market.chain.revert(before)
