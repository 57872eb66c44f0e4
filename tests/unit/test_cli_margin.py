"""`keeper margin`: documents and cases in, an account's requirement out; values and sums, not text."""

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from rich.console import Console
from typer.testing import CliRunner

from keeper.cli import margin as command
from keeper.cli.root import app
from keeper.documents.schema import schema
from keeper.risk.presets import PRESETS

CASES_FILE = Path(__file__).resolve().parent.parent / "cases" / "derive_pmrm2.json"
CASES = json.loads(CASES_FILE.read_text())["cases"]
README = Path(__file__).resolve().parent.parent.parent / "keeper" / "documents" / "README.md"


def ask(*args: object):
    return CliRunner().invoke(app, ["margin", *(str(arg) for arg in args)])


def ask_json(*args: object, exit_code: int = 0) -> dict:
    result = ask(*args, "--json")
    assert result.exit_code == exit_code, result.output
    return json.loads(result.stdout)


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """The shipped examples, written by the command itself."""
    folder = tmp_path / "desk"
    assert ask("--example", folder).exit_code == 0
    return folder


def documents(folder: Path) -> tuple[str, ...]:
    return ("--market", str(folder / "market.json"), "--portfolio", str(folder / "portfolio.json"))


def rewrite(path: Path, change) -> None:
    tree = json.loads(path.read_text())
    change(tree)
    path.write_text(json.dumps(tree))


def holds_together(tree: dict) -> None:
    """DOC-7: every figure of an answer is the sum of its lines."""
    for short, level in (("IM", tree["initial"]), ("MM", tree["maintenance"])):
        amounts = [line["amount"] for line in level["lines"]]
        legs = [line["amount"] for line in level["lines"] if line["kind"] == "leg"]
        assert level["requirement"] == tree[short]
        assert math.fsum(amounts) == pytest.approx(tree[short], rel=1e-12, abs=1e-9)
        assert math.fsum(legs) == pytest.approx(level["scenario"], rel=1e-12, abs=1e-9)
        assert level["excess"] == pytest.approx(tree["equity"] - tree[short], rel=1e-12, abs=1e-9)
        worst = {one["name"]: one["loss"] for one in level["worst"]}
        assert all(loss >= 0.0 for loss in worst.values())
        if level["binding"]:
            assert worst[level["binding"]] == max(worst.values())
    assert tree["IM"] >= tree["MM"] >= 0.0, "KER-4"
    if tree["equity"] >= 0.0 and tree["MM"] > 0.0:
        assert tree["health"] == pytest.approx(tree["equity"] / tree["MM"], rel=1e-12)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_case__one_of_a_file__the_published_figures(case: dict):
    """Derive's vectors, through the command, at 1e-10."""
    found = ask_json("--preset", "derive_pmrm2", CASES_FILE, "--case", case["name"])
    assert set(found) == {"IM", "MM", "mtm", "worst"}
    assert found["worst"] == case["expected"]["worst"]
    for figure in ("IM", "MM", "mtm"):
        assert found[figure] == pytest.approx(case["expected"][figure], rel=case["rel_tol"])


def test_case__object_alone__the_same_without_a_name(tmp_path: Path):
    (tmp_path / "case.json").write_text(json.dumps(CASES[2]))
    found = ask_json("--preset", "derive_pmrm2", tmp_path / "case.json")
    assert found == ask_json(CASES_FILE, "--case", CASES[2]["name"])


def test_case__explained__lines_sum_to_what_is_missing():
    found = ask_json(CASES_FILE, "--case", "test_13_risk_cancelling_btc_covered_call", "--explain")
    explained = found.pop("explained")
    holds_together(explained)
    assert explained["equity"] - explained["IM"] == pytest.approx(found["IM"], rel=1e-14)
    assert "IM" in ask(CASES_FILE, "--case", "test_13_risk_cancelling_btc_covered_call", "--explain").stdout


def test_case__file_of_many_and_no_name__exit_2_and_the_names():
    result = ask(CASES_FILE, "--json")
    assert result.exit_code == 2
    told = json.loads(result.stdout)["error"]
    assert all(case["name"] in told["hint"] for case in CASES)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((CASES_FILE, "--case", "test_13"), "no case test_13"),
        ((CASES_FILE, "--preset", "span16"), "not of span16"),
        ((CASES_FILE, "--market", "m.json"), "--market does not go with CASE"),
        (("nowhere.json",), "no such file"),
        ((), "nothing to margin"),
        (("--market", "m.json"), "nothing to margin"),
        (("--market", "m.json", "--portfolio", "p.json"), "no such file"),
        (("--market", "m.json", "--portfolio", "p.json", "--case", "x"), "--case does not go with --market"),
        (("--market", "m.json", "--portfolio", "p.json", "--preset", "span17"), "no preset span17"),
    ],
)
def test_input__cannot_be_used__exit_2_and_a_sentence(tmp_path: Path, monkeypatch, args, said):
    monkeypatch.chdir(tmp_path)
    result = ask(*args, "--json")
    assert result.exit_code == 2
    told = json.loads(result.stdout)["error"]
    assert said in told["message"]
    assert told["hint"]
    assert "Traceback" not in result.output


def test_schema__printed__the_one_that_is_tested():
    """The shipped schema is valid, and the examples satisfy it (see test_documents_read.py)."""
    printed = json.loads(ask("--schema").stdout)
    jsonschema.Draft202012Validator.check_schema(printed)
    assert printed == schema()


def test_example__again__nothing_is_overwritten(desk: Path):
    result = ask("--example", desk, "--json")
    assert result.exit_code == 2
    assert "is there already" in json.loads(result.stdout)["error"]["message"]


def test_documents__example__every_figure_is_the_sum_of_its_lines(desk: Path):
    tree = ask_json(*documents(desk), "--preset", "derive_pmrm2")
    holds_together(tree)
    assert tree["standing"] == "healthy"
    legs = {line["what"] for line in tree["initial"]["lines"] if line["kind"] == "leg"}
    held = {lot["instrument"] for lot in json.loads((desk / "portfolio.json").read_text())["positions"]}
    assert held <= legs


def test_documents__equity__cash_collateral_marks_and_profit(desk: Path):
    """What the account is worth, from the documents by hand."""
    rewrite(
        desk / "portfolio.json",
        lambda tree: tree.update(
            cash=1000.0,
            collateral={"WETH": 4},
            positions=[{"instrument": "ETH-PERP", "size": 6, "entry_price": 2950, "funding": -7.5}],
        ),
    )
    tree = ask_json(*documents(desk), "--preset", "derive_pmrm2")
    assert tree["equity"] == pytest.approx(1000.0 + 4 * 3000 / 0.9998 + 6 * (3001.5 - 2950) - 7.5, rel=1e-14)


def test_what_if__orders__before_after_and_the_change(desk: Path):
    tree = ask_json(*documents(desk), "--preset", "derive_pmrm2", "--what-if", desk / "orders.json")
    before = ask_json(*documents(desk), "--preset", "derive_pmrm2")
    holds_together(tree)
    holds_together(tree["after"])
    assert {key: tree[key] for key in ("equity", "IM", "MM", "health")} == {
        key: before[key] for key in ("equity", "IM", "MM", "health")
    }
    for figure in ("equity", "IM", "MM", "health"):
        assert tree["change"][figure] == pytest.approx(tree["after"][figure] - tree[figure], rel=1e-12)
    assert tree["change"]["IM"] < 0.0, "the example's orders buy the wings back"
    at_mark, at_price = tree["fills"]
    assert (at_mark["at_mark"], at_price["at_mark"], at_price["price"]) == (True, False, 45)
    fees = at_mark["fee"] + at_price["fee"]
    assert tree["change"]["equity"] > -fees, "bought below its mark"


def test_what_if__the_account_as_if_it_had_traded__the_same(desk: Path):
    """Orders at the mark and without fees end where a portfolio that holds them begins."""
    rewrite(desk / "market.json", lambda tree: tree.pop("fees"))
    (desk / "orders.json").write_text(
        json.dumps({"orders": [{"instrument": "ETH-PERP", "side": "sell", "amount": 6, "price": 2960}]})
    )
    after = ask_json(*documents(desk), "--preset", "derive_pmrm2", "--what-if", desk / "orders.json")["after"]

    def closed(tree: dict) -> None:
        tree["cash"] += 6 * (2960 - 2950)
        tree["positions"] = [lot for lot in tree["positions"] if lot["instrument"] != "ETH-PERP"]

    rewrite(desk / "portfolio.json", closed)
    direct = ask_json(*documents(desk), "--preset", "derive_pmrm2")
    for figure in ("equity", "IM", "MM", "health"):
        assert after[figure] == pytest.approx(direct[figure], rel=1e-12)


@pytest.mark.parametrize(
    ("instrument", "reason"),
    [
        ("ETH-20251226-3000-C", "expired"),
        ("ETH-20260328-3000-C", "no expiry 20260328"),
        ("SOL-PERP", "no underlying SOL"),
    ],
)
def test_unknown__leg_without_a_price__exit_2_and_the_reason_in_the_answer(desk: Path, instrument, reason):
    """DOC-4: an account that cannot be priced is an answer, never safe and never a traceback."""
    rewrite(desk / "portfolio.json", lambda tree: tree["positions"].append({"instrument": instrument, "size": 1}))
    tree = ask_json(*documents(desk), "--preset", "derive_pmrm2", exit_code=2)
    assert tree["standing"] == "unknown"
    assert reason in tree["reason"]
    assert "IM" not in tree
    shown = ask(*documents(desk), "--preset", "derive_pmrm2")
    assert shown.exit_code == 2
    assert "UNKNOWN" in shown.stdout
    assert reason in " ".join(shown.stdout.split())


def test_unknown__only_after_the_orders__before_is_still_told(desk: Path):
    (desk / "orders.json").write_text(json.dumps({"orders": [{"instrument": "SOL-PERP", "side": "buy", "amount": 1}]}))
    tree = ask_json(*documents(desk), "--preset", "derive_pmrm2", "--what-if", desk / "orders.json", exit_code=2)
    holds_together(tree)
    assert tree["after"]["standing"] == "unknown"
    assert "change" not in tree


def test_unknown_key__in_a_file__named_with_its_path(desk: Path):
    rewrite(desk / "market.json", lambda tree: tree["underlyings"]["ETH"]["expiries"][1].update(foward=1))
    result = ask(*documents(desk), "--json")
    assert result.exit_code == 2
    told = json.loads(result.stdout)["error"]
    assert "underlyings.ETH.expiries[1].foward" in told["message"]
    assert told["hint"] == "did you mean forward?"


def rows_shown(output: str, heading: str) -> dict[str, list[float]]:
    """Numbers of each row below a heading of what a person sees, by the row's name."""
    section = output.partition(heading)[2].split("\n\n")[0]
    found = {}
    for line in section.splitlines()[1:]:
        cells = re.split(r"  +", line.strip())
        numbers = [cell.replace("−", "-").replace(",", "") for cell in cells[1:]]
        found[cells[0]] = [float(n) for n in numbers if re.fullmatch(r"[-+]?\d+(\.\d+)?", n)]
    return found


def test_view__explained__shows_what_the_json_says(desk: Path):
    tree = ask_json(*documents(desk), "--preset", "derive_pmrm2")
    shown = rows_shown(ask(*documents(desk), "--preset", "derive_pmrm2", "--explain").stdout, "Requirement")
    assert shown["required"] == [pytest.approx(tree["IM"], abs=0.01), pytest.approx(tree["MM"], abs=0.01)]
    for line in tree["initial"]["lines"]:
        assert pytest.approx(line["amount"], abs=0.01) in shown[line["what"]]
    sizes = {lot["instrument"]: lot["size"] for lot in json.loads((desk / "portfolio.json").read_text())["positions"]}
    assert {name: shown[name][0] for name in sizes} == sizes


@pytest.mark.parametrize("columns", [80, 100, 120])
def test_view__each_width__fits_and_cuts_nothing(desk: Path, columns: int, monkeypatch):
    """On a terminal of 80 columns too: no line is longer, no name is cut."""
    monkeypatch.setattr(command, "console", lambda: Console(width=columns, color_system=None, highlight=False))
    result = ask(*documents(desk), "--preset", "derive_pmrm2", "--what-if", desk / "orders.json", "--explain")
    assert result.exit_code == 0, result.output
    compared = ask(*documents(desk), "--preset", "all")
    assert compared.exit_code == 0, compared.output
    for shown in (result.stdout, compared.stdout):
        assert max(len(line.rstrip()) for line in shown.splitlines()) <= columns
        assert "…" not in shown


def test_preset_all__side_by_side__each_as_by_itself(desk: Path):
    """The comparison is the presets' own answers; a rule that has none for the account says so and requires nothing."""
    perps = ("--market", desk / "market.json", "--portfolio", desk / "portfolio-perps.json")
    found = ask_json(*perps, "--preset", "all")["presets"]
    assert set(found) == set(PRESETS)
    assert {name for name, one in found.items() if "refused" in one} == {"aave", "morpho", "deribit_pm"}
    assert found["dydx"] == ask_json(*perps, "--preset", "dydx")
    shown = ask(*perps, "--preset", "all").stdout
    assert all(name in shown for name in PRESETS)


def test_preset_all__no_rule_at_all__exit_2(desk: Path):
    rewrite(desk / "market.json", lambda tree: tree.update(foo=1))
    result = ask(*documents(desk), "--preset", "all", "--json")
    assert result.exit_code == 2
    assert "unknown key foo" in json.loads(result.stdout)["error"]["message"]


def test_readme__its_example__runs_as_written(tmp_path: Path, monkeypatch):
    """The documentation is run: its files are read, its commands answer, its answers hold together."""
    text = README.read_text()
    for name, body in re.findall(r"^`(\w+\.json)`:.*?\n```json\n(.*?)```", text, re.MULTILINE | re.DOTALL):
        jsonschema.Draft202012Validator(schema()).validate(json.loads(body))
        (tmp_path / name).write_text(body)
    assert {path.name for path in tmp_path.iterdir()} == {"market.json", "portfolio.json", "orders.json"}
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^keeper margin (.*)$", text.partition("```sh")[2].partition("```")[0], re.MULTILINE)
    assert len(commands) == 2
    for line in commands:
        args = [arg for arg in line.split() if arg != "--json"]
        result = ask(*args)
        assert result.exit_code == 0, result.output
        tree = ask_json(*args)
        holds_together(tree)


def test_import__of_the_command__nothing_that_compiles_and_no_chain():
    """It answers without web3, and numba and arch are loaded only where something is fitted."""
    code = (
        "import sys, keeper.cli.margin\n"
        "print(sorted({'web3', 'numba', 'arch', 'pandas', 'pyarrow', 'sqlalchemy', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ})
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("market", "portfolio", "says"),
    [
        ("portfolio.json", "market.json", "portfolio.json: is a portfolio, not a market"),
        ("market.json", "market.json", "market.json: is a market, not a portfolio"),
        ("market.json", "orders.json", "orders.json: is a list of orders, not a portfolio"),
    ],
)
def test_margin__files_swapped__called_by_what_they_are(desk, market, portfolio, says):
    """A sound document in another's place is named as what it is, instead of every field that it lacks."""
    refused = ask_json("--market", desk / market, "--portfolio", desk / portfolio, exit_code=2)["error"]
    assert says in refused["message"]
    assert "swapped" in refused["hint"]


def test_margin__neither_one_nor_the_other__its_fields(desk):
    (desk / "odd.json").write_text('{"garbage": 1}')
    refused = ask_json("--market", desk / "odd.json", "--portfolio", desk / "portfolio.json", exit_code=2)["error"]
    assert "as_of: field required" in refused["message"]
