"""`keeper quorum sign`: a paper under one's own eyes, and what one puts on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from keeper.cli.root import INPUT, LAW, OK
from keeper.cli.show.answer import answer, console
from keeper.errors import BadInput

if TYPE_CHECKING:
    from keeper.wiring.quorum import QuorumDesk


class ToSign(Protocol):
    """The command line of a signature."""

    @property
    def words(self) -> Sequence[str]:
        """The paper's file."""

    @property
    def inputs(self) -> Path | None:
        """Its inputs file, if that lies elsewhere."""

    @property
    def sign(self) -> bool:
        """Whether this keeper's own key signs."""

    @property
    def accept(self) -> bool:
        """Whether the author's knobs and floors are taken as they are."""

    @property
    def member(self) -> str:
        """A keeper whose key is elsewhere; empty for this one's."""

    @property
    def signature(self) -> str:
        """That keeper's; empty to be told what it signs."""

    @property
    def as_json(self) -> bool:
        """For a script."""


def signed_or_told(desk: QuorumDesk, asked: ToSign) -> int:
    """Look at a paper, and put a signature on it if that was asked for and nothing speaks against it.

    Returns: the exit code.  Raises: `BadInput`; `Retry`.
    """
    from keeper.cli.show.quorum import Beside, paper_tree, paper_view  # noqa: PLC0415 - numpy is slow to import
    from keeper.control.papers import dump, octets, read, write  # noqa: PLC0415 - the same
    from keeper.policy.cosign import CHOSEN, GATE, objections  # noqa: PLC0415 - the same

    if len(asked.words) != 1:
        raise BadInput("sign takes one paper", hint="keeper quorum sign FILE.json")
    if asked.signature and not asked.member:
        raise BadInput("whose signature is it?", hint="--member ADDRESS --signature 0x…")
    if asked.member and asked.sign:
        raise BadInput("--sign is for this keeper's own key", hint="of a --member give the --signature")
    path = Path(asked.words[0])
    found = desk.review(read(path))
    derived, seen, tried = desk.derived(found, asked.inputs, path), desk.previewed(found), desk.tried(found)
    checks = derived.checks
    differs = any(one.difference is not None for one in checks if one.what not in {*CHOSEN, GATE})
    own = objections(checks, desk.unsigned(found.order), accepted=asked.accept)
    found = replace(found, objections=(*found.objections, *derived.objections, *own))
    sound = not found.objections and not found.bad and not differs
    files, waits = [], None
    if sound and asked.member and not asked.signature:
        waits = desk.to_sign(found, asked.member)
    elif sound and (asked.sign or asked.signature):
        with_it = desk.attach(found, asked.member, octets(asked.signature)) if asked.member else desk.sign(found)
        found = desk.review(with_it)
        desk.keep(derived)
        write(path, dump(found.paper), anew=False)
        files.append(path)
    beside = Beside(derived=derived, previewed=seen, tried=tried, effect=desk.effect(found), waits=waits, files=files)
    if asked.as_json:
        answer(paper_tree(found, beside))
    else:
        console().print(paper_view(found, beside))
    return OK if sound else LAW if differs else INPUT
