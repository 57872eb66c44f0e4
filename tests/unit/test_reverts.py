"""One spelling for a failed execution, whichever library reported it."""

import pytest
from eth_tester.exceptions import TransactionFailed
from web3.exceptions import ContractCustomError, ContractLogicError

from keeper.chain.errors import (
    AlreadyKnown,
    NonceUsed,
    RangeTooWide,
    RateLimited,
    Reverted,
    StaleBlock,
    Underpriced,
    Unfunded,
    Unreachable,
    translate,
)
from keeper.errors import Halt
from keeper.testing.reverts import revert_of

DATA = bytes.fromhex("deadbeef") + (7).to_bytes(32, "big")
HEX = "0x" + DATA.hex()


@pytest.mark.parametrize(
    "error",
    [
        Reverted("x", data=DATA),
        ContractCustomError(HEX, data=HEX),
        ContractLogicError("execution reverted", data=HEX),
        ContractLogicError("execution reverted", data={"data": HEX}),
        TransactionFailed(repr(DATA)),
        TransactionFailed(f"execution reverted: {DATA!r}"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_revert_of__any_library__selector_and_data(error):
    """Custom error data survives, whoever wrapped it."""
    assert revert_of(error) == (DATA[:4], DATA)


@pytest.mark.parametrize("error", [TransactionFailed("b'broken"), TransactionFailed("text"), ValueError()])
def test_revert_of__no_data__empty(error):
    """An error without data has no selector."""
    assert revert_of(error) == (b"", b"")


@pytest.mark.parametrize(
    ("method", "error", "kind"),
    [
        ("eth_call", {"code": 3, "message": "execution reverted", "data": HEX}, Reverted),
        ("eth_call", {"code": -32000, "message": "header not found"}, StaleBlock),
        ("eth_call", {"code": -32001, "message": "Resource not found"}, StaleBlock),
        ("eth_call", {"code": -32603, "message": "internal error"}, Unreachable),
        ("eth_call", {"code": -32005, "message": "rate limit exceeded"}, RateLimited),
        ("eth_call", "text", Unreachable),
        ("eth_getLogs", {"code": -32005, "message": "query returned more than 10000 results"}, RangeTooWide),
        ("eth_getLogs", {"code": -32602, "message": "eth_getLogs is limited to a 10,000 range"}, RangeTooWide),
        ("eth_sendRawTransaction", {"code": -32000, "message": "already known"}, AlreadyKnown),
        ("eth_sendRawTransaction", {"code": -32000, "message": "nonce too low: next nonce 5"}, NonceUsed),
        ("eth_sendRawTransaction", {"code": -32000, "message": "replacement transaction underpriced"}, Underpriced),
        ("eth_sendRawTransaction", {"code": -32000, "message": "insufficient funds for gas"}, Unfunded),
        ("eth_feeHistory", {"code": -32601, "message": "method not found"}, Halt),
    ],
)
def test_translate__a_nodes_words__what_happens_next(method, error, kind):
    """Each refusal of a node becomes the error that says what to do."""
    assert type(translate(error, method=method)) is kind
