"""Names of accounts: what is shown can be typed back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.errors import BadInput
from keeper.protocols.clearinghouse.names import account_name, parse_account

ids = st.integers(min_value=0, max_value=2**256 - 1)


@given(ids)
def test_account_name__any_id__reads_back(account):
    assert parse_account(account_name(account)) == account
    assert parse_account(str(account)) == account
    assert parse_account(f"{account:#066x}") == account


@given(st.text())
def test_parse_account__any_text__an_id_or_bad_input(text):
    """Whatever is typed: never another error, never an id out of range."""
    try:
        found = parse_account(text)
    except BadInput:
        return
    assert 0 <= found < 2**256


@pytest.mark.parametrize("digits", [1, 4, 39, 41, 63, 65])
def test_parse_account__hex_of_another_length__bad_input_that_counts(digits):
    """A digit lost or doubled in copying never names another account."""
    with pytest.raises(BadInput, match=f"has {digits} hex digits: an owner's address has 40, an id 64"):
        parse_account("0x" + "1" * digits)


@pytest.mark.parametrize("text", ["", "0x", "²", "-1", str(2**256), "0x" + "1" * 40 + ":", "0x" + "1" * 40 + ":-1"])
def test_parse_account__almost_an_account__bad_input(text):
    with pytest.raises(BadInput):
        parse_account(text)
