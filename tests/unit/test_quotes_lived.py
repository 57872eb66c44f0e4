"""A block lived with quotes: published, stored, replayed, and told to a person with its reasons."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from keeper.cli.root import app
from keeper.demo.venue import DemoVenue
from keeper.domain.action import Publish
from keeper.domain.quotes import Unquoted
from keeper.domain.snapshot import Observation
from keeper.replay import replay
from keeper.risk.calibration.implied import fitted
from keeper.store import open_store
from keeper.testing.builders import NOW, a_block, a_publication, a_snapshot, an_account, an_underlying, usd
from keeper.testing.lived import live

HISTORY = tuple(Observation(time=NOW - 3_600 * (400 - i), price=usd(3_000 * (1 + 0.006 * (i % 2)))) for i in range(401))


class Silent:
    """`QuoteSource` whose venue never answered."""

    def refresh(self):
        pass

    def read(self, snapshot):
        return (Unquoted(underlying=1, reason="venue.example did not answer: ConnectTimeout"),)


def a_world():
    u = replace(an_underlying(history=HISTORY, publication=a_publication()), symbol="ETH")
    return a_snapshot(an_account(7), underlying=u)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A store in which a block was lived with quotes and the next without."""
    at = tmp_path_factory.mktemp("lived")
    store = open_store(f"sqlite:///{at}/keeper.sqlite")
    live(store, a_world(), quotes=DemoVenue(1))
    live(store, replace(a_world(), block=a_block(101, timestamp=NOW + 12)), quotes=Silent())
    live(store, replace(a_world(), block=a_block(102, timestamp=NOW + 24)), quotes=DemoVenue(1))
    store.close()
    (at / "keeper.toml").write_text(f'[store]\nurl = "sqlite:///{at}/keeper.sqlite"\n')
    return at


def store_of(folder):
    return open_store(f"sqlite:///{folder}/keeper.sqlite")


def test_cycle__quotes__published_with_smile_and_forward(folder):
    """What goes out is a legal step towards the quoted surface."""
    (publish,) = [a for a in store_of(folder).cycle_at(100).decision.actions if isinstance(a, Publish)]
    (one,) = publish.params.expiries
    assert len(set(one.sigmas_ppm)) > 1
    assert one.params.phi_ppb > 10**9


def test_cycle__silent_venue__goes_on_with_realised_volatilities_and_says_so(folder):
    decision = store_of(folder).cycle_at(101).decision
    (alert,) = decision.alerts
    assert alert == ("ETH: quotes unused, volatilities are realised: venue.example did not answer: ConnectTimeout")
    (target,) = decision.targets
    assert len(set(target.expiries[0].sigmas_ppm)) == 1


@pytest.mark.parametrize("number", [100, 101, 102])
def test_replay__with_and_without_quotes__same_bytes(folder, number):
    """REP-1: the stored block holds its quotes, and a surface fitted anew gives the same decision."""
    store = store_of(folder)
    fitted.cache_clear()
    assert replay(store, store.cycle_at(number).block.hash).same, "REP-1"


def ask(folder, *args):
    found = CliRunner().invoke(app, [*args, "-c", str(folder / "keeper.toml")], env={"COLUMNS": "100"})
    assert found.exit_code == 0, found.output
    return found.stdout


def test_status__targets__with_their_reasons(folder):
    """A person reads where each number comes from; a script gets the numbers."""
    shown = ask(folder, "status")
    for said in ("at the money", "2023-11-21", "quotes of the demo's venue, 0 s old", "scan range"):
        assert said in " ".join(shown.split())
    (market,) = json.loads(ask(folder, "status", "--json"))["markets"]
    (one,) = market["target"]["expiries"]
    assert one["phi_ppb"] > 10**9
    assert len(one["sigmas_ppm"]) == 5
    assert len(market["target"]["reasons"]) == 3
