"""The migrations of what operators said go both ways, on SQLite and on PostgreSQL, and lose no word (UPD-4)."""

from dataclasses import replace

import pytest
from alembic import command

from keeper.domain.overrides import Override
from keeper.domain.updates import ShadowRun, SignOff
from keeper.store import open_store
from keeper.store.schema import newest
from tests.ports.migrating import migrated

pytestmark = pytest.mark.usefixtures("newest_schema_again")

RUN = ShadowRun(
    number=0, model=1, symbol="", begun_s=1, first_block=10, last_block=309, last_hash="0x00", blocks=300, numbers="x",
    knobs="0x" + "ab" * 32,
)  # fmt: skip
WORD = SignOff(version=1, operator="Ada", reason="seen", at_s=5, evidence="ETH", shadowed_blocks=300, knobs=RUN.knobs)


def test_migration__down_and_up_again__words_stay_and_runs_are_gone(url):
    """UPD-4: an older keeper finds its own schema after a downgrade, and a newer one its own after the upgrade."""
    store = open_store(url)
    store.sign_off(WORD)
    store.keep_shadow(RUN)
    store.close()
    _, later = migrated(url, "0008", command.downgrade)
    revision, differs = migrated(url, "0006", command.downgrade)
    assert revision == "0006"
    assert len(differs) - len(later) == 3, "UPD-4: a table and two columns are gone, and nothing else"
    assert migrated(url, "head", command.upgrade) == (newest(), []), "UPD-4"
    store = open_store(url)
    assert store.sign_offs() == (replace(WORD, shadowed_blocks=0, knobs=""),), "UPD-4"
    assert store.shadows() == ()
    assert store.keep_shadow(RUN).number == 1
    store.close()


def test_migration__of_why_cleared_down_and_up_again__floors_stay(url):
    """UPD-4: only the reason is lost; who took it back, and when, is on record still."""
    store = open_store(url)
    floor = store.set_override(
        Override(
            number=0, underlying=1, parameter="psr", floor_ppm=180_000, reason="a fork", operator="Ada", set_at_s=100,
            expires_at_s=200,
        )
    )  # fmt: skip
    store.clear_override(floor.number, at_s=150, by="Eve", why="it is over")
    store.close()
    _, later = migrated(url, "0010", command.downgrade)
    revision, differs = migrated(url, "0009", command.downgrade)
    assert revision == "0009"
    assert len(differs) - len(later) == 1, "UPD-4: one column is gone, and nothing else"
    assert migrated(url, "head", command.upgrade) == (newest(), []), "UPD-4"
    store = open_store(url)
    assert store.overrides() == (replace(floor, cleared_at_s=150, cleared_by="Eve"),), "UPD-4"
    assert store.cleared_why() == {}
    store.close()


def test_migration__of_knobs_down_and_up_again__words_and_runs_stay(url):
    """UPD-4: only the digests are lost."""
    store = open_store(url)
    store.sign_off(WORD)
    kept = store.keep_shadow(RUN)
    store.close()
    _, later = migrated(url, "0008", command.downgrade)
    revision, differs = migrated(url, "0007", command.downgrade)
    assert revision == "0007"
    assert len(differs) - len(later) == 2, "UPD-4: two columns are gone, and nothing else"
    assert migrated(url, "head", command.upgrade) == (newest(), []), "UPD-4"
    store = open_store(url)
    assert store.sign_offs() == (replace(WORD, knobs=""),), "UPD-4"
    assert store.shadows() == (replace(kept, knobs=""),), "UPD-4"
    store.close()
