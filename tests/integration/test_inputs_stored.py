"""A stored block replays to the same bytes: after restarts, reorgs, pruning, kills and an upgrade (REP-1).

The blocks differ by a few accounts each, so that all but the first of a process are stored as changes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from dataclasses import replace

import pytest
import sqlalchemy as sa
from alembic import command

from keeper.cycle import think
from keeper.domain import codec
from keeper.domain.block import BlockRef
from keeper.domain.cycle import CycleInputs, CycleRecord
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.margin import AccountMargin, Unpriced
from keeper.domain.plans import plan_of
from keeper.domain.roster import Roster
from keeper.domain.snapshot import Kind
from keeper.replay import replay
from keeper.store import open_store
from keeper.store.engine import Database
from keeper.store.schema import alembic_config
from keeper.testing.builders import a_snapshot, an_account, an_option

CALL = an_option(3_000, Kind.CALL)


def a_block(number: int, fork: str = "a", parent: str | None = None) -> BlockRef:
    return BlockRef(
        number, "0x" + fork * 54 + f"{number:010d}", "0x" + (parent or fork) * 54 + f"{number - 1:010d}", 1_700_000_000
    )


def rosters(count: int) -> list[Roster]:
    """Each from the one before: changed, opened, closed, and too wide for columns."""
    found = [Roster.of(an_account(i, cash=100 * i, perp=1, options=((CALL, -1),)) for i in range(1, 31))]
    for i in range(1, count):
        wide = replace(an_account(500 + i), cash=2**130 + i)
        found.append(
            found[-1].replaced(
                {i: an_account(i, cash=-i, perp=2), 90 + i: an_account(90 + i), 31 - i: None, 500 + i: wide}
            )
        )
    return found


def inputs_of(block: BlockRef, roster: Roster) -> CycleInputs:
    snapshot = replace(a_snapshot(), block=block, accounts=roster)
    return CycleInputs(snapshot=snapshot, in_flight=(), called=(), risk=RiskKnobs(), policy=PolicyKnobs())


def live(store, block, roster):
    inputs = inputs_of(block, roster)
    store.append_lived(inputs, CycleRecord(block=block, decision=think(inputs), handed=()), ended=())
    return codec.dumps(inputs)


def test_replay__restarts_reorgs_and_pruning__same_bytes(tmp_path):
    """REP-1: whoever wrote the roster that a block's change builds on, and whatever became of that block."""
    url, known, states = f"sqlite:///{tmp_path}/keeper.sqlite", {}, rosters(9)
    store = open_store(url)
    for number in range(3):
        known[a_block(number).hash] = live(store, a_block(number), states[number])
    store.close()
    store, other = open_store(url), open_store(url)  # a restart, and a second process beside it
    for number in range(3, 6):
        known[a_block(number).hash] = live(store if number % 2 else other, a_block(number), states[number])
    store.orphan_cycles([a_block(4).hash, a_block(5).hash])
    for number in range(4, 7):
        block = a_block(number, "b", "a" if number == 4 else None)
        known[block.hash] = live(store, block, states[number + 2])
    for block_hash, payload in known.items():
        assert codec.dumps(store.inputs(block_hash)) == payload, "REP-1"
        assert replay(other, block_hash).same, "REP-1"
    for keep in (6, 4, 2):
        other.prune(keep_blocks=keep)
        left = [block_hash for block_hash in known if store.inputs(block_hash) is not None]
        assert len(left) == keep
        for block_hash in left:
            assert codec.dumps(store.inputs(block_hash)) == known[block_hash], "REP-1"
            assert replay(store, block_hash).same, "REP-1"
        known[a_block(10 + keep).hash] = live(store, a_block(10 + keep), states[keep])
    assert rows_of(url, "rosters") <= rows_of(url, "snapshots") + 1, "what nobody needs is dropped"
    store.close()
    other.close()


def test_append_lived__a_few_accounts_changed__little_is_written(tmp_path):
    """What a block costs on disk follows what changed, not how many accounts there are."""
    url = f"sqlite:///{tmp_path}/keeper.sqlite"
    store, roster = open_store(url), Roster.of(an_account(i, cash=i, perp=1) for i in range(2_000))
    store.append_inputs(inputs_of(a_block(1), roster))
    store.append_inputs(inputs_of(a_block(2), roster.replaced({7: an_account(7, cash=1)})))
    anew = Roster.of(store.inputs(a_block(2).hash).snapshot.accounts)
    store.append_inputs(inputs_of(a_block(3), anew))
    with store._database.reading() as connection:
        sizes = connection.exec_driver_sql("SELECT base IS NULL, length(payload) FROM rosters ORDER BY seq").all()
    assert [whole for whole, _ in sizes] == [1, 0], "nothing is written for accounts that are as they were"
    assert sizes[1][1] * 20 < sizes[0][1]
    store.close()


def test_open__store_of_the_version_before__replays(tmp_path):
    """An old store stays readable: its inputs keep their accounts with them, its reports become summaries."""
    url, block = f"sqlite:///{tmp_path}/keeper.sqlite", a_block(4)
    inputs = inputs_of(block, rosters(2)[1])
    decision = think(inputs)
    record = json.loads(codec.dumps(CycleRecord(block=block, decision=decision, handed=())))
    tables = {name: getattr(decision.report, name) for name in ("accounts", "refreshed", "previous")}
    plan = plan_of(tuple[AccountMargin | Unpriced, ...])
    record["decision"]["report"] = {name: plan.encode(tuple(table)) for name, table in tables.items()}
    database = Database(url)
    with database.writing() as connection:
        command.upgrade(alembic_config(connection), "0002")
        row = (block.hash, block.number, block.parent_hash, block.timestamp, json.dumps(record).encode(), False)
        connection.exec_driver_sql(
            "INSERT INTO cycles (block_hash, block_number, parent_hash, block_time_s, record, orphaned) "
            "VALUES (?, ?, ?, ?, ?, ?)", row,
        )  # fmt: skip
        packed = zlib.compress(codec.dumps(inputs))
        connection.exec_driver_sql("INSERT INTO snapshots (block_hash, payload) VALUES (?, ?)", (block.hash, packed))
    database.close()
    store = open_store(url)
    assert codec.dumps(store.inputs(block.hash)) == codec.dumps(inputs)
    assert replay(store, block.hash).same, "REP-1"
    assert store.cycle(block.hash).decision.report.summary == decision.report.summary
    store.prune(keep_blocks=1)
    assert replay(store, block.hash).same, "REP-1"
    store.close()


PROGRAM = r"""
import json, os, shutil, signal, sys
from sqlalchemy import Engine, event
sys.path.insert(0, sys.argv[3])
from test_inputs_stored import a_block, codec, inputs_of, live, open_store, replay, rosters

folder, story = sys.argv[1], sys.argv[2]
states = rosters(6)
known = {a_block(n).hash: codec.dumps(inputs_of(a_block(n), states[n])) for n in range(6)}

def act(url):
    store = open_store(url)
    if story == "live":
        for n in (3, 4): live(store, a_block(n), states[n])
    else:
        store.prune(keep_blocks=1)

def check(url):
    # Whatever is there is whole, and life goes on.
    store, found = open_store(url), 0
    for block_hash, payload in known.items():
        inputs = store.inputs(block_hash)
        if inputs is not None:
            found += 1
            assert codec.dumps(inputs) == payload and replay(store, block_hash).same, block_hash
        elif story == "live":
            assert store.cycle(block_hash) is None, block_hash
    live(store, a_block(9), states[2])
    assert replay(store, a_block(9).hash).same
    store.close()
    return found

out = []
store = open_store(f"sqlite:///{folder}/before.sqlite")
for n in range(3): live(store, a_block(n), states[n])
store.close()
for count in range(1, 200):
    shutil.copy(f"{folder}/before.sqlite", f"{folder}/{story}-{count}.sqlite")
    url = f"sqlite:///{folder}/{story}-{count}.sqlite"
    pid = os.fork()
    if pid == 0:
        seen = 0
        def step(*_):
            global seen
            seen += 1
            if seen == count: os.kill(os.getpid(), signal.SIGKILL)
        event.listen(Engine, "after_cursor_execute", step)
        event.listen(Engine, "commit", step)
        act(url)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    killed = os.WIFSIGNALED(status)
    assert killed or os.WEXITSTATUS(status) == 0, status
    out.append([killed, check(url)])
    if not killed: break
json.dump(out, sys.stdout)
"""


@pytest.mark.parametrize(("story", "left"), [("live", {3, 4, 5}), ("prune", {3, 1})])
def test_inputs__killed_at_any_statement__what_is_there_is_whole(tmp_path, story, left):
    """REP-1: a kill between two writes leaves blocks that replay or blocks that were not lived, never half of one."""
    here = str(__file__).rpartition("/")[0]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), story, here], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    deaths = json.loads(done.stdout)
    assert sum(killed for killed, _ in deaths) > 5, "the story was really cut at several points"
    assert {found for _, found in deaths} == left


def rows_of(url, table):
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        count = connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar()
    engine.dispose()
    return count
