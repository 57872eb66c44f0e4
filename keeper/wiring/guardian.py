"""`keeper guardian` as the settings describe it: a chain that is read, and nothing that signs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.governance.chain import ChainView
from keeper.governance.guardian import Act, Brake, Orders, brakes_of, guardians_of, orders_of
from keeper.settings import Settings
from keeper.wiring import deployment_of
from keeper.wiring.nodes import rpc_of


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How everything stands at one block."""

    block: int
    time_s: int
    guardians: dict[str, str]
    """Who may do what, by the act."""
    halted_until_s: int
    """Of the whole house; Unix seconds, 0 if it never was."""
    brakes: tuple[Brake, ...]


class GuardianDesk:
    """The configured chain, for whoever holds the brake.

    Args:
        settings: validated; no key of theirs is looked at.

    Raises: `BadInput` for an unusable deployment file; `Retry` if no node answers.
    """

    def __init__(self, settings: Settings) -> None:
        self._deployment, self._rpc = deployment_of(settings), rpc_of(settings)

    def close(self) -> None:
        """Let go of connections."""
        self._rpc.close()

    def orders(self, act: str, *, symbols: Sequence[str], hours: float) -> Orders:
        """See `orders_of`, at the head."""
        return orders_of(self._view(), Act(act), symbols=symbols, hours=hours)

    def standing(self) -> Standing:
        """How everything stands at the head."""
        chain = self._view()
        return Standing(
            block=chain.block.number,
            time_s=chain.block.timestamp,
            guardians=guardians_of(chain),
            halted_until_s=int(chain.one("ClearingHouse", "houseState")["pausedUntil"]),
            brakes=brakes_of(chain),
        )

    def _view(self) -> ChainView:
        return ChainView(self._rpc, self._deployment, self._rpc.block())
