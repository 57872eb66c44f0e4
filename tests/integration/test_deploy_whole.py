"""Deploying to the end: handed to a timelock, verified, and gone on with wherever it was killed."""

import json
import runpy
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_utils import keccak
from hexbytes import HexBytes

from keeper.abis import load
from keeper.chain.asking.rpc import Endpoint, Rpc
from keeper.chain.sending.fees import FeePolicy
from keeper.chain.signers import LocalSigner
from keeper.deploy import Hand, HouseSpec, QuorumSpec, deploy_house
from keeper.deploy.house import ROLES
from keeper.deploy.journal import Journal
from keeper.deploy.spec import TimelockSpec
from keeper.deploy.verify import WIRING, verify
from keeper.deploy.whole import Deployed, deploy_whole
from keeper.domain import codec
from keeper.errors import BadInput, Halt, Retry
from keeper.governance.proposal import load_proposal
from keeper.protocols.clearinghouse.deployment import load_deployment
from keeper.testing.embedded import EmbeddedChain, known_key
from keeper.testing.http_node import HttpNode
from keeper.testing.provider import EmbeddedProvider
from keeper.testing.small_house import DAY, FEES, GWEI, SmallHouse
from keeper.testing.wire import JsonRpcError
from tests.governed import Governed

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300)]

SCRIPTS = Path(__file__).parents[2] / "scripts"
DEPLOYER = 0
DELAY_S = 2 * DAY


class Killed(BaseException):
    """The process ends here: nobody catches it."""


class Deadly:
    """A node that kills whoever sends, before or after it took what was sent.

    Args:
        chain: the chain behind it.
        kill: what ends the sender.
    """

    def __init__(self, chain, kill):
        self.node, self.kill = chain.node, kill
        self.sends, self.at, self.takes = 0, 0, True

    def request(self, method, params):
        if method != "eth_sendRawTransaction":
            return self.node.request(method, params)
        self.sends += 1
        if self.sends == self.at and not self.takes:
            self.kill()
        answer = self.node.request(method, params)
        if self.sends == self.at:
            self.kill()
        return answer


def raise_killed():
    raise Killed


def a_chain_and_spec():
    """A fresh chain with feed and tokens, and the smallest house on it, by whoever deploys it."""
    chain = EmbeddedChain(accounts=6, block_interval_s=1)
    house = SmallHouse.__new__(SmallHouse)
    house.chain = chain
    rpc = Rpc([Endpoint(name="chain", provider=chain.provider)], chain_id=chain.chain_id)
    setter = Hand(rpc, LocalSigner(Account.from_key(known_key(5))), fees=FEES, poll_interval_s=0.0)
    house.feeds = [setter.create("MockAggregator", 8, 3_000 * 10**8)]
    house.tokens = {name: setter.create("MockERC20", name, name, d) for name, d in (("USDC", 6), ("WETH", 18))}
    setter.send("MockERC20", house.tokens["USDC"], "mint", chain.accounts[DEPLOYER], 10**12)
    spec: HouseSpec = house._spec(1)
    lock = TimelockSpec(proposers=(chain.accounts[4],), min_delay_s=DELAY_S)
    keepers = tuple(Account.from_key(n.to_bytes(32, "big")).address for n in (11, 12, 13))
    quorum = QuorumSpec(keepers=keepers, to_tighten=2, to_publish=2, publishes=True)
    return chain, replace(spec, timelock=lock, quorum=quorum)


def run(node, chain, spec, journal, *, cap=None):
    """One run of the command; with a cap on the fees of real time, else of none that matters."""
    rpc = Rpc([Endpoint(name="chain", provider=EmbeddedProvider(node))], chain_id=chain.chain_id)
    signer = LocalSigner(Account.from_key(known_key(DEPLOYER)))
    fees = FEES if cap is None else FeePolicy(max_fee_wei=cap, max_priority_fee_wei=cap)
    return deploy_whole(spec, rpc, signer, fees=fees, journal=journal, poll_interval_s=0.0 if cap is None else 0.005)


def nonce(chain):
    return int(chain.request("eth_getTransactionCount", chain.accounts[DEPLOYER], "latest"), 16)


@dataclass(frozen=True, kw_only=True)
class Unbroken:
    """A deployment that nothing happened to."""

    chain: EmbeddedChain
    spec: HouseSpec
    found: Deployed
    journal: str
    sent: int
    """Transactions that it took."""

    def journal_in(self, folder):
        """A copy of its journal."""
        (folder / "journal").write_text(self.journal)
        return folder / "journal"

    def again(self, journal, **other):
        """The same command once more, with this journal; on a chain that has everything it sends nothing."""
        return run(self.chain.node, self.chain, replace(self.spec, **other), journal)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    chain, spec = a_chain_and_spec()
    journal = tmp_path_factory.mktemp("unbroken") / "journal"
    found = run(chain.node, chain, spec, journal)
    return Unbroken(chain=chain, spec=spec, found=found, journal=journal.read_text(), sent=nonce(chain))


def test_deploy__new_timelock__owns_everything_and_the_deployer_nothing(unbroken):
    """One run: house, timelock with its delay and proposers, ownership and roles handed over, all of it verified."""
    chain, found = unbroken.chain, unbroken.found
    assert found.holds, found.findings
    assert found.left is None
    said = {one.what: one.said for one in found.findings}
    assert said["delay of the timelock"] == f"{DELAY_S} s"
    assert said["PROPOSER_ROLE of the timelock"] == f"held by {chain.accounts[4]}"
    assert said["EXECUTOR_ROLE of the timelock"] == "held by anyone"
    assert said["DEFAULT_ADMIN_ROLE of RiskParameters"] == f"held by {found.deployment.addresses['TimelockController']}"
    assert {one.what for one in found.findings} >= {f"owner of {name}" for name in ("ClearingHouse", "PriceOracle")}


def test_deploy__quorum_publishes__no_key_holds_the_role(unbroken):
    """DQM-1: where k of n publish the role is the quorum's alone, and verification says who holds it."""
    at = unbroken.found.deployment.addresses["KeeperQuorum"]
    said = {one.what: one.said for one in unbroken.found.findings}
    assert said["PUBLISHER_ROLE of RiskParameters"] == f"held by {at}"
    assert said["EMERGENCY_ROLE of RiskParameters"] == f"held by {at}"


def test_verify__key_beside_a_publishing_quorum__wrong_with_the_call_that_revokes():
    """DQM-1: a house of an earlier version left the role with the key too: one key is no quorum."""
    chain, spec = a_chain_and_spec()
    hand = Hand(
        Rpc([Endpoint(name="chain", provider=chain.provider)], chain_id=chain.chain_id),
        LocalSigner(Account.from_key(known_key(DEPLOYER))), fees=FEES, poll_interval_s=0.0,
    )  # fmt: skip
    deployment = deploy_house(spec, hand, now_s=chain.block().timestamp)
    at = deployment.addresses
    for told in (None, spec):
        assert all(one.holds for one in verify(deployment, hand, told)), "the quorum alone"
    hand.send("RiskParameters", at["RiskParameters"], "grantRole", ROLES["PUBLISHER_ROLE"], spec.publisher)
    for told in (None, spec):
        (wrong,) = [one for one in verify(deployment, hand, told) if not one.holds]
        assert wrong.what == "PUBLISHER_ROLE of RiskParameters"
        assert f"{spec.publisher} may publish alone, beside the quorum" in wrong.said
        assert f"revokeRole(PUBLISHER_ROLE, {spec.publisher})" in wrong.said
    hand.send("RiskParameters", at["RiskParameters"], "revokeRole", ROLES["PUBLISHER_ROLE"], spec.publisher)
    assert all(one.holds for one in verify(deployment, hand, spec))
    emergencies_only = replace(spec, quorum=replace(spec.quorum, publishes=False))
    assert not all(one.holds for one in verify(deployment, hand, emergencies_only)), "then the key is to publish"


def test_deploy__killed_at_every_send__ends_as_an_unbroken_run_did(unbroken, tmp_path):
    """DEP-1: killed before and after each transaction in turn, it ends with the same contracts at the same addresses,
    and no transaction was made twice."""
    chain, spec = a_chain_and_spec()
    node, deaths = Deadly(chain, raise_killed), 0
    found = None
    while found is None:
        # One more transaction than the last run got through, lost and taken in turn.
        node.sends, node.at, node.takes = 0, 1, deaths % 2 == 1
        try:
            found = run(node, chain, spec, tmp_path / "journal")
        except Killed:
            deaths += 1
        assert deaths < 500, "it gets nowhere"
    assert deaths > unbroken.sent, "every transaction was met by a death, and every other one by two"
    assert found.holds, [one for one in found.findings if not one.holds]
    assert found.deployment == unbroken.found.deployment
    assert nonce(chain) == unbroken.sent


def test_deploy__script_killed_by_the_system__the_same_command_goes_on(tmp_path):
    """The real script over HTTP, SIGKILLed between two transactions: run again it finishes, and says what it found."""
    chain, spec = a_chain_and_spec()
    (tmp_path / "spec.json").write_bytes(codec.dumps(spec))
    key = tmp_path / "key"
    key.write_text(known_key(DEPLOYER).hex())
    key.chmod(0o600)
    running = []
    node = Deadly(chain, lambda: running[-1].send_signal(signal.SIGKILL))
    node.at = 25
    with HttpNode(node) as served:
        command = [sys.executable, SCRIPTS / "deploy.py", "--rpc", served.url, "--chain-id", str(chain.chain_id),
                   "--spec", "spec.json", "--key-file", "key", "--max-fee-gwei", "9999", "--poll-s", "0"]  # fmt: skip
        running.append(subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
        said, _ = running[-1].communicate(timeout=120)
        assert running[-1].returncode == -signal.SIGKILL, said
        assert not (tmp_path / "deployment.json").exists()
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "transactions were done by an earlier run" in done.stderr
    assert "verified:" in done.stderr
    deployment = load_deployment(tmp_path / "deployment.json")
    rpc = Rpc([Endpoint(name="chain", provider=chain.provider)], chain_id=chain.chain_id)
    hand = Hand(rpc, LocalSigner(Account.from_key(known_key(DEPLOYER))), fees=FEES)
    assert all(one.holds for one in verify(deployment, hand, spec))


class Dear:
    """A node on which gas became dearer: whatever cannot pay waits in its pool, and one of a nonce only.

    Args:
        chain: the chain behind it, which mines at once.
        base_fee_wei: of the next block, once gas is dear.
        after: sends that are cheap yet.
    """

    def __init__(self, chain, *, base_fee_wei, after):
        self.node, self.base_fee_wei, self.after = chain.node, base_fee_wei, after
        self.pool, self.seen, self.mines_first = {}, [], False

    def request(self, method, params):
        answer = self._sent(params) if method == "eth_sendRawTransaction" else self.node.request(method, params)
        if method == "eth_feeHistory" and len(self.seen) > self.after:
            answer = dict(answer) | {"baseFeePerGas": [hex(self.base_fee_wei)] * len(answer["baseFeePerGas"])}
        return answer

    def _sent(self, params):
        raw = bytes.fromhex(params[0][2:])
        fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
        self.seen.append((fields["nonce"], fields["maxFeePerGas"], fields["maxPriorityFeePerGas"]))
        held = self.pool.get(fields["nonce"])
        if held and held[0] != params[0] and self.mines_first:
            self.node.request("eth_sendRawTransaction", [self.pool.pop(fields["nonce"])[0]])
        if held and any(10 * fields[k] < 11 * held[1][k] for k in ("maxFeePerGas", "maxPriorityFeePerGas")):
            known = held[0] == params[0]
            raise JsonRpcError(-32000, "already known" if known else "replacement transaction underpriced")
        if len(self.seen) > self.after and fields["maxFeePerGas"] < self.base_fee_wei:
            self.pool[fields["nonce"]] = (params[0], fields)
            return "0x" + keccak(raw).hex()
        self.pool.pop(fields["nonce"], None)
        return self.node.request("eth_sendRawTransaction", params)


@pytest.fixture
def impatient(monkeypatch):
    """Minutes are hundredths of a second."""
    monkeypatch.setattr("keeper.deploy.hand.PATIENCE_S", 0.05)
    monkeypatch.setattr("keeper.deploy.hand.DEARER_AFTER_S", 0.02)


CHEAP, ENOUGH = 50 * GWEI, 10_000 * GWEI


@pytest.mark.parametrize("mines_first", [False, True], ids=["replaced", "mined after all"])
@pytest.mark.parametrize("after", [5, 40])
def test_deploy__gas_became_dearer__a_higher_cap_goes_on_at_the_same_nonce(
    unbroken, tmp_path, impatient, mines_first, after
):
    """DEP-7: what waits below the base fee is offered anew at its nonce once the cap allows it; whichever is mined, it
    ends as an unbroken run did."""
    chain, spec = a_chain_and_spec()
    node = Dear(chain, base_fee_wei=200 * GWEI, after=after)
    for _ in range(2):  # the same command again changes nothing yet, and says what would
        with pytest.raises(Retry, match="is not mined") as stuck:
            run(node, chain, spec, tmp_path / "journal", cap=CHEAP)
        assert "fees.max_fee_gwei" in stuck.value.hint
    (waiting,) = node.pool
    assert nonce(chain) == waiting
    node.mines_first = mines_first
    found = run(node, chain, spec, tmp_path / "journal", cap=ENOUGH)
    assert found.holds, [one for one in found.findings if not one.holds]
    assert found.deployment == unbroken.found.deployment
    assert nonce(chain) == unbroken.sent
    fees = [fee for number, fee, _ in node.seen if number == waiting]
    assert fees[-1] >= 200 * GWEI > fees[0]
    kept = json.loads((tmp_path / "journal").read_text())["entries"]
    (entry,) = [one for one in kept if one["nonce"] == waiting]
    assert entry["before"], "the cheaper one stays on record: it could have been mined instead"
    again = run(node, chain, spec, tmp_path / "journal", cap=ENOUGH)
    assert (again.deployment, nonce(chain)) == (found.deployment, unbroken.sent)


def test_deploy__gas_becomes_dearer_while_it_waits__offers_more_by_itself(unbroken, tmp_path, impatient):
    """DEP-7: within its cap one run is enough; every further offer is a tenth above the last on both fields."""
    chain, spec = a_chain_and_spec()
    node = Dear(chain, base_fee_wei=30 * GWEI, after=12)
    before = node.base_fee_wei

    def spike(seen):
        """Gas doubles between the signature and the block."""
        node.base_fee_wei = 3 * before if len(seen) == 20 else node.base_fee_wei

    honest = node._sent
    node._sent = lambda params: (spike(node.seen), honest(params))[1]
    found = run(node, chain, spec, tmp_path / "journal", cap=ENOUGH)
    assert found.deployment == unbroken.found.deployment
    assert nonce(chain) == unbroken.sent
    repeated = [number for number, *_ in node.seen if [n for n, *_ in node.seen].count(number) > 1]
    assert repeated, "something had to be offered twice"
    offers = [(fee, tip) for number, fee, tip in node.seen if number == repeated[0]]
    assert all(10 * b >= 11 * a for old, new in pairwise(offers) for a, b in zip(old, new, strict=True))


def test_deploy__journal_of_something_else__refused(unbroken, tmp_path):
    """A journal belongs to one spec, chain and key; another one is named and kept."""
    journal = unbroken.journal_in(tmp_path)
    with pytest.raises(BadInput, match="another deployment: spec"):
        unbroken.again(journal, fee_ppm=7)
    (tmp_path / "torn").write_text('{"about"')
    with pytest.raises(BadInput, match="no journal"):
        Journal(tmp_path / "torn", about={})
    assert unbroken.again(journal).repeated > 20, "a finished one does nothing again"
    assert nonce(unbroken.chain) == unbroken.sent


def test_deploy__step_with_other_bytes__refused(unbroken, tmp_path):
    """A journal whose step was made by other code is not gone on with: half of each would be deployed."""
    kept = json.loads(unbroken.journal)
    kept["entries"][3]["digest"] = "0" * 64
    (tmp_path / "journal").write_text(json.dumps(kept))
    with pytest.raises(BadInput, match=r"step 4 was .* with other bytes"):
        unbroken.again(tmp_path / "journal")


def test_deploy__code_changed_under_it__refused(unbroken, tmp_path):
    """The code that a step made is compared when the step is met again."""
    kept = json.loads(unbroken.journal)
    place = next(i for i, one in enumerate(kept["entries"]) if not one["to"])
    kept["entries"][place]["code"] = "0x" + "00" * 32
    (tmp_path / "journal").write_text(json.dumps(kept))
    with pytest.raises(Halt, match="other code than was deployed"):
        unbroken.again(tmp_path / "journal")


@pytest.mark.parametrize(
    ("timelock", "says"),
    [({"proposers": ()}, "no proposers"), ({"address": "0x" + "42" * 19 + "43"}, "timelock: no contract")],
)
def test_deploy__timelock_that_cannot_be__refused(unbroken, tmp_path, timelock, says):
    """A timelock that nobody could ever speak to, or that is not there, before anything is paid for."""
    with pytest.raises(BadInput, match=says):
        unbroken.again(tmp_path / "journal", timelock=TimelockSpec(**timelock))
    assert nonce(unbroken.chain) == unbroken.sent


def test_verify__role_left_with_the_deployer__told():
    """Whatever the deployer still holds, and whatever runs other code, is found."""
    governed = Governed(handed_over=False)
    wrong = {one.what for one in verify(governed.deployment, governed.hand) if not one.holds}
    assert {"owner of ClearingHouse", "DEFAULT_ADMIN_ROLE of RiskParameters"} <= wrong
    code = dict(governed.deployment.code, PriceOracle="0x" + "00" * 32)
    other = replace(governed.deployment, code=code)
    assert "code of PriceOracle" in {one.what for one in verify(other, governed.hand) if not one.holds}


#: Views that name nothing of the deployment, or are looked at elsewhere.
ELSEWHERE = {"owner", "pendingOwner", "guardian", "sequencerFeed"}


def asked_of(unbroken, answers=None):
    """Everything that does not hold in the unbroken deployment, with some views answered otherwise."""

    class Misled(Hand):
        def view(self, contract, address, function, *args):
            told = super().view(contract, address, function, *args)
            return (answers or {}).get((contract, function), told)

    rpc = Rpc([Endpoint(name="chain", provider=unbroken.chain.provider)], chain_id=unbroken.chain.chain_id)
    hand = Misled(rpc, LocalSigner(Account.from_key(known_key(DEPLOYER))), fees=FEES)
    found = unbroken.found.deployment
    return lambda spec: {one.what for one in verify(found, hand, spec) if not one.holds}


def test_verify__every_view_that_names_a_contract__is_held_against_the_deployment(unbroken):
    """DEP-5: no contract of the deployment points at another that is not looked at, and a wrong one is told."""
    names = [name for name in unbroken.found.deployment.addresses if name != "TimelockController"]
    views = {
        (name, entry["name"])
        for name in names
        for entry in load(name).abi
        if entry["type"] == "function" and not entry["inputs"] and [o["type"] for o in entry["outputs"]] == ["address"]
    }
    assert {view for view in views if view[1] not in ELSEWHERE} == {(row[0], row[1]) for row in WIRING}
    stranger = unbroken.chain.accounts[5]
    for contract, view, _ in WIRING:
        assert asked_of(unbroken, {(contract, view): stranger})(None) == {f"{contract}.{view}"}


@pytest.mark.parametrize("name", ["PriceOracle", "ClearingHouse", "MarginLib", "TimelockController"])
def test_verify__code_that_is_not_the_compilers__told_although_the_file_agrees(unbroken, name):
    """DEP-6: hashes that a deployment wrote of itself prove nothing: code is held against the sources'."""
    found = unbroken.found.deployment
    at = {one.what: one for one in unbroken.found.findings}
    assert at[f"code of {name}"].said == "as compiled"

    class Other(Hand):
        """A node where somebody deployed one byte of it otherwise."""

        def code(self, address):
            code = super().code(address)
            return code[:-1] + bytes([code[-1] ^ 1]) if len(code) == size else code

    size = len(load(name).deployed_bytecode) // 2 - 1
    rpc = Rpc([Endpoint(name="chain", provider=unbroken.chain.provider)], chain_id=unbroken.chain.chain_id)
    hand = Other(rpc, LocalSigner(Account.from_key(known_key(DEPLOYER))), fees=FEES)
    agreed = replace(found, code={one: hand.code_hash(found.addresses[one]) for one in found.code})
    assert {one.what for one in verify(agreed, hand, unbroken.spec) if not one.holds} == {f"code of {name}"}


@pytest.mark.parametrize("role", ["deployer", "liquidator", "guardian"])
def test_verify__hand_that_must_be_another__told_without_a_spec(unbroken, role):
    """DEP-5: a keeper of the quorum is no deployer, liquidator or guardian, and the deployer is no guardian."""
    who = {
        "deployer": unbroken.chain.accounts[DEPLOYER],
        "liquidator": unbroken.spec.liquidator,
        "guardian": unbroken.spec.guardian,
    }
    keepers = (*unbroken.spec.quorum.keepers[:2], who[role])
    assert asked_of(unbroken)(None) == set()
    assert asked_of(unbroken, {("KeeperQuorum", "keepers"): keepers})(None) == {"keepers of KeeperQuorum"}


def test_verify__guardian_and_keepers_other_than_the_specs__told(unbroken):
    """DEP-5: who may pause, who the keepers are and how many are enough are what was asked for."""
    deployer, keepers = unbroken.chain.accounts[DEPLOYER], unbroken.spec.quorum.keepers
    for answers, wrong in (
        ({("ClearingHouse", "guardian"): unbroken.chain.accounts[5]}, "guardian of ClearingHouse"),
        ({("KeeperQuorum", "keepers"): keepers[:2]}, "keepers of KeeperQuorum"),
        ({("KeeperQuorum", "publishQuorum"): 1}, "KeeperQuorum.publishQuorum"),
        ({("KeeperQuorum", "tightenQuorum"): 1}, "KeeperQuorum.tightenQuorum"),
    ):
        assert asked_of(unbroken, answers)(unbroken.spec) == {wrong}
    for nobody in (deployer, "0x" + "00" * 20):
        assert asked_of(unbroken, {("ClearingHouse", "guardian"): nobody})(None) == {"guardian of ClearingHouse"}


def test_handover_script__through_a_governor__complete(tmp_path, monkeypatch, capsys):
    """Offer, propose with the script, real vote and delay, then the deployer gives up: four commands, one state."""
    governed = Governed(handed_over=False)
    governed.deployment.save(tmp_path / "deployment.json")
    key = tmp_path / "key"
    key.write_text(known_key(DEPLOYER).hex())
    key.chmod(0o600)
    monkeypatch.chdir(tmp_path)
    with HttpNode(governed.chain.node) as node:

        def script(name, *args):
            """A script in this process: six times a second of imports is too much."""
            monkeypatch.setattr(sys, "argv", [name, *args, "--rpc", node.url, "--deployment", "deployment.json"])
            code = runpy.run_path(str(SCRIPTS / name))["main"]()
            return code, capsys.readouterr().out

        sending = ("--key-file", "key", "--max-fee-gwei", "9999", "--poll-s", "0", "--send")
        code, said = script("handover.py", "--key-file", "key")
        assert code == 2
        assert "the timelock accepts ClearingHouse" in said
        assert "nothing was sent" in said
        assert script("handover.py", *sending)[0] == 2
        code, said = script("propose.py", "accept.toml", "--engine", "embedded", "--out", "out")
        assert code == 0, said
        assert "# Accept ownership" in said
        governed.pass_through(load_proposal(tmp_path / "out" / "proposal.json"))
        code, said = script("handover.py", *sending)
        assert code == 0, said
        assert "the deployer holds nothing" in said
        assert script("handover.py", "--key-file", "key")[0] == 0, "and once more there is nothing to do"
