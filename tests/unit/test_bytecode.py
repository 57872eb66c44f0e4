"""Code on a chain against the compiler's: every byte counts but those that deployment fills in (DEP-6)."""

import re

import numpy as np
import pytest
from eth_utils import keccak, to_checksum_address

from keeper.abis import load
from keeper.deploy.bytecode import compare, immutables
from keeper.deploy.house import needed

HOUSE = ("ClearingHouse", "RiskParameters", "RiskFile", "LiquidationAuction", "KeeperQuorum", "PriceOracle")


def place_of(name):
    """Where a contract of this name lives on the made-up chain."""
    return to_checksum_address(keccak(text=name)[-20:])


def linked(name, libraries):
    """The run-time code with its libraries; immutables and a library's own address are still nothing."""
    text = load(name).deployed_bytecode.removeprefix("0x")
    for source, found in load(name).link_references.items():
        for library in found:
            mark = f"__${keccak(text=f'{source}:{library}').hex()[:34]}$__"
            text = text.replace(mark, libraries[library].removeprefix("0x").lower())
    return bytearray.fromhex(text)


def made(name):
    """What a chain has after it was deployed: every contract and library by its address."""
    libraries = {library: place_of(library) for library in needed(name)}
    chain = {}
    for what in (name, *libraries):
        code = linked(what, libraries)
        bare = bytes(linked(what, dict.fromkeys(libraries, "00" * 20)))
        for start, length in immutables(bare):
            code[start : start + length] = keccak(text=f"{what} {start}")
        if bare[:1] == b"\x73":
            code[1:21] = bytes.fromhex(place_of(what)[2:])
        chain[place_of(what)] = bytes(code)
    return chain


def wrong(name, chain):
    return {one.name: one.wrong for one in compare(name, place_of(name), lambda at: chain.get(at, b"")) if one.wrong}


@pytest.mark.parametrize("name", HOUSE)
def test_compare__whatever_deployment_fills_in__is_the_compilers(name):
    """Immutables, libraries and a library's own address may be anything; all libraries are looked at."""
    chain = made(name)
    assert wrong(name, chain) == {}
    assert {one.name for one in compare(name, place_of(name), chain.__getitem__)} == {name, *needed(name)}


@pytest.mark.parametrize("name", HOUSE)
def test_compare__any_other_byte__told_with_its_place(name):
    """One byte of the contract or of a library that is not the compiler's is found, wherever it is."""
    chain, rng = made(name), np.random.default_rng(7)
    for what in (name, *needed(name)):
        code = chain[place_of(what)]
        text = load(what).deployed_bytecode.removeprefix("0x")
        filled = {i for m in re.finditer(r"__\$.{34}\$__", text) for i in range(m.start() // 2, m.end() // 2)}
        bare = bytes.fromhex(re.sub(r"__\$.{34}\$__", "00" * 20, text))
        filled |= {i for start, length in immutables(bare) for i in range(start, start + length)}
        filled |= set(range(1, 21)) if bare[0] == 0x73 else set()
        free = sorted(set(range(len(code))) - filled)
        for at in (free[0], free[-1], *rng.choice(free, 10).tolist()):
            other = bytearray(code)
            other[at] ^= 0x01
            found = wrong(name, chain | {place_of(what): bytes(other)})
            assert list(found) == [what]
            assert f"byte {at:,} of" in found[what]
        assert "bytes of code" in wrong(name, chain | {place_of(what): code + b"\0"})[what]
        assert "0 bytes of code" in wrong(name, chain | {place_of(what): b""})[what]


def test_compare__one_library_at_two_addresses__told():
    """A call that goes to another library than the other calls is no compiler's, whatever lives there."""
    chain = made("RiskParameters")
    at, fences = place_of("RiskParameters"), bytes.fromhex(place_of("Fences")[2:])
    stranger = place_of("stranger")
    first, _, rest = chain[at].partition(fences)
    assert fences in rest, "it is called more than once"
    found = wrong("RiskParameters", chain | {at: first + bytes.fromhex(stranger[2:]) + rest})
    assert "it calls Fences at" in found["RiskParameters"]


def test_compare__library_that_was_made_elsewhere__told():
    """A library's copy that believes to live at another address refuses no direct call."""
    chain = made("RiskFile")
    other = bytearray(chain[place_of("Slew")])
    other[1:21] = bytes.fromhex(place_of("stranger")[2:])
    assert "another address" in wrong("RiskFile", chain | {place_of("Slew"): bytes(other)})["Slew"]


def test_immutables__of_every_contract__are_as_many_as_its_source_names():
    """What is left open is what the source calls immutable, here by its two ends: none, and at every use."""
    for name, there in (("PriceOracle", False), ("ClearingHouse", False), ("RiskFile", True), ("KeeperQuorum", True)):
        bare = bytes(linked(name, dict.fromkeys(needed(name), "00" * 20)))
        places = list(immutables(bare))
        assert bool(places) is there
        assert all(bare[start - 1] == 0x7F for start, _ in places)
