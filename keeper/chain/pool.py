"""Several endpoints of one chain as one: whom to ask, when to ask another, when to give up.

The promise: an answer comes from an endpoint whose chain id was seen to be ours and whose head is fit (`health.py`), or
`Retry` is raised before the deadline.  How it is kept:

- An endpoint is *admitted* before it answers.  Its chain id is asked for before its first answer, again after every
  failure of transport (another node may sit behind the same name now), and every minute.  Its head is known and fit.
- An endpoint that fails rests, twice as long each time; whoever failed is looked at from the side, never in the way of
  a decision, and comes back once it does well (the circuit's half-open state).
- One round over the endpoints costs no wait.  Rounds after it come after pauses that double, each of a random part of
  its length ("full jitter"), so that many keepers do not come back at once.  A provider's Retry-After is kept to.
- No endpoint is turned to after the deadline: a call ends at the latest one answer's time-out after it.

Repeating is safe for every question: reads change nothing, and eth_sendRawTransaction repeats the same signed bytes.

A wrong chain id is told loudly and nothing is read there.  It stops the keeper (`WrongChain`) if no endpoint was ever
right, since then the configuration is wrong and waiting helps nobody.  It does not while another endpoint serves the
right chain: a house whose liquidations stand still because one of three providers mixed up its networks is the worse
accident.  And if a provider that was right turns wrong later, that is the provider's error: the keeper neither reads
nor sends there, says so, and waits.  `keeper check` fails on any wrong endpoint.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias, TypeVar

import structlog

from keeper.chain.clock import Timekeeper, steady_s
from keeper.chain.endpoint import Endpoint
from keeper.chain.errors import RateLimited, StaleBlock, StaleHead, Unreachable, WrongChain
from keeper.chain.health import Fitness, Health
from keeper.chain.records import block_ref
from keeper.chain.wire import Asked
from keeper.domain.block import BlockRef
from keeper.errors import BadInput, Halt, KeeperError, Refused, Retry

log = structlog.get_logger(__name__)

T = TypeVar("T")

#: The question for an endpoint's newest block.
LATEST = ("eth_getBlockByNumber", ("latest", False))

#: Runs jobs beside each other or one by one; returns when all are done, or when waiting longer helps nobody.
Runner: TypeAlias = Callable[[Sequence[Callable[[], None]]], None]


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


def in_turn(jobs: Sequence[Callable[[], None]]) -> None:
    """Run jobs one by one."""
    for job in jobs:
        job()


def in_parallel(jobs: Sequence[Callable[[], None]], *, longest_s: float) -> None:
    """Run jobs in threads of their own.  One that takes longer than `longest_s` goes on, and nobody waits for it."""
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
        done.acquire(timeout=max(0.0, until - steady_s()))


class Pool:
    """The endpoints of one chain.

    Args:
        endpoints: at least one, in order of preference.
        chain_id: what each must serve.
        policy: how hard to try.
        time: what tells the time and lets it pass.
        jitter: a number in [0, 1) at each call, for the length of pauses.
        run: how questions at the side are asked.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        *,
        chain_id: int,
        policy: PoolPolicy,
        time: Timekeeper,
        jitter: Callable[[], float],
        run: Runner = in_turn,
    ) -> None:
        if not endpoints:
            raise BadInput("no RPC endpoint is configured", hint="set chain.rpc_urls")
        self.members = tuple(Member(endpoint) for endpoint in endpoints)
        for at, member in enumerate(self.members):
            if any(member.name == other.name for other in self.members[:at]):
                member.endpoint.name += f" #{at + 1}"  # two keys at one provider
            if member.endpoint.verified:
                member.health.checked_s = time.steady_s()
        self.chain_id = chain_id
        self.policy = policy
        self.time = time
        self.run = run
        self._jitter = jitter
        self._lock = threading.RLock()
        self._looking: set[Member] = set()
        self._ever_right = any(member.endpoint.verified for member in self.members)

    # Asking

    def ask(self, method: str, params: Sequence[Any]) -> Any:
        """The first admitted endpoint's result.

        Raises: `Retry` if none can be asked; `Refused` as an answer says; `Halt` if every one that answered says so.
        """
        return self.through(lambda member: member.endpoint.ask(method, params), method)

    def ask_batch(
        self, asked: Sequence[Asked], *, parse: Callable[[Any], Any] = lambda answer: answer
    ) -> tuple[Any | KeeperError, ...]:
        """Results in the order of asking, or the refusal in the place of one.

        Args:
            asked: methods and parameters.
            parse: makes a value of a result; what it raises becomes the answer.

        What one endpoint leaves unanswered, and only that, is asked elsewhere.
        Raises: `Retry` if a question stays unanswered: half a picture is none.
        """
        answers: list[Any | KeeperError] = [None] * len(asked)
        still = list(range(len(asked)))

        def ask(member: Member) -> None:
            nonlocal still
            found = member.endpoint.ask_batch([asked[at] for at in still])
            for at, answer in zip(still, found, strict=True):
                answers[at] = answer if isinstance(answer, KeeperError) else _value(parse, answer)
            still = [at for at in still if isinstance(answers[at], Retry)]
            if still:
                # Rate limits first: they say how long to stay away.
                raise next((answers[at] for at in still if isinstance(answers[at], RateLimited)), answers[still[0]])

        if asked:
            self.through(ask, "batch")
        return tuple(answers)

    def latest(self) -> BlockRef:
        """The newest block of the best endpoint.  Raises: `StaleHead` if nobody's is of the present; `Retry`."""
        self.watch()

        def ask(member: Member) -> BlockRef:
            head = self._head_of(member.endpoint.ask(*LATEST))
            self._saw(member, head)
            self._demand_fit(member)
            return head

        return self.through(ask, "eth_getBlockByNumber", looks=True)

    def through(self, ask: Callable[[Member], T], method: str, *, looks: bool = False) -> T:
        """Let `ask` have its answer from the best endpoint that has one.

        Args:
            ask: asks one endpoint.
            method: for messages.
            looks: whether `ask` itself finds out about the head.

        Raises: as `ask`.
        """
        began = self.time.steady_s()
        until = began + self.policy.deadline_s
        failures: list[KeeperError] = []
        for attempt in range(self.policy.retries + 1):
            if attempt and not self._pause(attempt, until):
                break
            failures = []
            for member in self._by_preference():
                if self.time.steady_s() >= until:
                    break
                try:
                    self._admit(member, began, head_wanted=not looks)
                    if self.time.steady_s() >= until:
                        break
                    return self._timed(member, ask)
                except Refused:
                    raise
                except KeeperError as error:
                    failures.append(error)
                    self._blame(member, error, method)
            if failures and not self._another_round(failures):
                break
        raise self._verdict(failures, method)

    def _timed(self, member: Member, ask: Callable[[Member], T]) -> T:
        began = self.time.steady_s()
        try:
            found = ask(member)
        except (Refused, StaleBlock):
            self._answered(member, began)
            raise
        self._answered(member, began)
        return found

    def _answered(self, member: Member, began: float) -> None:
        with self._lock:
            member.health.answered(took_s=self.time.steady_s() - began)

    # Admission

    def _admit(self, member: Member, began: float, *, head_wanted: bool) -> None:
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
            self._demand_fit(member)

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
            self._saw(member, self._head_of(answers[-1]))

    def _check_chain(self, member: Member, answer: Any) -> None:
        try:
            found = int(answer, 16)
        except (TypeError, ValueError):
            raise Unreachable(f"{member.name}: unreadable chain id", method="eth_chainId") from None
        with self._lock:
            news = found not in (self.chain_id, member.health.wrong_chain)
            member.health.serves(found, ours=self.chain_id, now_s=self.time.steady_s())
            member.endpoint.verified = found == self.chain_id
            self._ever_right |= member.endpoint.verified
        if found == self.chain_id:
            return
        hint = "point chain.rpc_urls at the right network, or correct chain.chain_id"
        if news:
            log.error("rpc.wrong_chain", endpoint=member.name, found=found, configured=self.chain_id, hint=hint)
        message = f"{member.name} serves chain {found}, configured is {self.chain_id}"
        raise WrongChain(message, hint=hint, found=found, configured=self.chain_id)

    def _head_of(self, answer: Any) -> BlockRef:
        try:
            return block_ref(answer)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise Unreachable(f"unreadable head ({error!r})", method="eth_getBlockByNumber") from error

    def _saw(self, member: Member, head: BlockRef) -> None:
        with self._lock:
            member.health.saw(head, now_s=self.time.steady_s())

    def announced(self, member: Member, head: BlockRef) -> None:
        """An endpoint told its newest block by itself."""
        self._saw(member, head)

    def staleness(self, member: Member) -> str:
        """Why an endpoint's head keeps it out; empty if nothing does, or its head is not known."""
        with self._lock:
            head = member.health.head
            others = [one.health.head for one in self.members if one is not member and one.health.head is not None]
        if head is None:
            return ""
        return self.policy.fitness.stale(head, others, wall_s=self.time.wall_s())

    def _demand_fit(self, member: Member) -> None:
        why = self.staleness(member) if self.policy.fitness.demanded else ""
        if why:
            hint = "if every endpoint says so, look at the chain, and at this machine's clock (timedatectl)"
            raise StaleHead(f"{member.name}: {why}", hint=hint, endpoint=member.name)

    # Whom to ask, and when

    def _by_preference(self) -> Iterator[Member]:
        """Endpoints that may be asked now, best first."""
        now = self.time.steady_s()
        with self._lock:
            allowed = [member for member in self.members if now >= member.health.limited_until_s]
            cheapest = min((member.health.cost_s for member in allowed), default=0.0)
            ranked = sorted(
                enumerate(allowed),
                key=lambda item: (self._tier(item[1], now), item[1].health.cost_s > 2 * cheapest + 0.25, item[0]),
            )
        return iter([member for _, member in ranked])

    def _tier(self, member: Member, now: float) -> int:
        """0: nothing speaks against it.  1: its head was stale when last seen.  2: it failed last.  3: wrong chain."""
        health = member.health
        if health.wrong_chain is not None:
            return 3
        # After its rest it still comes second: the trial that brings it back is `watch`'s, at the side.
        if health.failures or health.limits or now < health.rests_until_s:
            return 2
        return 1 if self.policy.fitness.demanded and self.staleness(member) else 0

    def _pause(self, attempt: int, until: float) -> bool:
        """Wait before another round.  Returns: whether there is time for one."""
        first, longest = self.policy.backoff_s
        now = self.time.steady_s()
        pause = self._jitter() * min(longest, first * 2.0 ** (attempt - 1))
        with self._lock:
            allowed = min(member.health.limited_until_s for member in self.members)
        pause = max(pause, allowed - now)
        if now + pause >= until:
            return False
        self.time.wait_s(pause)
        return True

    def _blame(self, member: Member, error: KeeperError, method: str) -> None:
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

    # Giving up

    def _another_round(self, failures: Sequence[KeeperError]) -> bool:
        """Whether asking again soon could change anything: a block that is not there takes the chain's own time."""
        final = any(isinstance(error, StaleBlock) for error in failures) or self._halt(failures) is not None
        return not final and any(isinstance(error, Unreachable) for error in failures)

    def _halt(self, failures: Sequence[KeeperError]) -> Halt | None:
        """What stops the keeper, if every endpoint that has a say says so.

        One endpoint's word stops nobody: another may have the method, or know of the funds.
        """
        wrong = next((error for error in failures if isinstance(error, WrongChain)), None)
        if wrong is not None:
            every = all(member.health.wrong_chain is not None for member in self.members)
            return wrong if every and not self._ever_right else None
        said = [error for error in failures if not isinstance(error, Unreachable | StaleHead)]
        halts = [error for error in said if isinstance(error, Halt)]
        return halts[0] if halts and len(halts) == len(said) else None

    def _verdict(self, failures: Sequence[KeeperError], method: str) -> KeeperError:
        halt = self._halt(failures)
        if halt is not None:
            return halt
        for kind in (StaleBlock, StaleHead):
            found = next((error for error in failures if isinstance(error, kind)), None)
            if found is not None:
                return found
        failures = [error for error in failures if isinstance(error, Retry)]
        if failures:
            return failures[-1]
        now = self.time.steady_s()
        with self._lock:
            limited = [m.health.limited_until_s - now for m in self.members if m.health.limited_until_s > now]
        if limited:
            message = f"{method}: every endpoint asked to be left alone, the first for {min(limited):,.0f} s more"
            return RateLimited(message, retry_after_s=min(limited), method=method)
        return Unreachable(f"{method}: no endpoint of chain {self.chain_id} can be asked", method=method)

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
            self._blame(member, error, asked[0][0])
            raise
        self._answered(member, now)
        return answers

    def watch(self) -> None:
        """Look at the heads of the endpoints that nobody asks, now and then: whom to compare with, and who is back."""
        if len(self.members) < 2 or not self.policy.fitness.demanded:
            return
        now = self.time.steady_s()
        first = next(self._by_preference(), None)
        due = [
            member
            for member in self.members
            if member is not first
            and now >= max(member.health.rests_until_s, member.health.limited_until_s)
            and now - member.health.looked_s > self.policy.watch_every_s
        ]
        self.run([partial(self._look_at_side, member) for member in due])

    def _look_at_side(self, member: Member) -> None:
        with self._lock:
            if member in self._looking:
                return  # a look that takes long is still out
            self._looking.add(member)
        try:
            began = self.time.steady_s()
            self._look(member, chain=True, head=True)
            if not self.staleness(member):
                self._answered(member, began)
        except KeeperError as error:
            self._blame(member, error, "a look at the side")
        finally:
            with self._lock:
                self._looking.discard(member)


def _value(parse: Callable[[Any], Any], answer: Any) -> Any | KeeperError:
    try:
        return parse(answer)
    except KeeperError as error:
        return error
