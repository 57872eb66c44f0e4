"""`keeper nonce` as the settings describe it: the same outbox as the daemon's, on the same store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from keeper.chain.clock import SystemClock
from keeper.chain.sending.drift import plan, repair, survey
from keeper.domain.block import BlockRef
from keeper.domain.nonces import KeyNonces, Repair
from keeper.domain.tx import TxIntent
from keeper.errors import BadInput, KeeperError
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
        send: whether `repaired` will be asked for.

    Raises: `BadInput` if no key is configured, or one cannot be loaded; `Halt` if it is to send and another process
    sends from this store.
    """

    def __init__(self, settings: Settings, environ: Mapping[str, str], *, send: bool = False) -> None:
        keys = signers(settings, environ)
        if not keys:
            raise BadInput("no key is configured, so there are no nonces", hint="configure [keys.liquidator]")
        self._rpc, self._sends = rpc_of(settings), send
        self._head = self._rpc.block()
        self._store = open_store(settings.store.url.reveal())
        with ExitStack() as undo:
            undo.callback(self._store.close)
            if send:
                self._store.lock_sending(at_s=SystemClock().now_s())
            self._outbox = outbox_of(settings, self._rpc, self._store, keys, recheck=RepairsOnly())
            undo.pop_all()

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

    def repaired(self, steps: Sequence[Repair]) -> tuple[Repair, ...]:
        """Do it.  Raises: `Halt` if a spending cap is hit or no key can pay."""
        assert self._sends, "two keepers would sign the same nonces: the desk was not opened to send"
        return repair(self._outbox, self._head, steps)

    def close(self) -> None:
        """Release the store."""
        self._store.close()
