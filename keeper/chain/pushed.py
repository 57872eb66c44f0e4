"""Heads as an endpoint announces them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from keeper.chain.members import Member, Members
from keeper.chain.records import block_ref
from keeper.chain.websocket import PushProvider
from keeper.errors import Refused

NEW_HEADS = "newHeads"


def pushes(member: Member) -> bool:
    """Whether an endpoint's transport can push."""
    return isinstance(member.endpoint.provider, PushProvider)


class PushedHeads:
    """`keeper.chain.announcements.HeadSource` over one endpoint.

    What is announced goes on the endpoint's record, where staleness is judged.  It is never a head by itself: whoever
    listens asks the pool, which may well find that this endpoint is not fit.

    Args:
        members: keeps the records.
        member: one of its endpoints, whose transport can push.
    """

    def __init__(self, members: Members, member: Member) -> None:
        self._members, self._member = members, member

    @property
    def name(self) -> str:
        """The endpoint's host."""
        return self._member.name

    def subscribe(self, announced: Callable[[], None], dropped: Callable[[str], None]) -> Callable[[], None]:
        """See `HeadSource.subscribe`."""

        def told(raw: Any) -> None:
            with suppress(KeyError, ValueError, TypeError, AttributeError):  # some push headers without a hash
                self._members.saw(self._member, block_ref(raw))
            announced()

        provider = self._member.endpoint.provider
        if not isinstance(provider, PushProvider):
            raise Refused(f"{self.name} cannot push")
        return provider.subscribe(NEW_HEADS, told, dropped)
