"""No published number goes untested."""

from pathlib import Path

from tests.cases.published import names

TESTS = Path(__file__).resolve().parents[1]


def test_published__every_entry__is_named_by_a_test():
    """A number that no test quotes proves nothing."""
    texts = "".join(path.read_text() for path in TESTS.rglob("test_*.py"))
    assert [name for name in names() if f'published("{name}")' not in texts] == []
