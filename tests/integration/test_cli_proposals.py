"""propose and proposal as an operator uses them: the real commands against a market with accounts, behind HTTP."""

import json

import pytest

from keeper.domain.overrides import Override
from keeper.governance.proposal import load_proposal
from keeper.governance.safe import builder_checksum
from keeper.store import open_store
from keeper.testing.http_node import HttpNode
from keeper.testing.small_house import DAY
from tests.governed import Crowd, Governed
from tests.safes import RealSafe
from tests.sites import ask, settings_in

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300), pytest.mark.usefixtures("own_logging")]

#: Where the way on a fork is not what is looked at.
QUICKLY = ("--engine", "embedded", "--no-simulate")
HARD = """
title = "Count less of the ether"
summary = "It fell by half in a day."

[collateral.WETH]
haircut_ppm = "60 %"

[underlying.ETH.config]
short_min_ppm = "20 %"

[underlying.BTC.config]
short_min_ppm = "20 %"

[underlying.ETH.fence.psr]
max = "40 %"
"""


@pytest.fixture(scope="module")
def a_served_market(tmp_path_factory):
    governed = Governed(house=Crowd())
    governed.folder = tmp_path_factory.mktemp("market")
    with HttpNode(governed.chain.node) as node:
        governed.settings = settings_in(governed.folder, node.url, governed.deployment)
        yield governed


@pytest.fixture
def market(a_served_market):
    before = a_served_market.chain.snapshot()
    yield a_served_market
    a_served_market.chain.revert(before)


def asked(market, *args):
    return ask(*args, "-c", market.settings)


def written(market, text=HARD):
    path = market.folder / "CHANGES.toml"
    path.write_text(text)
    return str(path)


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


def test_propose__from_recalibration_file__what_fences_do_not_admit(market, tmp_path):
    """Targets beyond their bounds become bounds, with room; haircuts those calibrated; the rest is left alone."""
    targets = {
        "prices": [
            {"name": "ETH", "scan": {"psr_ppm": 380_000}, "allowed": {"psr_ppm": 380_000},
             "haircut": {"haircut_ppm": 250_000}},
            {"name": "BTC", "scan": {"psr_ppm": 90_000}, "allowed": {"psr_ppm": 90_000}, "haircut": {"reason": "x"}},
        ],
        "vols": [],
    }  # fmt: skip
    path = tmp_path / "targets.json"
    path.write_text(json.dumps(targets))
    args = ("propose", "--from-recalibration", str(path), "--within-days", "30", "--no-simulate", "--json")
    result = asked(market, *args)
    assert result.exit_code == 0, result.output
    assert differences(result) == {
        ("fence of scan range of ETH", "max"): "460000",
        ("collateral WETH", "haircut_ppm"): "250000",
    }
    numbers = [{"number": "vsr_up", "target": 1_700_000}, {"number": "sigma", "target": 6_000_000}]
    path.write_text(json.dumps({"underlyings": [{"symbol": "BTC", "numbers": numbers}]}))
    assert differences(asked(market, *args)) == {
        ("fence of volatility range up of BTC", "max"): "2040000",
        ("volatility fences of BTC", "sigma_max_ppm"): "7200000",
    }
    path.write_text(json.dumps({"underlyings": []}))
    assert asked(market, *args).exit_code == 2


def differences(result):
    return {(d["of"], d["name"]): d["new"] for d in json.loads(result.stdout)["proposal"]["differences"]}


def test_propose__from_recalibration__of_the_kernel_at_one_block(market, tmp_path, monkeypatch):
    """GOV-9: without a file the kernel's own targets count: once what they ask for is executed, glide is in time."""
    monkeypatch.chdir(tmp_path)  # where a store would be made
    result = asked(market, "propose", "--from-recalibration")
    assert result.exit_code == 2, result.output
    assert "admit every target within 2 d" in " ".join(result.output.split())
    keep = market.settings.read_text()
    market.settings.write_text(keep + "[risk]\npsr_floor_ppm = 325_000\n")
    try:
        args = ("propose", "--from-recalibration", "--underlying", "ETH", "--engine", "embedded", "--json")
        assert not in_two_days(market)
        result = asked(market, *args, "--out", str(tmp_path / "out"))
        assert result.exit_code == 0, result.output
        assert {of for of, _ in differences(result)} == {"fence of scan range of ETH", "joint fence of ETH"}
        assert "scan range to 32.5 %" in (tmp_path / "out" / "forum.md").read_text()
        market.pass_through(load_proposal(tmp_path / "out" / "proposal.json"))
        assert in_two_days(market)
        assert "admit every target" in " ".join(asked(market, *args).output.split())
    finally:
        market.settings.write_text(keep)


def test_propose__floor_set_by_hand__named_and_not_taken_for_the_models_target(market, tmp_path, monkeypatch):
    """GOV-17: what an operator holds up is no target of the model: the text tells both, and who; with a file too."""
    monkeypatch.chdir(tmp_path)
    now = market.chain.block().timestamp
    eth = next(u for u, symbol in market.deployment.symbols.items() if symbol == "ETH")
    floor = Override(number=0, underlying=eth, parameter="psr", floor_ppm=400_000, reason="it'''s `falling`",
                     operator="Ada", set_at_s=now - 60, expires_at_s=now + DAY)  # fmt: skip
    store = open_store("sqlite:///keeper.sqlite")
    store.set_override(floor)
    store.close()
    found = asked(market, "recalibrate", "ETH", "--json")
    (one,) = json.loads(found.stdout)["underlyings"]
    psr = next(n for n in one["numbers"] if n["number"] == "psr")
    assert psr["target"] == 400_000
    assert psr["own_target"] < 300_000
    (tmp_path / "targets.json").write_text(found.stdout)
    own = f"{psr['own_target'] / 10_000:g} %"
    for args in (("--underlying", "ETH"), ("targets.json",)):
        quick = ("propose", "--from-recalibration", *args, *QUICKLY)
        aside = asked(market, *quick, "--within-days", "60")
        assert aside.exit_code == 2, aside.output
        assert "--with-overrides" in aside.output, "the model alone asks for nothing"
        result = asked(market, *quick, "--within-days", "60", "--with-overrides", "--json", "--out", "out")
        assert result.exit_code == 0, result.output
        assert differences(result)["fence of scan range of ETH", "max"] == "480000"
        for name in ("forum.md", "description.md", "report.json"):
            text = " ".join((tmp_path / "out" / name).read_text().split())
            assert "ETH: scan range at least 40 % until" in text
            assert f"by Ada: it's 'falling'. The model's own target: {own}." in text
            assert "these changes are made from the floors" in text
    keep = market.settings.read_text()
    market.settings.write_text(keep + "[risk]\npsr_floor_ppm = 325_000\n")
    try:
        result = asked(market, "propose", "--from-recalibration", "--underlying", "ETH", *QUICKLY, "--json")
        changes = json.loads(result.stdout)["proposal"]["changes"]
        assert "these changes leave them aside" in changes
        assert "by Ada: it's 'falling'. The model's own target: 32.5 %." in changes
        assert "scan range to 32.5 %" in changes
        assert "scan range to 40 %" not in changes
    finally:
        market.settings.write_text(keep)


def in_two_days(market):
    """Whether the glide path has published the scan range by then, but for what is within the hysteresis."""
    (found,) = json.loads(asked(market, "glide", "ETH", "--json").stdout)["underlyings"]
    steps = [one for one in found["steps"] if one["at_s"] <= found["begins_s"] + 2 * DAY]
    return steps[-1]["params"]["psr_ppm"] >= 0.95 * 325_000


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


def test_propose__does_not_go_through__exit_6_with_the_contracts_words(market):
    """A simulation that fails is told as such."""
    text = 'title = "Too much"\n[underlying.ETH.config]\nkappa_ppm = 999_999\n'
    result = asked(market, "propose", written(market, text), "--engine", "embedded")
    assert result.exit_code == 6, result.output
    assert "kappaPpm" in result.stdout


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ('[underlying.ETH.fence.psr]\nmax = "1 %"', "BadConfig"),
        ('[collateral.WETH]\nhaircut_ppm = "120 %"', "("),
        (
            '[[new_expiry]]\nunderlying = "ETH"\nexpiry = 1500000000\nstrikes = ["3000 USD"]\nsigma_atm_ppm = 650_000',
            "(",
        ),
    ],
)
def test_propose__refused_without_simulation__exit_6_all_the_same(market, table, says):
    """What the contracts refuse already is no proposal, whether or not the whole way is taken on the fork."""
    result = asked(market, "propose", written(market, f'title = "No"\n{table}\n'), *QUICKLY, "--json")
    assert result.exit_code == 6, result.output
    tree = json.loads(result.stdout)
    assert tree["holds"] is False
    assert says in tree["refused"]


@pytest.mark.parametrize(
    ("table", "says", "hint"),
    [
        ("[house]\nfee = 1", "house.fee", "write [house.fee] and below it"),
        ("foo = 1", "foo", "tables are auction"),
        ("[underlying.ETH]\nfence = 1", "underlying.ETH.fence", "[underlying.<underlying>.fence.<range>]"),
        ("[[new_feed]]\nfoo = 1", "new_feed[0]", "its keys are asset, primary"),
        ("[[new_underlying]]\nfoo = 1", "new_underlying[0]", "its keys are asset"),
        ("[[new_collateral]]\nfoo = 1", "new_collateral[0]", "its keys are"),
        ('[[new_expiry]]\nunderlying = "ETH"\nfoo = 1', "new_expiry[0]", "its keys are expiry, strikes"),
        (
            '[[new_strikes]]\nunderlying = "ETH"\nexpiry = "2026-11-30"\nstrikes = ["3000 USD"]',
            "'2026-11-30' cannot be read",
            "give unix seconds",
        ),
        ('[[role]]\ngrant = "0x1234"', "role[0].grant: 0x1234 is no address", "40 hexadecimal digits"),
        ('[[role]]\nrole = "PUBLISHER_ROLE"', "needs one of grant and revoke", "PUBLISHER_ROLE"),
        (
            "[underlying.ETH.fence.psr]\nmax = 99999999999999999999999999",
            "beyond what the contract can hold",
            "at most",
        ),
    ],
)
def test_propose__written_wrongly__told_what_there_is(market, table, says, hint):
    """A hint names keys, forms and limits, and sends nobody to the source."""
    result = asked(market, "propose", written(market, f'title = "No"\n{table}\n'), *QUICKLY, "--json")
    assert result.exit_code == 2, result.output
    error = json.loads(result.stdout)["error"]
    assert says in error["message"]
    assert hint in error["hint"]
    assert "keeper.deploy" not in error["hint"]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("propose",), "CHANGES.toml"),
        (("propose", "absent.toml"), "cannot be read"),
        (("propose", "--from-recalibration", "absent.json"), "cannot be read"),
        (("propose", "--from-recalibration", "CHANGES"), "is no recalibration"),
        (("propose", "--from-recalibration", "EMPTY"), "it has neither underlyings nor prices"),
        (("propose", "--from-recalibration", "HALF"), "something in it has no symbol"),
        (("propose", "--from-recalibration", "--underlying", "DOGE"), "no underlying is called DOGE"),
        (("propose", "CHANGES", "--underlying", "ETH"), "among the kernel's own targets"),
        (("propose", "CHANGES", "--with-overrides"), "give --from-recalibration too"),
        (("propose", "--from-recalibration", "--within-days", "nan"), "--within-days"),
        (("propose", "CHANGES", "--vol-history", "absent.csv"), "absent.csv"),
        (("proposal", "check", "absent.json"), "cannot be read"),
        (("proposal", "check", "12"), "no proposal 12"),
        (("propose", "CHANGES", "--engine", "geth"), "no engine"),
        (("propose", "CHANGES", "--governor", "0x" + "11" * 20), "no contract"),
        (("propose", "CHANGES", "--governor", "0x1234"), "governor: 0x1234 is no address"),
        (("propose", "CHANGES", "--voter", "0x70997970C51812dc3A010C7d01b50e0d17dc79c8"), "fails its checksum"),
        (("propose", "CHANGES", "--proposer", "ada"), "proposer: ada is no address"),
    ],
)
def test_commands__unusable_input__exit_2_and_no_traceback(market, args, says):
    """Whoever errs is told, and sent to what helps."""
    texts = {"EMPTY": "{}", "HALF": '{"underlyings": [{"numbers": [{"number": "psr", "target": 1}]}]}'}
    given = [
        written(market, texts[one]) if one in texts else written(market) if one == "CHANGES" else one for one in args
    ]
    result = asked(market, *given)
    assert result.exit_code == 2, result.output
    assert says in result.output
    assert "Traceback" not in result.output
