"""`keeper nonce` as an operator uses it: the real program, a store on disk, a chain behind HTTP."""

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from keeper.chain.asking.rpc import Rpc, http_endpoint
from keeper.cli.root import app
from keeper.domain.tx import SignerRole, TxRecord, TxState
from keeper.store import open_store
from keeper.testing.counter_world import COUNTER, FEES, an_intent, an_outbox, signers_of
from keeper.testing.embedded import EmbeddedChain
from keeper.testing.http_node import HttpNode

pytestmark = [pytest.mark.chain, pytest.mark.usefixtures("own_logging")]


@dataclass(frozen=True)
class Site:
    """A chain that mines when told, and a keeper's folder."""

    chain: EmbeddedChain
    counter: str
    folder: Path
    url: str

    @property
    def database(self) -> str:
        return f"sqlite:///{self.folder}/keeper.sqlite"

    def plant(self, *nonces, at=None):
        """Records that an earlier life signed and no node has."""
        store = open_store(self.database)
        rpc = Rpc([http_endpoint(self.url)], chain_id=self.chain.chain_id)
        outbox = an_outbox(self.chain, store, rpc=rpc)
        (key,) = signers_of(self.chain)[SignerRole.LIQUIDATOR]
        head = at or self.chain.block()
        for nonce in nonces:
            record = TxRecord(intent=an_intent(self.counter, head, key=f"n{nonce}"), state=TxState.PLANNED)
            store.put_intent(record)
            planned = replace(record, sender=key.address, nonce=nonce)
            outbox._dispatch.sign(planned, key, FEES.offer(rpc.fee_history()), head)
        store.close()

    def send(self):
        """One poke, sent by an earlier life that then ended."""
        store = open_store(self.database)
        head = self.chain.block()
        rpc = Rpc([http_endpoint(self.url)], chain_id=self.chain.chain_id)
        outbox = an_outbox(self.chain, store, rpc=rpc)
        outbox.recover(head)
        assert outbox.submit(an_intent(self.counter, head)).state is TxState.SENT
        store.close()

    def see(self):
        """Another life that only looks, and notes what it sees."""
        store = open_store(self.database)
        outbox = an_outbox(self.chain, store, rpc=Rpc([http_endpoint(self.url)], chain_id=self.chain.chain_id))
        outbox.recover(self.chain.block())
        store.close()

    def ask(self, *args):
        return CliRunner().invoke(app, ["nonce", *args, "-c", f"{self.folder}/keeper.toml"])


@pytest.fixture
def site(tmp_path):
    chain = EmbeddedChain(accounts=4)
    counter = chain.deploy_code(COUNTER)
    chain.mine(4)
    chain.set_automine(on=False)
    node = HttpNode(chain.node).start()
    (tmp_path / "key").write_text(chain.key(2).hex())
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "keeper.toml").write_text(
        f"""[chain]
rpc_urls = ["{node.url}"]
chain_id = {chain.chain_id}
[store]
url = "sqlite:///{tmp_path}/keeper.sqlite"
[keys.liquidator]
secret_file = "{tmp_path}/key"
"""
    )
    yield Site(chain, counter, tmp_path, node.url)
    node.close()


def test_show__nothing_wrong__exit_0(site):
    found = site.ask("show", "--json")
    assert found.exit_code == 0, found.output
    tree = json.loads(found.stdout)
    assert tree["sound"] is True
    assert [(one["role"], one["latest"], one["held"]) for one in tree["keys"]] == [("liquidator", 0, [])]
    assert "in order" in site.ask("show").stdout
    assert "nothing to repair" in site.ask("repair", "--send").stdout


def test_gap__told_then_filled__exit_2_then_0(site):
    """Two lost nonces below a third: told, planned without sending, filled with --send, and in order once mined."""
    site.plant(2)
    shown = site.ask("show")
    assert shown.exit_code == 2
    assert "nobody holds 0, 1; 1 transaction waits above" in " ".join(shown.stdout.split())
    dry = site.ask("repair", "--json")
    assert dry.exit_code == 2
    steps = json.loads(dry.stdout)["steps"]
    assert [(one["nonce"], one["kind"], one["done"]) for one in steps] == [(0, "fill", False), (1, "fill", False)]
    assert site.chain.request("eth_getTransactionCount", site.chain.accounts[2], "pending") == "0x0"
    done = site.ask("repair", "--send", "--json")
    assert done.exit_code == 0, done.output
    assert all(one["done"] for one in json.loads(done.stdout)["steps"])
    site.chain.mine(15)
    assert site.chain.request("eth_getTransactionCount", site.chain.accounts[2], "latest") == "0x3"


@pytest.mark.parametrize("seen", [False, True])
def test_show__ours_mined_and_not_final__in_order(site, seen):
    """TX-7: what a keeper sent before it was ended is ours, whether or not the store has seen it mined."""
    site.send()
    assert site.ask("show").exit_code == 0
    site.chain.mine(1)
    if seen:
        site.see()
    for blocks in (0, 1, 20):  # not final, not final, long final
        site.chain.mine(blocks)
        shown = site.ask("show", "--json")
        (key,) = json.loads(shown.stdout)["keys"]
        assert (key["latest"], key["mined"], key["overtaken"]) == (1, [0], [])
        assert key["sound"] is True
        assert shown.exit_code == 0
    assert "1 mined and not settled yet" in " ".join(site.ask("show").stdout.split())
    assert site.ask("repair").exit_code == 0


@pytest.mark.parametrize("blocks", [1, 20])
def test_show__nonce_used_by_a_foreign_transaction__exit_2(site, blocks):
    """TX-7: the record's own transaction is in no block, whether or not what used its nonce is final."""
    site.plant(0)
    site.chain.send(sender=site.chain.accounts[2], to=site.chain.accounts[3], value=1)
    site.chain.mine(blocks)
    shown = site.ask("show", "--json")
    assert shown.exit_code == 2
    (key,) = json.loads(shown.stdout)["keys"]
    assert (key["mined"], key["overtaken"]) == ([], [0])
    assert "0 used by a foreign transaction" in " ".join(site.ask("show").stdout.split())
    assert [one["kind"] for one in json.loads(site.ask("repair", "--json").stdout)["steps"]] == ["settle"]
    assert site.ask("repair", "--send").exit_code == 0


def test_stuck__cancelled_with_send(site):
    """What waits for too long is replaced by a transfer of nothing, dearer than it."""
    site.plant(0)
    site.chain.mine(8)
    shown = json.loads(site.ask("show", "--json").stdout)
    assert shown["keys"][0]["stuck_since"] is not None
    done = site.ask("repair", "--send", "--json")
    assert done.exit_code == 0, done.output
    assert [(one["kind"], one["done"]) for one in json.loads(done.stdout)["steps"]] == [("cancel", True)]
    site.chain.mine(1)
    assert site.chain.request("eth_getTransactionCount", site.chain.accounts[2], "latest") == "0x1"
    assert int(site.chain.request("eth_getStorageAt", site.counter, "0x0", "latest"), 16) == 0


def test_633_ahead__given_up_with_send(site):
    """A store that ran away from the chain is told and let go."""
    site.plant(633)
    dry = json.loads(site.ask("repair", "--json").stdout)
    assert [(one["kind"], one["nonce"]) for one in dry["steps"]] == [("abandon", 633)]
    done = site.ask("repair", "--send")
    assert done.exit_code == 0, done.output
    assert "given up" in done.stdout
    assert site.ask("show").exit_code == 0


def test_repair__beside_a_sending_keeper__refused_until_it_ends(site):
    """TX-11: two keepers on one store would sign the same nonces; looking, and planning, need no right to send."""
    site.plant(1)
    store = open_store(site.database)
    store.lock_sending(at_s=1)
    refused = site.ask("repair", "--send", "--json")
    assert refused.exit_code == 2
    assert f"process {os.getpid()} " in json.loads(refused.stdout)["error"]["message"]
    assert json.loads(site.ask("repair", "--json").stdout)["steps"]
    assert site.ask("show").exit_code == 2
    store.heartbeat("loop", 2**40, 1)  # a dry keeper beside it holds nothing back
    store.close()
    assert site.ask("repair", "--send").exit_code == 0


def test_show__no_key_or_no_node__says_what_to_do(site):
    path = site.folder / "keeper.toml"
    text = path.read_text()
    path.write_text(text.replace(site.url, "http://127.0.0.1:1"))
    assert site.ask("show").exit_code == 3
    path.write_text(text.split("[keys")[0])
    assert site.ask("show").exit_code == 2
