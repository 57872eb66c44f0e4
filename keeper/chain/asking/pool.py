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

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from keeper.chain.asking.endpoint import Endpoint
from keeper.chain.asking.members import LATEST, Member, Members, PoolPolicy, Runner, head_of, in_turn
from keeper.chain.asking.wire import Asked
from keeper.chain.clock import Timekeeper
from keeper.chain.errors import RateLimited, StaleBlock, StaleHead, Unreachable, WrongChain
from keeper.domain.block import BlockRef
from keeper.errors import Halt, KeeperError, Refused, Retry

T = TypeVar("T")

#: What a person can do about an endpoint that gives no answer.
REACH = "check chain.rpc_urls, that the node runs, and that this machine may reach it"


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
        self.members = Members(endpoints, chain_id=chain_id, policy=policy, time=time, run=run)
        self.policy = policy
        self.time = time
        self._jitter = jitter

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
        self.members.watch()

        def ask(member: Member) -> BlockRef:
            head = head_of(member.endpoint.ask(*LATEST))
            self.members.saw(member, head)
            self.members.demand_fit(member)
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
            again: list[KeeperError] = []
            for member in self.members.by_preference():
                if self.time.steady_s() >= until:
                    break
                try:
                    self.members.admit(member, began, head_wanted=not looks)
                    if self.time.steady_s() >= until:
                        break
                    return self._timed(member, ask)
                except Refused:
                    raise
                except KeeperError as error:
                    again.append(error)
                    self.members.blame(member, error, method)
            failures = again or failures
            if again and not self._another_round(again):
                break
        raise self._verdict(failures, method)

    def _timed(self, member: Member, ask: Callable[[Member], T]) -> T:
        began = self.time.steady_s()
        try:
            found = ask(member)
        except (Refused, StaleBlock):
            self.members.answered(member, began)
            raise
        self.members.answered(member, began)
        return found

    def _pause(self, attempt: int, until: float) -> bool:
        """Wait before another round.  Returns: whether there is time for one."""
        first, longest = self.policy.backoff_s
        now = self.time.steady_s()
        pause = self._jitter() * min(longest, first * 2.0 ** (attempt - 1))
        pause = max(pause, self.members.limited_for_s())
        if now + pause >= until:
            return False
        self.time.wait_s(pause)
        return True

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
        every = all(member.health.wrong_chain is not None for member in self.members)
        if wrong is not None and every and not self.members.ever_right:
            return wrong
        said = [error for error in failures if not isinstance(error, Unreachable | StaleHead | WrongChain)]
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
            last = failures[-1]
            if type(last) is Unreachable:
                last.hint = last.hint or REACH
            return last
        wait_s = self.members.limited_for_s()
        if wait_s > 0:
            message = f"{method}: every endpoint asked to be left alone, the first for {wait_s:,.0f} s more"
            return RateLimited(message, retry_after_s=wait_s, method=method)
        message = f"{method}: no endpoint of chain {self.members.chain_id} can be asked"
        return Unreachable(message, hint=REACH, method=method)


def _value(parse: Callable[[Any], Any], answer: Any) -> Any | KeeperError:
    try:
        return parse(answer)
    except KeeperError as error:
        return error
