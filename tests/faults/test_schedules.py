"""Random lives of an outbox: drops, reorgs, foreign transactions, silent nodes, lost answers, kills, restarts.

Whatever came before, once the world is calm the queue drains, each intent acted at most once and the store says which,
and no nonce has two ends (TX-1, TX-2).  A failing seed is a command line: pytest -k "[17]".
"""

from collections import Counter
from contextlib import suppress

import numpy as np
import pytest

from keeper.chain.errors import Disagreement, Unreachable
from keeper.chain.sending.fees import FeePolicy
from keeper.chain.sending.outbox import OutboxPolicy
from keeper.chain.signers import NotSigned, from_key
from keeper.domain.tx import FILL, SignerRole, TxState
from keeper.errors import KeeperError
from keeper.testing.counter_world import COUNTER, an_intent, an_outbox, count, rpc_of, signers_of
from keeper.testing.embedded import EmbeddedChain
from keeper.testing.memory_store import MemoryStore

pytestmark = pytest.mark.chain

SEEDS = 25
STEPS = 40
KEYS = 2
POLICY = OutboxPolicy(
    confirmations=3,
    replace_after_blocks=2,
    stuck_after_blocks=4,
    abandon_after_blocks=9,
    gap_at_most=6,
    daily_cap_wei=10**20,
)


#: Called once an intent, so that a process dies there now and then.
RARE = {"put_intent": 0.05}


class Killed(BaseException):
    """The process ends here."""


class Doubled:
    """Passes calls on; before or after some of them something goes wrong."""

    def __init__(self, inner, faults):
        self._inner, self._faults = inner, faults

    def __getattr__(self, name):
        real = getattr(self._inner, name)
        if not callable(real) or name not in self._faults.touched:
            return real

        def call(*args, **kwargs):
            self._faults.before(name)
            answer = real(*args, **kwargs)
            self._faults.after(name)
            return answer

        return call


class Faults:
    """What goes wrong, by chance; nothing once the world is calm."""

    touched = ("put_intent", "update_tx", "batch", "send_raw", "sign", "request", "agree")

    def __init__(self, rng):
        self._rng, self.calm, self.fired = rng, False, Counter()

    def _chance(self, what, part):
        hit = not self.calm and self._rng.random() < part
        self.fired[what] += hit
        return hit

    def before(self, name):
        if self._chance(f"killed before {name}", RARE.get(name, 0.01)):
            raise Killed
        if name in ("batch", "send_raw", "request") and self._chance(f"silent {name}", 0.05):
            raise Unreachable("no answer")
        if name == "sign" and self._chance("signer away", 0.05):
            raise NotSigned("no answer")
        if name == "agree" and self._chance("disagreement", 0.05):
            raise Disagreement("they differ")

    def after(self, name):
        if self._chance(f"killed after {name}", RARE.get(name, 0.01)):
            raise Killed
        if name == "send_raw" and self._chance("answer lost", 0.1):
            raise Unreachable("timed out")


class Life:
    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.faults = Faults(self.rng)
        self.chain = EmbeddedChain(accounts=5)
        self.counter = self.chain.deploy_code(COUNTER)
        self.chain.mine(5)
        self.chain.set_automine(on=False)
        self.kept = MemoryStore()
        self.number = self.foreign = 0
        # Some lives may pay little, so that what is stuck meets its cap and is given up.
        self.fees = FeePolicy(max_fee_wei=int(self.rng.choice([25, 1_000])) * 10**8, max_priority_fee_wei=2 * 10**10)
        self.start()

    def start(self):
        """A new process over what the last one left."""
        signers = {
            role: [Doubled(key, self.faults) for key in keys]
            for role, keys in signers_of(self.chain, liquidators=KEYS).items()
        }
        store, rpc = Doubled(self.kept, self.faults), Doubled(rpc_of(self.chain), self.faults)
        self.outbox = an_outbox(self.chain, store, rpc=rpc, policy=POLICY, signers=signers, fees=self.fees)
        self.faults.fired["restart"] += 1

    def living(self, step):
        """Let the outbox do something; if it is killed a new process recovers."""
        try:
            with suppress(KeeperError):
                step()
        except Killed:
            self.start()
            self.living(lambda: self.outbox.recover(self.chain.block()))

    def submit(self):
        self.number += 1
        at = self.chain.block()
        deadline = at.timestamp + int(self.rng.choice([24, 60, 3600]))
        intent = an_intent(self.counter, at, key=f"k{self.number}", deadline_s=deadline)
        self.living(lambda: self.outbox.submit(intent))
        if self.rng.random() < 0.3:  # decided again after a crash
            self.living(lambda: self.outbox.submit(intent))

    def settle(self):
        self.living(lambda: self.outbox.settle(self.chain.block()))

    def drop(self):
        pool = self.chain.node.pool
        for tx_hash in pool.hashes():
            if self.rng.random() < 0.5:
                pool.drop(tx_hash)

    def starve(self):
        """For a while nothing of ours gets into a block."""
        for _ in range(int(self.rng.integers(3, 14))):
            self.chain.node.pool.clear()
            self.chain.mine()
            self.settle()

    def use_our_key(self):
        """Somebody else's transaction on our key, at the chain's nonce or a few above."""
        key = int(self.rng.integers(KEYS))
        address = signers_of(self.chain, liquidators=KEYS)[SignerRole.LIQUIDATOR][key].address
        nonce = int(self.chain.request("eth_getTransactionCount", address, "latest"), 16)
        signed = from_key(self.chain.key(2 + key)).sign(
            {
                "type": 2,
                "chainId": self.chain.chain_id,
                "nonce": nonce + int(self.rng.integers(3)),
                "to": self.chain.accounts[0],
                "data": "0x",
                "value": 1 + self.foreign,
                "gas": 21_000,
                "maxFeePerGas": int(self.rng.integers(2, 40)) * 10**9,
                "maxPriorityFeePerGas": 10**9,
            }
        )
        self.foreign += 1
        with suppress(AssertionError):  # the pool may refuse it
            self.chain.request("eth_sendRawTransaction", "0x" + signed.raw.hex())

    def step(self):
        what = self.rng.choice(
            ["submit", "mine", "drop", "starve", "reorg", "foreign", "restart"],
            p=[0.36, 0.37, 0.1, 0.03, 0.05, 0.05, 0.04],
        )
        self.faults.fired[str(what)] += 1
        if what == "submit":
            self.submit()
        elif what == "mine":
            self.chain.mine()
            self.settle()
        elif what == "drop":
            self.drop()
        elif what == "starve":
            self.starve()
        elif what == "reorg":
            self.chain.reorg(int(self.rng.integers(1, 3)), keep_transactions=bool(self.rng.random() < 0.5))
            self.settle()
        elif what == "foreign":
            self.use_our_key()
        else:
            self.start()
            self.living(lambda: self.outbox.recover(self.chain.block()))

    def calm(self):
        """Nothing goes wrong any more.  Returns: blocks until nothing is open."""
        self.faults.calm = True
        self.fees = FeePolicy(max_fee_wei=10**11, max_priority_fee_wei=2 * 10**10)
        self.start()
        for blocks in range(80):
            if not self.kept.open_txs():
                if not self.kept.abandoned_txs():
                    return blocks
                # What was given up ends when its nonce is used, which takes new work.
                for _ in range(KEYS):
                    self.submit()
            self.chain.mine()
            self.outbox.settle(self.chain.block())
        raise AssertionError([(r.intent.key, r.state, r.nonce, r.reason) for r in self.kept.open_txs()])


def lived(seed):
    life = Life(seed)
    for _ in range(STEPS):
        life.step()
    life.calm()
    return life


@pytest.mark.parametrize("seed", range(SEEDS))
def test_schedule__any__drains_and_acts_once(seed):
    """One end per nonce, one act per intent, and the store knows exactly which acted."""
    life = lived(seed)
    records = life.kept.txs(limit=10_000)
    ends = Counter((r.sender, r.nonce) for r in records if r.state in (TxState.FINAL, TxState.REVERTED))
    assert set(ends.values()) <= {1}
    acted = [r for r in records if r.state is TxState.FINAL and r.intent.kind != FILL]
    assert count(life.chain, life.counter) == len(acted)
    for record in records:
        receipts = [life.chain.request("eth_getTransactionReceipt", one.tx_hash) for one in record.attempts]
        on_chain = [one["transactionHash"] for one in receipts if one is not None]
        assert len(on_chain) <= 1
        assert on_chain == ([record.mined_hash] if record.mined_hash else [])


def test_schedules__together__every_fault_fires():
    """A schedule that never drops, reorganises, kills or restarts would prove nothing."""
    fired = Counter()
    for seed in range(1_000, 1_014):
        fired += lived(seed).faults.fired
    expected = {
        "submit",
        "mine",
        "drop",
        "starve",
        "reorg",
        "foreign",
        "restart",
        "signer away",
        "answer lost",
        "disagreement",
    }
    expected |= {f"silent {name}" for name in ("batch", "send_raw")}
    expected |= {
        f"killed {when} {name}" for when in ("before", "after") for name in ("put_intent", "update_tx", "batch")
    }
    assert expected <= set(fired)
