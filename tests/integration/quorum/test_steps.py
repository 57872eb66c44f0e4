"""A publication in steps, each of them a paper of its own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keeper.control.papers import dump, read
from tests.integration.quorum.papers import config, draft, quorum_of, says, send, sign, through, told_of
from tests.sites import tree_of

pytestmark = [pytest.mark.chain, pytest.mark.timeout(120), pytest.mark.usefixtures("own_logging")]


def test_publish_in_steps__each_on_paper__live_with_the_flip_alone(house):
    """QCL-6: stage, the expiries and the flip each take two keepers, who derive what each step carries."""
    whole, _ = draft(house, "publish", "ETH", "--for", "6h", name="whole.json")
    count = sum(name.endswith(".expiry") for name in whole["decoded"])
    staged, path = draft(house, "stage", "ETH", "1", "--for", "6h", name="staged.json")
    assert staged["decoded"]["p.psrPpm"] == whole["decoded"]["p.psrPpm"]
    assert sum(name.endswith(".expiry") for name in staged["decoded"]) == 1
    beside = house.papers / "staged.inputs.json"
    before = says(house, "RiskFile", "slew", 0)["psrPpm"]
    checked = through(house, path)
    assert {"inputs hash", "pushed integers"} <= {one["what"] for one in checked["checks"]}
    _, rows = draft(house, "expiries", "ETH", f"2-{count}", "--inputs", beside, name="rows.json")
    checked = through(house, rows)
    assert {"last target", "pushed integers"} <= {one["what"] for one in checked["checks"]}
    assert says(house, "RiskFile", "slew", 0)["psrPpm"] == before, "nothing is live yet"
    flip, path = draft(house, "flip", "ETH", name="flip.json")
    assert flip["tried"] == "it would pass now"
    checked = through(house, path)
    assert {one["what"] for one in checked["checks"]} >= {
        "inputs hash",
        "state on the chain",
        "fit run again",
        "pushed integers",
        "knobs",
        "floors",
        "impact gate now",
    }, "QCL-10: the staged publication is derived again, from the file that was kept with the signature on the stage"
    assert says(house, "RiskFile", "slew", 0)["psrPpm"] == int(whole["decoded"]["p.psrPpm"])
    verified = tree_of("verify", staged["inputs_hash"], "-c", config(house, "ann"))
    assert verified["first_difference"] is None


def test_publish_in_steps__rows_that_the_file_does_not_give__not_signed(house):
    """QCL-6: rows carry no hash, and are derived all the same: other numbers, or another file's, are not signed."""
    _, path = draft(house, "stage", "ETH", "--for", "6h", name="staged.json")
    beside = house.papers / "staged.inputs.json"
    _, rows = draft(house, "expiries", "ETH", "1-2", "--inputs", beside, name="rows.json")
    quorum = quorum_of(house)
    found = read(rows)
    words = quorum.words(found.call)
    (expiry, phi, df, sigma, smile), *rest = words.raw[1]
    altered = quorum.call(
        "stageExpiries", 0, [(expiry, phi, df, sigma + 1, smile), *rest],
        nonce=words.nonce, valid_until=words.valid_until,
    )  # fmt: skip
    rows.write_text(dump(replace(found, call=altered, typed=quorum.typed(altered), decoded=told_of(quorum, altered))))
    refused = sign(house, rows, "ann", code=4)
    (wrong,) = [one for one in refused["checks"] if one["difference"]]
    assert wrong["difference"]["name"].endswith("sigma_atm_ppm")
    assert refused["signed_by"] == []
    rows.write_text(dump(found))
    through(house, path)  # the nonce that they were drafted with is used now
    assert "it was used" in " ".join(sign(house, rows, "ann", code=2)["objections"])


def test_flip__nothing_staged__said_before_anybody_signs(house):
    """QCL-6: what would become of a call now is told when it is drafted, looked at and signed."""
    flip, path = draft(house, "flip", "ETH")
    assert "would revert: NothingStaged" in flip["tried"]
    refused = sign(house, path, "ann", code=2)
    assert refused["objections"] == ["nothing of ETH is staged"], "QCL-10"
    assert refused["signed_by"] == []


def test_flip__by_who_signed_no_step__asks_for_the_file(house):
    """QCL-10: a store that never kept what is staged signs its flip with the file in hand, and not without."""
    whole, path = draft(house, "publish", "ETH", "--for", "6h", name="whole.json")
    count = sum(name.endswith(".expiry") for name in whole["decoded"])
    _, path = draft(house, "stage", "ETH", count, "--for", "6h", name="staged.json")
    through(house, path)
    _, path = draft(house, "flip", "ETH", name="flip.json")
    refused = sign(house, path, "cem", code=2)
    assert "which this store does not have" in refused["error"]["message"], "QCL-10"
    given = sign(house, path, "cem", inputs=("--inputs", house.papers / "staged.inputs.json"))
    assert given["signed_by"] == [house.keys["cem"].address], "QCL-10"
    assert any(one["what"] == "impact gate now" for one in given["checks"]), "QCL-10"


def test_flip__brings_down_whom_the_own_gate_spares__never_signed(house):
    """QCL-10: numbers that others staged are weighed by each co-signer's own gate before they bind."""
    for point in house.world.path.points[3:11]:
        house.world.reach(point)
    for who in ("ann", "cem"):
        config(house, who, floor=300_000)
    config(house, "bob", floor=300_000, gate="slow", share=0)
    whole, _ = draft(house, "publish", "BTC", "--for", "6h", name="whole.json")
    count = sum(name.endswith(".expiry") for name in whole["decoded"])
    _, path = draft(house, "stage", "BTC", count, "--for", "6h", name="staged.json")
    for who in ("ann", "cem"):
        sign(house, path, who)
    assert send(house, path)["state"] == "sent"
    house.world.mine()
    _, path = draft(house, "flip", "BTC", name="flip.json")
    beside = ("--accept-knobs", "--inputs", house.papers / "staged.inputs.json")
    refused = sign(house, path, "bob", code=2, inputs=beside)
    assert refused["signed_by"] == [], "QCL-10"
    (wrong,) = [one for one in refused["checks"] if one["what"] == "impact gate now"]
    assert wrong["difference"]["name"] == "publication", "QCL-10"
    assert any("this keeper's own impact gate does not let it pass" in one for one in refused["objections"])
    assert sign(house, path, "cem")["signed_by"] == [house.keys["cem"].address], "whose gate is off"


def test_flip__not_all_of_it_staged__not_what_its_inputs_file_gives(house):
    """QCL-10: rows that were left out, or came from elsewhere, are told before anybody signs the flip."""
    _, path = draft(house, "stage", "ETH", "1", "--for", "6h", name="staged.json")
    through(house, path)
    _, path = draft(house, "flip", "ETH", name="flip.json")
    refused = sign(house, path, "ann", code=4)
    assert refused["signed_by"] == [], "QCL-10"
    (wrong,) = [one for one in refused["checks"] if one["what"] == "pushed integers"]
    assert wrong["difference"]["theirs"] == "not published", "QCL-10"
