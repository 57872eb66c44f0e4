"""One spelling for a failed execution, whichever node and library reported it."""

from __future__ import annotations

import ast

from web3.exceptions import ContractLogicError

from keeper.chain.errors import Reverted, revert_data


def revert_of(error: BaseException) -> tuple[bytes, bytes]:
    """Selector and data of a revert.

    Understands our own `Reverted`, web3's ContractLogicError and ContractCustomError (anvil, the embedded node), and
    eth-tester's TransactionFailed, whose argument is the text of a bytes literal.

    Returns: selector (4 bytes, or empty if there is no data) and the whole data, selector included.
    """
    if isinstance(error, Reverted):
        data = error.data
    elif isinstance(error, ContractLogicError):
        data = revert_data(error.data)
    else:
        data = _from_text(str(error.args[0]) if error.args else "")
    return data[:4], data


def _from_text(text: str) -> bytes:
    text = text.removeprefix("execution reverted: ")
    if text[:2] not in ("b'", 'b"'):
        return b""
    try:
        literal = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return b""
    return literal if isinstance(literal, bytes) else b""
