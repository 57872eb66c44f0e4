"""`keeper quorum`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keeper.cli.options import DEFAULT_CONFIG, Config, Json, settings_of
from keeper.cli.root import INPUT, LAW, OK, UNREACHABLE
from keeper.cli.show.answer import answer, console
from keeper.errors import BadInput

if TYPE_CHECKING:
    from keeper.wiring.quorum import QuorumDesk

EXAMPLE = """keeper quorum show
keeper quorum draft publish ETH --for 6h --out eth-18.json
keeper quorum draft tighten ETH 30% --for 30m --now "a bridge is drained" --out now.json
keeper quorum draft addon ETH 20% --stands 6h --now "the peg is lost" --out peg.json
keeper quorum sign eth-18.json
keeper quorum sign eth-18.json --sign
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
    send: bool
    as_json: bool


def quorum(
    step: Annotated[
        Step,
        typer.Argument(
            help="show. draft publish TICKER, draft tighten TICKER PEAK or draft addon TICKER SHARE. sign FILE. "
            "send FILE….",
            show_default=False,
        ),
    ],
    what: Annotated[
        list[str] | None, typer.Argument(metavar="[WHAT]…", help="As the step needs it.", show_default=False)
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
            "--inputs", metavar="FILE", help="For sign: a publication's inputs file, if not beside the paper."
        ),
    ] = None,
    sign: Annotated[bool, typer.Option("--sign", help="For sign: put this keeper's signature on the paper.")] = False,
    send: Annotated[
        bool, typer.Option("--send", help="For send: let the transaction leave this machine. Needs a publisher key.")
    ] = False,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Publish, tighten and widen where it takes several keepers: draft a paper, sign it, send it.

    Where PUBLISHER_ROLE is held by a KeeperQuorum contract and by no key, nothing is pushed by one keeper alone. One
    drafts what keeper push would publish (or an emergency, or an add-on to IM) as a paper: EIP-712 typed data, decoded,
    with the inputs file beside it as FILE.inputs.json. Each keeper looks at it with its own node: sign refuses a paper
    of another chain or contract, expired, with a nonce that was used, drafted under another list of keepers, against
    another target, or altered; and derives every published number again from the inputs file. Then it shows what would
    be signed, and signs with --sign alone. Any wallet that signs typed data will do as well: add signer and signature
    to the paper.

    send takes one paper or several copies of it, counts distinct signatures of today's keepers, tries the call, and
    with --send hands it to the outbox. Who sends need not be a keeper. Nothing leaves without --send.

    Exit codes: 0 when done, or what was looked at may be signed or sent; 2 for bad input, or a paper that may not be;
    3 when no node answers; 4 when a publication is not what its inputs file gives.
    """
    # Heavy, and only this command needs it.
    from keeper.control.papers import plain  # noqa: PLC0415 - see above
    from keeper.wiring.quorum import QuorumDesk  # noqa: PLC0415 - web3 is slow to import

    asked = _Asked(
        words=what or (), out=out, lasts=lasts, stands=stands, now=plain(now), inputs=inputs,
        sign=sign, send=send, as_json=as_json,
    )  # fmt: skip
    desk = QuorumDesk(settings_of(config), os.environ)
    try:
        code = {Step.SHOW: _show, Step.DRAFT: _draft, Step.SIGN: _sign, Step.SEND: _send}[step](desk, asked)
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
    from keeper.cli.show.quorum import paper_tree, paper_view  # noqa: PLC0415 - see above
    from keeper.control.papers import dump, inputs_beside, write  # noqa: PLC0415 - see above
    from keeper.control.quorum import draft_add_on, draft_tightening, seconds  # noqa: PLC0415 - see above
    from keeper.control.what_if import share_ppm  # noqa: PLC0415 - see above

    match asked.words:
        case ["publish", _] | ["tighten" | "addon", _, _]:
            kind, symbol, *share = asked.words
        case _:
            raise BadInput(
                f"{' '.join(asked.words) or 'nothing'} is nothing to draft",
                hint="draft publish TICKER; draft tighten TICKER 30%; draft addon TICKER 20%",
            )
    if asked.out is None:
        raise BadInput("a draft needs a file", hint="name it with --out FILE.json")
    if kind != "publish" and not asked.now:
        raise BadInput(f"the keepers who are to sign need to know why to {kind}", hint='say it with --now "why"')
    lasts_s, files, data = seconds(asked.lasts), [asked.out], b""
    if kind == "publish":
        paper, data = desk.publication(symbol, asked=asked.now and f"by hand: {asked.now}", lasts_s=lasts_s)
        files.append(inputs_beside(asked.out))
    elif kind == "tighten":
        paper = draft_tightening(
            desk.chain, desk.head, underlying=desk.underlying(symbol), peak_ppm=share_ppm(share[0]), lasts_s=lasts_s,
            why=asked.now,
        )  # fmt: skip
    else:
        paper = draft_add_on(
            desk.chain, desk.head, underlying=desk.underlying(symbol), add_on_ppm=share_ppm(share[0]),
            stands_s=seconds(asked.stands), lasts_s=lasts_s, why=asked.now,
        )  # fmt: skip
    write(asked.out, dump(paper), anew=True)
    if data:
        write(files[-1], data, anew=True)
    found = desk.review(paper)
    seen = desk.previewed(found)
    if asked.as_json:
        answer(paper_tree(found, previewed=seen, files=files))
    else:
        console().print(paper_view(found, previewed=seen, files=files))
    return INPUT if found.objections else OK


def _sign(desk: QuorumDesk, asked: _Asked) -> int:
    from keeper.cli.show.quorum import paper_tree, paper_view  # noqa: PLC0415 - see above
    from keeper.control.papers import dump, read, write  # noqa: PLC0415 - see above

    if len(asked.words) != 1:
        raise BadInput("sign takes one paper", hint="keeper quorum sign FILE.json")
    path = Path(asked.words[0])
    found = desk.review(read(path))
    checks, seen = desk.derived(found, asked.inputs, path), desk.previewed(found)
    differs = any(check.difference is not None for check in checks)
    sound = not found.objections and not found.bad and not differs
    files = []
    if asked.sign and sound:
        found = desk.review(desk.sign(found))
        write(path, dump(found.paper), anew=False)
        files.append(path)
    if asked.as_json:
        answer(paper_tree(found, checks=checks, previewed=seen, files=files))
    else:
        console().print(paper_view(found, checks=checks, previewed=seen, files=files))
    return OK if sound else LAW if differs else INPUT


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
