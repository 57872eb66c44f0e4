"""Papers for a quorum of keepers: everything that its contract does in their name.

    publish    what `keeper push` would send, whole                    with its inputs file
    stage      the same opened in steps: ranges, and its first expiries  with its inputs file
    expiries   the next expiries of what was opened, from that very file
    flip       what was staged goes live
    addon      IM wider for the state of a market; 0 takes it back
    funding    the funding rate of the perp
    tighten    an emergency

Each serves the next nonce of its lane: of a publication in steps, one paper is drafted when the one before has landed.
"""

from __future__ import annotations

import re
from typing import Final

from keeper.control.quorum import CouncilChain
from keeper.control.shares import whole_ppm
from keeper.control.sight import Sight
from keeper.domain.action import Publish
from keeper.domain.block import BlockRef
from keeper.domain.council import Paper
from keeper.domain.inputs import InputsFile
from keeper.errors import BadInput
from keeper.policy.publish import permitted
from keeper.policy.verify import UNDERIVABLE
from keeper.ports import Encoder

#: Longest time for which signatures may be good: fences move, and keepers too.
LONGEST_S: Final = 86_400
#: Widest add-on, and highest funding rate a day, that any market allows.  Source: RiskParameters.sol, HouseAdmin.sol.
MOST_ADD_ON_PPM: Final = 500_000
MOST_FUNDING_PPM: Final = 50_000
_TIME: Final = re.compile(r"([1-9][0-9]{0,4})([smh])")
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600}
_PLACES: Final = re.compile(r"([1-9][0-9]{0,3})(?:-([1-9][0-9]{0,3}))?")


def seconds(text: str) -> int:
    """How long signatures are good, as a person writes it: `30m`, `6h`.  Raises: `BadInput`."""
    found = _TIME.fullmatch(text.strip())
    if found is None or (length := int(found[1]) * _UNITS[found[2]]) > LONGEST_S:
        raise BadInput(f"{text[:40]!r} is no time for signatures to be good", hint="write 30m or 6h; 24h at most")
    return length


def signed_ppm(text: str) -> int:
    """A rate that may be negative or nothing, as a person writes it: `-0.02%`, `150ppm`, `0%`.  Raises: `BadInput`."""
    found = whole_ppm(text)
    if found is None:
        raise BadInput(f"{text[:40]!r} is no rate", hint="write 0.02%, -0.02% or 200ppm; ppm is the finest")
    return found


def places(text: str) -> tuple[int, int]:
    """Which expiries, counted from 1 in order: `2` or `2-5`.  Returns: first, last.  Raises: `BadInput`."""
    found = _PLACES.fullmatch(text.strip())
    if found is None or (last := int(found[2] or found[1])) < (first := int(found[1])):
        raise BadInput(f"{text[:40]!r} names no expiries", hint="write 2 for the second, 2-5 for the second to fifth")
    return first, last


def draft_publication(
    sight: Sight, encoder: Encoder, chain: CouncilChain, *, symbol: str, asked: str, staged: int | None = None
) -> tuple[Paper, Publish, InputsFile]:
    """What `keeper push` would publish, on paper, with what it was made from.

    Args:
        sight: the head, with `policy.intent_ttl_s` the time for which signatures are to be good.
        encoder: as of the loop.
        chain: the quorum.
        symbol: ticker.
        asked: why a push is wanted even if none is due; empty to draft only what is.
        staged: open it in steps, with so many of its first expiries; None to publish it whole.

    Raises: `BadInput` if nothing is due, or it may not be pushed.
    """
    (u,) = sight.picked(symbol)
    proposal = sight.proposal(u, asked=asked)
    push, file = proposal.push, proposal.file
    if push is None or file is None:
        raise BadInput(
            f"{u.symbol}: nothing is published: {proposal.waits}",
            hint='if it is wanted all the same: --now "why"; keeper recalibrate tells more',
            symbol=u.symbol,
        )
    block, count = sight.inputs.snapshot.block, len(push.params.expiries)
    if staged is not None and staged > count:
        raise BadInput(f"{u.symbol}: the publication has {count} expiries, not {staged}", symbol=u.symbol)
    call = chain.publication(
        encoder.encode(push, block=block).data,
        valid_until=push.valid_until,
        block=block,
        function="publish" if staged is None else "stage",
        count=staged,
    )
    return _paper(chain, call, why=push.why), push, file


def draft_expiries(
    chain: CouncilChain, block: BlockRef, file: InputsFile, *, which: tuple[int, int], lasts_s: int, why: str
) -> Paper:
    """The next expiries of a publication in steps, derived from the inputs file that opened it.

    Args:
        chain: the quorum.
        block: the head.
        file: beside the paper that staged it.
        which: first and last expiry, counted from 1.
        lasts_s: how long signatures are good.
        why: for the keepers.

    Raises: `BadInput` if the file gives no publication, or has no such expiries.
    """
    try:
        rows = permitted(file).expiries
    except UNDERIVABLE as error:
        raise BadInput("the inputs file gives no publication", hint="take the one beside the staged paper") from error
    first, last = which
    if last > len(rows):
        raise BadInput(f"the publication has {len(rows)} expiries, not {last}", hint="they are counted from 1")
    until = block.timestamp + lasts_s
    call = chain.rows(file.state.underlying, rows[first - 1 : last], valid_until=until, block=block)
    return _paper(chain, call, why=why)


def draft_flip(chain: CouncilChain, block: BlockRef, *, underlying: int, lasts_s: int, why: str) -> Paper:
    """What was staged goes live."""
    until = block.timestamp + lasts_s
    return _paper(
        chain, chain.draft("flip", underlying, underlying=underlying, valid_until=until, block=block), why=why
    )


def draft_tightening(
    chain: CouncilChain, block: BlockRef, *, underlying: int, peak_ppm: int, lasts_s: int, why: str
) -> Paper:
    """An emergency on paper: MM to (1 + peak) times over an hour, IM at once.  Raises: `BadInput`."""
    if not 0 < peak_ppm <= 1_000_000:
        raise BadInput(f"MM is raised by 100 % at most, not {peak_ppm / 10_000:g} %", hint="write 30%")
    until = block.timestamp + lasts_s
    call = chain.draft("tighten", underlying, peak_ppm, underlying=underlying, valid_until=until, block=block)
    return _paper(chain, call, why=why)


def draft_add_on(
    chain: CouncilChain, block: BlockRef, *, underlying: int, add_on_ppm: int, stands_s: int, lasts_s: int, why: str
) -> Paper:
    """A wider IM for the state of a market on paper; it lapses by itself.

    Args:
        chain: the quorum.
        block: the head.
        underlying: id.
        add_on_ppm: of IM, at most half; 0 takes back what stands.
        stands_s: how long it is to stand from now, at most a day.
        lasts_s: how long signatures are good.
        why: for the keepers.

    Raises: `BadInput`.
    """
    if not 0 <= add_on_ppm <= MOST_ADD_ON_PPM:
        raise BadInput(f"IM is widened by 50 % at most, not {add_on_ppm / 10_000:g} %", hint="write 20%")
    until, good = block.timestamp + stands_s, block.timestamp + lasts_s
    call = chain.draft(
        "setStateAddOn", underlying, add_on_ppm, until, underlying=underlying, valid_until=good, block=block
    )
    return _paper(chain, call, why=why)


def draft_funding(
    chain: CouncilChain, block: BlockRef, *, house: str, underlying: int, rate_ppm: int, lasts_s: int, why: str
) -> Paper:
    """The funding rate of a perp on paper; the market's own fences bind it.

    Args:
        chain: the quorum.
        block: the head.
        house: address of the clearing house.
        underlying: id.
        rate_ppm: of the position's value, a day; longs pay if it is positive.
        lasts_s: how long signatures are good.
        why: for the keepers.

    Raises: `BadInput`.
    """
    if abs(rate_ppm) > MOST_FUNDING_PPM:
        raise BadInput(f"no market's funding rate is beyond 5 % a day, not {rate_ppm / 10_000:g} %", hint="write 0.02%")
    until = block.timestamp + lasts_s
    call = chain.draft(
        "setFundingRate", house, underlying, rate_ppm, underlying=underlying, valid_until=until, block=block
    )
    return _paper(chain, call, why=why)


def _paper(chain: CouncilChain, call: bytes, *, why: str) -> Paper:
    return Paper(call=call, typed=chain.typed(call), why=why, decoded=chain.decoded(call))
