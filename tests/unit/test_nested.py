"""Files of others, nested without end: each reader refuses them, even where a library raised the recursion limit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.domain.nested import DEEPEST, TooDeep, depth_of, json_of, toml_of
from keeper.errors import BadInput
from keeper.governance.changes import parse_changes
from keeper.settings.load import load_settings

VALUES = st.recursive(
    st.none() | st.integers() | st.text(alphabet='[]{}"\\a\x00é∀'),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(alphabet='[{"\\'), inner, max_size=3),
)


def depth_one_by_one(text: str) -> int:
    """The obvious way: letter by letter."""
    deepest = depth = 0
    inside = escaped = False
    for letter in text:
        if inside:
            inside, escaped = escaped or letter != '"', letter == "\\" and not escaped
        elif letter == '"':
            inside = True
        else:
            depth += (letter in "[{") - (letter in "]}")
            deepest = max(deepest, depth)
    return deepest


@given(value=VALUES, wide=st.booleans(), deep=st.integers(0, 120))
def test_depth__any_json__as_counted_letter_by_letter(value: object, wide: bool, deep: int) -> None:
    """Brackets in texts, escaped or not, count for nothing; and what is shallow reads back."""
    tree = [value] * (DEEPEST + 1)
    for _ in range(deep):
        tree = [tree]
    text = json.dumps([*tree, *[[]] * DEEPEST], ensure_ascii=wide)
    assert depth_of(text.encode()) == depth_one_by_one(text)
    if depth_one_by_one(text) > DEEPEST:
        with pytest.raises(TooDeep):
            json_of(text)
    else:
        assert json_of(text) == json_of(text.encode()) == json.loads(text)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 101 + "1" + "}" * 101, '["' + "]" * 1000 + '", ' + "[" * 101, '"[' + "[" * 200]
)
def test_json__deeper_than_any_document__refused(text: str) -> None:
    """Cut or whole, and behind texts that would balance it."""
    with pytest.raises(TooDeep):
        json_of(text)


@pytest.mark.parametrize("text", ["a = " + "[" * 3000 + "]" * 3000, ".".join("a" * 300) + " = 1"])
def test_toml__deeper_than_any_document__refused_by_its_readers(text: str, tmp_path: Path) -> None:
    """Arrays that exhaust the stack, and tables of dotted keys that whoever walks them would."""
    with pytest.raises(TooDeep):
        toml_of(text)
    (tmp_path / "keeper.toml").write_text(text)
    with pytest.raises(BadInput, match="nested more than 100 deep"):
        load_settings(tmp_path / "keeper.toml", {})
    with pytest.raises(BadInput, match="nested more than 100 deep"):
        parse_changes('title = "t"\n' + text)
    assert toml_of("a.b = [[1]]") == {"a": {"b": [[1]]}}


def test_readers__limit_raised_by_a_library__refuse_and_the_process_lives(tmp_path: Path) -> None:
    """py-evm lets Python recurse 100,000 deep: a file of brackets must not end the keeper by a signal."""
    (tmp_path / "x.json").write_text("[" * 100_000)
    (tmp_path / "y.json").write_text('{"a":' * 100_000)
    program = dedent("""
        import sys
        from pathlib import Path
        from keeper.control.papers import load as load_paper
        from keeper.deploy.spec_file import read_spec
        from keeper.documents.read import read_json
        from keeper.domain.inputs import load as load_inputs
        from keeper.errors import BadInput
        from keeper.governance.proposal import load_proposal
        from keeper.governance.targets_file import read_targets
        from keeper.marketdata.web import parsed
        from keeper.protocols.clearinghouse.deployment import load_deployment

        sys.setrecursionlimit(100_000)
        for name in sys.argv[1:]:
            path = Path(name)
            for read in (load_deployment, read_spec, read_targets, read_json,
                         lambda p: load_inputs(p.read_bytes()), lambda p: load_paper(p.read_text()), load_proposal):
                try:
                    read(path)
                except BadInput:
                    pass
                else:
                    raise SystemExit(f"{read} took it")
            assert parsed(path.read_bytes()) is None
        print("alive")
    """)
    files = [str(tmp_path / "x.json"), str(tmp_path / "y.json")]
    done = subprocess.run(
        [sys.executable, "-c", program, *files], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "alive"), done.stderr
