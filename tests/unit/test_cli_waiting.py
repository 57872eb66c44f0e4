"""A word while a node keeps a person waiting (WAIT-1)."""

import threading

import pytest

from keeper.cli.waiting import waiting
from keeper.settings import Settings
from keeper.settings.secret import Secret


@pytest.fixture
def settings():
    urls = (Secret("https://user:word@node.example/v3/key"), Secret("http://127.0.0.1:8545"))
    found = Settings()
    return found.model_copy(update={"chain": found.chain.model_copy(update={"rpc_urls": urls})})


def notes():
    return [one for one in threading.enumerate() if isinstance(one, threading.Timer)]


def test_waiting__node_is_slow__said_once_with_hosts_and_limits_and_no_secret(settings, capsys):
    """WAIT-1: whoever waits is told for whom and how long at most; a path or password is never told."""
    before = notes()
    with waiting(settings, after_s=0.0):
        for note in set(notes()) - set(before):
            note.join()
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "waiting for node.example, 127.0.0.1:8545" in err
    assert "silent after 10 s" in err
    assert "word" not in err
    assert "key" not in err


def test_waiting__node_answers__nothing_said(settings, capsys):
    before = notes()
    with waiting(settings, after_s=3_600.0):
        pass
    for note in set(notes()) - set(before):
        note.join()
    assert capsys.readouterr().err == ""


def test_waiting__interrupted__nothing_said_afterwards(settings, capsys):
    """The note goes with what it was about."""
    before = notes()
    with pytest.raises(KeyboardInterrupt), waiting(settings, after_s=3_600.0):
        raise KeyboardInterrupt
    for note in set(notes()) - set(before):
        note.join()
    assert capsys.readouterr().err == ""
