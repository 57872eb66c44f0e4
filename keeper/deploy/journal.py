"""A deployment that goes on where it was killed.

Every transaction is written down, signed, before it leaves.  A later run of the same deployment goes through the same
steps and finds each one written down: mined (its receipt is there, and the code it made), lost (the same bytes go out
again), too cheap by now (dearer ones go out at the same nonce, and all are kept) or replaced (the nonce went to another
transaction: the step is done anew).  So no contract is made twice, whenever the run before ended.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from eth_utils import keccak, to_checksum_address

from keeper.chain.asking.rpc import Rpc
from keeper.chain.sending.fees import FeePolicy
from keeper.chain.signers import Signed, Signer
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
    before: tuple[str, ...] = ()
    """0x: cheaper ones that left with the same nonce, oldest first; any of them may be mined instead."""

    @property
    def sent(self) -> list[Signed]:
        """Everything that left with this nonce, oldest first."""
        raws = [bytes.fromhex(raw[2:]) for raw in (*self.before, self.raw)]
        return [Signed(raw=raw, tx_hash="0x" + keccak(raw).hex()) for raw in raws]


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
            about, entries = kept["about"], [_entry(one) for one in kept["entries"]]
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
        for place in range(self._place, len(self._journal.entries)):
            self._earlier(place)
        self._place = len(self._journal.entries)

    def _execute(self, to: str | None, data: bytes, what: str) -> dict[str, Any]:
        place, digest = self._place, hashlib.sha256(data).hexdigest()
        if place < len(self._journal.entries):
            entry = self._journal.entries[place]
            self._same_step(entry, to or "", digest, what)
            receipt = self._earlier(place)
            if receipt is not None:
                self._place += 1
                self.repeated += 1
                self._remember_code(place, receipt)
                return receipt
        signed = self._sign(to, data, what)
        nonce = self._rpc.next_nonce(self.address)
        earlier = self._journal.entries[place : place + 1]
        same = [one for one in earlier if one.nonce == nonce]  # was refused, and may be in a pool all the same
        entry = Entry(
            what=what, to=to or "", digest=digest, nonce=nonce, tx_hash=signed.tx_hash, raw="0x" + signed.raw.hex(),
            before=tuple(raw for one in same for raw in (*one.before, one.raw)),
        )  # fmt: skip
        self._journal.put(place, entry)
        self._rpc.send_raw(signed.raw)
        receipt = self._through(entry.sent, what, lambda dearer: self._replaced(place, dearer))
        self._place += 1
        self._remember_code(place, receipt)
        return receipt

    def _replaced(self, place: int, dearer: Signed) -> None:
        """Write down what is about to leave with the nonce of an earlier one, which is kept."""
        entry = self._journal.entries[place]
        raw = "0x" + dearer.raw.hex()
        self._journal.put(place, replace(entry, raw=raw, tx_hash=dearer.tx_hash, before=(*entry.before, entry.raw)))

    def _same_step(self, entry: Entry, to: str, digest: str, what: str) -> None:
        moved = "" if what in _DATED else entry.digest != digest and "with other bytes"
        if entry.what != what or entry.to != to or moved:
            raise BadInput(
                f"step {self._place + 1} was {entry.what}, and is {what} {moved or ''} now".replace("  ", " "),
                hint="go on with the version that began this deployment, or move the journal away to begin anew",
            )

    def _earlier(self, place: int) -> dict[str, Any] | None:
        """The receipt of an earlier run's transaction; None if the step has to be done anew."""
        entry = self._journal.entries[place]
        sent = entry.sent
        receipt = next((found for one in sent if (found := self.receipt(one.tx_hash)) is not None), None)
        if receipt is not None:
            return dict(receipt) if int(receipt["status"], 16) == 1 else None
        if self._rpc.nonce(self.address, self._rpc.block()) > entry.nonce:
            return None
        # Never sent, lost since, or too cheap by now: the same bytes again, or dearer ones at the same nonce, of which
        # one can be mined at most.

        def note(dearer: Signed) -> None:
            self._replaced(place, dearer)

        try:
            if self._too_cheap(sent[-1].raw):
                self._offer_more(sent, note)
            if len(sent) == len(entry.sent):
                self._rpc.send_raw(sent[-1].raw)
            return self._through(sent, entry.what, note)
        except (Refused, Halt):
            return None

    def _remember_code(self, place: int, receipt: dict[str, Any]) -> None:
        entry = self._journal.entries[place]
        if entry.to:
            return
        code = "0x" + keccak(self._rpc.code(to_checksum_address(receipt["contractAddress"]), self._rpc.block())).hex()
        if entry.code and entry.code != code:
            raise Halt(
                f"{entry.what} at {receipt['contractAddress']} runs other code than was deployed",
                hint="somebody changed the chain under this deployment: look before going on",
            )
        if not entry.code:
            self._journal.put(place, replace(entry, code=code))


def _entry(kept: dict[str, Any]) -> Entry:
    return Entry(**{**kept, "before": tuple(kept.get("before", ()))})
