"""One key that deploys: creates contracts, sends transactions, waits for each."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any, cast

from eth_abi.abi import encode
from eth_abi.exceptions import DecodingError
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_utils import keccak, to_checksum_address
from hexbytes import HexBytes

from keeper.abis import load, names
from keeper.chain.asking.rpc import Rpc
from keeper.chain.errors import NonceUsed, Reverted, Underpriced
from keeper.chain.sending.fees import FeeOffer, FeePolicy
from keeper.chain.signers import Signed, Signer
from keeper.errors import BadInput, Halt, Retry
from keeper.protocols.abi import Abi, explain_revert

#: A deployment that is not mined within this many seconds needs a person.
PATIENCE_S = 600.0
#: After so many seconds more is offered, at the same nonce.
DEARER_AFTER_S = 60.0


class Hand:
    """A signer on a chain.

    Args:
        rpc: the chain.
        signer: pays for everything.
        fees: what may be paid.
        poll_interval_s: between two looks for a receipt.
    """

    def __init__(self, rpc: Rpc, signer: Signer, *, fees: FeePolicy, poll_interval_s: float = 1.0) -> None:
        self._rpc, self._signer, self._fees, self._poll_s = rpc, signer, fees, poll_interval_s
        self._abis: dict[str, Abi] = {}

    @property
    def address(self) -> str:
        """Who deploys."""
        return self._signer.address

    @property
    def chain_id(self) -> int:
        """Where."""
        return self._rpc.chain_id

    def height(self) -> int:
        """Number of the newest block."""
        return self._rpc.block().number

    def now_s(self) -> int:
        """Time of the newest block."""
        return self._rpc.block().timestamp

    @property
    def begun(self) -> bool:
        """Whether an earlier run of the same deployment has sent something."""
        return False

    def has_code(self, address: str) -> bool:
        """Whether a contract lives there."""
        return bool(self._rpc.code(address, self._rpc.block()))

    def code(self, address: str) -> bytes:
        """The code that lives there."""
        return self._rpc.code(address, self._rpc.block())

    def code_hash(self, address: str) -> str:
        """keccak-256 of the code that lives there, 0x-hex."""
        return "0x" + keccak(self.code(address)).hex()

    def abi(self, contract: str) -> Abi:
        """The exported ABI of a contract."""
        return self._abis.setdefault(contract, Abi(contract, load(contract).abi))

    def create(self, contract: str, *args: Any, libraries: dict[str, str] | None = None) -> str:
        """Deploy a contract by name.  Returns: its address.  Raises: as `send`."""
        artifact = load(contract)
        wanted = {name for places in artifact.link_references.values() for name in places}
        linked = {name: address for name, address in (libraries or {}).items() if name in wanted}
        receipt = self._execute(None, artifact.link(linked) + encode(artifact.constructor_types, args), contract)
        return to_checksum_address(receipt["contractAddress"])

    def send(self, contract: str, address: str, function: str, *args: Any) -> None:
        """Call a function and wait until it is mined.

        Raises: `Halt` if it reverts, with the contract's own words, or is not mined in time; `Retry` if the node could
        not be asked.
        """
        self._execute(address, self.abi(contract).call(function, *args), f"{contract}.{function}")

    def view(self, contract: str, address: str, function: str, *args: Any) -> Any:
        """The single output of a view at the head."""
        return next(iter(self.views(contract, address, function, *args).values()))

    def views(self, contract: str, address: str, function: str, *args: Any) -> dict[str, Any]:
        """Every output of a view at the head, by name.

        Raises: `BadInput` naming contract and address if what lives there, if anything does, has no such view.
        """
        abi = self.abi(contract)
        try:
            return abi.result(function, self._rpc.call_at(self._rpc.block(), address, abi.call(function, *args)))
        except (Reverted, DecodingError) as error:
            reverts = isinstance(error, Reverted) and (explain_revert(error.data, [abi]) if error.data else "reverts")
            there = f"{function}() {reverts or 'answers what cannot be read'}" if self.has_code(address) else "no code"
            raise BadInput(
                f"{address} is no {contract} of this version: {there} on chain {self.chain_id}",
                hint="compare the deployment file's addresses and chain with what was deployed; is it another house's?",
                contract=contract,
                address=address,
            ) from error

    def functions(self, contract: str) -> tuple[str, ...]:
        """Names of a contract's functions."""
        return tuple(str(entry["name"]) for entry in load(contract).abi if entry["type"] == "function")

    def events(self, contract: str, address: str, event: str, *, since: int) -> list[dict[str, Any]]:
        """Arguments of every log of one event from a block on, oldest first."""
        abi = self.abi(contract)
        topic = abi.topic(event)
        if topic is None:
            return []
        found = self._rpc.logs(since, self.height_now(), [address], ["0x" + topic.hex()])
        return [told.args for log in found if (told := abi.event(log.topics, log.data)) is not None]

    def height_now(self) -> int:
        """Number of the newest block, whenever the deployment began."""
        return self._rpc.block().number

    def catch_up(self) -> None:
        """Let everything that an earlier run of the same deployment signed come to rest; here there was none."""

    def _execute(self, to: str | None, data: bytes, what: str) -> dict[str, Any]:
        """Sign, send, wait.  Raises: as `send`."""
        signed = self._sign(to, data, what)
        self._rpc.send_raw(signed.raw)
        return self._through([signed], what, lambda _: None)

    def _through(self, sent: list[Signed], what: str, note: Callable[[Signed], None]) -> dict[str, Any]:
        """Wait until one of several transactions of one nonce is mined, and offer more where that takes long.

        Args:
            sent: oldest first; whatever is offered beside them is added.
            what: for the words.
            note: told of each further one before it leaves.

        Returns: the receipt of whichever was mined.  Raises: as `send`.
        """
        waited, since = 0.0, 0.0
        while True:
            for one in reversed(sent):
                if (receipt := self.receipt(one.tx_hash)) is not None:
                    return _succeeded(receipt, what)
            if waited > PATIENCE_S:
                raise Retry(
                    f"{what} is not mined after {waited:.0f} s (transaction {sent[-1].tx_hash})",
                    hint="run it again; where gas became dearer, with a higher fees.max_fee_gwei",
                )
            if since > DEARER_AFTER_S:
                since = 0.0
                self._offer_more(sent, note)
            time.sleep(self._poll_s)
            waited, since = waited + self._poll_s, since + self._poll_s

    def _offer_more(self, sent: list[Signed], note: Callable[[Signed], None]) -> None:
        """A dearer one at the nonce of those that were sent, as far as the caps go."""
        last = _fields(sent[-1].raw)
        before = FeeOffer(last["maxFeePerGas"], last["maxPriorityFeePerGas"])
        offer = self._fees.bump(before, self._rpc.fee_history())
        if offer is None:
            return
        dearer = self._signer.sign(
            last | {"maxFeePerGas": offer.max_fee_wei, "maxPriorityFeePerGas": offer.priority_fee_wei}
        )
        note(dearer)
        sent.append(dearer)
        # An earlier one was mined just now, or the pool wants still more: the next look says which.
        with contextlib.suppress(NonceUsed, Underpriced):
            self._rpc.send_raw(dearer.raw)

    def _too_cheap(self, raw: bytes) -> bool:
        """Whether a transaction cannot pay for the next block."""
        fields = _fields(raw)
        needed = self._rpc.fee_history().next_base_fee_wei + int(fields["maxPriorityFeePerGas"])
        return int(fields["maxFeePerGas"]) < needed

    def _sign(self, to: str | None, data: bytes, what: str) -> Signed:
        """A transaction with the key's next nonce.  Raises: `Halt` with the contract's words if it would revert."""
        call = {"from": self.address, "data": "0x" + data.hex()} | ({"to": to} if to else {})
        try:
            gas = int(self._rpc.request("eth_estimateGas", call), 16)
        except Reverted as error:
            words = explain_revert(error.data, map(self.abi, names()))
            raise Halt(
                f"{what} would revert: {words}", hint="the deployment stops here; what is deployed stays"
            ) from None
        offer = self._fees.offer(self._rpc.fee_history())
        return self._signer.sign(
            {
                "chainId": self.chain_id,
                "nonce": self._rpc.next_nonce(self.address),
                "to": to_checksum_address(to) if to else "",
                "data": data,
                "value": 0,
                # Unused gas comes back; an estimate may leave out what the calldata itself costs.
                "gas": gas * 6 // 5 + 100_000 + 20 * len(data),
                "maxFeePerGas": offer.max_fee_wei,
                "maxPriorityFeePerGas": offer.priority_fee_wei,
            }
        )

    def receipt(self, tx_hash: str) -> dict[str, Any] | None:
        """What became of a transaction; None if it is not mined."""
        return cast("dict[str, Any] | None", self._rpc.request("eth_getTransactionReceipt", tx_hash))

    def mined(self, tx_hash: str, what: str) -> dict[str, Any]:
        """The receipt of a transaction that succeeded.  Raises: `Halt` if it reverted, `Retry` if it is not mined."""
        waited = 0.0
        while (receipt := self.receipt(tx_hash)) is None:
            if waited > PATIENCE_S:
                raise Retry(f"{what} is not mined after {waited:.0f} s (transaction {tx_hash})")
            time.sleep(self._poll_s)
            waited += self._poll_s
        return _succeeded(receipt, what)


def _succeeded(receipt: Mapping[str, Any], what: str) -> dict[str, Any]:
    if int(receipt["status"], 16) != 1:
        raise Halt(
            f"{what} reverted (transaction {receipt['transactionHash']})", hint="look at the transaction in an explorer"
        )
    return dict(receipt)


def _fields(raw: bytes) -> dict[str, Any]:
    """What was signed, without the signature."""
    found = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
    kept = ("chainId", "nonce", "to", "data", "value", "gas", "maxFeePerGas", "maxPriorityFeePerGas")
    to = found["to"] and to_checksum_address(found["to"])
    return {name: found[name] for name in kept} | {"to": to or "", "data": bytes(found["data"])}
