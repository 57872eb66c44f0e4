"""A co-signer's own knobs, floors, gate and sign-off bind what it signs."""

from __future__ import annotations

import pytest

from keeper.domain.overrides import Override
from keeper.store import open_store
from tests.integration.quorum.papers import config, draft, shown, sign
from tests.sites import tree_of

pytestmark = [pytest.mark.chain, pytest.mark.timeout(120), pytest.mark.usefixtures("own_logging")]


def accepted(house, path, who, *, code=0):
    return tree_of("quorum", "sign", path, "--sign", "--accept-knobs", "-c", config(house, who), code=code)


def differing(tree, what):
    return {one["difference"]["name"] for one in tree["checks"] if one["what"] == what and one["difference"]}


def test_sign__drafted_with_other_knobs__named_and_not_signed_unless_accepted(house):
    """QCL-8: numbers may follow from their inputs and from knobs of nobody else's; each of those is named."""
    config(house, "bob", floor=60_000, gate="slow", share=1_000_000)
    _, path = draft(house, "publish", "ETH", "--for", "6h")
    refused = sign(house, path, "bob", code=2)
    assert refused["signed_by"] == []
    assert differing(refused, "knobs") == {
        "risk.psr_floor_ppm", "policy.impact_gate", "policy.impact_max_accounts_ppm",
        "policy.impact_max_requirement_ppm",
    }  # fmt: skip
    (said,) = refused["objections"]
    assert said.endswith("and 1 more; --accept-knobs signs it all the same")
    assert "risk.psr_floor_ppm: here 60000, its author's 120000" in shown(
        "quorum", "sign", path, "-c", config(house, "bob")
    )
    taken = accepted(house, path, "bob")
    assert taken["signed_by"] == [house.keys["bob"].address]
    assert taken["objections"] == []
    assert {one["what"] for one in taken["unattested"]} >= {"that the impact gate kept 100 % of the step"}


def test_sign__brings_down_whom_the_own_gate_spares__never_signed(house):
    """QCL-8: a drafter whose gate is open pushes nothing past a co-signer's, whatever knobs are accepted."""
    for point in house.world.path.points[3:11]:
        house.world.reach(point)
    config(house, "ann", floor=300_000)
    config(house, "bob", floor=300_000, gate="slow", share=0)
    _, path = draft(house, "publish", "BTC", "--for", "6h")
    for refused in (sign(house, path, "bob", code=2), accepted(house, path, "bob", code=2)):
        assert refused["signed_by"] == []
        assert differing(refused, "impact gate now") == {"publication"}
        assert any("this keeper's own impact gate does not let it pass" in one for one in refused["objections"])
    _, staged = draft(house, "stage", "BTC", "0", "--for", "6h", name="staged.json")
    refused = accepted(house, staged, "bob", code=2)
    assert differing(refused, "impact gate now") == {"publication"}, "a part is weighed as the whole that it belongs to"
    elsewhere = tree_of(
        "quorum", "sign", path, "--accept-knobs", "--member", house.keys["bob"].address, "-c", config(house, "bob"),
        code=2,
    )  # fmt: skip
    assert elsewhere["to_sign"] is None, "nor is it told what to sign elsewhere"


def test_sign__floor_of_the_drafter_alone__named_and_not_signed_unless_accepted(house):
    """QCL-8: a floor that one operator set is another's own only if that one set it too."""

    def floor(who):
        store, now = open_store(f"sqlite:///{config(house, who)}.sqlite"), house.world.chain.block().timestamp
        store.set_override(
            Override(
                number=0, underlying=0, parameter="psr", floor_ppm=140_000, reason="a test", operator=who,
                set_at_s=now, expires_at_s=now + 3_600,
            )
        )  # fmt: skip
        store.close()

    floor("ann")
    _, path = draft(house, "publish", "ETH", "--for", "6h")
    refused = sign(house, path, "bob", code=2)
    assert differing(refused, "floors") == {"floor of scan_range"}
    assert differing(refused, "knobs") == set()
    assert "floor of scan_range: here none, its author's 14 %" in shown(
        "quorum", "sign", path, "-c", config(house, "bob")
    )
    assert accepted(house, path, "bob")["signed_by"] == [house.keys["bob"].address]
    floor("cem")
    assert house.keys["cem"].address in sign(house, path, "cem")["signed_by"]


def test_sign__own_model_not_signed_off__not_signed(house):
    """QCL-8: each co-signer's own word on the model is asked for; an emergency needs none."""
    config(house, "cem", signed_off=False)
    _, path = draft(house, "publish", "ETH", "--for", "6h")
    refused = accepted(house, path, "cem", code=2)
    assert refused["signed_by"] == []
    assert any("not signed off" in one for one in refused["objections"])
    _, path = draft(house, "tighten", "ETH", "30%", "--now", "a test", name="tighten.json")
    assert sign(house, path, "cem")["signed_by"] == [house.keys["cem"].address]
