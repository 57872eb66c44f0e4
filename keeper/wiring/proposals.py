"""Proposals over the configured chain: for `keeper propose`, `keeper proposal` and the scripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from keeper.chain.asking.rpc import Rpc
from keeper.chain.sending.dry import DrySender
from keeper.control.glide import path_of
from keeper.control.sight import Sight
from keeper.domain.addresses import address_of
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.domain.prices import PriceHistory
from keeper.domain.snapshot import UnderlyingState
from keeper.domain.vols import VolHistory
from keeper.errors import BadInput
from keeper.governance.chain import ChainView
from keeper.governance.changes import Changes, read_changes
from keeper.governance.check import Verdict, check
from keeper.governance.evidence import histories_of
from keeper.governance.fork import Engine, Fork, forked
from keeper.governance.forum import Report
from keeper.governance.live import find_proposal
from keeper.governance.prepare import Reading, World, prepare
from keeper.governance.proposal import Proposal, load_proposal
from keeper.governance.recalibration import (
    Wish,
    calibrated_haircuts,
    changes_from,
    filed_haircuts,
    paces,
    wish_of,
)
from keeper.governance.route import route_of
from keeper.governance.targets_file import read_targets
from keeper.marketdata.prices_file import load_prices
from keeper.marketdata.vols_file import load_vols
from keeper.offline import recall
from keeper.protocols.clearinghouse.deployment import Deployment
from keeper.settings import Settings
from keeper.testing.memory_store import MemoryStore
from keeper.wiring import PROTOCOLS, deployment_of
from keeper.wiring.nodes import rpc_of

__all__ = [
    "ProposalDesk",
    "engine_named",
    "given_route",
    "named_histories",
    "named_vols",
    "read_changes",
    "stored_histories",
]

#: Of the largest uint256.
_UINT256_DIGITS = 78


class ProposalDesk:
    """One deployment on one chain.  It reads, forks, and sends nothing.

    Args:
        rpc: the chain.
        deployment: the contracts.
        source: URL of a node to fork, or a provider in this process.
        risk: knobs of calibration.
        policy: knobs that a reader is put together with.
        engine: what runs the forks.
        protocol: how a reader is put together.
    """

    def __init__(
        self,
        rpc: Rpc,
        deployment: Deployment,
        source: Any,
        *,
        risk: RiskKnobs | None = None,
        policy: PolicyKnobs | None = None,
        engine: Engine = Engine.AUTO,
        protocol: str = "clearinghouse",
    ) -> None:
        self._rpc, self._deployment, self._source = rpc, deployment, source
        self._risk, self._policy = risk or RiskKnobs(), policy or PolicyKnobs()
        self._engine, self._protocol = engine, protocol

    @classmethod
    def configured(cls, settings: Settings, *, engine: Engine = Engine.AUTO) -> ProposalDesk:
        """As the settings describe it.  Raises: `BadInput` if no node of theirs speaks HTTP, which forks need."""
        urls = [url.reveal() for url in settings.chain.rpc_urls]
        by_http = [url for url in urls if url.startswith("http")]
        if not by_http:
            raise BadInput("no node speaks HTTP, which a fork needs", hint="add one to chain.rpc_urls")
        return cls(
            rpc_of(settings),
            deployment_of(settings),
            by_http[0],
            risk=settings.risk,
            policy=settings.policy,
            engine=engine,
            protocol=settings.protocol.name,
        )

    def close(self) -> None:
        """Let go of connections."""
        self._rpc.close()

    def view(self) -> ChainView:
        """The present."""
        return ChainView(self._rpc, self._deployment, self._rpc.block())

    def recalibrated(self, path: Path, *, within_days: float, with_overrides: bool = False) -> Changes:
        """What the targets in a file ask governance for.

        Args:
            path: an answer of `keeper recalibrate --json` or `keeper calibrate --json`.
            within_days: how soon targets are to be published.
            with_overrides: take targets with the floors that operators set by hand, not the model's own.

        Raises: `BadInput`, also where nothing is left to propose.
        """
        filed = read_targets(path, with_overrides=with_overrides)
        targets = filed.targets
        chain = self.view()
        snapshot = self._reading(self._rpc)(chain.block)
        wishes = [wish_of(u, targets) for u in snapshot.underlyings if {s for s, _ in targets} & {u.symbol}]
        found, skipped = paces(wishes, self._policy, now=chain.block.timestamp, within_days=within_days)
        haircuts = filed_haircuts(targets, chain)
        return changes_from(
            found,
            haircuts,
            chain,
            origin=path.name,
            within_days=within_days,
            notes=skipped,
            floors=filed.floors,
            with_overrides=with_overrides,
        )

    def recalibrated_now(
        self,
        sight: Sight,
        *,
        within_days: float,
        symbol: str | None = None,
        histories: Mapping[str, PriceHistory] | None = None,
        with_overrides: bool = False,
    ) -> Changes:
        """What the kernel's own targets at one block ask governance for.

        Args:
            sight: the block.
            within_days: how soon targets are to be published.
            symbol: ticker of one underlying; None for all.
            histories: recorded prices by ticker, for haircuts; oracle rounds count where there are none.
            with_overrides: take targets with the floors that operators set by hand, not the model's own.

        Raises: `BadInput`, also where nothing is left to propose.
        """
        chain = self.view()
        floors = [floor for u in sight.picked(symbol) for floor in sight.floors(u)]
        sight = sight if with_overrides else sight.without_floors()
        wishes = [_wish(sight, u) for u in sight.picked(symbol)]
        found, skipped = paces(wishes, sight.inputs.policy, now=sight.now, within_days=within_days)
        observed = dict(histories_of({u.symbol: u.history for u in sight.inputs.snapshot.underlyings}))
        haircuts, missing = calibrated_haircuts(observed | dict(histories or {}), chain, sight.inputs.risk)
        return changes_from(
            found,
            haircuts,
            chain,
            origin=f"block {sight.inputs.snapshot.block.number:,}",
            within_days=within_days,
            notes=(*skipped, *(f"haircut of {line}" for line in missing)),
            floors=floors,
            with_overrides=with_overrides,
        )

    def prepare(
        self,
        changes: Changes,
        given: Mapping[str, Any],
        *,
        histories: Mapping[str, PriceHistory],
        vol_histories: Mapping[str, VolHistory] | None = None,
        with_simulation: bool = True,
    ) -> Report:
        """See `keeper.governance.prepare.prepare`.

        Args:
            changes: what is wanted.
            given: as `route_of` takes it, with proposer and voters; what the file says counts where this is silent.
            histories: recorded prices by ticker.
            vol_histories: recorded volatilities at the money by ticker.
            with_simulation: whether to take the whole way on a fork.
        """
        route = {**changes.route, **{key: value for key, value in given.items() if value}}
        chain = self._governed(self.view(), route)
        world = World(
            chain=chain,
            fork=lambda: self._fork(chain),
            reading=self._reading,
            knobs=self._risk,
        )
        return prepare(
            changes,
            route_of(chain, route),
            world,
            histories=histories,
            vol_histories=vol_histories,
            proposer=str(route.get("proposer", "")),
            voters=tuple(route.get("voters", ())),
            with_simulation=with_simulation,
        )

    def check(self, subject: str, given: Mapping[str, Any]) -> tuple[Proposal, Verdict]:
        """Look at a live proposal.

        Args:
            subject: a file of `keeper propose`, or the governor's number.
            given: as for `prepare`.

        Raises: `BadInput` if it is neither; `Retry` if the node cannot be asked.
        """
        chain = self._governed(self.view(), given)
        named = {key: value for key, value in given.items() if value}
        number = _number(subject)
        proposal = load_proposal(Path(subject)) if number is None else find_proposal(chain, named, number)
        route = {"governor": proposal.route.governor, "timelock": proposal.route.timelock, "safe": proposal.route.safe}
        chain = self._governed(chain, route)
        with self._fork(chain) as fork:
            verdict = check(
                proposal,
                chain,
                fork,
                proposer=str(named.get("proposer", "")),
                voters=tuple(named.get("voters", ())),
            )
        return proposal, verdict

    def _governed(self, chain: ChainView, given: Mapping[str, Any]) -> ChainView:
        """The deployment with the timelock that is meant, so that a proposal may speak to it by its name."""
        names = {"timelock": "TimelockController", "governor": "Governor", "safe": "Safe"}
        for key in (*names, "proposer"):
            if given.get(key):
                address_of(str(given[key]), what=key)
        for voter in given.get("voters") or ():
            address_of(str(voter), what="voter")
        more = {names[key]: str(value) for key, value in given.items() if key in names and value}
        known = {**self._deployment.addresses, **more}
        governor = known.get("Governor")
        if governor and not chain.has_code(governor):
            raise BadInput(f"governor: no contract at {governor}", hint="correct the address, or check the chain")
        if governor and "timelock" not in {key for key, value in given.items() if value}:
            known["TimelockController"] = chain.one("Governor", "timelock", at=governor)
        return ChainView(self._rpc, replace(self._deployment, addresses=known), chain.block)

    @contextmanager
    def _fork(self, chain: ChainView) -> Iterator[Fork]:
        with forked(self._source, chain.deployment, block=chain.block.number, engine=self._engine) as fork:
            yield fork

    def _reading(self, rpc: Rpc) -> Reading:
        keeper = PROTOCOLS[self._protocol](
            rpc=rpc,
            store=MemoryStore(),
            deployment=self._deployment,
            risk=self._risk,
            policy=self._policy,
            sender=lambda decode, _recheck: DrySender(rpc, {}, decode_revert=decode),
        )
        return keeper.reader.read


def _wish(sight: Sight, u: UnderlyingState) -> Wish:
    """What the control loop wants of one underlying."""
    proposal = sight.proposal(u)
    if proposal.aim is None or proposal.legal is None or u.publication is None:
        return Wish(state=u, target=None, why=proposal.waits)
    opens = path_of(sight, u, proposal, {}).loosens_from_s
    return Wish(state=u, target=proposal.aim, loosens_from_s=opens)


def engine_named(name: str) -> Engine:
    """What runs the forks.  Raises: `BadInput` for another word."""
    try:
        return Engine(name)
    except ValueError:
        raise BadInput(f"there is no engine {name!r}", hint=f"there are {', '.join(Engine)}") from None


def given_route(
    *, governor: str | None, timelock: str | None, safe: str | None, proposer: str | None, voters: Sequence[str]
) -> dict[str, Any]:
    """What the command line says of the way."""
    said = {"governor": governor, "timelock": timelock, "safe": safe, "proposer": proposer, "voters": list(voters)}
    return {key: value for key, value in said.items() if value}


def stored_histories(settings: Settings) -> dict[str, PriceHistory]:
    """Oracle rounds that a keeper has stored, by ticker; none where no keeper has run."""
    try:
        store = recall(settings)
    except BadInput:
        return {}
    try:
        deployment = deployment_of(settings)
        return dict(histories_of({name: store.prices(u, since_s=0) for u, name in deployment.symbols.items()}))
    finally:
        store.close()


def named_histories(given: Sequence[str]) -> dict[str, PriceHistory]:
    """Recorded prices by ticker from `NAME=FILE` or `FILE`.  Raises: `BadInput` naming the file."""
    found = {}
    for one in given:
        name, _, path = one.rpartition("=")
        history = load_prices(Path(path), name=name or None)
        found[history.name] = history
    return found


def named_vols(given: Sequence[Path]) -> dict[str, VolHistory]:
    """Recorded volatilities at the money by ticker.  Raises: `BadInput` naming the file."""
    return {symbol: one for path in given for symbol, one in load_vols(path).items()}


def _number(subject: str) -> int | None:
    """A governor's number, which is a uint256; None if it names a file.  Raises: `BadInput` for a longer one."""
    if not (subject.isascii() and subject.isdecimal()):
        return None
    if len(subject) > _UINT256_DIGITS:
        raise BadInput(
            f"a proposal's number has {_UINT256_DIGITS} digits at most, not {len(subject)}",
            hint="give the governor's number, or proposal.json",
        )
    return None if Path(subject).exists() else int(subject)
