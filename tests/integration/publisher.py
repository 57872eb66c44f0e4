"""Somebody with the publisher's key, and everybody's eyes: sends what it likes, past the keeper and its guard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keeper.abis import load
from keeper.chain.errors import Reverted
from keeper.demo.opening import RISK
from keeper.demo.world import World
from keeper.domain.margin import AccountMargin
from keeper.domain.market import UnderlyingTarget
from keeper.domain.snapshot import Snapshot, UnderlyingState, Usable
from keeper.policy.guard import current
from keeper.policy.judge import Update, in_force, judge
from keeper.policy.verdict import Judgement
from keeper.ports import SnapshotReader
from keeper.protocols.abi import Abi, Event, explain_revert
from keeper.risk.model import model
from keeper.risk.report import shock

#: Accounts of the chain, by what they may do.
OWNER, PUBLISHER, OUTSIDER, GUARDIAN = 0, 1, 3, 4
DAY = 86_400
GAS = 14_000_000
CONTRACTS = ("RiskParameters", "RiskFile", "ClearingHouse", "LiquidationAuction", "MockAggregator")


@dataclass
class Publisher:
    """The key, a chain, and a reader of it."""

    world: World
    reader: SnapshotReader
    """What anybody can see."""

    def __post_init__(self):
        self.abis = {name: Abi(name, load(name).abi) for name in CONTRACTS}
        self.chain, self.at = self.world.chain, self.world.deployment.addresses

    # --- seeing

    def see(self) -> Snapshot:
        """The newest block."""
        return self.reader.read(self.chain.block())

    def margins(self, snapshot: Snapshot | None = None) -> dict[int, AccountMargin]:
        """Equity and requirements of every account, at the newest block."""
        seen = snapshot or self.see()
        table = shock(seen, model(seen, RISK)).margins(buffer_ppm=0)
        return {a.account: a for a in table if isinstance(a, AccountMargin)}

    def in_force(self, u: UnderlyingState) -> UnderlyingTarget:
        """The publication that changes nothing."""
        assert u.publication is not None
        return UnderlyingTarget(
            underlying=u.underlying,
            ranges=current(u.publication),
            expiries=tuple(in_force(e, u.live) for e in u.publication.expiries),
            realised_vol=0.6,
            reasons=(),
        )

    def judged(self, u: UnderlyingState, target: UnderlyingTarget, now: int) -> Judgement:
        """What the guard's mirror says to a target."""
        state = u.publication
        assert state is not None
        update = Update(id=state.last_id + 1, valid_until_s=now + DAY, expected_old=state.digest, target=target)
        spot = u.spot.wad if isinstance(u.spot, Usable) else 0
        return judge(update, state, u.rules, now, u.live, spot=spot)

    # --- asking and sending

    def publication(self, u: UnderlyingState, target: UnderlyingTarget, now: int) -> tuple[Any, ...]:
        """A target as the contract's argument."""
        state, r = u.publication, target.ranges
        assert state is not None
        flat = [
            (e.params.expiry, e.params.phi_ppb, e.params.df_ppb, e.params.sigma_atm_ppm, list(e.sigmas_ppm))
            for e in target.expiries
        ]
        digest = bytes.fromhex(state.digest[2:])
        head = (state.last_id + 1, now + DAY, b"\1" * 32, digest)
        return (*head, r.psr_ppm, r.vsr_up_ppm, r.vsr_down_ppm, flat)

    def ask(self, contract: str, function: str, *args: Any, sender: int = OUTSIDER) -> tuple[dict[str, Any], str]:
        """Call without sending.  Returns: values, and the reason if it was refused."""
        abi = self.abis[contract]
        data = abi.call(function, *args)
        who = self.chain.accounts[sender]
        try:
            answer = self.world.rpc.call_at(self.chain.block(), self.at[contract], data, sender=who, gas=30_000_000)
        except Reverted as error:
            return {}, self.words(error.data)
        return abi.result(function, answer), ""

    def words(self, reason: bytes) -> str:
        """An error of the contracts."""
        return explain_revert(reason, self.abis.values()) if reason else ""

    def send(
        self, contract: str, function: str, *args: Any, sender: int = PUBLISHER, to: str = "", gas: int = GAS
    ) -> str:
        """A transaction into the pool.  Returns: its hash."""
        data = self.abis[contract].call(function, *args)
        return self.chain.send(sender=self.chain.accounts[sender], to=to or self.at[contract], data=data, gas=gas)

    def landed(self, tx_hash: str) -> bool:
        """Whether a mined transaction went through."""
        receipt = self.chain.request("eth_getTransactionReceipt", tx_hash)
        return receipt is not None and int(receipt["status"], 16) == 1

    def events(self, contract: str) -> list[Event]:
        """Of one contract in the newest block."""
        number = self.chain.block().number
        logs = self.world.rpc.logs(number, number, [self.at[contract]])
        found = (self.abis[contract].event(log.topics, log.data) for log in logs)
        return [event for event in found if event is not None]
