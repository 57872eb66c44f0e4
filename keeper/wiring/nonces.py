"""`keeper nonce` as the settings describe it: the same outbox as the daemon's, on the same store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keeper.chain.sending.drift import plan, repair, survey
from keeper.domain.block import BlockRef
from keeper.domain.nonces import KeyNonces, Repair
from keeper.domain.tx import TxIntent
from keeper.errors import BadInput, Halt, KeeperError
from keeper.settings import Settings
from keeper.store import open_store
from keeper.wiring.keys import signers
from keeper.wiring.nodes import rpc_of
from keeper.wiring.sender import outbox_of


class RepairsOnly:
    """`keeper.ports.Recheck` of a repair: nothing new leaves, and what is stuck is cancelled instead of raised."""

    def expect(self, intents: Sequence[TxIntent]) -> None:
        """Nothing is asked."""

    def standing(self, intent: TxIntent, head: BlockRef) -> str:  # noqa: ARG002 - the port's signature
        """See `Recheck.standing`."""
        return "keeper nonce repair sends nothing new"


class NonceDesk:
    """Looks at the configured keys' nonces and repairs them.

    Args:
        settings: validated.
        environ: where keys named by variable are looked up.

    Raises: `BadInput` if no key is configured, or one cannot be loaded.
    """

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        keys = signers(settings, environ)
        if not keys:
            raise BadInput("no key is configured, so there are no nonces", hint="configure [keys.liquidator]")
        self._settings = settings
        self._rpc = rpc_of(settings)
        self._store = open_store(settings.store.url.reveal())
        self._outbox = outbox_of(settings, self._rpc, self._store, keys, recheck=RepairsOnly())
        self._head = self._rpc.block()

    def show(self) -> tuple[KeyNonces, ...]:
        """Every key.  Raises: `Retry`."""
        return survey(self._outbox, self._head, {a: self._pending(a) for a in self._outbox.pool.addresses})

    def _pending(self, address: str) -> int | None:
        try:
            return self._rpc.pending_nonce(address)
        except KeeperError:
            return None  # an opinion that some nodes do not have

    def planned(self) -> tuple[Repair, ...]:
        """What a repair would do.  Raises: `Retry`."""
        return tuple(plan(self.show(), gap_at_most=self._outbox.gap_at_most))

    def repaired(self, steps: Sequence[Repair], *, now_s: int) -> tuple[Repair, ...]:
        """Do it.

        Raises: `Halt` if a keeper is running on this store: two of them would sign the same nonces.
        """
        every_s = self._settings.jobs.heartbeat_every_s
        beat = self._store.heartbeats().get("loop")
        if beat is not None and now_s - beat[0] < 2 * every_s:
            raise Halt(
                f"a keeper wrote its heartbeat {max(0, now_s - beat[0])} s ago, so one may be running on this store",
                hint=f"stop it, wait {2 * every_s} s, then repair: two keepers would sign the same nonces",
            )
        return repair(self._outbox, self._head, steps)

    def close(self) -> None:
        """Release the store."""
        self._store.close()
