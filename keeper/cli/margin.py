"""`keeper margin`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keeper.cli.options import Json
from keeper.cli.root import INPUT
from keeper.cli.show.answer import answer, console, working
from keeper.cli.show.margin import case_view, margin_view
from keeper.cli.show.margin_tree import margin_tree, requirement_tree
from keeper.cli.show.presets import comparison_tree, comparison_view
from keeper.documents.derive_case import answer as figures
from keeper.documents.derive_case import margin_of, parse_case
from keeper.documents.evaluate import compare_files, evaluate_files
from keeper.documents.example import write_examples
from keeper.documents.presets import preset_named
from keeper.documents.read import read_json
from keeper.documents.schema import schema as schema_of_documents
from keeper.errors import BadInput
from keeper.risk.kernel.requirement import Unpriced
from keeper.risk.presets import PRESETS

EXAMPLE = """keeper margin --example desk
keeper margin --market desk/market.json --portfolio desk/portfolio.json --what-if desk/orders.json --explain
keeper margin --market desk/market.json --portfolio desk/portfolio.json --preset all
keeper margin --preset derive_pmrm2 cases.json --case test_29_perps_basic_perp --json"""

DEFAULT_PRESET = "keeper"
CASE_PRESET = "derive_pmrm2"
EVERY_PRESET = "all"


def margin(
    case: Annotated[
        Path | None, typer.Argument(metavar="CASE", help="A published case: one object, or a file of many.")
    ] = None,
    *,
    market: Annotated[Path | None, typer.Option(metavar="FILE", help="Prices, volatilities, depth: JSON.")] = None,
    portfolio: Annotated[Path | None, typer.Option(metavar="FILE", help="What the account holds: JSON.")] = None,
    what_if: Annotated[Path | None, typer.Option(metavar="FILE", help="Orders to fill first: JSON.")] = None,
    preset: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The rule: keeper if left out, of a CASE derive_pmrm2; all compares."),
    ] = None,
    case_name: Annotated[str | None, typer.Option("--case", metavar="NAME", help="Which case of CASE.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show each leg's part; they sum to the whole.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of the documents, and end.")] = False,
    example: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write documents to start from into DIR, and end.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Margin an account that is written down: any venue's rule, before and after orders; needs no chain.

    Documents are JSON. A market: spot, forwards or rates, volatilities as SVI, quotes or flat, depth, history. A
    portfolio: cash, collateral, positions by name, ETH-20260327-3000-C or ETH-27MAR26-3000-C. Orders: side, amount,
    price. The answer: equity, initial and maintenance requirement, health, the worst row of each generator, each
    add-on, and with --explain each leg's exact part; they sum to the requirement.

    With CASE, a published case of derive_pmrm2, it answers as that venue counts: IM and MM are what is left over.

    Presets: keeper, span16, derive_pmrm2, deribit_pm, paradex, dydx, synthetix, drift, aave, morpho; and all, which
    puts them side by side.

    Exit codes: 0 for an answer, healthy or not; 2 for input that cannot be used, and for an account that is unknown
    because a leg has no price, with the reason in the answer.
    """
    if schema:
        answer(schema_of_documents())
    elif example is not None:
        _example(example, as_json=as_json)
    elif case is not None:
        _refuse_beside("CASE", market=market, portfolio=portfolio, what_if=what_if)
        _case(case, case_name, preset=preset or CASE_PRESET, explain=explain, as_json=as_json)
    elif market is None or portfolio is None:
        raise BadInput("nothing to margin", hint="give --market and --portfolio, or CASE; see keeper margin --help")
    else:
        _refuse_beside("--market", case=case_name)
        if preset == EVERY_PRESET:
            _compare(market, portfolio, what_if, as_json=as_json)
            return
        _documents(market, portfolio, what_if, preset=preset or DEFAULT_PRESET, explain=explain, as_json=as_json)


def _refuse_beside(what: str, **others: object) -> None:
    given = next((name for name, value in others.items() if value is not None), None)
    if given is not None:
        raise BadInput(f"--{given.replace('_', '-')} does not go with {what}", hint="see keeper margin --help")


def _documents(
    market: Path, portfolio: Path, what_if: Path | None, *, preset: str, explain: bool, as_json: bool
) -> None:
    rule = preset_named(preset)
    with working(f"margining under {rule.name}"):
        found = evaluate_files(rule, market, portfolio, what_if)
    if as_json:
        answer(margin_tree(found))
    else:
        out = console()
        out.print(margin_view(found, explain=explain, width=out.width))
    if isinstance(found.final, Unpriced):
        raise typer.Exit(INPUT)


def _compare(market: Path, portfolio: Path, what_if: Path | None, *, as_json: bool) -> None:
    with working("margining under every rule") as line:
        found = compare_files(
            PRESETS.values(),
            market,
            portfolio,
            what_if,
            begun=lambda preset: line.update(f"margining under {preset.name}"),
        )
    if as_json:
        answer(comparison_tree(found))
    else:
        console().print(comparison_view(found))


def _case(path: Path, name: str | None, *, preset: str, explain: bool, as_json: bool) -> None:
    if preset != CASE_PRESET:
        raise BadInput(
            f"CASE is a case of {CASE_PRESET}, not of {preset}", hint=f"--preset {CASE_PRESET}, or leave it out"
        )
    case = parse_case(read_json(path), name=name, where=str(path))
    found = margin_of(case)
    if as_json:
        answer(figures(found) | ({"explained": requirement_tree(found)} if explain else {}))
    else:
        out = console()
        out.print(case_view(case, figures(found), found, explain=explain, width=out.width))


def _example(folder: Path, *, as_json: bool) -> None:
    written = write_examples(folder)
    if as_json:
        answer({"written": [str(path) for path in written]})
        return
    out = console()
    for path in written:
        out.print(f"[green]✓[/green] wrote [bold]{path}[/bold]", soft_wrap=True)
    out.print("  next, see what the account must hold and why:")
    out.print(
        f"  keeper margin --market {folder}/market.json --portfolio {folder}/portfolio.json --explain", soft_wrap=True
    )
