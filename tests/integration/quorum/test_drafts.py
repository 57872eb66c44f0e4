"""Publications and emergencies that take two of three keepers, drafted, signed and sent as their operators do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keeper.control.papers import dump, read
from keeper.policy.tightened import at_peak
from keeper.protocols.clearinghouse.markets import rules_of
from tests.integration.quorum.papers import TWO, config, draft, quorum_of, says, send, shown, sign, through
from tests.sites import tree_of

pytestmark = [pytest.mark.chain, pytest.mark.timeout(120), pytest.mark.usefixtures("own_logging")]


def test_show__keepers_quorums_nonces_and_who_holds_what(house):
    tree = tree_of("quorum", "show", "-c", config(house, "ann"))
    assert [one["address"] for one in tree["keepers"]] == house.keepers
    assert [one["address"] for one in tree["keepers"] if one["own"]] == [house.keys["ann"].address]
    assert (tree["to_publish"], tree["to_tighten"], tree["list"]) == (TWO, TWO, 1)
    holders = {(one["role"], one["name"]) for one in tree["roles"]}
    assert {("PUBLISHER_ROLE", "KeeperQuorum"), ("EMERGENCY_ROLE", "KeeperQuorum")} <= holders
    assert not [one for one in tree["roles"] if one["holder"] == house.keys["ann"].address], "no key publishes"
    assert "2 of 3 keepers publish" in shown("quorum", "show", "-c", config(house, "ann"))


def test_publish__through_the_papers__two_keepers_derive_and_sign_anyone_sends(house):
    """QCL-1: what one key would push goes live by two signatures; each keeper derived every number by itself."""
    drafted, path = draft(house, "publish", "ETH", "--for", "6h")
    assert drafted["objections"] == []
    assert 60_000 < int(drafted["decoded"]["p.psrPpm"]) < 120_000
    refused = send(house, path, code=2)
    assert "it has 0 of the 2 signatures it takes" in refused["reason"]
    looked = tree_of("quorum", "sign", path, "-c", config(house, "ann"))
    assert (looked["signed_by"], looked["files"]) == ([], []), "nothing is signed without --sign"
    assert [one["what"] for one in looked["checks"] if one["difference"]] == []
    assert {"inputs hash", "state on the chain", "pushed integers"} <= {one["what"] for one in looked["checks"]}
    copy = house.papers / "copy.json"
    copy.write_text(path.read_text())
    sign(house, path, "ann")
    beside = house.papers / "paper.inputs.json"
    sign(house, copy, "cem", inputs=("--inputs", beside))
    dry = send(house, path, copy, leaves=False)
    assert (dry["reason"], dry["hash"]) == ("dry run: would be sent", None)
    sent = send(house, path, copy)
    assert sent["state"] == "sent", sent
    house.world.mine()
    assert says(house, "RiskFile", "slew", 0)["psrPpm"] == int(drafted["decoded"]["p.psrPpm"])
    verified = tree_of("verify", drafted["inputs_hash"], "-c", config(house, "ann"))
    assert verified["first_difference"] is None, "the drafter's store kept the inputs"
    again = send(house, path, copy, code=2)
    assert "it was used" in again["reason"]


def test_tighten__through_the_papers__the_emergency_stands(house):
    """QCL-1: two keepers call an emergency from the command line."""
    _, path = draft(house, "tighten", "ETH", "30%", "--for", "30m", "--now", "a bridge is drained")
    sign(house, path, "bob")
    done = sign(house, path, "cem")
    assert done["complete"] is True
    assert "30.00 %" in shown("quorum", "sign", path, "-c", config(house, "ann"))
    assert send(house, path)["state"] == "sent"
    house.world.mine()
    assert says(house, "RiskParameters", "controls", 0)["emergencyPeakPpm"] == 300_000


def test_tighten__drafted_and_looked_at__whom_it_brings_down_is_shown(house):
    """QCL-9: an emergency that doubles maintenance says whom it liquidates before anybody signs it."""
    drafted, path = draft(house, "tighten", "ETH", "100%", "--now", "a test")
    found = drafted["effect"]
    assert found["below_mm"] == len(found["newly_below_mm"]) > 0, "QCL-9"
    assert int(found["mm_after"]["wad"]) > 1.5 * int(found["mm_before"]["wad"]), "what they hold of BTC is as before"
    told = shown("quorum", "sign", path, "-c", config(house, "bob"))
    assert f"{found['below_mm']} newly below maintenance" in told
    assert found["newly_below_mm"][0]["account"] in told
    less, _ = draft(house, "tighten", "ETH", "1%", "--now", "a test", name="less.json")
    assert less["effect"]["below_mm"] < found["below_mm"]
    addon, _ = draft(house, "addon", "ETH", "50%", "--now", "a test", name="addon.json")
    wider = {name: int(addon["effect"][name]["wad"]) for name in ("mm_before", "mm_after", "im_before", "im_after")}
    assert wider["mm_after"] == wider["mm_before"], "QCL-9: IM alone"
    assert wider["im_after"] > 1.2 * wider["im_before"], "QCL-9"
    whole, _ = draft(house, "publish", "ETH", "--for", "6h", name="whole.json")
    assert whole["effect"] is whole["effect_unknown"] is None, "the gate weighs that"


def test_tighten__at_its_peak__the_contracts_factors_are_those_that_were_replayed(house):
    """QCL-9: over an emergency that stands, as the contract has it an hour later, to the ppm."""
    for words in (("tighten", "ETH", "13.5%"), ("tighten", "ETH", "61.7%")):
        bound = rules_of(says(house, "RiskParameters", "effective", 0))
        standing = says(house, "RiskParameters", "controls", 0)
        _, path = draft(house, *words, "--now", "a test", name=f"{words[0]}{words[2]}.json")
        through(house, path)
    bare = rules_of(says(house, "RiskParameters", "config", 0))
    expected = at_peak(bound, bare, im_ppm=standing["emergencyImPpm"], peak_ppm=617_000)
    called = says(house, "RiskParameters", "controls", 0)["emergencyCalledAt"]
    house.world.chain.advance_to(called + 3_600)
    house.world.mine()
    seen = rules_of(says(house, "RiskParameters", "effective", 0))
    drift = house.world.chain.block().timestamp - called - 3_600
    assert 0 <= drift < 60
    assert expected.kappa_ppm - seen.kappa_ppm in range(2 + drift * 10), "QCL-9"
    assert expected.im_add_on_ppm - seen.im_add_on_ppm in range(2 + drift * 15), "QCL-9"


def test_addon__through_the_papers__stands(house):
    """QCL-1: and widen IM for the state of a market."""
    _, path = draft(house, "addon", "BTC", "20%", "--stands", "2h", "--now", "the peg is lost")
    for who in ("ann", "bob"):
        sign(house, path, who)
    assert send(house, path)["state"] == "sent"
    house.world.mine()
    assert says(house, "RiskParameters", "controls", 1)["stateAddOnPpm"] == 200_000


def test_addon__of_nothing__takes_back_what_stands(house):
    """QCL-1: what the keepers widened they may take back before it lapses."""
    for share, stood in (("20%", 200_000), ("0%", 0)):
        _, path = draft(house, "addon", "ETH", share, "--now", "a test", name=f"{share[:-1]}.json")
        through(house, path)
        assert says(house, "RiskParameters", "controls", 0)["stateAddOnPpm"] == stood


def test_funding__through_the_papers__binds_also_below_nothing(house):
    """QCL-1: the funding rate of a perp, also one that shorts pay, is set by two keepers at this very house."""
    drafted, path = draft(house, "funding", "ETH", "-0.002%", "--now", "the perp trades below spot")
    assert (drafted["says"]["rate a day"], drafted["tried"]) == ("-0.0020 %, shorts pay", "it would pass now")
    through(house, path)
    assert says(house, "ClearingHouse", "marketState", 0)["ratePpmPerDay"] == -20
    early, _ = draft(house, "funding", "ETH", "1%", "--now", "again, and too soon", name="early.json")
    assert "would revert: FundingTooEarly" in early["tried"]


def test_funding__of_another_house__not_signed(house):
    """QCL-4: a paper of this quorum that names another house is objected to."""
    _, path = draft(house, "funding", "ETH", "0.002%", "--now", "a test")
    quorum = quorum_of(house)
    found = read(path)
    words = quorum.words(found.call)
    terms = {"nonce": words.nonce, "valid_until": words.valid_until}
    call = quorum.call("setFundingRate", house.keys["eve"].address, 0, 20, **terms)
    decoded = {**found.decoded, "house": house.keys["eve"].address.lower()}
    path.write_text(dump(replace(found, call=call, typed=quorum.typed(call), decoded=decoded)))
    refused = sign(house, path, "ann", code=2)
    assert any("the funding rate of the house at" in one for one in refused["objections"])
    assert refused["signed_by"] == []


def test_draft__what_cannot_be_used__a_sentence_and_code_2(house):
    """Bad input ends with 2 and says what to do."""
    out = house.papers / "bad.json"
    for words, said in (
        (["publish", "--out", out], "nothing to draft"),
        (["flip", "ETH", "1", "--out", out], "nothing to draft"),
        (["stage", "ETH", "four", "--out", out], "no number of expiries"),
        (["stage", "ETH", "99", "--out", out], "expiries, not 99"),
        (["expiries", "ETH", "1-2", "--out", out], "from the inputs file"),
        (["expiries", "ETH", "2-1", "--inputs", out, "--out", out], "names no expiries"),
        (["funding", "ETH", "0.01%", "--out", out], "need to know why"),
        (["funding", "ETH", "-9%", "--now", "x", "--out", out], "beyond 5 % a day"),
        (["funding", "ETH", "-9", "--now", "x", "--out", out], "no rate"),
        (["addon", "ETH", "-1%", "--now", "x", "--out", out], "50 % at most"),
        (["publish", "DOGE", "--out", out], "no underlying is called DOGE"),
        (["tighten", "ETH", "30%", "--out", out], "need to know why"),
        (["tighten", "ETH", "300%", "--now", "x", "--out", out], "100 % at most"),
        (["addon", "ETH", "51%", "--now", "x", "--out", out], "50 % at most"),
        (["tighten", "ETH", "30%", "--now", "x", "--for", "9" * 5_000 + "h", "--out", out], "no time"),
        (["tighten", "ETH", "30%", "--now", "x"], "needs a file"),
        (["tighten", "ETH", "30%", "--now", "x", "--out", house.papers / "no" / "folder.json"], "cannot be written"),
    ):
        tree = tree_of("quorum", "draft", *words, "-c", config(house, "ann"), code=2)
        assert said in tree["error"]["message"], words
    for step in ("sign", "send"):
        tree = tree_of("quorum", step, house.papers / "none.json", "-c", config(house, "ann"), code=2)
        assert "cannot be read" in tree["error"]["message"]
    _, path = draft(house, "tighten", "ETH", "30%", "--now", "x\ud800y")
    again = tree_of(
        "quorum", "draft", "tighten", "ETH", "30%", "--now", "x", "--out", path, "-c", config(house, "ann"), code=2
    )
    assert "exists" in again["error"]["message"], "signatures are not lost by drafting over them"
