"""Vault that is sealed, has no such secret, or whose token ran out.

Over loopback HTTP against a fake: not met by the real service.
"""

import pytest

from keeper.chain.signers.port import KeyUnusable, NotSigned
from keeper.chain.signers.vault import Login, Place, from_vault
from keeper.errors import BadInput
from keeper.testing.key_services import Reply
from keeper.testing.key_services import vault as vault_fake
from tests.faults.key_services.asked import KEY, PLACE, secret

pytestmark = pytest.mark.chain


@pytest.fixture
def token_file(tmp_path):
    return secret(tmp_path / "token", vault_fake.TOKEN + "\n")


@pytest.fixture
def approle(tmp_path):
    return Login(role_id=vault_fake.ROLE_ID, secret_id_file=secret(tmp_path / "sid", vault_fake.SECRET_ID))


def test_vault__approle__one_read_and_the_token_given_back(vault, approle, held):
    """A login's token lives for one read."""
    assert from_vault(vault.url, PLACE, approle).address == held.address
    assert [asked.path.rpartition("/v1/")[2] for asked in vault.asked] == [
        "auth/approle/login",
        "secret/data/keeper/liquidator",
        "auth/token/revoke-self",
    ]
    assert vault.tokens == {vault_fake.TOKEN}


def test_vault__given_token__not_revoked(vault, token_file, held):
    """A token from a file is not ours to end."""
    assert from_vault(vault.url, PLACE, Login(token_file=token_file)).address == held.address
    assert vault.tokens == {vault_fake.TOKEN}


def test_vault__namespace__sent(vault, token_file, held):
    vault.namespace = "team"
    assert from_vault(vault.url, PLACE, Login(token_file=token_file), namespace="team").address == held.address
    with pytest.raises(KeyUnusable, match="permission denied"):
        from_vault(vault.url, PLACE, Login(token_file=token_file))


def test_vault__expired_token__permission_denied(vault, token_file):
    """Vault says 403 to a lease that ran out and to a policy that is missing alike; the hint names both."""
    vault.tokens.clear()
    with pytest.raises(KeyUnusable, match="permission denied") as caught:
        from_vault(vault.url, PLACE, Login(token_file=token_file))
    assert "expired" in caught.value.hint
    assert vault_fake.TOKEN not in str(caught.value)


def test_vault__secret_id_used_up__refused_without_showing_it(vault, approle):
    vault.logins_left = 0
    with pytest.raises(KeyUnusable, match="AppRole") as caught:
        from_vault(vault.url, PLACE, approle)
    assert vault_fake.SECRET_ID not in str(caught.value)


def test_vault__version_deleted__said(vault, token_file):
    vault.deleted = True
    with pytest.raises(KeyUnusable, match="deleted"):
        from_vault(vault.url, PLACE, Login(token_file=token_file))


def test_vault__no_such_secret_or_field__said(vault, token_file):
    login = Login(token_file=token_file)
    with pytest.raises(KeyUnusable, match="no such secret"):
        from_vault(vault.url, Place(mount="secret", path="other", field="private_key"), login)
    with pytest.raises(KeyUnusable, match="no field hex"):
        from_vault(vault.url, Place(mount="secret", path="keeper/liquidator", field="hex"), login)


@pytest.mark.parametrize("status", [307, 412, 472, 473, 503])
def test_vault__standby_or_sealed__asked_again(vault, token_file, held, status):
    held.mood.refuses = Reply(status=status, headers={"Location": "http://192.0.2.1/"})
    with pytest.raises(NotSigned):
        from_vault(vault.url, PLACE, Login(token_file=token_file))


def test_vault__half_a_key__never_quoted(vault, token_file, held):
    """The body that cannot be read holds most of a key."""
    held.mood.short_json = True
    with pytest.raises(NotSigned) as caught:
        from_vault(vault.url, PLACE, Login(token_file=token_file))
    shown = f"{caught.value}{caught.value.fields}{caught.value.__cause__!r}"
    assert KEY.hex()[:8] not in shown
    assert "no JSON" in shown


def test_vault__key_in_clear_over_a_network__refused(token_file):
    with pytest.raises(BadInput, match="in clear"):
        from_vault("http://vault.example:8200", PLACE, Login(token_file=token_file))


@pytest.mark.parametrize("url", ["vault:8200", "ftp://vault", "https://", "https://[", "http://h:port"])
def test_vault__no_url__refused(url, token_file):
    with pytest.raises(BadInput, match=r"keys\.….vault\.url"):
        from_vault(url, PLACE, Login(token_file=token_file))
