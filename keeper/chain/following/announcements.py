"""Being told of new heads, beside asking for them.

One thread per source keeps its subscription alive: it subscribes, waits until the connection drops, and subscribes
again after a pause that doubles.  Nothing depends on it: whoever listens also polls, and fetches every block himself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, runtime_checkable

import structlog

from keeper.chain.asking.endpoint import Endpoint
from keeper.errors import KeeperError

log = structlog.get_logger(__name__)

#: Pauses between two attempts to subscribe double from the first up to the second, seconds.
PAUSES_S: Final = (1.0, 60.0)


class HeadSource(Protocol):
    """A node that announces its heads."""

    @property
    def name(self) -> str:
        """For logs: the endpoint's host."""

    def subscribe(self, announced: Callable[[], None], dropped: Callable[[str], None]) -> Callable[[], None]:
        """Call `announced` at every new head, from any thread, and `dropped` with the reason if that ends by itself.

        Returns: what ends the subscription; safe to call after it dropped, and more than once.
        Raises: `KeeperError` if the node cannot be reached or has no subscriptions.
        """


@runtime_checkable
class Pushing(Protocol):
    """A provider whose node can push: one over a WebSocket."""

    def subscribe(self, what: str, told: Callable[[Any], None], dropped: Callable[[str], None]) -> Callable[[], None]:
        """Call `told` with each new object of a kind, and `dropped` with the reason when no more will come."""


class PushedHeads:
    """`HeadSource` of one endpoint that can push.

    Args:
        name: of the endpoint.
        provider: how it is asked.
    """

    def __init__(self, name: str, provider: Pushing) -> None:
        self.name, self._provider = name, provider

    def subscribe(self, announced: Callable[[], None], dropped: Callable[[str], None]) -> Callable[[], None]:
        """See `HeadSource.subscribe`."""
        return self._provider.subscribe("newHeads", lambda _: announced(), dropped)


def head_sources(endpoints: Sequence[Endpoint]) -> tuple[PushedHeads, ...]:
    """The endpoints that announce their heads."""
    return tuple(PushedHeads(one.name, one.provider) for one in endpoints if isinstance(one.provider, Pushing))


class Announcements:
    """Subscriptions to any number of sources, kept alive.

    Args:
        sources: whom to listen to.
        pauses_s: first and longest pause before subscribing again.
    """

    def __init__(self, sources: Sequence[HeadSource], *, pauses_s: tuple[float, float] = PAUSES_S) -> None:
        self._sources, self._pauses_s = tuple(sources), pauses_s

    def listen(self, wake: Callable[[], None]) -> Callable[[], None]:
        """See `Heads.listen`."""
        ended = threading.Event()
        lines = [_Line(source, wake, ended, self._pauses_s) for source in self._sources]
        for line in lines:
            line.start()

        def end() -> None:
            ended.set()
            for line in lines:
                line.hang_up()

        return end


class _Line(threading.Thread):
    """One source, listened to until `ended`."""

    def __init__(
        self, source: HeadSource, wake: Callable[[], None], ended: threading.Event, pauses_s: tuple[float, float]
    ) -> None:
        super().__init__(name=f"heads of {source.name}", daemon=True)
        self._source, self._wake, self._ended = source, wake, ended
        self._first_s, self._longest_s = pauses_s
        self._heard = False
        #: Set when the subscription is over, by whichever side.
        self._over = threading.Event()

    def run(self) -> None:
        """Subscribe, wait for the drop, pause, again."""
        pause_s = self._first_s
        while not self._ended.is_set():
            self._over.clear()
            self._heard = False
            try:
                unsubscribe = self._source.subscribe(self._announced, self._dropped)
            except KeeperError as error:
                log.warning("heads.not_subscribed", endpoint=self._source.name, error=error.message, again_in_s=pause_s)
            else:
                log.info("heads.subscribed", endpoint=self._source.name)
                # What was announced while nobody listened is found by looking once.
                self._wake()
                if not self._ended.is_set():
                    self._over.wait()
                unsubscribe()
                pause_s = self._first_s if self._heard else pause_s
            self._ended.wait(pause_s)
            pause_s = min(2 * pause_s, self._longest_s)

    def hang_up(self) -> None:
        """Stop waiting; the thread unsubscribes and ends."""
        self._over.set()

    def _announced(self) -> None:
        self._heard = True
        self._wake()

    def _dropped(self, why: str) -> None:
        log.warning("heads.subscription_dropped", endpoint=self._source.name, error=why)
        self._over.set()
