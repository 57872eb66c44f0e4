"""The compiled grid equals the slow one to the wei and hands back what 128 bits cannot carry (TWIN-1)."""

import os
import subprocess
import sys
from collections import Counter
from importlib import import_module

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from keeper.domain.words import Words
from keeper.errors import LawBroken
from keeper.risk import compiled
from keeper.risk.exact import machine, sweep
from keeper.risk.exact.book import Book
from keeper.risk.exact.grid import assess
from keeper.risk.exact.riskfile import PPM
from keeper.risk.exact.rule import Fraction
from keeper.testing.portfolios import NOW, PSRS, Style, a_file, a_portfolio, an_extreme_file

needs_compiler = pytest.mark.skipif(not compiled.COMPILED, reason="numba is missing or told not to compile")
BOOKS = max(60, hypothesis.settings.default.max_examples // 2)
INT128 = st.integers(-(2**127), 2**127 - 1)

CHILD = """
import hashlib, sys
import numpy as np
from keeper.risk import compiled
from keeper.risk.exact import sweep
from keeper.risk.exact.book import Book
from keeper.testing.portfolios import NOW, Style, a_file, a_portfolio
sweep.COMPILED_FROM = 0
rng, file = np.random.default_rng(17), a_file()
drawn = [a_portfolio(rng, file, style) for style in Style for _ in range(30)]
book = Book.of([(p.legs, p.perp_size) for p in drawn])
found = sweep.assess_book(file, book, spot=file.ref_spot * 103 // 100, now=NOW)
columns = (found.option_mark, found.grid, found.short_minimum, found.worst_row)
digest = hashlib.sha256(repr([column.tolist() for column in columns]).encode()).hexdigest()
hits = misses = floats = 0
if compiled.COMPILED:
    from keeper.risk.compiled import grid
    hits, misses = sum(grid.assess.stats.cache_hits.values()), sum(grid.assess.stats.cache_misses.values())
    if misses:  # what came from the cache cannot be inspected
        kernels = [value for value in vars(grid).values() if hasattr(value, "inspect_llvm")]
        floats = sum(" double" in text for kernel in kernels for text in kernel.inspect_llvm().values())
print(compiled.COMPILED, hits, misses, floats, digest)
"""


def child(**environment):
    """(whether kernels were compiled, cache hits, misses, kernels with a float64, digest of the answers)."""
    text = subprocess.check_output([sys.executable, "-c", CHILD], env={**os.environ, **environment}, text=True)
    return text.split()


@needs_compiler
def test_compiled_book__random_portfolios__equal_to_the_slow_twin(monkeypatch):
    """Every style, extreme rows, spots near and far; accounts that fit and accounts that do not are both really met."""
    monkeypatch.setattr(sweep, "COMPILED_FROM", 0)
    seen = Counter()

    @hypothesis.settings(max_examples=BOOKS, suppress_health_check=list(hypothesis.HealthCheck))
    @hypothesis.given(
        st.integers(0, 2**32 - 1),
        st.sampled_from(PSRS),
        st.booleans(),
        st.one_of(st.just(0), st.integers(-900_000, 1_200_000)),
        st.integers(0, 10**12),
    )
    def check(seed, psr, extreme, move, grain):
        rng = np.random.default_rng(seed)
        file = an_extreme_file(rng, psr) if extreme else a_file(psr)
        spot = file.ref_spot + file.ref_spot * move // PPM + (grain if move else 0)
        drawn = [a_portfolio(rng, file, style) for style in Style]
        slow = [assess(file, p.legs, p.perp_size, spot, NOW) for p in drawn]
        book = Book.of([(p.legs, p.perp_size) for p in drawn])
        found = sweep.assess_book(file, book, spot=spot, now=NOW)
        assert found.option_mark.tolist() == [one.option_mark for one in slow], "TWIN-1"
        assert found.grid.tolist() == [one.grid for one in slow], "TWIN-1"
        assert found.short_minimum.tolist() == [one.short_minimum for one in slow], "TWIN-1"
        assert found.worst_row.tolist() == [one.worst_row for one in slow], "TWIN-1"
        by_machine = machine.assess(file, book, spot=spot, now=NOW)
        seen["too large"] += int(by_machine.too_large.sum())
        seen["carried"] += int((~by_machine.too_large).sum())
        seen["tie"] += sum(one.grid > 0 and one.losses.count(one.grid) > 1 for one in slow)
        seen["no row"] += sum(one.grid == 0 for one in slow)
        seen["light row"] += sum(one.worst_row in range(14, 24) for one in slow)
        seen["naked"] += sum(one.short_minimum > 0 for one in slow)

    check()
    assert min(seen.values()) >= 5, seen


@needs_compiler
@hypothesis.settings(max_examples=max(200, hypothesis.settings.default.max_examples * 2))
@hypothesis.given(
    st.integers(-(2**127) + 1, 2**127 - 1),
    st.integers(-(2**127), 2**127),
    st.one_of(st.integers(1, 2**127 - 1), st.integers(1, 2**20), st.sampled_from((10**18, 10**24, 2**63, 2**64 - 1))),
)
@hypothesis.example(2**127 - 1, 1, 1)
@hypothesis.example(-(2**127) + 1, 1, 2**127 - 1)
@hypothesis.example(-(2**127) + 1, 2**127, 2**127 - 1)
@hypothesis.example(-1, 1, 10**18)
@hypothesis.example(-(10**18), 1, 10**18)
def test_scale__any_fraction_that_fits__floor_of_the_exact_product(x, num, den):
    """The one division of the kernel, against Python's integers."""
    grid = import_module("keeper.risk.compiled.grid")
    exact = x * num // den
    hypothesis.assume(Fraction(num, den).fits and -(2**127) <= exact < 2**127)
    high, low = Words.of([x]).pairs[0]
    table = np.array([grid.fraction(num, den)], dtype=np.uint64)
    found = np.array([grid.scale(high, low, table, 0)], dtype=np.uint64)
    assert Words(found).bigs().tolist() == [exact]


@hypothesis.given(st.lists(INT128, max_size=20))
def test_words__any_int128__there_and_back(values):
    """Two words hold it."""
    assert Words.of(values).bigs().tolist() == values


@pytest.mark.parametrize("value", [2**127, -(2**127) - 1])
def test_words__beyond_128_bits__law_broken(value):
    """The contract's sizes are int128; nothing is cut off."""
    with pytest.raises(LawBroken, match="128"):
        Words.of([1, value])


@hypothesis.given(st.lists(st.integers(0, 8), max_size=6), st.integers(0, 2**32 - 1))
def test_book_only__some_accounts__as_if_laid_out_alone(chosen, seed):
    """Every column is the chosen accounts' own, in the order asked for."""
    rng, file = np.random.default_rng(seed), a_file()
    drawn = [(p.legs, p.perp_size) for p in (a_portfolio(rng, file, Style.MIXED) for _ in range(9))]
    book = Book.of(drawn).only(np.array(chosen, dtype=np.int64))
    found = sweep.assess_book(file, book, spot=file.ref_spot, now=NOW)
    slow = [assess(file, *drawn[i], file.ref_spot, NOW) for i in chosen]
    assert found.grid.tolist() == [one.grid for one in slow]


def test_book__out_of_all_proportion__numpy_does_it(monkeypatch):
    """A spot that leaves no room in 128 bits is not refused: the exact integers of the other path take over."""
    monkeypatch.setattr(sweep, "COMPILED_FROM", 0)
    rng, file = np.random.default_rng(4), a_file()
    drawn = [a_portfolio(rng, file, style) for style in Style]
    book, spot = Book.of([(p.legs, p.perp_size) for p in drawn]), file.ref_spot * 10**18
    if compiled.COMPILED:
        assert machine.assess(file, book, spot=spot, now=NOW) is None
    found = sweep.assess_book(file, book, spot=spot, now=NOW)
    assert found.grid.tolist() == [assess(file, p.legs, p.perp_size, spot, NOW).grid for p in drawn]


def test_book__without_compiler__falls_back_and_agrees(tmp_path):
    """Told not to compile, a fresh process takes the numpy twin; told nothing, machine code from the cache."""
    plain = child(NUMBA_DISABLE_JIT="1")
    assert plain[:4] == ["False", "0", "0", "0"]
    if compiled.COMPILED:
        first = child()  # compiles, if nobody has
        again = child()
        assert again[:3] == ["True", "1", "0"], "a second process compiles nothing again"
        assert first[4] == again[4] == plain[4]


@needs_compiler
def test_compiled_book__machine_code__no_float(tmp_path):
    """No float64 stands anywhere between the sizes and the answer."""
    fresh = child(NUMBA_CACHE_DIR=str(tmp_path), NUMBA_OPT="0")
    assert fresh[:4] == ["True", "0", "1", "0"]
