"""A store and the house that it is of.

Accounts, underlyings and prices go by numbers of one house.  A keeper of another one would take them for its own: fit
its volatilities to the other's rounds, and read all logs again, there and back.  So it refuses.
"""

from __future__ import annotations

from keeper.domain.home import Home
from keeper.errors import BadInput
from keeper.ports import Store
from keeper.protocols.clearinghouse.deployment import Deployment


def move_in(store: Store, deployment: Deployment) -> None:
    """Make a store that is nobody's yet this house's.  Raises: `BadInput` if it is another's, naming both."""
    mine = _home_of(deployment)
    _same(store.dedicate(mine), mine)


def stay(store: Store, deployment: Deployment) -> None:
    """Change nothing.  Raises: `BadInput` if a store is another house's, naming both."""
    mine = _home_of(deployment)
    _same(store.home() or mine, mine)


def _home_of(deployment: Deployment) -> Home:
    return Home(chain_id=deployment.chain_id, house=deployment.addresses["ClearingHouse"])


def _same(found: Home, mine: Home) -> None:
    if found != mine:
        raise BadInput(
            f"the store is of {found}, the deployment file of {mine}",
            hint="give each house a store of its own: [store] url; or name the other deployment file",
            store=str(found),
            deployment=str(mine),
        )
