"""The pool as the settings describe it: each key arrives."""

import pytest

from keeper.errors import BadInput
from keeper.settings import load_settings
from keeper.wiring.nodes import endpoints, rpc_of

MAINNET = """
[chain]
chain_id = 1
rpc_urls = ["https://a.example/v2/KEY", "wss://b.example/ws/KEY", "https://a.example/v2/OTHER"]
"""


def settings_of(tmp_path, text):
    path = tmp_path / "keeper.toml"
    path.write_text(text)
    return load_settings(path, {})


def test_rpc_of__every_key__arrives(tmp_path):
    extra = """
quorum = 2
max_head_age_s = 45
max_head_lag_blocks = 9
retries = 1
call_deadline_s = 7.5
batch_size = 20
"""
    rpc = rpc_of(settings_of(tmp_path, MAINNET + extra))
    policy = rpc.pool.policy
    assert (policy.fitness.max_head_age_s, policy.fitness.max_head_lag_blocks) == (45.0, 9)
    assert (policy.retries, policy.deadline_s, policy.probe_pins) == (1, 7.5, True)
    assert {member.endpoint.batch_size for member in rpc.pool.members} == {20}
    assert rpc.chain_id == 1


def test_rpc_of__defaults__stale_heads_are_kept_out_of_a_public_chain(tmp_path):
    fitness = rpc_of(settings_of(tmp_path, MAINNET)).pool.policy.fitness
    assert (fitness.max_head_age_s, fitness.max_head_lag_blocks) == (120.0, 5)


def test_rpc_of__test_chain_of_one_machine__its_head_may_be_old(tmp_path):
    """It makes blocks when asked to; and an endpoint alone is behind nobody."""
    fitness = rpc_of(settings_of(tmp_path, "[chain]\nchain_id = 31337\n")).pool.policy.fitness
    assert not fitness.demanded


def test_endpoints__http_and_websocket_mixed__named_by_host_and_told_apart(tmp_path):
    found = endpoints(settings_of(tmp_path, MAINNET))
    assert [one.name for one in found] == ["a.example", "b.example", "a.example #3"]
    assert [type(one.provider).__name__ for one in found] == ["HttpProvider", "WsProvider", "HttpProvider"]
    assert "KEY" not in repr(found)


def test_settings__quorum_of_more_than_there_are__bad_input(tmp_path):
    with pytest.raises(BadInput, match="quorum"):
        settings_of(tmp_path, MAINNET + "quorum = 4\n")


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8545",
        "http://",
        "http:///v2/KEY",
        "http://me:KEY@",
        "http://me:KEY@[::1/KEY",
        "http://a.example:99999/KEY",
        "https://a.example:port/KEY",
        "wss://a.example /KEY",
        "ipc:///KEY",
    ],
)
def test_endpoints__no_url__bad_input_that_does_not_show_it(tmp_path, url):
    """An operator's slip is told as one, before anything is asked; and what it holds stays where it is."""
    text = f'[chain]\nchain_id = 1\nrpc_urls = ["{url}"]\n'
    with pytest.raises(BadInput, match="must be an http://") as raised:
        endpoints(settings_of(tmp_path, text))
    assert "KEY" not in str(raised.value)


@pytest.mark.parametrize("url", ["HTTPS://a.example/v2", "ws://[::1]:8546", "http://me:word@localhost:1"])
def test_endpoints__unusual_url__taken(tmp_path, url):
    """Upper case, IPv6 and basic authentication are all right."""
    assert len(endpoints(settings_of(tmp_path, f'[chain]\nchain_id = 1\nrpc_urls = ["{url}"]\n'))) == 1
