"""What the running keeper does where the publisher's role is with a quorum."""

from __future__ import annotations

import pytest

from keeper.deploy.house import ROLES
from tests.integration.quorum.papers import config
from tests.sites import tree_of

pytestmark = [pytest.mark.chain, pytest.mark.timeout(120), pytest.mark.usefixtures("own_logging")]


def test_check_and_keys__role_with_the_quorum__sound_with_the_command(house):
    """QCL-5: the keeper could run; the check tells how publications go."""
    findings = {one["what"]: one for one in tree_of("check", "-c", config(house, "ann"))["findings"]}
    assert "of whom this key is one" in findings["publisher key"]["said"]
    assert "keeper quorum draft publish" in findings["publisher key"]["hint"]
    tested = tree_of("keys", "test", "--role", "publisher", "-c", config(house, "ann"))["keys"][0]
    assert "publishes with the quorum of keepers" in tested["said"]


def test_once_and_push__role_with_the_quorum__said_and_nothing_tried(house):
    """QCL-5: neither the loop nor a push by hand sends what must revert; the loop's other duties go on."""
    settings = config(house, "ann")
    lived = tree_of("once", "-c", settings)
    assert "publish" not in {one["kind"] for one in lived["actions"]}
    (said,) = [one for one in lived["alerts"] if one.startswith("no publication and no add-on is sent")]
    assert house.at in said
    assert "keeper quorum draft publish" in said
    assert any("ETH: a publication is due and left to those who may" in one for one in lived["alerts"])
    eth = tree_of("push", "--underlying", "ETH", "--send", "-c", settings, code=2)["pushes"][0]
    assert (eth["state"], eth["hash"]) == (None, None)
    assert "keeper quorum draft publish" in eth["reason"]
    assert eth["preview"]["ok"] is True, "what would be published is shown all the same"


def test_once__governance_gives_a_key_the_role__published_from_that_block_on(house):
    """QCL-5: who may publish is read with every block, in its one round trip."""
    settings = config(house, "ann")
    house.world.govern("RiskParameters", "grantRole", ROLES["PUBLISHER_ROLE"], house.keys["ann"].address)
    lived = tree_of("once", "-c", settings)
    assert "publish" in {one["kind"] for one in lived["actions"]}
    assert not [one for one in lived["alerts"] if "left to those who may" in one]
