"""The file in which an order goes from keeper to keeper: JSON, one object.

    call         calldata of the quorum's contract without signatures; everything else follows from it
    typed_data   EIP-712, as `eth_signTypedData_v4` takes it: a keeper may sign in any wallet
    decoded      the call taken apart
    signatures   [{"signer": "0x…", "signature": "0x…"}], in any order

Nothing in it is trusted: whoever opens it makes everything again from `call` and compares.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from keeper.domain.council import Paper, Signature
from keeper.domain.nested import json_of
from keeper.errors import BadInput

SCHEMA: Final = 1
#: A paper is a few thousand bytes; a publication of hundreds of strikes some tens of thousands.
MOST_BYTES: Final = 4_000_000
_HEX: Final = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")
#: Letters of a reason, or of one decoded value; the volatilities of hundreds of strikes are one value.
_LONGEST: Final = 20_000
_HINT: Final = "it is written by: keeper quorum draft"


def dump(paper: Paper) -> str:
    """The file's text."""
    tree = {
        "schema": SCHEMA,
        "why": paper.why,
        "decoded": dict(paper.decoded),
        "typed_data": dict(paper.typed),
        "call": "0x" + paper.call.hex(),
        "signatures": [{"signer": one.signer, "signature": "0x" + one.data.hex()} for one in paper.signatures],
    }
    return json.dumps(tree, indent=2) + "\n"


def load(text: str) -> Paper:
    """Inverse of `dump`.  Raises: `BadInput` saying what of it cannot be used."""
    try:
        tree = json_of(text)
    except ValueError as error:
        raise BadInput(f"the paper is not JSON: {error}", hint=_HINT) from error
    if not isinstance(tree, dict) or tree.get("schema") != SCHEMA:
        raise BadInput(f"the file is no paper of a quorum of schema {SCHEMA}", hint=_HINT)
    typed, decoded, said = (tree.get(name) for name in ("typed_data", "decoded", "signatures"))
    if not isinstance(typed, dict) or not isinstance(decoded, dict) or not isinstance(said, list):
        raise BadInput("the paper lacks typed_data, decoded or signatures", hint=_HINT)
    return Paper(
        call=_octets(tree.get("call"), "call"),
        typed=typed,
        why=plain(tree.get("why")),
        decoded={plain(name): plain(value) for name, value in decoded.items()},
        signatures=tuple(_signature(one) for one in said),
    )


def plain(value: Any) -> str:
    """Text that a terminal, a file and a database take: without halves of letters, and not endless."""
    return str(value or "").encode("utf-8", "replace").decode("utf-8").strip()[:_LONGEST]


def octets(text: str) -> bytes:
    """A signature as a wallet gives it, 0x text; `0x` alone is none.  Raises: `BadInput`."""
    if not _HEX.fullmatch(text) or len(text) > _LONGEST:
        raise BadInput("the signature is no 0x text of whole bytes", hint="write it as the wallet gave it: 0x…")
    return bytes.fromhex(text[2:])


def _octets(value: Any, what: str) -> bytes:
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise BadInput(f"the paper's {what} is no 0x text of whole bytes", hint=_HINT)
    return bytes.fromhex(value[2:])


def _signature(one: Any) -> Signature:
    signer = one.get("signer") if isinstance(one, Mapping) else None
    if not isinstance(signer, str) or not _ADDRESS.fullmatch(signer):
        raise BadInput("a signature of the paper names no address as its signer", hint='write "signer": "0x…"')
    return Signature(signer=signer, data=_octets(one.get("signature"), f"signature of {signer}"))


def read(path: Path) -> Paper:
    """A paper from a file.  Raises: `BadInput`."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BadInput(f"{path} is too large for a paper of a quorum", hint=_HINT)
        return load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not text", hint=_HINT) from error
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}", hint=_HINT) from error


def write(path: Path, content: str | bytes, *, anew: bool) -> None:
    """Write a file whole or not at all.

    Args:
        path: where.
        content: what.
        anew: whether it must not exist yet: signatures would be lost.

    Raises: `BadInput`.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        if anew and path.exists():
            raise BadInput(f"{path} exists", hint="choose another --out, or remove it")
        try:
            beside.write_bytes(data)
            beside.replace(path)
        finally:
            with suppress(FileNotFoundError):
                beside.unlink()
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}", hint="check the folder") from error


def inputs_beside(path: Path) -> Path:
    """Where the inputs file of a publication's paper lies: `eth-18.json` has `eth-18.inputs.json`."""
    return path.with_suffix(".inputs.json")
