"""A small house that a real Governor, Timelock and voting token govern; all of them OpenZeppelin's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from eth_account import Account

from keeper.abis import load
from keeper.chain.signers import LocalSigner
from keeper.demo.stylised import stylised_crash
from keeper.demo.world import open_world
from keeper.deploy import BreakerSpec, Hand
from keeper.deploy.handover import Accepting, finish, hand_over
from keeper.deploy.spec import TimelockSpec
from keeper.governance.chain import ChainView
from keeper.governance.changes import parse_changes
from keeper.governance.proposal import Proposal, build
from keeper.governance.route import route_of
from keeper.protocols.abi import Abi
from keeper.testing.small_house import DAY, FEES, SmallHouse

VOTERS = (4, 5)
VOTING_DELAY, VOTING_PERIOD, MIN_DELAY_S = 3, 12, 2 * DAY
ANYONE = "0x" + "00" * 20


class Governed:
    """The house, who governs it, and the keys of the voters.

    Args:
        handed_over: whether the timelock has accepted everything and the deployer holds nothing.
        chain: where; an embedded one unless given.
        house: the house, if it is to be another than the smallest.
    """

    def __init__(self, *, handed_over: bool = True, chain: Any = None, house: Any = None) -> None:
        self.house = house or SmallHouse(chain=chain, breaker=BreakerSpec())
        self.chain, self.hand = self.house.chain, self.house.hand
        hand, me = self.hand, self.hand.address
        self.timelock = hand.create("TimelockController", MIN_DELAY_S, [], [ANYONE], me)
        self.token = hand.create("MockVotes")
        governing = (self.token, self.timelock, VOTING_DELAY, VOTING_PERIOD, 10**18, 4)
        self.governor = hand.create("MockGovernor", *governing)
        for role in ("PROPOSER_ROLE", "CANCELLER_ROLE"):
            which = hand.view("TimelockController", self.timelock, role)
            hand.send("TimelockController", self.timelock, "grantRole", which, self.governor)
        for voter in VOTERS:
            address = self.chain.accounts[voter]
            hand.send("MockVotes", self.token, "mint", address, 10**20)
            self.house.do("MockVotes", "delegate", address, sender=voter, to=self.token)
        self.chain.mine(2)
        found, self.left = hand_over(self.house.deployment, hand, TimelockSpec(address=self.timelock))
        self.deployment = found
        self.deployment.addresses["Governor"] = self.governor
        assert isinstance(self.left, Accepting)
        if handed_over:
            self.accept(self.left)

    def view(self) -> ChainView:
        """The chain now, as proposals read it."""
        return ChainView(self.house.rpc, self.deployment, self.house.rpc.block())

    def proposal(self, changes: str, **given: Any) -> Proposal:
        """A proposal made now; through the governor unless a route is given."""
        chain = self.view()
        wanted = parse_changes(f'title = "A test"\nsummary = "Why."\n\n{changes}')
        return build(wanted, chain, route_of(chain, given or wanted.route))

    def accept(self, left: Accepting) -> None:
        """Let governance accept what it was offered."""
        calls = "".join(f'[[call]]\ncontract = "{c}"\nfunction = "acceptOwnership"\n' for c in left.contracts)
        self.pass_through(self.proposal(calls))
        assert finish(self.deployment, self.hand) is None

    def propose(self, proposal: Proposal) -> None:
        """Send its first step, and let the vote begin."""
        self.send(proposal, "propose")
        self.chain.mine(VOTING_DELAY + 1)

    def vote(self, proposal: Proposal) -> None:
        """Everybody votes for it, and the vote ends."""
        abi = Abi("Governor", load("MockGovernor").abi)
        for voter in VOTERS:
            sender = self.chain.accounts[voter]
            data = abi.call("castVote", int(proposal.ids.proposal), 1)
            self.chain.receipt(self.chain.send(sender=sender, to=self.governor, data=data))
        self.chain.mine(VOTING_PERIOD + 1)

    def wait(self) -> None:
        """The timelock's delay passes, and the feeds are as fresh as before."""
        self.chain.advance_to(self.chain.block().timestamp + MIN_DELAY_S + 1)
        self.chain.mine()
        for feed in self.house.feeds:
            abi = self.hand.abi("MockAggregator")
            answer = self.house.rpc.call_at(self.house.rpc.block(), feed, abi.call("latestRoundData"))
            self.hand.send("MockAggregator", feed, "push", list(abi.result("latestRoundData", answer).values())[1])

    def send(self, proposal: Proposal, step: str, *, sender: int = VOTERS[0]) -> None:
        """One of the proposal's own transactions, by an account of the chain.  Raises: `AssertionError` if it fails."""
        call = next(one.call for one in proposal.steps if one.name == step)
        self.chain.receipt(self.chain.send(sender=self.chain.accounts[sender], to=call.target, data=call.data))

    def pass_through(self, proposal: Proposal) -> None:
        """The whole way, with real signatures."""
        self.propose(proposal)
        self.vote(proposal)
        self.send(proposal, "queue")
        self.wait()
        self.send(proposal, "execute")


class Crowd:
    """The demo's smallest market as `Governed` takes a house: accounts that hold something, quotes, prices."""

    def __init__(self) -> None:
        path = stylised_crash(seed=1, blocks=20)
        self.world = open_world(replace(path, warmup=path.warmup[-40:]), accounts=20, seed=1)
        self.chain, self.rpc, self.deployment = self.world.chain, self.world.rpc, self.world.deployment
        self.feeds = list(self.world.feeds.values())
        self.chain.set_automine(on=True)
        signer = LocalSigner(Account.from_key(self.chain.key(0)))
        self.hand = Hand(self.rpc, signer, fees=FEES, poll_interval_s=0.0)

    def do(self, contract: str, function: str, *args: Any, sender: int = 0, to: str = "") -> None:
        """As `SmallHouse.do`."""
        data = self.hand.abi(contract).call(function, *args)
        to = to or self.deployment.addresses[contract]
        self.chain.receipt(self.chain.send(sender=self.chain.accounts[sender], to=to, data=data))
