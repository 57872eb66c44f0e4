"""A process killed with SIGKILL at any statement leaves the store as it was before that call, or after it.

The killed process is real.  It forks from one that has imported everything, so that each death costs milliseconds; the
forking process is a fresh interpreter with a single thread.
"""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = r'''
import json, os, signal, sys
from dataclasses import replace
from sqlalchemy import event
from keeper.domain.block import BlockRef
from keeper.domain.tx import *
from keeper.store import open_store

folder, story = sys.argv[1], sys.argv[2]
block = BlockRef(1, "0x" + "a" * 64, "0x" + "b" * 64, 5)
intent = TxIntent(key="k", kind="flag", subject="account:1", role=SignerRole.LIQUIDATOR, to="0x", data=b"\x01",
                  gas_limit=1, decided_at=block, deadline_s=9, why="")
planned = TxRecord(intent=intent, state=TxState.PLANNED)
attempts = tuple(TxAttempt(tx_hash=h, raw=b"r", max_fee_wei=1, priority_fee_wei=1, block_number=1) for h in "xy")
signed = replace(planned, state=TxState.SIGNED, sender="0xme", nonce=0, attempts=attempts)

def prepare(store):
    if story == "update_tx": store.put_intent(planned)
    if story in ("save_sync", "append_sync"): store.save_sync(block, b"old")

def act(url):
    store = open_store(url)
    if story == "put_intent": store.put_intent(planned)
    if story == "update_tx": store.update_tx(signed)
    if story == "save_sync": store.save_sync(replace(block, number=2), b"new")
    if story == "append_sync": store.append_sync(replace(block, number=2), b"+new")
    if story == "between": store.put_intent(planned); os.kill(os.getpid(), signal.SIGKILL)

def state(url):
    store = open_store(url)
    tx, sync = store.tx("k"), store.load_sync()
    found = [tx and [tx.state, tx.nonce, len(tx.attempts)], sync and [sync[0].number, sync[1].decode()]]
    store.put_intent(planned)
    store.close()
    return found

def die_at(url, count):
    """In a child: perform the story, and die after statement `count`; BEGIN and COMMIT are statements of their own."""
    seen = 0
    def step(*_):
        nonlocal seen
        seen += 1
        if seen == count: os.kill(os.getpid(), signal.SIGKILL)
    from sqlalchemy import Engine
    event.listen(Engine, "after_cursor_execute", step)
    event.listen(Engine, "commit", step)
    act(url)
    os._exit(0)

out = []
for count in [10**9] if story == "between" else range(1, 200):
    url = f"sqlite:///{folder}/{story}-{count}.sqlite"
    if story != "open":
        pid = os.fork()
        if pid == 0:
            store = open_store(url); prepare(store); store.close(); os._exit(0)
        os.waitpid(pid, 0)
    pid = os.fork()
    if pid == 0: die_at(url, count)
    _, status = os.waitpid(pid, 0)
    killed = os.WIFSIGNALED(status)
    assert killed or os.WEXITSTATUS(status) == 0, status
    out.append([killed, *state(url)])
    if not killed: break
json.dump(out, sys.stdout)
'''


def live_and_die(tmp_path, story):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), story], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def split(deaths, part):
    """States after a kill, without repetition, in order; and the state after an undisturbed run."""
    killed = [death[part] for death in deaths if death[0]]
    assert len(killed) > 3, "the story was really cut at several points"
    assert not deaths[-1][0], "the last run lived"
    return [one for i, one in enumerate(killed) if i == 0 or one != killed[i - 1]], deaths[-1][part]


def test_put_intent__killed_at_any_statement__all_or_nothing(tmp_path):
    """TX-2: what recovery finds is a whole intent or none, and putting it again works."""
    states, end = split(live_and_die(tmp_path, "put_intent"), 1)
    assert end == ["planned", None, 0]
    assert states in ([None], [None, end])


def test_update_tx__killed_at_any_statement__old_or_new(tmp_path):
    """State, nonce and both attempts arrive together: a signed state without its attempt could not be re-broadcast."""
    states, end = split(live_and_die(tmp_path, "update_tx"), 1)
    assert end == ["signed", 0, 2]
    assert states in ([["planned", None, 0]], [["planned", None, 0], end])


def test_save_sync__killed_at_any_statement__cursor_and_state_agree(tmp_path):
    """A state survives a partial write: the old one or the new one, each with its own cursor (8)."""
    states, end = split(live_and_die(tmp_path, "save_sync"), 2)
    assert end == [2, "new"]
    assert states in ([[1, "old"]], [[1, "old"], end])


def test_append_sync__killed_at_any_statement__cursor_and_state_agree(tmp_path):
    """What is put behind the index arrives with its cursor or not at all (8)."""
    states, end = split(live_and_die(tmp_path, "append_sync"), 2)
    assert end == [2, "old+new"]
    assert states in ([[1, "old"]], [[1, "old"], end])


def test_open__killed_at_any_statement_of_the_migration__opens_again(tmp_path):
    """The schema is whole or absent; nothing has to be repaired by hand."""
    deaths = live_and_die(tmp_path, "open")
    assert len(deaths) > 10
    assert all(death[1:] == [None, None] for death in deaths)


def test_put_intent__killed_right_after_it_returned__is_there(tmp_path):
    """Durable when it returns: this is the moment between storing and broadcasting."""
    assert live_and_die(tmp_path, "between") == [[True, ["planned", None, 0], None]]
