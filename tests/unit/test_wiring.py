"""Putting a keeper together from settings."""

import pytest

from keeper.errors import BadInput
from keeper.settings import load_settings
from keeper.wiring.keys import signers


def test_signers__one_key_for_both_roles__refused(tmp_path):
    """The publisher and the liquidator are never the same key: one could then profit from its own publication."""
    key = tmp_path / "key"
    key.write_text("11" * 32)
    key.chmod(0o600)
    path = tmp_path / "keeper.toml"
    path.write_text(f'[keys.publisher]\nsecret_file = "{key}"\n[keys.liquidator]\nsecret_file = "{key}"\n')
    with pytest.raises(BadInput, match="share one key") as caught:
        signers(load_settings(path, {}), {})
    assert "11" * 32 not in str(caught.value)
