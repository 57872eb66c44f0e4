"""The table of laws is one that can be looked things up in: a number is one law, and a test that is named is there."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TABLE = (ROOT / "tests" / "PROPERTIES.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"([A-Z][A-Z0-9]*-[A-Z]*)(\d+)")
RANGE = re.compile(r"([A-Z][A-Z0-9]*-[A-Z]*)(\d+) … \1(\d+)")
#: What a law is marked with that is held once more, for other code.
AGAIN = " (again)"
#: A path with a test's name, or either; `…` is a path that was named above.
CITED = re.compile(r"`(…|[\w./]+\.(?:py|sol))?(?:::([\w…]+)\*?)?(?:\[[^`]*)?`")


def rows():
    """Section, law and test of each row that names a law."""
    section = ""
    for line in TABLE.splitlines():
        if line.startswith("#"):
            section = line
        if line.startswith("|"):
            cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
            if NUMBER.match(cells[0]):
                yield section, cells[0], cells[-1]


def numbers(law):
    """Each number of a law's cell, with whether it is held there once more."""
    for part in law.split(", "):
        bare = part.removesuffix(AGAIN)
        found = RANGE.fullmatch(bare)
        for number in range(int(found[2]), int(found[3]) + 1) if found else ():
            yield f"{found[1]}{number}", part != bare
        if not found:
            yield bare, part != bare


def test_properties__each_number__is_one_law():
    """A number that stands in an assertion leads to one row; rows that hold it for other code say so."""
    told = [one for _, law, _ in rows() for one in numbers(law)]
    assert len(told) > 400, "the table was read"
    counted = Counter(number for number, again in told if not again)
    assert [number for number, times in counted.items() if times > 1] == []
    assert [number for number, again in told if again and number not in counted] == []


@cache
def text_of(path):
    """The file that a row means, from wherever its path is counted; empty if there is none."""
    for start in ("tests", "contracts", "contracts/test", "."):
        if (ROOT / start / path).is_file():
            return (ROOT / start / path).read_text(encoding="utf-8")
    return ""


def test_properties__each_test_that_is_named__is_there():
    """Whoever follows a row arrives."""
    lost, seen, above = [], 0, {}
    for section, law, test in rows():
        named = above.setdefault(section, [])
        for path, name in CITED.findall(test):
            if not (path or name):
                continue
            named += [path] if path not in ("", "…") else []
            texts = [text_of(one) for one in (named if path in ("", "…") else [path])]
            seen += 1
            if not any(texts) or (
                name and not any(re.search(rf"(?:def|function) {name.rstrip('…')}", x) for x in texts)
            ):
                lost.append(f"{law}: {path}::{name}")
    assert seen > 400, "the table was read"
    assert lost == []
