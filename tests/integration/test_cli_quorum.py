"""Publications and emergencies that take two of three keepers, as their operators make them, on a chain behind HTTP."""

import json
import logging
from dataclasses import replace
from types import SimpleNamespace

import pytest
import structlog
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils import keccak
from typer.testing import CliRunner

from keeper.chain.errors import Reverted
from keeper.chain.signers import LocalSigner
from keeper.cli.root import app
from keeper.control.papers import dump, read
from keeper.demo.stylised import stylised_crash
from keeper.demo.world import FEES, open_world
from keeper.deploy import Hand
from keeper.deploy.house import ROLES
from keeper.domain.council import Signature
from keeper.domain.overrides import Override
from keeper.domain.updates import SignOff
from keeper.governance.safe import digest_hash
from keeper.policy.tightened import at_peak
from keeper.protocols.abi import explain_revert
from keeper.protocols.clearinghouse.markets import rules_of
from keeper.protocols.clearinghouse.preview import flat
from keeper.protocols.clearinghouse.quorum import Quorum, message_of
from keeper.risk.version import MODEL_VERSION
from keeper.store import open_store
from keeper.testing.http_node import HttpNode
from tests.integration.test_cli_chain import ACCOUNTS, WARMUP, Site
from tests.integration.test_cli_control import KNOBS
from tests.safes import RealSafe

pytestmark = [pytest.mark.chain, pytest.mark.timeout(120)]

TWO = 2


@pytest.fixture(autouse=True)
def _own_logging():
    """Commands set up logging; give the process back what it had."""
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The demo's smallest market, whose publisher's role is with two of three keepers and with no key."""
    path = stylised_crash(seed=1, blocks=20)
    world = open_world(replace(path, warmup=path.warmup[-WARMUP:]), accounts=ACCOUNTS, seed=1)
    folder = tmp_path_factory.mktemp("quorum")
    keys = {"ann": _account(world, 1), "liquidator": _account(world, 2)}
    keys |= {name: Account.from_key(n.to_bytes(32, "big")) for n, name in ((71, "bob"), (72, "cem"), (73, "eve"))}
    for name, account in keys.items():
        key = folder / f"{name}.key"
        key.write_text(bytes(account.key).hex())
        key.chmod(0o600)
    keepers = sorted((keys[name].address for name in ("ann", "bob", "cem")), key=lambda one: int(one, 16))
    hand = Hand(world.rpc, LocalSigner(_account(world, 0)), fees=FEES, poll_interval_s=0.0)
    parameters = world.deployment.addresses["RiskParameters"]
    at = hand.create("KeeperQuorum", parameters, hand.address, keepers, TWO, TWO)
    for role in ("PUBLISHER_ROLE", "EMERGENCY_ROLE"):
        hand.send("RiskParameters", parameters, "grantRole", ROLES[role], at)
    hand.send("RiskParameters", parameters, "revokeRole", ROLES["PUBLISHER_ROLE"], keys["ann"].address)
    world.deployment.addresses["KeeperQuorum"] = at
    for point in world.path.points[:3]:
        world.reach(point)
    world.deployment.save(folder / "deployment.json")
    node = HttpNode(world.chain.node).start()
    site = Site(world, node.url, folder)
    made = SimpleNamespace(site=site, world=world, hand=hand, keys=keys, keepers=keepers, at=at)
    world.chain.send(sender=world.chain.accounts[0], to=keys["eve"].address, value=10**18)
    world.mine()
    yield made
    node.close()


def _account(world, index):
    return Account.from_key(world.chain.key(index))


@pytest.fixture
def house(built, tmp_path):
    """As it was opened, with the owner's hand as it stood, and a folder for papers."""
    before = built.world.chain.snapshot()
    yield SimpleNamespace(**vars(built), papers=tmp_path)
    built.world.chain.revert(before)


def config(house, who, *, floor=120_000, gate="off", share=50_000, signed_off=True):
    """One keeper's settings, with a store of this test's own that has its operator's word on the model."""
    name = f"{house.papers.name}-{who}.toml"
    path = house.site.folder / name
    if path.exists():
        return str(path)
    house.site.settings(name, publisher=f"{who}.key")
    text = path.read_text().replace("[protocol]", "reorg_depth = 1000\n[protocol]")
    path.write_text(text + KNOBS.format(floor=floor, gate=gate, share=share))
    if not signed_off:
        return str(path)
    store = open_store(f"sqlite:///{path}.sqlite")
    now = house.world.chain.block().timestamp
    store.sign_off(SignOff(version=MODEL_VERSION, operator=who, reason="tried", at_s=now, evidence=""))
    store.close()
    return str(path)


def ask(*args, code=0):
    """A command of which the exit code is known; its object."""
    result = CliRunner().invoke(app, [*map(str, args), "--json"])
    assert "Traceback" not in result.output, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def draft(house, *words, who="ann", name="paper.json", code=0):
    """A paper, and where it lies."""
    path = house.papers / name
    return ask("quorum", "draft", *words, "--out", path, "-c", config(house, who), code=code), path


def sign(house, path, who, *, code=0, inputs=()):
    return ask("quorum", "sign", path, "--sign", *inputs, "-c", config(house, who), code=code)


def send(house, *paths, who="eve", code=0, leaves=True):
    """Eve is no keeper: anyone carries signatures, and pays."""
    return ask("quorum", "send", *paths, *(["--send"] if leaves else []), "-c", config(house, who), code=code)


def through(house, path):
    """Two keepers sign a paper, anyone sends it, and it lands.  Returns: what the second one saw."""
    sign(house, path, "ann")
    seen = sign(house, path, "bob")
    assert send(house, path)["state"] == "sent"
    house.world.mine()
    return seen


def told_of(quorum, call):
    """A call in words, as papers carry it."""
    words = quorum.words(call)
    terms = {"nonce": str(words.nonce), "validUntil": str(words.valid_until)}
    return dict(flat("", dict(words.arguments))) | terms


def shown(*args):
    """What a person reads."""
    return " ".join(CliRunner().invoke(app, [*map(str, args)]).output.split())


def says(house, contract, function, *args):
    return house.hand.view(contract, house.world.deployment.addresses[contract], function, *args)


def test_show__keepers_quorums_nonces_and_who_holds_what(house):
    tree = ask("quorum", "show", "-c", config(house, "ann"))
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
    looked = ask("quorum", "sign", path, "-c", config(house, "ann"))
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
    verified = ask("verify", drafted["inputs_hash"], "-c", config(house, "ann"))
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
    quorum = Quorum(house.hand.abi("KeeperQuorum"), house.at, chain_id=house.world.chain.chain_id)
    found = read(path)
    words = quorum.words(found.call)
    terms = {"nonce": words.nonce, "valid_until": words.valid_until}
    call = quorum.call("setFundingRate", house.keys["eve"].address, 0, 20, **terms)
    decoded = {**found.decoded, "house": house.keys["eve"].address.lower()}
    path.write_text(dump(replace(found, call=call, typed=quorum.typed(call), decoded=decoded)))
    refused = sign(house, path, "ann", code=2)
    assert any("the funding rate of the house at" in one for one in refused["objections"])
    assert refused["signed_by"] == []


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
    through(house, path)
    assert says(house, "RiskFile", "slew", 0)["psrPpm"] == int(whole["decoded"]["p.psrPpm"])
    verified = ask("verify", staged["inputs_hash"], "-c", config(house, "ann"))
    assert verified["first_difference"] is None


def test_publish_in_steps__rows_that_the_file_does_not_give__not_signed(house):
    """QCL-6: rows carry no hash, and are derived all the same: other numbers, or another file's, are not signed."""
    _, path = draft(house, "stage", "ETH", "--for", "6h", name="staged.json")
    beside = house.papers / "staged.inputs.json"
    _, rows = draft(house, "expiries", "ETH", "1-2", "--inputs", beside, name="rows.json")
    quorum = Quorum(house.hand.abi("KeeperQuorum"), house.at, chain_id=house.world.chain.chain_id)
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
    flip, _ = draft(house, "flip", "ETH")
    assert "would revert: NothingStaged" in flip["tried"]


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


def accepted(house, path, who, *, code=0):
    return ask("quorum", "sign", path, "--sign", "--accept-knobs", "-c", config(house, who), code=code)


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
    elsewhere = ask(
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
        tree = ask("quorum", "draft", *words, "-c", config(house, "ann"), code=2)
        assert said in tree["error"]["message"], words
    for step in ("sign", "send"):
        tree = ask("quorum", step, house.papers / "none.json", "-c", config(house, "ann"), code=2)
        assert "cannot be read" in tree["error"]["message"]
    _, path = draft(house, "tighten", "ETH", "30%", "--now", "x\ud800y")
    again = ask(
        "quorum", "draft", "tighten", "ETH", "30%", "--now", "x", "--out", path, "-c", config(house, "ann"), code=2
    )
    assert "exists" in again["error"]["message"], "signatures are not lost by drafting over them"


def test_check_and_keys__role_with_the_quorum__sound_with_the_command(house):
    """QCL-5: the keeper could run; the check tells how publications go."""
    findings = {one["what"]: one for one in ask("check", "-c", config(house, "ann"))["findings"]}
    assert "of whom this key is one" in findings["publisher key"]["said"]
    assert "keeper quorum draft publish" in findings["publisher key"]["hint"]
    tested = ask("keys", "test", "--role", "publisher", "-c", config(house, "ann"))["keys"][0]
    assert "publishes with the quorum of keepers" in tested["said"]


def test_once_and_push__role_with_the_quorum__said_and_nothing_tried(house):
    """QCL-5: neither the loop nor a push by hand sends what must revert; the loop's other duties go on."""
    settings = config(house, "ann")
    lived = ask("once", "-c", settings)
    assert "publish" not in {one["kind"] for one in lived["actions"]}
    (said,) = [one for one in lived["alerts"] if one.startswith("no publication and no add-on is sent")]
    assert house.at in said
    assert "keeper quorum draft publish" in said
    assert any("ETH: a publication is due and left to those who may" in one for one in lived["alerts"])
    eth = ask("push", "--underlying", "ETH", "--send", "-c", settings, code=2)["pushes"][0]
    assert (eth["state"], eth["hash"]) == (None, None)
    assert "keeper quorum draft publish" in eth["reason"]
    assert eth["preview"]["ok"] is True, "what would be published is shown all the same"


def test_once__governance_gives_a_key_the_role__published_from_that_block_on(house):
    """QCL-5: who may publish is read with every block, in its one round trip."""
    settings = config(house, "ann")
    house.world.govern("RiskParameters", "grantRole", ROLES["PUBLISHER_ROLE"], house.keys["ann"].address)
    lived = ask("once", "-c", settings)
    assert "publish" in {one["kind"] for one in lived["actions"]}
    assert not [one for one in lived["alerts"] if "left to those who may" in one]


@pytest.fixture
def with_a_wallet(house):
    """The quorum of ann, bob and a real Safe 1.4.1 of two owners out of three."""
    house.world.chain.set_automine(on=True)
    house.safe = RealSafe(house.world.chain, (3, 4, 5), threshold=TWO)
    keepers = [house.keys["ann"].address, house.keys["bob"].address, house.safe.address]
    house.world.govern("KeeperQuorum", "setKeepers", sorted(keepers, key=lambda one: int(one, 16)), TWO, TWO)
    yield house
    house.world.chain.set_automine(on=False)


def by_the_contract(house, data):
    """What the quorum's contract itself says to a call; empty if it takes it."""
    try:
        house.world.rpc.simulate(house.at, data, sender=house.keys["eve"].address, gas=1_500_000)
    except Reverted as error:
        return explain_revert(error.data, [house.hand.abi("KeeperQuorum")])
    return ""


def attach(house, path, member, signature, *, code=0):
    words = ("--member", member, "--signature", signature)
    return ask("quorum", "sign", path, *words, "-c", config(house, "eve"), code=code)


@pytest.mark.needs_node
def test_sign__member_is_a_safe__its_owners_signatures_are_attached_and_count(with_a_wallet):
    """QCL-7: a contract wallet is a keeper like any other: its owners sign what is told, the chain takes it."""
    house, at = with_a_wallet, with_a_wallet.safe.address
    _, path = draft(house, "tighten", "ETH", "30%", "--now", "a test")
    sign(house, path, "ann")
    told = ask("quorum", "sign", path, "--member", at.lower(), "-c", config(house, "eve"))["to_sign"]
    digest = bytes.fromhex(told["digest"][2:])
    own = house.safe.ask("getMessageHash", digest, abi=house.safe.handler_abi)
    assert told == {
        "member": at, "wallet": True, "digest": told["digest"], "safe_message_hash": "0x" + own.hex(),
    }  # fmt: skip
    assert "the owners of a Safe there sign" in shown(
        "quorum", "sign", path, "--member", at, "-c", config(house, "eve")
    )
    seen = attach(house, path, at, "0x" + house.safe.signatures(own).hex())
    assert (set(seen["signed_by"]), seen["complete"]) == ({house.keys["ann"].address, at}, True)
    assert send(house, path)["state"] == "sent"
    house.world.mine()
    assert says(house, "RiskParameters", "controls", 0)["emergencyPeakPpm"] == 300_000


@pytest.mark.needs_node
def test_sign__member_is_a_safe_that_does_not_stand_by_it__refused_here_and_by_the_contract(with_a_wallet):
    """QCL-7: over another message, of too few owners, of one owner alone or none: not attached, and nothing lands."""
    house, at = with_a_wallet, with_a_wallet.safe.address
    _, path = draft(house, "tighten", "ETH", "30%", "--now", "a test")
    sign(house, path, "ann")
    tree = json.loads(path.read_text())
    found = read(path)
    quorum = Quorum(house.hand.abi("KeeperQuorum"), house.at, chain_id=house.world.chain.chain_id)
    digest = keccak(b"\x19\x01" + b"".join(message_of(quorum.typed(found.call))))
    right = house.safe.signatures(digest_hash(digest, safe=at, chain_id=house.world.chain.chain_id))
    for wrong in (house.safe.signatures(digest), right[:65], right[65:] + right[:65], b"", b"\0" * 130):
        refused = attach(house, path, at, "0x" + wrong.hex(), code=2)["error"]["message"]
        assert "does not stand by this signature" in refused
        assert json.loads(path.read_text()) == tree
        path.write_text(dump(replace(found, signatures=(*found.signatures, Signature(signer=at, data=wrong)))))
        assert "is not its own, or over something else" in send(house, path, code=2)["reason"]
        path.write_text(json.dumps(tree))
        data = quorum.signed(found.call, {house.keys["ann"].address: found.signatures[0].data, at: wrong})
        assert "BadSignature" in by_the_contract(house, data)
    data = quorum.signed(found.call, {house.keys["ann"].address: found.signatures[0].data, at: right})
    assert by_the_contract(house, data) == ""


@pytest.mark.needs_node
def test_sign__safe_approved_the_message_on_the_chain__no_signature_is_needed(with_a_wallet):
    """QCL-7: ERC-1271 has a wallet decide: one that approved the message beforehand needs to be shown nothing."""
    house, at = with_a_wallet, with_a_wallet.safe.address
    _, path = draft(house, "tighten", "ETH", "30%", "--now", "a test")
    sign(house, path, "bob")
    told = ask("quorum", "sign", path, "--member", at, "-c", config(house, "eve"))["to_sign"]
    house.safe.sign_message(bytes.fromhex(told["digest"][2:]))
    assert attach(house, path, at, "0x")["complete"] is True
    assert send(house, path)["state"] == "sent"
    house.world.mine()
    assert says(house, "RiskParameters", "controls", 0)["emergencyPeakPpm"] == 300_000


def test_sign__signature_of_a_key_that_is_elsewhere__attached(house):
    """QCL-7: any wallet that signs typed data will do; what is no keeper's, or not its own, is not attached."""
    _, path = draft(house, "tighten", "ETH", "30%", "--now", "a test")
    bob = house.keys["bob"]
    told = ask("quorum", "sign", path, "--member", bob.address, "-c", config(house, "eve"))["to_sign"]
    assert (told["wallet"], told["safe_message_hash"]) == (False, None)
    typed = encode_typed_data(full_message=json.loads(path.read_text())["typed_data"])
    signature = "0x" + bytes(bob.sign_message(typed).signature).hex()
    for member, given, said in (
        (house.keys["eve"].address, signature, "is no keeper of the quorum"),
        (house.keys["cem"].address, signature, "the key of"),
        (bob.address, signature[:-1], "no 0x text"),
    ):
        assert said in attach(house, path, member, given, code=2)["error"]["message"]
    assert attach(house, path, bob.address, signature)["signed_by"] == [bob.address]
    assert "signed it already" in attach(house, path, bob.address, signature, code=2)["error"]["message"]
    alone = ask("quorum", "sign", path, "--signature", signature, "-c", config(house, "eve"), code=2)
    assert "whose signature" in alone["error"]["message"]
