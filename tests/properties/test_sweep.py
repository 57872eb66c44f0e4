"""Many accounts under one table of P&L: the compiled sweep, its numpy twin and the obvious way agree (SWP-1)."""

import os
import subprocess
import sys

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from keeper.errors import LawBroken
from keeper.risk import compiled
from keeper.risk.kernel.sweep import PnlTable, Positions, resweep, sweep
from keeper.risk.tail import expected_shortfall

LEVELS = (0.975, 0.99, 0.5, 0.9723, 0.01)
EXAMPLES = max(100, hypothesis.settings.default.max_examples // 2)

CHILD = """
import sys, numpy as np
from keeper.risk import compiled
from keeper.risk.kernel.sweep import PnlTable, Positions, sweep
data = np.load(sys.argv[1])
book = Positions(start=data["start"], index=data["index"], size=data["size"], instruments=len(data["pnl"]))
found = sweep(book, PnlTable(data["pnl"]), level=0.975)
np.savez(sys.argv[2], worst=found.worst, worst_row=found.worst_row, es=found.es)
hits = misses = 0
if compiled.COMPILED:
    from keeper.risk.compiled import sweep as kernels
    stats = kernels.sweep.stats
    hits, misses = sum(stats.cache_hits.values()), sum(stats.cache_misses.values())
print(compiled.COMPILED, hits, misses)
"""


def a_book(rng, accounts, instruments, most=12):
    """Random runs, some empty; sizes are small whole numbers in half of the books, so that ties are met."""
    counts = rng.integers(0, most, accounts)
    size = rng.standard_normal(counts.sum()) if rng.integers(0, 2) else rng.integers(-2, 3, counts.sum())
    start = np.concatenate(([0], np.cumsum(counts)))
    index = rng.integers(0, instruments, counts.sum())
    return Positions(start=start, index=index, size=size, instruments=instruments)


def a_table(rng, instruments, scenarios):
    """Random P&L, whole numbers in half of the tables."""
    shape = (instruments, scenarios)
    return PnlTable(rng.standard_t(3, shape) if rng.integers(0, 2) else rng.integers(-3, 4, shape))


def slowly(book, table, level, probability):
    """(worst loss, worst row, expected shortfall) of each account, one after the other."""
    found = []
    for a in range(len(book)):
        losses = np.zeros(table.values.shape[1])
        for k in range(book.start[a], book.start[a + 1]):
            losses -= book.size[k] * table.values[book.index[k]]
        row = int(np.argmax(losses))
        found.append((losses[row], row, expected_shortfall(losses, level, probability), np.abs(losses).max()))
    return found


def agree(swept, slow):
    """Worst and row exactly; the expected shortfall but for the order of its additions."""
    assert swept.worst.tolist() == [worst for worst, *_ in slow], "SWP-1"
    assert swept.worst_row.tolist() == [row for _, row, *_ in slow], "SWP-1"
    for es, (_, _, exact, scale) in zip(swept.es, slow, strict=True):
        assert abs(es - exact) <= 1e-12 * scale, "SWP-1"


@pytest.mark.parametrize("machine_code", [True, False])
@hypothesis.settings(max_examples=EXAMPLES, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(LEVELS),
    st.sampled_from((1, 2, 7, 40, 63, 64, 65, 130, 200)),
    st.booleans(),
)
def test_sweep__random_books__equal_to_the_obvious_way(machine_code, seed, level, scenarios, is_weighted):
    """With the compiler and without it, ties, empty accounts and one scenario included."""
    rng = np.random.default_rng(seed)
    book, table = a_book(rng, 6, 9), a_table(rng, 9, scenarios)
    probability = rng.dirichlet(np.ones(scenarios)) if is_weighted else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "COMPILED", machine_code and compiled.COMPILED)
        swept = sweep(book, table, level=level, probability=probability)
    agree(swept, slowly(book, table, level, probability))


def test_sweep__thousand_scenarios__equal_to_the_obvious_way():
    """The shape that is used in earnest, with an account whose sums are all one value and one half full of ties."""
    rng = np.random.default_rng(5)
    values = rng.standard_t(4, (30, 1_000))
    values[0], values[1] = 1.0, np.round(values[1])
    book = Positions(
        start=[0, 1, 2, 12, 12], index=[0, 1, *range(2, 12)], size=[1.0, -3.0] + [0.7] * 10, instruments=30
    )
    table = PnlTable(values)
    agree(sweep(book, table, level=0.975), slowly(book, table, 0.975, None))


def test_sweep__more_accounts_than_a_parcel_any_threads__the_same_bits():
    """An account's figures depend neither on its neighbours nor on how many cores share the work."""
    rng = np.random.default_rng(6)
    book, table = a_book(rng, 1_300, 20), a_table(rng, 20, 300)
    together = sweep(book, table, level=0.975)
    alone = [sweep(book.take([a]), table, level=0.975) for a in range(0, 1_300, 37)]
    assert together.es[::37].tolist() == [one.es[0] for one in alone]
    assert together.worst[::37].tolist() == [one.worst[0] for one in alone]
    if compiled.COMPILED:
        threads = compiled.numba.get_num_threads()
        compiled.numba.set_num_threads(1)
        single = sweep(book, table, level=0.975)
        compiled.numba.set_num_threads(threads)
        for name in ("worst", "worst_row", "es"):
            assert getattr(single, name).tobytes() == getattr(together, name).tobytes()


def test_resweep__accounts_that_traded__as_if_all_were_swept_again():
    """Only they are written; the rest keeps its bits."""
    rng = np.random.default_rng(7)
    book, table = a_book(rng, 40, 20), a_table(rng, 20, 100)
    swept = sweep(book, table, level=0.975)
    changed = [3, 39, 0]
    size = book.size.copy()
    for a in changed:
        size[book.start[a] : book.start[a + 1]] *= -2.0
    after = Positions(start=book.start, index=book.index, size=size, instruments=20)
    resweep(swept, changed, after.take(changed), table, level=0.975)
    again = sweep(after, table, level=0.975)
    assert swept.worst.tolist() == again.worst.tolist()
    assert swept.worst_row.tolist() == again.worst_row.tolist()
    assert swept.es.tolist() == again.es.tolist()


def test_resweep__bad_input__nothing_is_written():
    """Half an update would be worse than none."""
    rng = np.random.default_rng(8)
    book, table = a_book(rng, 5, 20), a_table(rng, 20, 100)
    swept = sweep(book, table, level=0.975)
    before = swept.worst.copy(), swept.es.copy()
    for changed, positions in (([0, 1], book.take([0])), ([5], book.take([0])), ([-1], book.take([0]))):
        with pytest.raises(LawBroken):
            resweep(swept, changed, positions, table, level=0.975)
    with pytest.raises(LawBroken):
        resweep(swept, [0], book.take([0]), table, level=1.0)
    assert (before[0].tolist(), before[1].tolist()) == (swept.worst.tolist(), swept.es.tolist())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_sweep__value_not_finite__law_broken(bad):
    """Neither a table nor a book with such a value exists."""
    with pytest.raises(LawBroken, match="finite"):
        PnlTable([[1.0, bad]])
    with pytest.raises(LawBroken, match="finite"):
        Positions(start=[0, 1], index=[0], size=[bad], instruments=1)


def test_sweep__sum_that_could_overflow__law_broken():
    """Before anything is added."""
    book = Positions(start=[0, 2], index=[0, 1], size=[1e200, 1e200], instruments=2)
    with pytest.raises(LawBroken, match="overflow"):
        sweep(book, PnlTable([[1e200, 1.0], [-1e200, 1.0]]), level=0.975)


@pytest.mark.parametrize(
    "bad",
    [
        {"start": [0, 1]},
        {"start": [1, 2]},
        {"start": [0, 2, 1, 2]},
        {"start": []},
        {"index": [0, 2]},
        {"index": [0, -1]},
        {"size": [1.0]},
    ],
)
def test_positions__columns_that_do_not_fit__law_broken(bad):
    """The kernel trusts its indices, so nobody else's are trusted."""
    with pytest.raises(LawBroken):
        Positions(**({"start": [0, 1, 2], "index": [0, 1], "size": [1.0, 2.0], "instruments": 2} | bad))


@pytest.mark.parametrize(
    ("level", "probability"),
    [
        (0.0, None),
        (1.0, None),
        (np.nan, None),
        (0.9, [0.5]),
        (0.9, [1.1, -0.1]),
        (0.9, [np.nan, 1.0]),
        (0.9, [0.0, 0.05]),
    ],
)
def test_sweep__no_tail__law_broken(level, probability):
    """As `keeper.risk.tail`."""
    book = Positions(start=[0, 1], index=[0], size=[1.0], instruments=1)
    with pytest.raises(LawBroken):
        sweep(book, PnlTable([[1.0, 2.0]]), level=level, probability=probability)


def test_sweep__no_accounts__empty():
    """Nothing to sweep is not an error."""
    book = Positions(start=[0], index=[], size=[], instruments=1)
    assert len(sweep(book, PnlTable([[1.0, 2.0]]), level=0.9)) == 0


def test_sweep__without_compiler__falls_back_and_agrees(tmp_path):
    """Told not to compile, a fresh process takes the numpy twin; told nothing, it takes machine code from the cache."""
    rng = np.random.default_rng(9)
    book, table = a_book(rng, 700, 20), a_table(rng, 20, 100)
    here = sweep(book, table, level=0.975)
    np.savez(tmp_path / "in.npz", start=book.start, index=book.index, size=book.size, pnl=table.values)

    def child(name, **environment):
        words = subprocess.check_output(
            [sys.executable, "-c", CHILD, str(tmp_path / "in.npz"), str(tmp_path / name)],
            env={**os.environ, **environment},
            text=True,
        ).split()
        return words, np.load(tmp_path / name)

    plain, found = child("plain.npz", NUMBA_DISABLE_JIT="1")
    assert plain == ["False", "0", "0"]
    assert found["worst"].tolist() == here.worst.tolist()
    assert found["worst_row"].tolist() == here.worst_row.tolist()
    assert np.allclose(found["es"], here.es, rtol=1e-12, atol=1e-12)
    if compiled.COMPILED:
        child("first.npz")  # compiles, if nobody has
        words, found = child("compiled.npz")
        assert words == ["True", "1", "0"], "a second process compiles nothing again"
        assert found["es"].tobytes() == here.es.tobytes()
