"""Words of proposals: numbers with their units, changes as they are written, keys that follow the contracts."""

import pytest

from keeper.abis import load, names
from keeper.domain.raw_units import (
    ADDRESS,
    CONTRACTS,
    DISCOUNT,
    FLAG,
    FORWARD,
    NAME,
    PPB,
    PPM,
    SECONDS,
    STRIKE,
    TIME,
    USD,
    field_key,
    shown,
    unit_of,
)
from keeper.errors import BadInput
from keeper.governance.changes import parse_changes
from keeper.governance.items import words_of
from keeper.governance.kinds import KINDS
from keeper.governance.proposal import changes_in, describe, load_proposal
from keeper.governance.units import parse
from keeper.protocols.abi import Abi


@pytest.mark.parametrize(
    ("written", "unit", "raw", "said"),
    [
        ("12.5 %", PPM, 125_000, "12.5 %"),
        (125_000, PPM, 125_000, "12.5 %"),
        ("97 %", PPB, 970_000_000, "0.97"),
        ("2 h", SECONDS, 7_200, "2 h"),
        ("90 s", SECONDS, 90, "90 s"),
        ("3 d", SECONDS, 259_200, "3 d"),
        ("100_000.5 USD", USD, 100_000_500_000_000_000_000_000, "100,000.5 USD"),
        ("0.25 contracts", CONTRACTS, 25 * 10**16, "0.25 contracts"),
        ("3000 USD", STRIKE, 3_000 * 10**8, "3,000 USD"),
        (True, FLAG, True, "true"),
    ],
)
def test_number__written_and_shown__the_same(written, unit, raw, said):
    """GOV-6: a value reads as the raw integer or with its unit, and is shown with it."""
    assert parse(written, unit, key="k") == raw
    assert shown(raw, unit) == said


@pytest.mark.parametrize("written", ["12,5 %", "12.5 ppm", "1e3 %", "%", "3 h h", 1.5, None, True, ""])
def test_number__nothing_that_a_person_means__refused(written):
    """A number that could be read in two ways is read in none."""
    with pytest.raises(BadInput, match=r"^a\.b = "):
        parse(written, PPM, key="a.b")


def test_number__hundreds_of_digits__refused_and_no_overflow():
    """No text makes it slow or inexact."""
    with pytest.raises(BadInput):
        parse("1." + "1" * 500 + " %", PPM, key="k")
    assert parse("1" * 50 + " USD", USD, key="k") == int("1" * 50) * 10**18


def test_address__checksummed_or_refused():
    """An address is an address, however it is written."""
    assert parse("0x" + "aa" * 20, ADDRESS, key="k").lower() == "0x" + "aa" * 20
    with pytest.raises(BadInput, match="not an address"):
        parse("0x" + "aa" * 19, ADDRESS, key="k")


@pytest.mark.parametrize("kind", [k for k in KINDS if k.contract in names()], ids=lambda k: "/".join(k.path))
def test_kinds__every_row__names_what_the_contract_has(kind):
    """GOV-7: each row's setter, getter and own views are in the exported ABI, and each field has a key of its own."""
    abi = Abi(kind.contract, load(kind.contract).abi)
    assert kind.setter in abi
    inputs = abi.inputs(kind.setter)[len(kind.keys) :]
    leaves = inputs[0]["components"] if len(inputs) == 1 and inputs[0]["type"] == "tuple" else inputs
    assert leaves
    keys = [field_key(leaf["name"]) for leaf in leaves]
    assert len(set(keys)) == len(keys)
    assert not kind.getter or kind.getter in abi
    told = {leaf["name"] for leaf in leaves}
    assert kind.fixed <= told
    for field, view in kind.alone.items():
        assert field not in told or view in abi


def test_units__of_names__follow_what_they_say():
    """A field's unit is in its name."""
    said = {
        "tailPpm": "ppm", "maxAgeS": "s", "noticeBlocks": "blocks", "dustUsd": "USD", "phiMinPpb": "ppb",
        "ratePpmPerYear": "ppm", "decimals": "count", "slewPpmPerHour": "ppm",
    }  # fmt: skip
    assert {name: str(unit_of(name, "uint32").scale) for name in said} == said


@pytest.mark.parametrize(
    ("raw", "unit", "said"),
    [
        (1_000_000_000, FORWARD, "1 × spot"),
        (985_000_000, DISCOUNT, "0.985 × payout"),
        (1_795_939_200, TIME, "2026-11-29 08:00 UTC"),
        (1_795_939_207, TIME, "2026-11-29 08:00:07 UTC"),
        (10**14, TIME, "100000000000000"),
        (b"vsrUp".ljust(32, b"\0"), NAME, "vsrUp"),
        (bytes(32), NAME, "0x" + "00" * 32),
        (b"\xff" * 32, NAME, "0x" + "ff" * 32),
    ],
)
def test_shown__what_no_person_reads_raw__decoded(raw, unit, said):
    """GOV-6: ratios say of what, moments are dates, words are words; what is none of them stays as it is."""
    assert shown(raw, unit) == said


def test_words_of__arguments__words_decoded_and_numbers_raw():
    """GOV-6: whoever compares calldata finds its integers, and reads its words."""
    assert words_of({"what": b"psr".ljust(32, b"\0"), "fence": {"max": 325_000}}) == "{what: psr, fence: {max: 325000}}"
    assert words_of([b"psr".ljust(32, b"\0"), bytes(32)]) == "[psr, 0x" + "00" * 32 + "]"


def test_description__carries_the_changes__as_they_were_written():
    """Anyone who finds the text on chain can generate the calls again."""
    source = 'title = "A"\nsummary = "B *c*"\n\n[fund]\ncap_per_auction = 1\n'
    text = describe(parse_changes(source))
    assert parse_changes(changes_in(text)).tree == parse_changes(source).tree
    with pytest.raises(BadInput, match="carries no changes"):
        changes_in("# A\n\nnothing")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("title = 1", "no title"),
        ('title = "a\\nb"\n[fund]\nx=1', "no title"),
        ('title = "a"', "changes nothing"),
        ('title = "a"\nroute = 1\n[fund]\nx=1', "route a table"),
        ('title = "a"\nsummary = "```"\n[fund]\nx=1', "```"),
        ('title = "a"\n[fund', "table declaration"),
        ('title = "a"\nsummary = "' + "x" * 20_001 + '"\n[fund]\nx=1', "letters"),
    ],
)
def test_changes__malformed__told(source, says):
    """What is wrong with a file is said before the chain is asked anything."""
    with pytest.raises(BadInput, match=says):
        parse_changes(source)


def test_load_proposal__another_file__named_with_what_was_expected(tmp_path):
    """Whoever names the wrong file of a folder is told which, and which it should be."""
    path = tmp_path / "report.json"
    for text in ("", "[]", '{"evidence": 1}'):
        path.write_text(text)
        with pytest.raises(BadInput, match=r"report\.json: Proposal cannot be read") as told:
            load_proposal(path)
        assert "name a proposal.json" in told.value.hint
