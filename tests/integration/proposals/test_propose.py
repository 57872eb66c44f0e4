"""propose and proposal as an operator uses them: the real commands, from the files to the execution."""

from __future__ import annotations

import json

import pytest

from keeper.governance.proposal import load_proposal
from keeper.governance.safe import builder_checksum
from tests.integration.proposals.asking import QUICKLY, asked, written
from tests.safes import RealSafe

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300), pytest.mark.usefixtures("own_logging")]


def test_propose__files_and_answer__say_the_same(market, tmp_path):
    """Diff, impact on real accounts, simulation and ids: in the answer, in the forum's text and in the files."""
    result = asked(market, "propose", written(market), "--engine", "embedded", "--out", str(tmp_path), "--json")
    assert result.exit_code == 0, result.output
    tree = json.loads(result.stdout)
    assert tree["holds"] is True
    impact = tree["impact"]
    assert impact["accounts"] >= 10
    assert impact["below_mm"] > 0, "a fifth of spot for every naked short must hurt somebody"
    assert impact["largest"]
    forum = (tmp_path / "forum.md").read_text()
    for part in ("10 %", "60 %", "Newly below maintenance", "executed, and the state is the one that was wanted",
                 tree["proposal"]["ids"]["proposal"]):  # fmt: skip
        assert part in forum
    made = load_proposal(tmp_path / "proposal.json")
    steps = json.loads((tmp_path / "transactions.json").read_text())
    assert [one["step"] for one in steps] == ["propose", "queue", "execute", "state", "state"]
    assert bytes.fromhex(steps[0]["data"][2:]) == made.steps[0].call.data
    assert (tmp_path / "description.md").read_text() == made.description


def test_propose__impact__is_what_execution_then_brings(market, tmp_path):
    """Who is told to fall below maintenance does, by the contract's own margin, once it is executed."""
    result = asked(market, "propose", written(market), *QUICKLY, "--out", str(tmp_path), "--json")
    told = json.loads(result.stdout)["impact"]
    chain = market.view()
    fell = {one["account"] for one in told["named_mm"]}
    assert fell
    for account in map(int, fell):
        margin = chain.one("ClearingHouse", "margin", account, 0)
        assert margin["equity"] >= margin["mm"], "sound before"
    market.pass_through(load_proposal(tmp_path / "proposal.json"))
    chain = market.view()
    now = {account: chain.one("ClearingHouse", "margin", int(account), 0) for account in fell}
    assert all(margin["equity"] < margin["mm"] for margin in now.values()), now


@pytest.mark.parametrize(
    ("changes", "mm", "im"),
    [
        ("[underlying.ETH.config]\nkappa_ppm = 900_000", True, False),
        ("[underlying.ETH.config]\nim_add_on_ppm = 300_000", False, True),
    ],
)
def test_propose__rule_that_moves_requirements__every_account_replayed(market, changes, mm, im):
    """Each rule moves the requirement that it is a part of: κ maintenance alone, the add-on initial margin alone."""
    text = f'title = "A rule"\n{changes}\n'
    impact = json.loads(asked(market, "propose", written(market, text), *QUICKLY, "--json").stdout)["impact"]
    assert impact["accounts"] >= 10
    assert (int(impact["mm_after"]) > int(impact["mm_before"])) is mm
    assert (int(impact["im_after"]) > int(impact["im_before"])) is im


def test_proposal_check__from_sound_to_drifted_to_over(market, tmp_path):
    """Exit codes: 0 as it was meant, 5 when something moved, 6 when it is over; by file and by number."""
    asked(market, "propose", written(market), *QUICKLY, "--out", str(tmp_path), "--json")
    made = load_proposal(tmp_path / "proposal.json")
    market.propose(made)
    market.vote(made)
    market.send(made, "queue")
    for subject in (str(tmp_path / "proposal.json"), made.ids.proposal):
        result = asked(market, "proposal", "check", subject, "--engine", "embedded", "--json")
        assert (result.exit_code, json.loads(result.stdout)["sound"]) == (0, True), result.output
    market.pass_through(market.proposal("[collateral.WETH]\nhaircut_ppm = 300_000\n"))
    result = asked(market, "proposal", "check", made.ids.proposal, "--engine", "embedded")
    assert result.exit_code == 5, result.output
    assert "was 10 % when it was proposed and is 30 % today" in " ".join(result.stdout.split())
    market.send(made, "execute")
    result = asked(market, "proposal", "check", made.ids.proposal, "--engine", "embedded")
    assert result.exit_code == 6
    assert "executed" in result.stdout


@pytest.mark.needs_anvil
def test_propose__on_anvil__same_answer(market):
    """The engine changes nothing but who runs the fork; where anvil is installed, it does."""
    ours = asked(market, "propose", written(market), "--engine", "embedded", "--json")
    theirs = asked(market, "propose", written(market), "--json")
    assert theirs.exit_code == 0, theirs.output
    one, other = json.loads(ours.stdout), json.loads(theirs.stdout)
    assert one["proposal"] == other["proposal"]
    assert one["impact"] == other["impact"]
    assert other["simulation"]["engine"] == "anvil"


@pytest.mark.needs_node
def test_propose__safe__builder_file_with_its_checksum(market, tmp_path):
    """A Safe gets a file for its transaction builder for each of its transactions, and the hashes that owners sign."""
    safe = RealSafe(market.chain, (1, 2), threshold=2)
    grant = f'[[role]]\ncontract = "TimelockController"\nrole = "PROPOSER_ROLE"\ngrant = "{safe.address}"\n'
    market.pass_through(market.proposal(grant))
    out = str(tmp_path)
    result = asked(market, "propose", written(market), "--safe", safe.address, *QUICKLY, "--out", out)
    assert result.exit_code == 0, result.output
    made = load_proposal(tmp_path / "proposal.json")
    for step in made.steps:
        batch = json.loads((tmp_path / f"safe-{step.name}.json").read_text())
        assert batch["meta"]["checksum"] == builder_checksum(batch)
        assert batch["transactions"][0]["data"] == "0x" + step.call.data.hex()
        assert step.safe_tx_hash in result.stdout.replace("\n", "")


def test_propose__prices__old_and_new_bound_held_against_them(market, tmp_path):
    """Evidence: how many recorded moves were beyond the bound that is, and beyond the one that is wanted."""
    hours = 24 * 120
    price, lines = 3_000.0, ["ts,close"]
    for hour in range(hours):
        price *= 0.65 if hour == 1_200 else 1.6 if hour == 1_300 else 1.0 + 0.004 * ((hour * 7_919) % 11 - 5)
        lines.append(f"{1_690_000_000 + 3_600 * hour},{price:.4f}")
    (tmp_path / "eth.csv").write_text("\n".join(lines))
    args = ("propose", written(market), "--prices", f"ETH={tmp_path}/eth.csv", *QUICKLY, "--json")
    tree = json.loads(asked(market, *args).stdout)
    held = {one["name"]: one for one in tree["evidence"]["held"]}
    assert set(held) == {"max", "haircut_ppm"}
    assert held["max"]["windows"] > 100
    assert held["max"]["old_breaches"] >= held["max"]["new_breaches"]
    assert held["max"]["worst"] == "51.59 %"
    assert held["max"]["p_new"] <= 1.0
    assert held["haircut_ppm"]["old_breaches"] > held["haircut_ppm"]["new_breaches"]
