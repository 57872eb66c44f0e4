"""`keeper run --send` beside another keeper: told, never refused."""

import pytest

from keeper.cli.run import beside

NOW = 1_900_000_000


@pytest.mark.parametrize(("ago_s", "told"), [(-3, True), (0, True), (59, True), (60, False), (9_000, False)])
def test_beside__heartbeat_of_an_age__told_while_it_is_fresh(ago_s, told):
    """Two keepers on one store waste gas; one restarted after kill -9 must not wait, so it is only told."""
    said = beside({"loop": (NOW - ago_s, 7)}, now_s=NOW, every_s=30)
    assert bool(said) is told
    assert not told or f"{max(0, ago_s)} s ago" in said


def test_beside__new_store__nothing_told():
    """No heartbeat, nobody there."""
    assert beside({}, now_s=NOW, every_s=30) == ""
