"""Tables break no word and drop no column, however narrow the screen (TAB-1)."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

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


HASH = "0x" + "ab" * 32
PATH = "/var/lib/keeper/a/rather/long/folder/for/one/deployment/of/the/house/deployment.json"


@pytest.mark.parametrize("width", ["40", "80", "140"])
@pytest.mark.parametrize(
    "made",
    [
        Text(f"written to {PATH}, whose hash is {HASH}, and many more words that are there to fill the line"),
        Padding(Text(f"written to {PATH}"), (0, 0, 0, 4)),
        Padding(Group(Text("first"), Text(HASH, overflow="fold")), (1, 0, 0, 2)),
        Group(Text("words " * 40), Group(Text(HASH), Text(PATH))),
        f"[bold]markup[/bold] {HASH}",
        "a table of ours",
        "a table of rich",
        "a grid",
    ],
    ids=[
        "text",
        "padded text",
        "padded group",
        "nested groups",
        "markup",
        "a table of ours",
        "a table of rich",
        "a grid",
    ],
)
def test_console__piped__no_word_is_ever_broken(monkeypatch, capsys, made, width):
    """TAB-4: what a person copies from a pipe stands there in one piece, and lines grow no more than that takes."""
    monkeypatch.setenv("COLUMNS", width)
    if made == "a table of ours":
        made = table("publication", "count", "", "why", numbers=1)
        made.add_row(HASH, "12,345", PATH, "and why it was, in rather more words than a line has room for " * 3)
    elif made == "a table of rich":
        made = Table(box=None, pad_edge=False)
        for name in ("update", "inputs hash", "why"):
            made.add_column(name, overflow="fold")
        made.add_row("ETH:1", HASH, f"it is in {PATH} " + "and more words " * 20)
    elif made == "a grid":
        made = Table.grid(padding=(0, 1))
        made.add_row("✓", PATH, "some words beside it " * 10 + HASH)
    answer.console().print(made)
    said = capsys.readouterr().out
    wanted = [word for word in (HASH, PATH) if word in repr(made) + repr(getattr(made, "renderable", ""))]
    assert wanted or not isinstance(made, str | Text), "each of them has one"
    for word in wanted:
        assert word in said, "TAB-4"
    if isinstance(made, Table):
        assert HASH in said, "TAB-4"
        assert PATH in said, "TAB-4"
    if not isinstance(made, Table):
        longest = max(len(word) for word in said.split())
        assert max(len(line.rstrip()) for line in said.splitlines()) <= max(int(width), longest + 4), "TAB-4"
