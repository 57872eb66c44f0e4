"""A deployment that goes on where it was killed.

Every transaction is written down, signed, before it leaves.  A later run of the same deployment goes through the same
steps and finds each one written down: mined (its receipt is there, and the code it made), lost (the same bytes go out
again) or replaced (the nonce went to another transaction: the step is done anew).  So no contract is made twice,
whenever the run before ended.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from eth_utils import keccak, to_checksum_address

from keeper.chain.asking.rpc import Rpc
from keeper.chain.errors import AlreadyKnown
from keeper.chain.sending.fees import FeePolicy
from keeper.chain.signers import Signer
from keeper.deploy.hand import Hand
from keeper.domain.nested import json_of
from keeper.errors import BadInput, Halt, Refused

#: Version of the file's layout.
_FORMAT: Final = 1
#: Steps whose calldata says how late they may be mined: a later run says it anew.
_DATED: Final = ("RiskParameters.publish",)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One step that was signed."""

    what: str
    to: str
    """Empty for a creation."""
    digest: str
    """SHA-256 of the calldata."""
    nonce: int
    tx_hash: str
    raw: str
    """0x: signed bytes; everybody sees them anyway."""
    code: str = ""
    """Of a creation that was seen mined: keccak-256 of the code."""


class Journal:
    """The file beside a deployment.

    Args:
        path: where it is; made at the first step.
        about: what is deployed where and by whom; a file about something else is refused.

    Raises: `BadInput` if the file is damaged or about something else.
    """

    def __init__(self, path: Path, *, about: dict[str, Any]) -> None:
        self._path = path
        self._about = about | {"format": _FORMAT}
        self.entries: list[Entry] = []
        self.first_block: int | None = None
        if path.exists():
            self._read()

    def _read(self) -> None:
        hint = "move the file away to deploy anew, or repeat what was deployed with it"
        try:
            kept = json_of(self._path.read_text(encoding="utf-8"))
            about, entries = kept["about"], [Entry(**one) for one in kept["entries"]]
            self.first_block = int(kept["first_block"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadInput(f"{self._path} is no journal of a deployment: {error!r}", hint=hint) from error
        for key, value in self._about.items():
            if about.get(key) != value:
                said = f"{key} was {about.get(key)}, is {value}"
                raise BadInput(f"{self._path} is the journal of another deployment: {said}", hint=hint)
        self.entries = entries

    def begin(self, height: int) -> int:
        """Remember below which block nothing of this deployment lies.  Returns: what the first run said."""
        if self.first_block is None:
            self.first_block = height
            self._write()
        return self.first_block

    def put(self, place: int, entry: Entry) -> None:
        """Write a step down, durably, before anything else happens."""
        self.entries[place : place + 1] = [entry]
        self._write()

    def _write(self) -> None:
        kept = {
            "about": self._about,
            "first_block": self.first_block,
            "entries": [asdict(entry) for entry in self.entries],
        }
        whole = self._path.with_name(self._path.name + ".new")
        with whole.open("w", encoding="utf-8") as file:
            json.dump(kept, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        whole.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class ResumingHand(Hand):
    """A hand whose steps are written down; see above.

    Args:
        rpc: the chain.
        signer: pays for everything; the same in every run.
        fees: what may be paid.
        journal: the file.
        poll_interval_s: between two looks for a receipt.
    """

    def __init__(
        self, rpc: Rpc, signer: Signer, *, fees: FeePolicy, journal: Journal, poll_interval_s: float = 1.0
    ) -> None:
        super().__init__(rpc, signer, fees=fees, poll_interval_s=poll_interval_s)
        self._journal, self._place = journal, 0
        self.repeated = 0
        """Steps that an earlier run had done."""

    def height(self) -> int:
        """See `Hand.height`: as of the first run."""
        return self._journal.begin(super().height())

    @property
    def begun(self) -> bool:
        """See `Hand.begun`."""
        return bool(self._journal.entries)

    def catch_up(self) -> None:
        """See `Hand.catch_up`: what follows decides by the chain's state, so its steps may be others each time."""
        for entry in self._journal.entries[self._place :]:
            self._earlier(entry)
        self._place = len(self._journal.entries)

    def _execute(self, to: str | None, data: bytes, what: str) -> dict[str, Any]:
        place, digest = self._place, hashlib.sha256(data).hexdigest()
        if place < len(self._journal.entries):
            entry = self._journal.entries[place]
            self._same_step(entry, to or "", digest, what)
            receipt = self._earlier(entry)
            if receipt is not None:
                self._place += 1
                self.repeated += 1
                self._remember_code(place, entry, receipt)
                return receipt
        signed = self._sign(to, data, what)
        nonce = self._rpc.next_nonce(self.address)
        entry = Entry(
            what=what, to=to or "", digest=digest, nonce=nonce, tx_hash=signed.tx_hash, raw="0x" + signed.raw.hex()
        )
        self._journal.put(place, entry)
        self._rpc.send_raw(signed.raw)
        receipt = self.mined(signed.tx_hash, what)
        self._place += 1
        self._remember_code(place, entry, receipt)
        return receipt

    def _same_step(self, entry: Entry, to: str, digest: str, what: str) -> None:
        moved = "" if what in _DATED else entry.digest != digest and "with other bytes"
        if entry.what != what or entry.to != to or moved:
            raise BadInput(
                f"step {self._place + 1} was {entry.what}, and is {what} {moved or ''} now".replace("  ", " "),
                hint="go on with the version that began this deployment, or move the journal away to begin anew",
            )

    def _earlier(self, entry: Entry) -> dict[str, Any] | None:
        """The receipt of an earlier run's transaction; None if the step has to be done anew."""
        receipt = self._rpc.request("eth_getTransactionReceipt", entry.tx_hash)
        if receipt is None and self._rpc.nonce(self.address, self._rpc.block()) <= entry.nonce:
            # Never sent, or lost since: the same bytes again, which can be mined once at most.
            try:
                self._rpc.send_raw(bytes.fromhex(entry.raw[2:]))
                return self.mined(entry.tx_hash, entry.what)
            except AlreadyKnown:
                return self.mined(entry.tx_hash, entry.what)
            except (Refused, Halt):
                return None
        if receipt is None or int(receipt["status"], 16) != 1:
            return None
        return dict(receipt)

    def _remember_code(self, place: int, entry: Entry, receipt: dict[str, Any]) -> None:
        if entry.to:
            return
        code = "0x" + keccak(self._rpc.code(to_checksum_address(receipt["contractAddress"]), self._rpc.block())).hex()
        if entry.code and entry.code != code:
            raise Halt(
                f"{entry.what} at {receipt['contractAddress']} runs other code than was deployed",
                hint="somebody changed the chain under this deployment: look before going on",
            )
        if not entry.code:
            self._journal.put(place, Entry(**{**asdict(entry), "code": code}))
