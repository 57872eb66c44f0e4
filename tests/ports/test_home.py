"""A store says whose house it is of, and what an older version wrote says it too (HOME-1, HOME-2)."""

import threading
from dataclasses import replace

import pytest
import sqlalchemy as sa
from alembic import command

from keeper.domain.cycle import CycleInputs
from keeper.domain.deployed import Deployed
from keeper.domain.home import Home
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.store import open_store
from keeper.store.schema import newest
from keeper.testing.builders import a_snapshot, an_account
from keeper.testing.memory_store import MemoryStore
from tests.ports.migrating import migrated

ONE, OTHER = (Home(chain_id=chain_id, house="0x" + byte * 20) for chain_id, byte in ((1, "1a"), (2**40, "2b")))


def said(store):
    """Nobody's, then the first one's whoever comes after."""
    return store.home(), store.dedicate(ONE), store.dedicate(OTHER), store.dedicate(ONE), store.home()


def test_dedicate__in_memory__the_first_word_stays():
    """HOME-1"""
    assert said(MemoryStore()) == (None, ONE, ONE, ONE, ONE), "HOME-1"


@pytest.mark.usefixtures("newest_schema_again")
def test_dedicate__in_a_database__the_first_word_stays_after_a_restart(url):
    """HOME-1"""
    store = open_store(url)
    assert said(store) == (None, ONE, ONE, ONE, ONE), "HOME-1"
    store.close()
    again = open_store(url)
    assert (again.home(), again.dedicate(OTHER)) == (ONE, ONE), "HOME-1"
    again.close()


@pytest.mark.usefixtures("newest_schema_again")
def test_dedicate__several_at_once__all_hear_the_same(url):
    """HOME-1: of processes that start together one is the first."""
    store, heard = open_store(url), []
    homes = [replace(ONE, chain_id=i) for i in range(1, 9)]
    threads = [threading.Thread(target=lambda h=h: heard.append(store.dedicate(h))) for h in homes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(heard) == len(homes)
    assert set(heard) == {store.home()}, "HOME-1"
    store.close()


def lived_in(home):
    deployed = home and Deployed(
        chain_id=home.chain_id, contracts=(("ClearingHouse", home.house), ("RiskFile", "0x" + "33" * 20))
    )
    snapshot = replace(a_snapshot(an_account(7)), deployed=deployed)
    return CycleInputs(snapshot=snapshot, in_flight=(), called=(), risk=RiskKnobs(), policy=PolicyKnobs())


@pytest.mark.usefixtures("newest_schema_again")
@pytest.mark.parametrize("home", [OTHER, None], ids=["named", "of a version that named none"])
def test_migration__store_of_an_older_version__is_the_newest_blocks_house(url, home):
    """HOME-2: down and up again, on either database, nothing else is touched."""
    store = open_store(url)
    store.dedicate(ONE)
    store.append_inputs(lived_in(home))
    inputs = lived_in(home)
    store.close()
    _, later = migrated(url, "0009", command.downgrade)
    revision, differs = migrated(url, "0008", command.downgrade)
    assert revision == "0008"
    assert len(differs) - len(later) == 1, "HOME-2: a table is gone, and nothing else"
    assert migrated(url, "head", command.upgrade) == (newest(), []), "HOME-2"
    store = open_store(url)
    assert store.home() == home, "HOME-2"
    assert store.inputs(inputs.snapshot.block.hash) == inputs
    assert store.dedicate(ONE) == (home or ONE), "HOME-2"
    store.close()


def test_migration__damaged_block__nobodys(tmp_path):
    """HOME-2: what cannot be read stops no upgrade; whoever reads it says so."""
    url = f"sqlite:///{tmp_path}/keeper.sqlite"
    store = open_store(url)
    store.append_inputs(lived_in(ONE))
    store.close()
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE snapshots SET payload = x'00ff'")
    engine.dispose()
    migrated(url, "0008", command.downgrade)
    assert migrated(url, "head", command.upgrade) == (newest(), [])
    store = open_store(url)
    assert store.home() is None
    store.close()
