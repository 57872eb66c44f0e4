"""A parameter's story where not all goes well: an item refused, fences moved, an emergency, a veto (VER-8, VER-9).

One market is lived through: the keeper publishes; governance tightens a fence under a publication on its way, so that
one item of it is refused; the keeper goes on; keepers call an emergency; somebody loosens by hand, and the guardian
vetoes that; the keeper goes on again.
"""

import itertools
import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from keeper.cli.root import app
from keeper.cycle import cycle
from keeper.deploy.house import ROLES
from keeper.domain.action import Publish
from keeper.domain.inputs import load
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.store import open_store
from keeper.testing.counter_world import an_outbox
from keeper.testing.http_node import HttpNode
from keeper.testing.small_house import SmallHouse
from keeper.wiring import assemble

pytestmark = pytest.mark.chain

ETH, HOUR = 0, 3_600
PSR = b"psr".ljust(32, b"\0")
OWNER, GUARDIAN, EMERGENCY, BY_HAND = 0, 3, 4, 5
#: A publication is due whenever the fences take one.
EAGER = PolicyKnobs(heartbeat_s=1)
RISK = RiskKnobs(min_observations=24, psr_floor_ppm=250_000)


class Story:
    """The house, and the keeper in it."""

    def __init__(self, folder):
        self.house = SmallHouse()
        self.grow_older(hours=30)
        self.store = open_store(f"sqlite:///{folder}/keeper.sqlite")

        def outbox(decode, recheck):
            return an_outbox(self.house.chain, self.store, rpc=self.house.rpc, decode_revert=decode, recheck=recheck)

        self.keeper = assemble(
            rpc=self.house.rpc, store=self.store, deployment=self.house.deployment, risk=RISK, policy=EAGER,
            sender=outbox, reorg_depth=8,
        )  # fmt: skip

    def grow_older(self, hours=1):
        """Time passes, the feed speaks every hour, and somebody refreshes."""
        for _ in range(hours):
            self.house.chain.advance_to(self.house.chain.block().timestamp + HOUR)
            wobble = 20 if self.house.chain.block().number % 2 else 0  # a price that stands still gives no estimate
            self.house.do("MockAggregator", "push", (3_000 + wobble) * 10**8, to=self.house.feeds[0])

    def publishes(self, *first):
        """Live on until the keeper publishes.

        Args:
            first: function and arguments of what the owner has mined just before the publication, in its very block.
        Returns: the publication as it was decided.
        """
        chain = self.house.chain
        for _ in range(10):
            self.grow_older(hours=3)
            with chain.automine_off():
                record = cycle(chain.block(), self.keeper.ports, RISK, EAGER)
                pushed = [action for action in record.decision.actions if isinstance(action, Publish)]
                if pushed and first:
                    self._ahead(*first)
                chain.mine(4)
            if pushed:
                return pushed[0]
        raise AssertionError(f"the keeper never published: {record.decision.alerts}")

    def _ahead(self, function, *args):
        """Into the pool with such a tip that it comes before everything else."""
        chain = self.house.chain
        call = {
            "from": chain.accounts[OWNER], "to": self.house.deployment.addresses["RiskParameters"],
            "data": "0x" + self.house.hand.abi("RiskParameters").call(function, *args).hex(), "gas": hex(1_000_000),
            "maxFeePerGas": hex(9_000 * 10**9), "maxPriorityFeePerGas": hex(500 * 10**9),
        }  # fmt: skip
        chain.request("eth_sendTransaction", call)

    def view(self, function, *args):
        return self.keeper.views.one(self.house.chain.block(), "RiskParameters", function, *args)

    def do(self, function, *args, sender=OWNER):
        self.house.do("RiskParameters", function, *args, sender=sender)

    def loosens_by_hand(self):
        """Somebody else publishes a lower scan range; no file of inputs is anywhere.  Returns: before, and after."""
        self.do("grantRole", ROLES["PUBLISHER_ROLE"], self.house.chain.accounts[BY_HAND])
        self.grow_older(hours=3)
        self.house.do("RiskFile", "refresh", ETH)  # what is in force comes up to its target
        block = self.house.chain.block()
        (state,) = self.keeper.reader.read(block).underlyings
        fences, strikes = state.publication, dict(state.live.strikes)
        set_ = {one.name: one.current for one in fences.fences}
        vols = [
            (e.expiry, e.phi_ppb, e.df_ppb, e.sigma_atm_ppm, [v.sigma_ppm for v in strikes[e.expiry]])
            for e in state.live.expiries
        ]
        lower = set_["psr"] * 9 // 10
        numbers = (lower, set_["vsr_up"], set_["vsr_down"])
        digest = bytes.fromhex(fences.digest[2:])
        publication = (fences.last_id + 1, block.timestamp + HOUR, b"\7" * 32, digest, *numbers, vols)
        self.do("publish", ETH, publication, sender=BY_HAND)
        return set_["psr"], lower


@dataclass(frozen=True)
class Told:
    """What the story left behind."""

    config: str
    refused: Publish
    refused_digest: str
    """On the chain after it."""
    after: Publish
    vetoed: tuple[int, int]
    last: Publish
    notes: tuple[str, ...]
    """Of the outcomes of the keeper's own publications."""
    folder: Path


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    folder = tmp_path_factory.mktemp("story")
    story = Story(folder)
    config = story.view("config", ETH)
    story.do("setConfig", ETH, tuple((config | {"slewPpmPerHour": 500_000}).values()))
    story.publishes()
    fence = story.view("fence", ETH, PSR)
    refused = story.publishes("setFence", ETH, PSR, tuple((fence | {"stepAbs": 1}).values()))
    digest = "0x" + story.view("targetDigest", ETH).hex()
    story.do("setFence", ETH, PSR, tuple(fence.values()))
    after = story.publishes()
    story.do("grantRole", ROLES["EMERGENCY_ROLE"], story.house.chain.accounts[EMERGENCY])
    story.do("tighten", ETH, 200_000, sender=EMERGENCY)
    vetoed = story.loosens_by_hand()
    story.do("veto", ETH, sender=GUARDIAN)
    last = story.publishes()
    story.publishes()  # until what went before is final
    notes = tuple(one.note for one in story.store.realised(since_s=0) if one.kind == "publish" and one.note)
    story.store.close()
    story.house.deployment.save(folder / "deployment.json")
    node = HttpNode(story.house.chain.node).start()
    path = folder / "keeper.toml"
    path.write_text(
        f'[chain]\nrpc_urls = ["{node.url}"]\nchain_id = {story.house.chain.chain_id}\n'
        f'[protocol]\ndeployment_file = "{folder}/deployment.json"\n'
        f'[store]\nurl = "sqlite:///{folder}/keeper.sqlite"\n'
    )
    yield Told(str(path), refused, digest, after, vetoed, last, notes, folder)
    node.close()


def ask(told, *args):
    result = CliRunner().invoke(app, [*args, "-c", told.config])
    return result.exit_code, result.stdout


def history(told, name):
    code, said = ask(told, "explain", "--parameter", name, "--json")
    assert code == 0, said
    return json.loads(said)


def test_verify__an_item_was_refused__accounted_for(told):
    """VER-8: the refused item kept what was in force, the rest is what was derived, and the reason is told."""
    code, said = ask(told, "verify", f"ETH:{told.refused.id}", "--json")
    tree = json.loads(said)
    assert code == 0, tree
    (item,) = tree["landed"]["refused"]
    assert item["what"] == "psr", "VER-8"
    assert "StepTooLarge" in item["reason"], "VER-8"
    integers = next(check for check in tree["checks"] if check["what"] == "pushed integers")
    assert "1 item(s) refused by the fences" in integers["said"], "VER-8"
    for update in (told.after, told.last):
        code, said = ask(told, "verify", f"ETH:{update.id}", "--json")
        assert code == 0, said
        assert json.loads(said)["landed"]["refused"] == []


def test_outcome__an_item_was_refused__the_keeper_notices(told):
    """VER-8: what became of a publication is measured like any outcome, and a person is told."""
    (note,) = told.notes
    assert f"publication {told.refused.id}: the fences refused psr" in note, "VER-8"
    assert "StepTooLarge" in note, "VER-8"


def test_recalibration__after_a_refused_item__names_the_digest_that_stands(told):
    """VER-8: the next publication is against the target as the chain has it, the refused range as it was."""
    code, said = ask(told, "inputs", "export", f"ETH:{told.after.id}", "--out", str(told.folder / "after.json"))
    assert code == 0, said
    file = load((told.folder / "after.json").read_bytes())
    assert file.state.publication.digest == told.refused_digest == told.after.expected_old, "VER-8"
    current = next(fence.current for fence in file.state.publication.fences if fence.name == "psr")
    assert current != told.refused.params.ranges.psr_ppm, "VER-8"
    assert told.after.params.ranges.psr_ppm > current, "VER-8: what was refused is tried again"


def test_explain__a_refused_item__the_reason_and_what_stayed(told):
    """VER-9: who wanted what, why it was not taken, and the fence that governance had moved."""
    tree = history(told, "ETH.scan_range")
    (moment,) = [one for one in tree["history"] if one["id"] == told.refused.id]
    assert moment["old"] == moment["new"], "VER-9"
    assert "StepTooLarge" in moment["kept"], "VER-9"
    assert moment["target"] > moment["old"]
    fences = [one for one in tree["between"] if one["event"] == "fence" and one["about"] == "psr"]
    said = [one["said"] for one in fences]
    assert any(one.endswith("→ 0.0001 %") and one.startswith("step_abs") for one in said), f"VER-9: {said}"
    assert any(one.startswith("step_abs 0.0001 % →") for one in said), "VER-9: and back"
    assert all(one["sender"].startswith("0x") and one["tx"].startswith("0x") for one in fences), "VER-9"
    up = history(told, "ETH.vol_up")
    assert all(one["about"] != "psr" for one in up["between"]), "VER-9: a fence around another number is not told"
    assert next(one for one in up["history"] if one["id"] == told.refused.id)["kept"] is None


def test_explain__emergency_and_veto__who_and_what_they_made_of_it(told):
    """VER-9: each old value is the new one before it, the guardian's too."""
    tree = history(told, "ETH.scan_range")
    before, lower = told.vetoed
    (rules, *_) = [one for one in tree["between"] if one["event"] == "rules"]
    moved = re.fullmatch(r"slew_ppm_per_hour [\d.]+ % → 50 %", rules["said"])
    assert moved, "VER-9: governance's rules, what moved of them alone, with its unit"
    (emergency,) = [one for one in tree["between"] if one["event"] == "emergency"]
    assert "MM raised by 20 %" in emergency["said"], "VER-9"
    (veto,) = [one for one in tree["between"] if one["event"] == "veto"]
    assert veto["old"] == lower < veto["new"] <= before, "VER-9"
    assert veto["until_s"] > veto["time_s"], "VER-9"
    (by_hand,) = [one for one in tree["history"] if one["new"] == lower]
    assert by_hand["inputs_here"] is False, "VER-9: nobody knows from what"
    moved = [(one["block"], False, one) for one in tree["history"]]
    moved += [(one["block"], True, one) for one in tree["between"] if one["new"] is not None]
    told_in_order = [one for *_, one in sorted(moved, key=lambda entry: entry[:2])]
    for earlier, later in itertools.pairwise(told_in_order):
        assert later["old"] == earlier["new"], "VER-9"
    shown = " ".join(ask(told, "explain", "--parameter", "ETH.scan_range")[1].split())
    for word in ("veto", "emergency", "fence", "is more than a step", "not in this store"):
        assert word in shown, f"VER-9: {word}"
