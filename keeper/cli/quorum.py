"""`keeper quorum`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keeper.cli.negatives import Negatives
from keeper.cli.options import DEFAULT_CONFIG, Config, Json, settings_of
from keeper.cli.quorum_draft import FORMS, Asked, drafted
from keeper.cli.quorum_sign import signed_or_told
from keeper.cli.root import INPUT, OK, UNREACHABLE
from keeper.cli.show.answer import answer, console
from keeper.cli.waiting import waiting
from keeper.errors import BadInput

if TYPE_CHECKING:
    from keeper.wiring.quorum import QuorumDesk

SHAPE = Negatives
EXAMPLE = """keeper quorum show
keeper quorum draft publish ETH --for 6h --out eth-18.json
keeper quorum draft tighten ETH 30% --for 30m --now "a bridge is drained" --out now.json
keeper quorum draft addon ETH 20% --stands 6h --now "the peg is lost" --out peg.json
keeper quorum draft funding ETH -0.01% --now "the perp trades below spot" --out funding.json
keeper quorum draft stage ETH --for 6h --out staged.json
keeper quorum draft expiries ETH 1-4 --inputs staged.inputs.json --out rows-1.json
keeper quorum draft flip ETH --out flip.json
keeper quorum sign eth-18.json
keeper quorum sign eth-18.json --sign
keeper quorum sign eth-18.json --member 0x00000000000000000000000000000000005afe01
keeper quorum send eth-18.json copy-of-bob.json --send"""


class Step(StrEnum):
    """What to do about what needs several keepers."""

    SHOW = "show"
    DRAFT = "draft"
    SIGN = "sign"
    SEND = "send"


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """The command line beside step and settings."""

    words: Sequence[str]
    out: Path | None
    lasts: str
    stands: str
    now: str
    inputs: Path | None
    sign: bool
    accept: bool
    member: str
    signature: str
    send: bool
    as_json: bool


def quorum(
    step: Annotated[
        Step,
        typer.Argument(
            help=f"show. draft {', '.join(FORMS)}. sign FILE. send FILE….",
            show_default=False,
        ),
    ],
    what: Annotated[
        list[str] | None, typer.Argument(metavar="WHAT", help="As the step needs it.", show_default=False)
    ] = None,
    *,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="For draft: the paper to write.")] = None,
    lasts: Annotated[
        str, typer.Option("--for", metavar="TIME", help="For draft: how long signatures are good; 24h at most.")
    ] = "1h",
    stands: Annotated[
        str, typer.Option("--stands", metavar="TIME", help="For draft addon: how long it stands; 24h at most.")
    ] = "6h",
    now: Annotated[
        str, typer.Option("--now", metavar="REASON", help="For draft: why; a publication then need not be due.")
    ] = "",
    inputs: Annotated[
        Path | None,
        typer.Option(
            "--inputs",
            metavar="FILE",
            help="For sign: a publication's inputs file, if not beside the paper; of a flip, if not in the store. For "
            "draft expiries: that of stage.",
        ),
    ] = None,
    sign: Annotated[bool, typer.Option("--sign", help="For sign: put this keeper's signature on the paper.")] = False,
    accept_knobs: Annotated[
        bool, typer.Option("--accept-knobs", help="For sign: sign although the drafter's knobs or floors are others.")
    ] = False,
    member: Annotated[
        str,
        typer.Option("--member", metavar="ADDRESS", help="For sign: a keeper whose key is elsewhere, or a wallet's."),
    ] = "",
    signature: Annotated[
        str, typer.Option("--signature", metavar="0x…", help="For sign: that member's, made elsewhere, to attach.")
    ] = "",
    send: Annotated[
        bool, typer.Option("--send", help="For send: let the transaction leave this machine. Needs a publisher key.")
    ] = False,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Publish, tighten and widen where it takes several keepers: draft a paper, sign it, send it.

    Where PUBLISHER_ROLE is held by a KeeperQuorum contract and by no key, nothing is pushed by one keeper alone.
    One drafts what keeper push would publish (or an emergency, an add-on to IM, a funding rate) as a paper: EIP-712
    typed data, decoded, with the inputs file beside it as FILE.inputs.json. Each keeper looks at it with its own
    node: sign refuses a paper of another chain or contract, expired, with a nonce that was used, drafted under
    another list of keepers, against another target, or altered; and derives every published number again from the
    inputs file. Then it shows what would be signed, and signs with --sign alone.

    Numbers that follow from their inputs are not all: whoever drafts chooses knobs and floors, and may leave the impact
    gate open. So sign compares the file's [risk] and [policy] and its floors with this keeper's own, names each one
    that differs and signs it with --accept-knobs alone; it asks this keeper's own impact gate about the publication as
    it is, on every account at the newest block, and refuses what the gate would hold, whatever was accepted; and it
    needs this keeper's own keeper model sign-off. What nobody can bear out, a venue's quotes first, is listed. Floors
    are each keeper's own: set the same one with keeper override before you sign what carries it. With the signature the
    inputs file is kept: whom the publication brings down then counts in this keeper's own day.

    A step is weighed as the whole that its inputs file gives. A flip carries no numbers: what is staged is read from
    the chain, derived again from the inputs file that this store kept (or --inputs FILE), and weighed anew at the
    newest block. It is not signed where nothing is staged, or where what opened it cannot be read: then stage it again
    by a transaction straight to the quorum's contract, as send does.

    An emergency or an add-on is shown with whom it brings down: every account replayed under the factors at its peak,
    price and parameters standing still. It is not held up where that cannot be told.

    A member may keep its key elsewhere, or be a contract wallet such as a Safe (ERC-1271). sign FILE --member ADDRESS
    tells what it has to sign: the paper's typed_data in any wallet, or for a Safe also the hash that its owners sign.
    sign FILE --member ADDRESS --signature 0x… attaches what came back, if the member stands by it on the chain; of
    several owners it is their signatures one after the other, ascending by address, and 0x of a message that a Safe
    approved on the chain.

    A publication too large for one transaction goes in steps, each a paper of its own, drafted when the one before has
    landed: stage opens it with its ranges and as many of its first expiries as asked for, expiries adds the next ones
    from the same inputs file, and flip puts all of it in force, judged by the fences as of then.

    send takes one paper or several copies of it, counts distinct signatures of today's keepers, tries the call, and
    with --send hands it to the outbox. Who sends need not be a keeper. Nothing leaves without --send.

    Exit codes: 0 when done, or what was looked at may be signed or sent; 2 for bad input, or a paper that may not be,
    be it for other knobs or for the gate; 3 when no node answers; 4 when a publication is not what its inputs file
    gives.
    """
    # Heavy, and only this command needs it.
    from keeper.control.papers import plain  # noqa: PLC0415 - see above
    from keeper.wiring.quorum import QuorumDesk  # noqa: PLC0415 - web3 is slow to import

    asked = _Asked(
        words=what or (), out=out, lasts=lasts, stands=stands, now=plain(now), inputs=inputs,
        sign=sign, accept=accept_knobs, member=member, signature=signature, send=send, as_json=as_json,
    )  # fmt: skip
    settings = settings_of(config)
    with waiting(settings):
        desk = QuorumDesk(settings, os.environ)
    try:
        code = {Step.SHOW: _show, Step.DRAFT: _draft, Step.SIGN: signed_or_told, Step.SEND: _send}[step](desk, asked)
    finally:
        desk.close()
    raise typer.Exit(code)


def _show(desk: QuorumDesk, asked: _Asked) -> int:
    from keeper.cli.show.quorum import shown_tree, shown_view  # noqa: PLC0415 - see above

    found = desk.show()
    if asked.as_json:
        answer(shown_tree(found))
    else:
        console().print(shown_view(found))
    return OK


def _draft(desk: QuorumDesk, asked: _Asked) -> int:
    from keeper.cli.show.quorum import Beside, paper_tree, paper_view  # noqa: PLC0415 - see above
    from keeper.control.papers import dump, inputs_beside, write  # noqa: PLC0415 - see above

    if asked.out is None:
        raise BadInput("a draft needs a file", hint="name it with --out FILE.json")
    paper, data = drafted(
        desk,
        Asked(words=asked.words, lasts=asked.lasts, stands=asked.stands, why=asked.now, inputs=asked.inputs),
    )
    files = [asked.out]
    write(asked.out, dump(paper), anew=True)
    if data:
        files.append(inputs_beside(asked.out))
        write(files[-1], data, anew=True)
    found = desk.review(paper)
    seen = Beside(previewed=desk.previewed(found), tried=desk.tried(found), effect=desk.effect(found), files=files)
    if asked.as_json:
        answer(paper_tree(found, seen))
    else:
        console().print(paper_view(found, seen))
    return INPUT if found.objections else OK


def _send(desk: QuorumDesk, asked: _Asked) -> int:
    from keeper.cli.show.quorum import sent_tree, sent_view  # noqa: PLC0415 - see above
    from keeper.control.papers import read  # noqa: PLC0415 - see above
    from keeper.control.quorum import gathered  # noqa: PLC0415 - see above
    from keeper.domain.cycle import DRY, REHEARSED  # noqa: PLC0415 - see above

    if not asked.words:
        raise BadInput("send takes a paper, or several copies of one", hint="keeper quorum send FILE.json --send")
    found = desk.review(gathered([read(Path(word)) for word in asked.words]))
    seen = desk.previewed(found)
    record = desk.send(found, leaves=asked.send) if found.complete else None
    if asked.as_json:
        answer(sent_tree(found, record, seen))
    else:
        console().print(sent_view(found, record, seen))
    if record is None or (not record.attempts and record.reason not in ("", REHEARSED)):
        unsimulated = record is not None and record.reason.startswith(f"{DRY}not simulated")
        return UNREACHABLE if unsimulated else INPUT
    return OK
