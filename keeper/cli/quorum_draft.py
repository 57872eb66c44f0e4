"""`keeper quorum draft`: the command line's words as a paper, with the inputs file where numbers are published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from keeper.errors import BadInput

if TYPE_CHECKING:
    from keeper.domain.council import Paper
    from keeper.wiring.quorum import QuorumDesk

#: What is drafted, as a person writes it.
FORMS: Final = (
    "publish TICKER", "stage TICKER [COUNT]", "expiries TICKER 1-4", "flip TICKER", "addon TICKER SHARE",
    "funding TICKER RATE", "tighten TICKER PEAK",
)  # fmt: skip
#: Those of which the keepers cannot tell from the numbers why.
_NEED_A_REASON: Final = frozenset({"addon", "funding", "tighten"})


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The command line of a draft."""

    words: Sequence[str]
    lasts: str
    stands: str
    why: str
    inputs: Path | None


def drafted(desk: QuorumDesk, asked: Asked) -> tuple[Paper, bytes]:
    """A paper, and its inputs file's bytes; empty where nothing is published.

    Raises: `BadInput`; `Retry`.
    """
    from keeper.control import drafts  # noqa: PLC0415 - numpy is slow to import

    match asked.words:
        case ["publish" | "stage" | "flip", _] | ["stage" | "expiries" | "addon" | "funding" | "tighten", _, _]:
            kind, symbol, *more = asked.words
        case _:
            raise BadInput(
                f"{' '.join(asked.words) or 'nothing'} is nothing to draft", hint=f"draft {'; draft '.join(FORMS)}"
            )
    if kind in _NEED_A_REASON and not asked.why:
        raise BadInput(f"the keepers who are to sign need to know why: {kind}", hint='say it with --now "why"')
    lasts_s, why = drafts.seconds(asked.lasts), asked.why
    if kind in ("publish", "stage"):
        staged = None if kind == "publish" else _count(more)
        return desk.publication(symbol, asked=why and f"by hand: {why}", lasts_s=lasts_s, staged=staged)
    if kind == "expiries":
        return _expiries(desk, symbol, more[0], asked, lasts_s)
    chain, head, underlying = desk.chain, desk.head, desk.underlying(symbol)
    if kind == "flip":
        why = why or "what was staged goes live"
        return drafts.draft_flip(chain, head, underlying=underlying, lasts_s=lasts_s, why=why), b""
    rate = drafts.signed_ppm(more[0])
    if kind == "funding":
        paper = drafts.draft_funding(
            chain, head, house=desk.house, underlying=underlying, rate_ppm=rate, lasts_s=lasts_s, why=why
        )
    elif kind == "tighten":
        paper = drafts.draft_tightening(chain, head, underlying=underlying, peak_ppm=rate, lasts_s=lasts_s, why=why)
    else:
        paper = drafts.draft_add_on(
            chain, head, underlying=underlying, add_on_ppm=rate, stands_s=drafts.seconds(asked.stands),
            lasts_s=lasts_s, why=why,
        )  # fmt: skip
    return paper, b""


def _expiries(desk: QuorumDesk, symbol: str, which: str, asked: Asked, lasts_s: int) -> tuple[Paper, bytes]:
    from keeper.control import drafts  # noqa: PLC0415 - see above
    from keeper.domain.inputs import load  # noqa: PLC0415 - see above

    if asked.inputs is None:
        raise BadInput(
            "expiries are staged from the inputs file that opened the publication",
            hint="name it: --inputs STAGED.inputs.json, which lies beside the paper of draft stage",
        )
    found = drafts.places(which)
    try:
        data = asked.inputs.read_bytes()
    except OSError as error:
        raise BadInput(f"the inputs file {asked.inputs} cannot be read: {error.strerror}") from error
    file = load(data)
    if file.state.underlying != desk.underlying(symbol):
        raise BadInput(f"the inputs file is of {file.state.symbol}, not of {symbol}")
    why = asked.why or f"expiries {which} of what was staged"
    return drafts.draft_expiries(desk.chain, desk.head, file, which=found, lasts_s=lasts_s, why=why), data


def _count(more: Sequence[str]) -> int:
    if not more:
        return 0
    if not more[0].isascii() or not more[0].isdecimal() or len(more[0]) > 4:
        raise BadInput(f"{more[0][:40]!r} is no number of expiries", hint="draft stage TICKER 4; none: ranges alone")
    return int(more[0])
