"""Tables break no word and drop no column, however narrow the screen (TAB-1)."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from keeper.cli.show import answer
from keeper.cli.show.tables import table
from keeper.cli.show.words import amount, usd

WORD = st.text("abcdefghij", min_size=1, max_size=14)
CELL = st.lists(WORD, min_size=1, max_size=5).map(" ".join)


def printed(made, width):
    out = Console(width=width, file=io.StringIO(), color_system=None)
    out.print(made)
    return out.file.getvalue()


@given(
    st.integers(2, 8).flatmap(
        lambda n: st.tuples(
            st.lists(WORD, min_size=n, max_size=n),
            st.lists(st.lists(CELL, min_size=n, max_size=n), min_size=1, max_size=4),
        )
    ),
    st.integers(40, 120),
)
def test_table__any_width__every_word_whole_and_no_line_too_long(made, width):
    """TAB-1: every word of every cell stands in the output in one piece, and no line is longer than the screen."""
    heads, rows = made
    one = table(*heads, numbers=0)
    for row in rows:
        one.add_row(*row)
    said = printed(one, width)
    assert max(map(len, said.splitlines())) <= width
    words = set(said.split())
    assert {word for cell in (*heads, *(c for row in rows for c in row)) for word in cell.split()} <= words


def test_table__figures_with_units__in_one_line():
    one = table("parameter", *(f"column {n}" for n in range(7)))
    one.add_row("ETH volatility range up", *("1,234.56 (100 %)",) * 7)
    assert printed(one, 80).count("1,234.56 (100 %)") == 7


def test_table__an_address_longer_than_its_room__folded_and_never_cut():
    address = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
    one = table("account", "equity", "maintenance", "initial", "")
    one.add_row(address, "1,234,567.89", "1,234,567.89", "1,234,567.89", "in auction")
    said = printed(one, 80)
    # Where it is folded its parts stand below one another in the first column.
    assert address in "".join(
        line.split(" ")[0] for line in said.splitlines() if line and line[0] in "0123456789abcdefABCDEF"
    )
    assert "maintenance" in said


@pytest.mark.parametrize(("columns", "width"), [("", 80), ("132", 132), ("7", 40), ("many", 80), ("-5", 80)])
def test_console__piped__as_wide_as_columns_says_else_80(monkeypatch, columns, width):
    """TAB-2: what is piped is set as wide as the terminal says, and 80 where nobody says."""
    monkeypatch.setenv("COLUMNS", columns)
    assert answer.console().width == width


@pytest.mark.parametrize(
    ("wad", "said"),
    [
        (0, "0.00"),
        (10**16, "0.01"),
        (5 * 10**15, "0.01"),
        (12 * 10**12, "0.000012"),
        (-1, "−1e-18"),
        (-(10**15), "−0.001"),
        (1_234_567 * 10**18, "1,234,567.00"),
    ],
)
def test_usd__any_amount__in_usd_and_never_nothing(wad, said):
    """TAB-3: an amount in a sentence carries its unit, however small; only zero is shown as zero."""
    assert amount(wad) == said
    assert usd(wad) == f"{said} USD"
