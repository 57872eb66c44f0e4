"""Whether the endpoints vouch for one and the same block, asked before anything new is signed or sent.

Each endpoint is asked for the block at one height and for its newest one.  What it says counts as one of:

    agrees       it has this very block at that height
    contradicts  it has another block there; or its chain ends below, at a block that is not an ancestor of ours; or it
                 claims to be of the present and is further behind than a lag can explain
    is behind    its chain ends below, at an ancestor of ours: it will agree or contradict in a moment
    is silent    it did not answer, rests, serves another chain, or its head is so old that it has no say

With k the quorum (1 if none is configured), sending goes on if at least k agree and no other block has k endpoints
behind it.  So:

    no quorum, one endpoint      nothing is asked
    no quorum, several           one contradiction stops sending; silence does not
    k of n                       k must agree; a minority of fewer than k liars is outvoted, reported, and rested

A lie that all endpoints share, or about the state of a block rather than its hash, is not found here.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from keeper.chain.asking.members import LATEST, Member, Members
from keeper.chain.errors import Disagreement
from keeper.chain.records import block_ref
from keeper.domain.block import BlockRef
from keeper.errors import BadInput, KeeperError

log = structlog.get_logger(__name__)

#: Agreed blocks remembered: several transactions are sent on one head.
_REMEMBERED = 16


@dataclass(frozen=True, kw_only=True)
class Word:
    """What one endpoint says."""

    at: BlockRef | None = None
    """Its block at the height asked for; None if it has none there, or did not answer."""
    head: BlockRef | None = None
    """Its newest block; None if it did not answer."""
    silent: str = ""
    """Why it has no say; empty if it has."""


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What the words come to."""

    agree: tuple[str, ...]
    """Endpoints with this very block."""
    contradict: Mapping[str, str]
    """Endpoint → the block it has instead, or what else it says that cannot be true at once."""
    behind: tuple[str, ...]
    """Endpoints that do not reach the height yet, on the same chain."""
    silent: Mapping[str, str]
    """Endpoint → why it has no say."""

    def enough(self, quorum: int) -> bool:
        """Whether sending goes on."""
        needed = max(1, quorum)
        rivals = Counter(self.contradict.values())
        return len(self.agree) >= needed and max(rivals.values(), default=0) < needed

    def sentence(self) -> str:
        """Who says what."""
        said = [f"{name}: agrees" for name in self.agree]
        said += [f"{name}: {what}" for name, what in self.contradict.items()]
        said += [f"{name}: not there yet" for name in self.behind]
        said += [f"{name}: silent ({why})" for name, why in self.silent.items()]
        return "; ".join(said)


def tally(
    block: BlockRef, words: Mapping[str, Word], ancestors: Mapping[int, str], *, max_lag_blocks: int | None
) -> Tally:
    """Sort what the endpoints said.

    Args:
        block: what they were asked about.
        words: what each said, by its name.
        ancestors: hash by height of blocks below `block`, on its own chain, where an endpoint's chain ends.
        max_lag_blocks: more than this behind is no lag; None if there is no limit.
    """
    agree, behind = [], []
    contradict, silent = {}, {}
    for name, word in words.items():
        if word.silent:
            silent[name] = word.silent
        elif word.at is not None and word.at.hash == block.hash:
            agree.append(name)
        elif word.at is not None:
            contradict[name] = f"has {word.at.hash} at {block.number:,}"
        elif word.head is None or word.head.number >= block.number:
            silent[name] = f"has no block at {block.number:,}"
        elif max_lag_blocks is not None and block.number - word.head.number > max_lag_blocks:
            contradict[name] = f"says that the chain ends at {word.head.number:,}"
        elif ancestors.get(word.head.number) != word.head.hash:
            contradict[name] = f"has {word.head.hash} at {word.head.number:,}"
        else:
            behind.append(name)
    return Tally(agree=tuple(agree), contradict=contradict, behind=tuple(behind), silent=silent)


class Quorum:
    """Asks the endpoints about a block.

    Args:
        members: the endpoints.
        needed: how many must agree; 0 demands none, and still heeds contradictions.

    Raises: `BadInput` if there are fewer endpoints than are needed.
    """

    def __init__(self, members: Members, *, needed: int) -> None:
        if needed > len(members):
            raise BadInput(
                f"a quorum of {needed} needs as many endpoints, chain.rpc_urls has {len(members)}",
                hint="add endpoints of different providers, or lower chain.quorum",
            )
        self._members = members
        #: How many must agree.
        self.needed = needed
        self._agreed: OrderedDict[str, None] = OrderedDict()

    def agree(self, block: BlockRef) -> None:
        """See `Rpc.agree`."""
        if len(self._members) < 2 or block.hash in self._agreed:
            return
        found = self.ask(block)
        if found.enough(self.needed):
            if found.contradict:
                log.error("rpc.outvoted", block=block.number, said=found.sentence())
                self._rest(found.contradict)
            self._agreed[block.hash] = None
            while len(self._agreed) > _REMEMBERED:
                self._agreed.popitem(last=False)
            return
        self._rest_minority(found)
        log.error("rpc.disagreement", block=block.number, hash=block.hash, said=found.sentence())
        needed = max(1, self.needed)
        raise Disagreement(
            f"{len(found.agree)} of {len(self._members)} endpoints vouch for block {block.number:,}, "
            f"{needed} must, and none may contradict by as many: {found.sentence()}",
            hint="nothing is sent while they disagree; if it lasts, find out which provider is wrong and remove it",
            block=block.number,
            hash=block.hash,
            needed=needed,
            agree=list(found.agree),
            contradict=dict(found.contradict),
            behind=list(found.behind),
            silent=dict(found.silent),
        )

    def ask(self, block: BlockRef) -> Tally:
        """What each endpoint says of a block."""
        words: dict[str, Word] = {}
        # With k of n, k that agree decide before the slowest spoke, if fewer than k are left to contradict.
        left = len(self._members) - self.needed

        def enough() -> bool:
            agree = sum(word.at is not None and word.at.hash == block.hash for word in tuple(words.values()))
            return self.needed > left and agree >= self.needed

        jobs = [partial(self._word, member, block, words) for member in self._members]
        self._members.run(jobs, longest_s=self._members.policy.patience_s, enough=enough)
        said = dict(words)  # who speaks later is not heard
        late = Word(silent="no answer in time")
        heard = {member.name: said.get(member.name, late) for member in self._members}
        ancestors = self._ancestors(block, heard)
        return tally(block, heard, ancestors, max_lag_blocks=self._members.policy.fitness.max_head_lag_blocks)

    def _word(self, member: Member, block: BlockRef, words: dict[str, Word]) -> None:
        """Ask one endpoint; whatever happens is a word."""
        try:
            at, head = self._members.look(member, [("eth_getBlockByNumber", (hex(block.number), False)), LATEST])
            word = Word(at=_block(at), head=_block(head))
            if word.head is not None:
                self._members.saw(member, word.head)
                # An endpoint that is of the past by the clock has no say; one that merely lags has.
                old = self._members.policy.fitness.too_old(word.head, wall_s=self._members.time.wall_s())
                word = Word(silent=old) if old else word
        except KeeperError as error:
            word = Word(silent=error.message)
        words[member.name] = word

    def _ancestors(self, block: BlockRef, heard: Mapping[str, Word]) -> dict[int, str]:
        """Our own chain's blocks at the heights where other endpoints end."""
        ends = {
            word.head.number
            for word in heard.values()
            if not word.silent and word.at is None and word.head is not None and word.head.number < block.number
        }
        keepers = [m for m in self._members if (at := heard[m.name].at) is not None and at.hash == block.hash]
        if not ends or not keepers:
            return {}
        asked = [("eth_getBlockByNumber", (hex(height), False)) for height in sorted(ends)]
        try:
            found = [_block(answer) for answer in self._members.look(keepers[0], asked)]
        except KeeperError:
            return {}
        return {one.number: one.hash for one in found if one is not None}

    def _rest_minority(self, found: Tally) -> None:
        """Where more vouch for one other block than for ours, those who told us ours are not asked for a while."""
        rivals = Counter(found.contradict.values()).most_common(1)
        if rivals and rivals[0][1] > max(1, len(found.agree)):
            self._rest(found.agree)

    def _rest(self, names: Sequence[str] | Mapping[str, str]) -> None:
        for member in self._members:
            if member.name in names:
                self._members.outvoted(member)


def _block(answer: Any) -> BlockRef | None:
    try:
        return None if answer is None else block_ref(answer)
    except (KeyError, ValueError, TypeError, AttributeError):
        return None
