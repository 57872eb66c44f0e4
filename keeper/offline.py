"""What can be put together without a chain: the light half of `keeper.wiring`, for commands that only look back.

Importing web3 takes longer than most of their answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from keeper.domain.prices import PriceHistory
from keeper.domain.quotes import QuoteSheet, Unquoted
from keeper.domain.vols import VolHistory
from keeper.errors import BadInput, Retry
from keeper.marketdata.prices_file import load_prices
from keeper.marketdata.vols_file import load_vols
from keeper.ports import Store
from keeper.protocols.clearinghouse.deployment import load_deployment
from keeper.protocols.clearinghouse.home import stay
from keeper.protocols.clearinghouse.names import account_name, parse_account
from keeper.risk.surface.quotes import QuoteHistory
from keeper.settings import Settings
from keeper.store import open_store

__all__ = [
    "account_name",
    "parse_account",
    "price_history",
    "quote_file",
    "quote_sheets",
    "recall",
    "tickers",
    "vol_histories",
]

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


def tickers(settings: Settings, store: Store) -> Mapping[int, str]:
    """Ticker of each underlying of the configured deployment.

    Raises: `BadInput` if its file cannot be read, or the store is another house's.
    """
    deployment = load_deployment(settings.protocol.deployment_file)
    stay(store, deployment)
    return deployment.symbols


def price_history(path: Path, *, name: str | None = None) -> PriceHistory:
    """See `load_prices`."""
    return load_prices(path, name=name)


def vol_histories(path: Path) -> Mapping[str, VolHistory]:
    """See `load_vols`."""
    return load_vols(path)


def quote_file(path: Path) -> QuoteHistory:
    """See `load_quotes`."""
    from keeper.marketdata.quotes_file import load_quotes  # noqa: PLC0415 - it brings an HTTP client along

    return load_quotes(path)


def quote_sheets(path: Path, *, max_per_expiry: int) -> Mapping[str, QuoteSheet | Unquoted]:
    """The newest quotes of each underlying in a file, cut down as for a publication that lists every quoted expiry.

    Raises: `BadInput` as `load_quotes`, and if nothing of an underlying has a life left.
    """
    from keeper.marketdata.chain import sheet  # noqa: PLC0415 - with an HTTP client, as above
    from keeper.marketdata.venues import QuotesFile  # noqa: PLC0415 - the same

    names, venue = quote_file(path).underlyings, QuotesFile(path)
    try:
        chains = {name: venue.fetch(name) for name in names}
    except Retry as error:
        raise BadInput(f"{path}: {error.message}", hint="name a file with quotes that had not expired") from error
    return {
        name: sheet(chain, 0, {q.expiry_s for q in chain.quotes}, max_per_expiry=max_per_expiry)
        for name, chain in chains.items()
    }
