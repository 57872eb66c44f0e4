"""The endpoints' records, and what lets an endpoint answer: the right chain, and a head of the present."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import structlog

from keeper.chain.asking.endpoint import Endpoint, name_apart
from keeper.chain.asking.health import Fitness, Health
from keeper.chain.asking.wire import Asked
from keeper.chain.clock import Timekeeper, steady_s
from keeper.chain.errors import RateLimited, StaleBlock, StaleHead, Unreachable, WrongChain
from keeper.chain.records import block_ref
from keeper.domain.block import BlockRef
from keeper.errors import BadInput, Halt, KeeperError

log = structlog.get_logger(__name__)

#: The question for an endpoint's newest block.
LATEST: Asked = ("eth_getBlockByNumber", ("latest", False))

#: Longest that a question in the way of others waits for looks at the side, seconds; slower ones are not waited for.
WATCH_S = 0.25


class Runner(Protocol):
    """Runs jobs beside each other, or one by one."""

    def __call__(
        self, jobs: Sequence[Callable[[], None]], /, *, longest_s: float, enough: Callable[[], bool] = lambda: False
    ) -> None:
        """Return when all are done, when `enough` says so after one, or after `longest_s`.

        One that is not waited for goes on.
        """


@dataclass(frozen=True, kw_only=True)
class PoolPolicy:
    """How hard the pool tries.  The defaults ask each endpoint once and demand nothing of heads."""

    fitness: Fitness = field(default_factory=Fitness)
    """What heads must be like."""
    retries: int = 0
    """Rounds over the endpoints after the first."""
    deadline_s: float = 30.0
    """Seconds after which no further question goes out for one call."""
    backoff_s: tuple[float, float] = (0.25, 8.0)
    """Longest pause before the second round, doubled up to the second value."""
    watch_every_s: float = 5.0
    """Seconds after which an endpoint's head is looked at again."""
    recheck_chain_s: float = 60.0
    """Seconds after which an endpoint's chain id is asked for again."""
    patience_s: float = 2.0
    """Longest wait for what the endpoints say of a block before something is sent on it; who is slower is silent."""
    probe_pins: bool = False
    """Whether to find out, before the first read at a block named by hash, that the endpoint heeds the hash."""


@dataclass(eq=False)
class Member:
    """An endpoint and its record."""

    endpoint: Endpoint
    health: Health = field(default_factory=Health)

    @property
    def name(self) -> str:
        """The endpoint's host."""
        return self.endpoint.name


def in_turn(
    jobs: Sequence[Callable[[], None]], /, *, longest_s: float, enough: Callable[[], bool] = lambda: False
) -> None:
    """`Runner` that runs jobs one by one, all of them."""
    del longest_s, enough
    for job in jobs:
        job()


def in_parallel(
    jobs: Sequence[Callable[[], None]], /, *, longest_s: float, enough: Callable[[], bool] = lambda: False
) -> None:
    """`Runner` with a thread for each job."""
    done = threading.Semaphore(0)

    def run(job: Callable[[], None]) -> None:
        try:
            job()
        finally:
            done.release()

    until = steady_s() + longest_s
    for job in jobs:
        threading.Thread(target=run, args=(job,), daemon=True).start()
    for _ in jobs:
        if not done.acquire(timeout=max(0.0, until - steady_s())) or enough():
            return


class Members:
    """The endpoints of one chain and what is known of each.  Safe to use from several threads.

    Args:
        endpoints: at least one, in order of preference.
        chain_id: what each must serve.
        policy: what is demanded of them.
        time: what tells the time.
        run: how questions at the side are asked.

    Raises: `BadInput` without endpoints.
    """

    def __init__(
        self, endpoints: Sequence[Endpoint], *, chain_id: int, policy: PoolPolicy, time: Timekeeper, run: Runner
    ) -> None:
        if not endpoints:
            raise BadInput("no RPC endpoint is configured", hint="set chain.rpc_urls")
        self._all = tuple(Member(endpoint) for endpoint in endpoints)
        name_apart(endpoints)
        for member in self._all:
            if member.endpoint.verified:
                member.health.checked_s = time.steady_s()
        self.chain_id = chain_id
        self.policy = policy
        self.time = time
        self.run = run
        self.ever_right = any(member.endpoint.verified for member in self._all)
        """Whether any endpoint was ever seen to serve our chain."""
        self._lock = threading.RLock()
        self._looking: set[Member] = set()

    def __iter__(self) -> Iterator[Member]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def __getitem__(self, at: int) -> Member:
        return self._all[at]

    # Whom to ask

    def by_preference(self) -> tuple[Member, ...]:
        """Endpoints that may be asked now, best first."""
        now = self.time.steady_s()
        with self._lock:
            allowed = [member for member in self._all if now >= member.health.limited_until_s]
            cheapest = min((member.health.cost_s for member in allowed), default=0.0)
            ranked = sorted(
                enumerate(allowed),
                key=lambda item: (self._tier(item[1], now), item[1].health.cost_s > 2 * cheapest + 0.25, item[0]),
            )
        return tuple(member for _, member in ranked)

    def _tier(self, member: Member, now: float) -> int:
        """0: nothing speaks against it.  1: its head was stale when last seen.  2: it failed last.  3: wrong chain."""
        health = member.health
        if health.wrong_chain is not None:
            return 3
        # After its rest it still comes second: the trial that brings it back is `watch`'s, at the side.
        if health.failures or health.limits or now < health.rests_until_s:
            return 2
        return 1 if self.policy.fitness.demanded and self.staleness(member) else 0

    def limited_for_s(self) -> float:
        """Seconds until the first endpoint may be asked again; 0 or less if one may be asked now."""
        with self._lock:
            return min(member.health.limited_until_s for member in self._all) - self.time.steady_s()

    # Letting one answer

    def admit(self, member: Member, began: float, *, head_wanted: bool) -> None:
        """Make sure of an endpoint before it answers.  Raises: `WrongChain`, `StaleHead`, or why it cannot be asked."""
        now, health, endpoint = self.time.steady_s(), member.health, member.endpoint
        chain_due = not endpoint.verified or now - health.checked_s > self.policy.recheck_chain_s
        head_due = (
            head_wanted
            and self.policy.fitness.demanded
            and (
                health.head is None
                or now - health.looked_s > self.policy.watch_every_s
                or (health.looked_s < began and bool(self.staleness(member)))
            )
        )
        if chain_due or head_due:
            self._look(member, chain=chain_due, head=head_due)
        if self.policy.probe_pins and endpoint.pins is None:
            endpoint.learn_pins()
        if head_wanted:
            self.demand_fit(member)

    def _look(self, member: Member, *, chain: bool, head: bool) -> None:
        """Ask an endpoint about itself.  Raises: `WrongChain`, `Unreachable`, `RateLimited`."""
        asked: list[Asked] = [("eth_chainId", ())] if chain else []
        asked += [LATEST] if head else []
        began = self.time.steady_s()
        answers = member.endpoint.ask_batch(asked)
        for answer in answers:
            if isinstance(answer, KeeperError):
                raise answer
        with self._lock:
            member.health.latency_s = member.health.latency_s or self.time.steady_s() - began
        if chain:
            self._check_chain(member, answers[0])
        if head:
            self.saw(member, head_of(answers[-1]))

    def _check_chain(self, member: Member, answer: Any) -> None:
        try:
            found = int(answer, 16)
        except (TypeError, ValueError):
            raise Unreachable(f"{member.name}: unreadable chain id", method="eth_chainId") from None
        with self._lock:
            news = found not in (self.chain_id, member.health.wrong_chain)
            member.health.serves(found, ours=self.chain_id, now_s=self.time.steady_s())
            member.endpoint.verified = found == self.chain_id
            self.ever_right |= member.endpoint.verified
        if found == self.chain_id:
            return
        hint = "point chain.rpc_urls at the right network, or correct chain.chain_id"
        if news:
            log.error("rpc.wrong_chain", endpoint=member.name, found=found, configured=self.chain_id, hint=hint)
        message = f"{member.name} serves chain {found}, configured is {self.chain_id}"
        raise WrongChain(message, hint=hint, found=found, configured=self.chain_id)

    def saw(self, member: Member, head: BlockRef) -> None:
        """It told its newest block."""
        with self._lock:
            member.health.saw(head, now_s=self.time.steady_s())

    def staleness(self, member: Member) -> str:
        """Why an endpoint's head keeps it out; empty if nothing does, or its head is not known."""
        with self._lock:
            head = member.health.head
            others = [one.health.head for one in self._all if one is not member and one.health.head is not None]
        if head is None:
            return ""
        return self.policy.fitness.stale(head, others, wall_s=self.time.wall_s())

    def demand_fit(self, member: Member) -> None:
        """Let nothing through from an endpoint whose head is not fit.  Raises: `StaleHead`."""
        why = self.staleness(member) if self.policy.fitness.demanded else ""
        if why:
            hint = "if every endpoint says so, look at the chain, and at this machine's clock (timedatectl)"
            raise StaleHead(f"{member.name}: {why}", hint=hint, endpoint=member.name)

    # What answers and failures say

    def answered(self, member: Member, began: float) -> None:
        """It answered a question put at `began`."""
        with self._lock:
            member.health.answered(took_s=self.time.steady_s() - began)

    def outvoted(self, member: Member) -> None:
        """More endpoints vouch for another block than for its own."""
        with self._lock:
            member.health.outvoted(now_s=self.time.steady_s())

    def blame(self, member: Member, error: KeeperError, method: str) -> None:
        """Put a failure where it belongs."""
        now = self.time.steady_s()
        with self._lock:
            if isinstance(error, RateLimited):
                member.health.limited(now_s=now, retry_after_s=error.retry_after_s)
            elif isinstance(error, StaleBlock | StaleHead | Halt):
                return  # it answered; `WrongChain` is on record already
            else:
                member.health.failed(now_s=now)
                if error.fields.get("code") is None:
                    member.endpoint.verified = False  # no answer at all: another node may sit there next time
        log.warning("rpc.failed", endpoint=member.name, method=method, error=error.message)

    # Looking at the side

    def look(self, member: Member, asked: Sequence[Asked]) -> list[Any]:
        """Ask this endpoint and no other, whatever its head is like.

        Raises: why it cannot be asked, or the error it gave for any of the questions.
        """
        now, health = self.time.steady_s(), member.health
        if now < health.limited_until_s:
            raise RateLimited(f"{member.name} asked to be left alone", retry_after_s=health.limited_until_s - now)
        if now < health.rests_until_s:
            raise Unreachable(f"{member.name} rests after a failure")
        chain_due = not member.endpoint.verified or now - health.checked_s > self.policy.recheck_chain_s
        try:
            answers = member.endpoint.ask_batch([*([("eth_chainId", ())] if chain_due else []), *asked])
            for answer in answers:
                if isinstance(answer, KeeperError):
                    raise answer
            if chain_due:
                self._check_chain(member, answers.pop(0))
        except KeeperError as error:
            self.blame(member, error, asked[0][0])
            raise
        self.answered(member, now)
        return answers

    def watch(self) -> None:
        """Look at the heads of the endpoints that nobody asks, now and then: whom to compare with, and who is back."""
        if len(self) < 2 or not self.policy.fitness.demanded:
            return
        now = self.time.steady_s()
        first = next(iter(self.by_preference()), None)
        due = [
            member
            for member in self._all
            if member is not first
            and now >= max(member.health.rests_until_s, member.health.limited_until_s)
            and now - member.health.looked_s > self.policy.watch_every_s
        ]
        prompt = [member for member in due if (member.health.latency_s or 0.0) <= WATCH_S]
        self.run([partial(self._look_at_side, member) for member in prompt], longest_s=WATCH_S)
        slow = [member for member in due if member not in prompt]
        self.run([partial(self._look_at_side, member) for member in slow], longest_s=0.0)

    def _look_at_side(self, member: Member) -> None:
        with self._lock:
            if member in self._looking:
                return  # a look that takes long is still out
            self._looking.add(member)
        try:
            began = self.time.steady_s()
            self._look(member, chain=True, head=True)
            if not self.staleness(member):
                self.answered(member, began)
        except KeeperError as error:
            self.blame(member, error, "a look at the side")
        finally:
            with self._lock:
                self._looking.discard(member)


def head_of(answer: Any) -> BlockRef:
    """The block that an answer to `LATEST` tells.  Raises: `Unreachable` if it tells none."""
    try:
        return block_ref(answer)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise Unreachable(f"unreadable head ({error!r})", method="eth_getBlockByNumber") from error
