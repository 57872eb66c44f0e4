"""Proposals that are not made: refused by the contracts, or written wrongly."""

from __future__ import annotations

import json

import pytest

from tests.integration.proposals.asking import QUICKLY, asked, written

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300), pytest.mark.usefixtures("own_logging")]


def test_propose__does_not_go_through__exit_6_with_the_contracts_words(market):
    """A simulation that fails is told as such."""
    text = 'title = "Too much"\n[underlying.ETH.config]\nkappa_ppm = 999_999\n'
    result = asked(market, "propose", written(market, text), "--engine", "embedded")
    assert result.exit_code == 6, result.output
    assert "kappaPpm" in result.stdout


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ('[underlying.ETH.fence.psr]\nmax = "1 %"', "BadConfig"),
        ('[collateral.WETH]\nhaircut_ppm = "120 %"', "("),
        (
            '[[new_expiry]]\nunderlying = "ETH"\nexpiry = 1500000000\nstrikes = ["3000 USD"]\nsigma_atm_ppm = 650_000',
            "(",
        ),
    ],
)
def test_propose__refused_without_simulation__exit_6_all_the_same(market, table, says):
    """What the contracts refuse already is no proposal, whether or not the whole way is taken on the fork."""
    result = asked(market, "propose", written(market, f'title = "No"\n{table}\n'), *QUICKLY, "--json")
    assert result.exit_code == 6, result.output
    tree = json.loads(result.stdout)
    assert tree["holds"] is False
    assert says in tree["refused"]


@pytest.mark.parametrize(
    ("table", "says", "hint"),
    [
        ("[house]\nfee = 1", "house.fee", "write [house.fee] and below it"),
        ("foo = 1", "foo", "tables are auction"),
        ("[underlying.ETH]\nfence = 1", "underlying.ETH.fence", "[underlying.<underlying>.fence.<range>]"),
        ("[[new_feed]]\nfoo = 1", "new_feed[0]", "its keys are asset, primary"),
        ("[[new_underlying]]\nfoo = 1", "new_underlying[0]", "its keys are asset"),
        ("[[new_collateral]]\nfoo = 1", "new_collateral[0]", "its keys are"),
        ('[[new_expiry]]\nunderlying = "ETH"\nfoo = 1', "new_expiry[0]", "its keys are expiry, strikes"),
        (
            '[[new_strikes]]\nunderlying = "ETH"\nexpiry = "2026-11-30"\nstrikes = ["3000 USD"]',
            "'2026-11-30' cannot be read",
            "give unix seconds",
        ),
        ('[[role]]\ngrant = "0x1234"', "role[0].grant: 0x1234 is no address", "40 hexadecimal digits"),
        ('[[role]]\nrole = "PUBLISHER_ROLE"', "needs one of grant and revoke", "PUBLISHER_ROLE"),
        (
            "[underlying.ETH.fence.psr]\nmax = 99999999999999999999999999",
            "beyond what the contract can hold",
            "at most",
        ),
    ],
)
def test_propose__written_wrongly__told_what_there_is(market, table, says, hint):
    """A hint names keys, forms and limits, and sends nobody to the source."""
    result = asked(market, "propose", written(market, f'title = "No"\n{table}\n'), *QUICKLY, "--json")
    assert result.exit_code == 2, result.output
    error = json.loads(result.stdout)["error"]
    assert says in error["message"]
    assert hint in error["hint"]
    assert "keeper.deploy" not in error["hint"]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("propose",), "CHANGES.toml"),
        (("propose", "absent.toml"), "cannot be read"),
        (("propose", "--from-recalibration", "absent.json"), "cannot be read"),
        (("propose", "--from-recalibration", "CHANGES"), "is no recalibration"),
        (("propose", "--from-recalibration", "EMPTY"), "it has neither underlyings nor prices"),
        (("propose", "--from-recalibration", "HALF"), "something in it has no symbol"),
        (("propose", "--from-recalibration", "--underlying", "DOGE"), "no underlying is called DOGE"),
        (("propose", "CHANGES", "--underlying", "ETH"), "among the kernel's own targets"),
        (("propose", "CHANGES", "--with-overrides"), "give --from-recalibration too"),
        (("propose", "--from-recalibration", "--within-days", "nan"), "--within-days"),
        (("propose", "CHANGES", "--vol-history", "absent.csv"), "absent.csv"),
        (("proposal", "check", "absent.json"), "cannot be read"),
        (("proposal", "check", "12"), "no proposal 12"),
        (("propose", "CHANGES", "--engine", "geth"), "no engine"),
        (("propose", "CHANGES", "--governor", "0x" + "11" * 20), "no contract"),
        (("propose", "CHANGES", "--governor", "0x1234"), "governor: 0x1234 is no address"),
        (("propose", "CHANGES", "--voter", "0x70997970C51812dc3A010C7d01b50e0d17dc79c8"), "fails its checksum"),
        (("propose", "CHANGES", "--proposer", "ada"), "proposer: ada is no address"),
    ],
)
def test_commands__unusable_input__exit_2_and_no_traceback(market, args, says):
    """Whoever errs is told, and sent to what helps."""
    texts = {"EMPTY": "{}", "HALF": '{"underlyings": [{"numbers": [{"number": "psr", "target": 1}]}]}'}
    given = [
        written(market, texts[one]) if one in texts else written(market) if one == "CHANGES" else one for one in args
    ]
    result = asked(market, *given)
    assert result.exit_code == 2, result.output
    assert says in result.output
    assert "Traceback" not in result.output
