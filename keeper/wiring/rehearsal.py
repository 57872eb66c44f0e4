"""What `keeper keys test` tries, as the settings describe it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Final

from keeper.chain.asking.rpc import Rpc
from keeper.chain.signers.rehearsal import rehearse
from keeper.domain.block import BlockRef
from keeper.domain.tx import SignerRole
from keeper.errors import BadInput, KeeperError
from keeper.protocols.clearinghouse.encoder import GAS_EXPECTED
from keeper.settings import Settings
from keeper.wiring import deployment_of
from keeper.wiring.keys import ConfiguredKey, configured_keys
from keeper.wiring.nodes import rpc_of
from keeper.wiring.site import ConfiguredContracts

#: What each role sends most, of what costs most.
USUAL: Final = {SignerRole.PUBLISHER: "publish", SignerRole.LIQUIDATOR: "bid"}


class KeyOnTrial:
    """`keeper.ops.keys.KeyUnderTest`."""

    def __init__(self, key: ConfiguredKey) -> None:
        self.role, self.name, self.kind, self.hot = key.role, key.name, key.kind, key.hot
        self._key = key

    def rehearse(self, challenge: bytes) -> tuple[str, float]:
        """See `KeyUnderTest.rehearse`."""
        found = rehearse(self._key.load(), challenge=challenge)
        return found.address, found.took_ms


def keys_on_trial(
    settings: Settings, environ: Mapping[str, str], role: SignerRole | None = None
) -> tuple[KeyOnTrial, ...]:
    """The configured keys, of one role or of all.  Raises: `BadInput` if there is none."""
    found = tuple(KeyOnTrial(key) for key in configured_keys(settings, environ) if role in (None, key.role))
    if not found:
        which = f"[keys.{role}]" if role else "[keys.publisher] and [keys.liquidator]"
        raise BadInput(f"no key is configured{f' for the {role}' if role else ''}", hint=f"configure {which}")
    return found


class ConfiguredKeysOnChain:
    """`keeper.ops.keys.KeysOnChain`: one head for all questions, asked for once, when the first of them comes."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._silent: KeeperError | None = None

    @cached_property
    def _rpc(self) -> Rpc:
        return rpc_of(self._settings)

    @cached_property
    def _head(self) -> BlockRef:
        if self._silent is not None:  # not again for each key: a silent node costs its time-out each time
            raise self._silent
        try:
            return self._rpc.block()
        except KeeperError as error:
            self._silent = error
            raise

    @cached_property
    def _contracts(self) -> ConfiguredContracts:
        return ConfiguredContracts(self._rpc, deployment_of(self._settings))

    def balance(self, address: str) -> int:
        """See `KeysOnChain.balance`."""
        return self._rpc.balance(address, self._head)

    def cost(self, role: SignerRole) -> int:
        """See `KeysOnChain.cost`."""
        return GAS_EXPECTED[USUAL[role]] * self._settings.fees.max_fee_wei

    def may_publish(self, address: str) -> bool:
        """See `KeysOnChain.may_publish`."""
        return self._contracts.may_publish(address, self._head)

    def publishing_quorum(self) -> str:
        """See `KeysOnChain.publishing_quorum`."""
        return self._contracts.publishing_quorum(self._head)
