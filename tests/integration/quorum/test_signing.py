"""Papers that are not to be signed or sent: a stranger's, expired, altered, or of another list of keepers."""

from __future__ import annotations

import json

import pytest

from tests.integration.quorum.papers import TWO, draft, says, send, sign

pytestmark = [pytest.mark.chain, pytest.mark.timeout(120), pytest.mark.usefixtures("own_logging")]


def test_sign__a_stranger_or_twice__refused(house):
    """QCL-2: only a keeper's key signs, and once."""
    _, path = draft(house, "tighten", "ETH", "30%", "--now", "a test")
    assert "no publisher key of this keeper is among the 3" in sign(house, path, "eve", code=2)["error"]["message"]
    sign(house, path, "ann")
    assert "signed it already" in sign(house, path, "ann", code=2)["error"]["message"]


def test_send__wrong_signer_duplicate_or_forged__refused_by_name(house):
    """QCL-2: a signature of nobody's, of somebody else's, or twice, counts for nothing and is named."""
    _, path = draft(house, "tighten", "ETH", "30%", "--now", "a test")
    sign(house, path, "ann")
    tree = json.loads(path.read_text())
    (ann,) = tree["signatures"]
    for more, said in (
        (ann, "signed twice: each keeper counts once"),
        ({**ann, "signer": house.keys["eve"].address}, "is no keeper of the quorum"),
        ({**ann, "signer": house.keys["bob"].address}, "is not its own, or over something else"),
        ({"signer": house.keys["bob"].address, "signature": "0x"}, "is not its own, or over something else"),
    ):
        path.write_text(json.dumps(tree | {"signatures": [ann, more]}))
        assert said in send(house, path, code=2)["reason"]
    assert says(house, "RiskParameters", "controls", 0)["emergencyPeakPpm"] == 0


def test_send__expired__refused(house):
    """QCL-3: what ran out is not sent, nor signed."""
    _, path = draft(house, "tighten", "ETH", "30%", "--for", "2m", "--now", "a test")
    for who in ("ann", "bob"):
        sign(house, path, who)
    house.world.chain.advance_to(house.world.chain.block().timestamp + 200)
    house.world.mine()
    assert "it expired" in send(house, path, code=2)["reason"]
    assert any("it expired" in one for one in sign(house, path, "cem", code=2)["objections"])


def test_send__keepers_named_between_signing_and_sending__refused(house):
    """QCL-3: under another list or quorum nothing that was signed before counts, be it by the same keepers."""
    _, path = draft(house, "tighten", "ETH", "30%", "--now", "a test")
    for who in ("ann", "bob"):
        sign(house, path, who)
    house.world.govern("KeeperQuorum", "setKeepers", house.keepers, TWO, 1)
    refused = send(house, path, code=2)
    assert "the keepers or their quorum were set anew since it was drafted (list 1, now 2)" in refused["reason"]
    assert says(house, "RiskParameters", "controls", 0)["emergencyPeakPpm"] == 0


def test_sign__altered_paper_or_other_numbers__refused(house):
    """QCL-4: what a paper shows and has signed is its call, here; a publication is what its inputs file gives."""
    _, path = draft(house, "publish", "ETH", "--for", "1h")
    original = path.read_text()

    def altered(change, code=2):
        tree = json.loads(original)
        change(tree)
        path.write_text(json.dumps(tree))
        return sign(house, path, "ann", code=code)

    domain = "typed_data", "domain"
    for change, said in (
        (lambda t: t["decoded"].update({"p.psrPpm": "1"}), "what the paper tells is not its call"),
        (lambda t: t["typed_data"]["message"].update({"id": 9}), "have you sign is not its call"),
        (lambda t: t["typed_data"]["domain"].update({"chainId": 1}), "the paper is for chain 1"),
        (
            lambda t: t[domain[0]][domain[1]].update({"verifyingContract": "0x" + "11" * 20}),
            "the paper is for the quorum",
        ),
        (lambda t: t.update({"call": "0x12345678"}), "none that a quorum makes"),
        (lambda t: t.update({"call": t["call"] + "00" * 32}), "holds bytes that are no argument"),
        (lambda t: t.update({"signatures": [{"signer": "ann"}]}), "names no address"),
        (lambda t: t.update({"typed_data": []}), "lacks typed_data"),
    ):
        assert said in altered(change)["error"]["message"]
    path.write_text(original)
    beside = house.papers / "paper.inputs.json"
    file = json.loads(beside.read_text())
    file["policy"]["loosen_step_ppm"] += 1
    beside.write_text(json.dumps(file, separators=(",", ":")))
    differs = sign(house, path, "ann", code=4)
    assert next(one["what"] for one in differs["checks"] if one["difference"]) == "inputs hash"
    assert differs["signed_by"] == []
    beside.unlink()
    assert "cannot be read" in sign(house, path, "ann", code=2)["error"]["message"]
