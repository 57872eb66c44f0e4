"""`Updates`, in memory and in SQL: inputs of publications, models signed off (UPD-1 … UPD-3)."""

from dataclasses import replace

from keeper.domain.inputs import hash_of
from keeper.domain.updates import KeptInputs, ShadowRun, SignOff


def a_file(text=b"{}", *, symbol="ETH", publication=17, block=100):
    return KeptInputs(
        hash=hash_of(text), underlying=0, symbol=symbol, publication=publication, block_number=block, model=1, why="due"
    ), text  # fmt: skip


def test_keep_inputs__any_file__byte_for_byte(store):
    """UPD-1: a kept file comes back as its very bytes, by its hash; one that is not kept is None."""
    kept, data = a_file(b'{"a":' + b"1" * 300_000 + b"}")
    store.keep_inputs(kept, data)
    assert store.inputs_file(kept.hash) == data, "UPD-1"
    assert store.inputs_file("0x" + "00" * 32) is None
    assert store.kept_inputs() == (kept,)
    assert kept.name == "ETH:17"


def test_keep_inputs__the_same_again__as_it_was(store):
    """UPD-1: what a hash names never changes."""
    kept, data = a_file()
    store.keep_inputs(kept, data)
    store.keep_inputs(replace(kept, why="another"), b"other bytes")
    assert store.inputs_file(kept.hash) == data, "UPD-1"
    assert store.kept_inputs() == (kept,), "UPD-1"


def test_kept_inputs__by_name__newest_first(store):
    """UPD-1: one id may have been decided at several blocks; each has its own file."""
    files = [
        a_file(b"1"), a_file(b"2", block=101), a_file(b"3", symbol="BTC"), a_file(b"4", publication=18, block=102)
    ]  # fmt: skip
    for kept, data in files:
        store.keep_inputs(kept, data)
    assert [k.block_number for k in store.kept_inputs(symbol="ETH", publication=17)] == [101, 100], "UPD-1"
    assert [k.name for k in store.kept_inputs(symbol="ETH")] == ["ETH:18", "ETH:17", "ETH:17"], "UPD-1"
    assert [k.name for k in store.kept_inputs(limit=2)] == ["ETH:18", "BTC:17"], "UPD-1"


def test_sign_off__again__both_words_stay(store):
    """UPD-2: nobody's word is taken back or overwritten."""
    first = SignOff(
        version=2, operator="Ada", reason="shadowed", at_s=1_000, evidence="ETH: 15 % → 16 %", shadowed_blocks=300,
        knobs="0x" + "cd" * 32,
    )  # fmt: skip
    again = replace(first, operator="Grace", at_s=2_000)
    assert store.sign_offs() == ()
    store.sign_off(first)
    store.sign_off(again)
    assert store.sign_offs() == (first, again), "UPD-2"


def a_run(**changed):
    run = ShadowRun(
        number=0, model=2, symbol="", begun_s=1_000, first_block=100, last_block=100, last_hash="0x" + "ab" * 32,
        blocks=1, numbers="ETH: scan_range 15 % live 16 % shadow", knobs="0x" + "cd" * 32,
    )  # fmt: skip
    return replace(run, **changed)


def test_keep_shadow__as_it_comes_along__one_run(store):
    """UPD-3: a run is numbered once, and then remembered as far as it came."""
    assert store.shadows() == ()
    first = store.keep_shadow(a_run())
    other = store.keep_shadow(a_run(symbol="ETH"))
    assert first.number != 0 != other.number, "UPD-3"
    further = replace(first, last_block=103, blocks=3, numbers="two\nlines")
    assert store.keep_shadow(further) == further
    assert store.shadows() == (further, other), "UPD-3"
