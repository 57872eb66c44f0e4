"""What can be put together without a chain: the light half of `keeper.wiring`, for commands that only look back.

Importing web3 takes longer than most of their answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from keeper.domain.prices import PriceHistory
from keeper.domain.vols import VolHistory
from keeper.errors import BadInput
from keeper.marketdata.prices_file import load_prices
from keeper.marketdata.vols_file import load_vols
from keeper.ports import Store
from keeper.protocols.clearinghouse.names import account_name, parse_account
from keeper.settings import Settings
from keeper.store import open_store

__all__ = ["account_name", "parse_account", "price_history", "recall", "vol_histories"]

_SQLITE = "sqlite:///"


def recall(settings: Settings) -> Store:
    """Open the store of a keeper that has run.

    Raises: `BadInput` if there is none yet; otherwise as `open_store`.
    """
    url = settings.store.url.reveal()
    if url.startswith(_SQLITE) and not Path(url.removeprefix(_SQLITE)).is_file():
        raise BadInput(
            f"there is no store at {url.removeprefix(_SQLITE)} yet",
            hint="it is made by the first block: keeper once; or correct [store] url",
        )
    return open_store(url)


def price_history(path: Path, *, name: str | None = None) -> PriceHistory:
    """See `load_prices`."""
    return load_prices(path, name=name)


def vol_histories(path: Path) -> Mapping[str, VolHistory]:
    """See `load_vols`."""
    return load_vols(path)
