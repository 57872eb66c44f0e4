"""What the contracts' events say: every account, file, listing and setting, without asking the node once per account.

Every event carries absolute new values, so the index needs no arithmetic: the newest event of a field is its value.
Accounts, of which there may be a hundred thousand, are a roster and a tape of the writes since; the rest is small and
plain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from keeper.domain.riskfile import ExpiryParams, Ranges
from keeper.domain.roster import Roster
from keeper.domain.roster_change import Change
from keeper.domain.snapshot import AccountState, FileState, StrikeVol
from keeper.protocols.abi import Event
from keeper.protocols.clearinghouse.accounts import applied, is_closed, nothing
from keeper.protocols.clearinghouse.fold import folded
from keeper.protocols.clearinghouse.tape import SHAPES, Columns, Tape

#: Writes on the tape that are folded without anybody asking: about 150 MB.
FOLD_AT: Final = 2_000_000


@dataclass(frozen=True, kw_only=True)
class Listed:
    """An expiry and its strikes, ascending, as listed."""

    underlying: int
    expiry: int
    strikes: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """The arguments of the newest event of one kind about one thing: the protocol's own parameters."""

    event: str
    subject: int
    numbers: tuple[tuple[str, int], ...]
    texts: tuple[tuple[str, str], ...]
    """Bytes and addresses, as hex."""

    def number(self, name: str) -> int:
        """An integer argument.  Raises: `KeyError`."""
        return dict(self.numbers)[name]

    def octets(self, name: str) -> bytes:
        """A bytes argument.  Raises: `KeyError`."""
        return bytes.fromhex(dict(self.texts)[name].removeprefix("0x"))


@dataclass(frozen=True, kw_only=True)
class Published:
    """Content of one bank of the file: what was published, and the header of the last computation."""

    underlying: int
    file: FileState


@dataclass(frozen=True, kw_only=True)
class Settled:
    """A settlement price."""

    underlying: int
    expiry: int
    price: int


@dataclass(frozen=True, kw_only=True)
class Staged:
    """One expiry of a publication that takes several transactions."""

    underlying: int
    params: ExpiryParams
    vols: tuple[StrikeVol, ...]


@dataclass(frozen=True, kw_only=True)
class SharedState:
    """All of the index that is not accounts."""

    settings: tuple[Setting, ...] = ()
    listings: tuple[Listed, ...] = ()
    live: tuple[Published, ...] = ()
    previous: tuple[Published, ...] = ()
    settled: tuple[Settled, ...] = ()
    staged: tuple[Staged, ...] = ()


@dataclass(frozen=True)
class IndexMark:
    """The index at one moment; it never changes, so keeping one costs nothing."""

    shared: SharedState
    roster: Roster


#: Events whose newest arguments are a setting, and the argument that names what they are about ("" = one for all).
SETTINGS = {
    "MarketSet": "underlying",
    "CollateralSet": "collateral",
    "UnderlyingConfigured": "underlying",
    "Published": "underlying",
    "FundingSet": "underlying",
    "InterestSet": "",
    "PausedUntil": "",
    "ParamsSet": "",
    "CapSet": "",
}
#: All events that are of interest.
EVENTS: Final = (
    *SHAPES,
    *SETTINGS,
    *("ExpiryListed", "StrikesListed", "PublicationStaged", "ExpiryPublished", "ItemRefused", "FileComputed"),
    "ExpirySettled",
)


@dataclass
class HouseIndex:
    """Accounts, files, listings and settings as of the last applied block."""

    settings: dict[tuple[str, int], Setting] = field(default_factory=dict)
    listings: dict[tuple[int, int], Listed] = field(default_factory=dict)
    live: dict[int, FileState] = field(default_factory=dict)
    previous: dict[int, FileState] = field(default_factory=dict)
    settled: dict[tuple[int, int], int] = field(default_factory=dict)
    staged: dict[int, dict[int, tuple[ExpiryParams, tuple[StrikeVol, ...]]]] = field(default_factory=dict)
    """By underlying and expiry: announced by a publication that was not flipped yet."""
    _roster: Roster = field(default_factory=lambda: Roster.of(()))
    """Accounts before what is on the tape."""
    _tape: Tape = field(default_factory=Tape)
    _open: tuple[Roster, Roster] | None = None
    """The roster that `open_accounts` was last asked of, and its answer."""

    def apply(self, events: Iterable[Event]) -> None:
        """Apply decoded events in log order.

        For accounts this is the slow twin of `take`: one event after the other.
        """
        # An event that is not here changes nothing an account depends on.
        handlers = {
            "ExpiryListed": self._expiry_listed,
            "PublicationStaged": self._publication_staged,
            "ExpiryPublished": self._expiry_published,
            "ItemRefused": self._item_refused,
            "Published": self._published,
            "FileComputed": self._file_computed,
            "ExpirySettled": self._expiry_settled,
            "StrikesListed": self._expiry_listed,
        }
        moved: dict[int, AccountState] = {}
        for event in events:
            if event.name in SETTINGS:
                self._set(event)
            handler = handlers.get(event.name)
            if handler is not None:
                handler(event.args)
            if event.name in SHAPES:
                account = event.args["account"]
                old = moved.get(account) or self.account(account) or nothing(account)
                moved[account] = applied(old, event)
        if moved:
            self._roster = self.roster().replaced(moved)

    # --- accounts -----------------------------------------------------------------------------------------------------

    def take(self, found: Mapping[str, Columns]) -> None:
        """Apply the account events of one or more blocks, as columns by event.

        Raises: `Retry` if a log is not what its event says; nothing was taken then.
        """
        self._tape.take(found)
        if self._tape.rows >= FOLD_AT:
            self.roster()

    def roster(self) -> Roster:
        """Every account that ever was, closed ones included: events of theirs may follow."""
        if self._tape.rows:
            self._roster, self._tape = folded(self._roster, self._tape), Tape()
        return self._roster

    def open_accounts(self) -> Roster:
        """Accounts of which something is left."""
        roster = self.roster()
        change = None if self._open is None else Change.remembered(self._open[0], roster)
        if self._open is None or change is None:
            left = _left(roster)
            self._open = roster, roster if left.all() else roster.only(np.flatnonzero(left))
        elif self._open[0] is not roster:
            left = _left(change.fresh)
            gone = np.concatenate((change.gone, change.fresh.ids[~left]))
            if self._open[1] is self._open[0] and left.all():
                self._open = roster, roster  # nobody is closed still
            else:
                self._open = roster, self._open[1].spliced(change.fresh.only(np.flatnonzero(left)), gone=gone)
        return self._open[1]

    def account(self, account: int) -> AccountState | None:
        """One account; None if it never was."""
        return self.roster().get(account)

    def replace_account(self, account: AccountState) -> None:
        """Take the contract's word for one account (reconciliation)."""
        self._roster = self.roster().replaced({account.account: account})

    # --- what is kept -------------------------------------------------------------------------------------------------

    def mark(self) -> IndexMark:
        """The present state."""
        return IndexMark(self.shared(), self.roster())

    def reset(self, mark: IndexMark) -> None:
        """Become what was marked."""
        self._roster, self._tape = mark.roster, Tape()
        self.restore(mark.shared)

    def shared(self) -> SharedState:
        """All that is not accounts; `restore` takes it back."""
        return SharedState(
            settings=tuple(self.settings[k] for k in sorted(self.settings)),
            listings=tuple(self.listings[k] for k in sorted(self.listings)),
            live=tuple(Published(underlying=u, file=self.live[u]) for u in sorted(self.live)),
            previous=tuple(Published(underlying=u, file=self.previous[u]) for u in sorted(self.previous)),
            settled=tuple(Settled(underlying=u, expiry=e, price=p) for (u, e), p in sorted(self.settled.items())),
            staged=tuple(
                Staged(underlying=u, params=params, vols=vols)
                for u, expiries in sorted(self.staged.items())
                for _, (params, vols) in sorted(expiries.items())
            ),
        )

    def restore(self, shared: SharedState) -> None:
        """Become `shared`, with the accounts that are here."""
        self.settings = {(s.event, s.subject): s for s in shared.settings}
        self.listings = {(x.underlying, x.expiry): x for x in shared.listings}
        self.live = {p.underlying: p.file for p in shared.live}
        self.previous = {p.underlying: p.file for p in shared.previous}
        self.settled = {(s.underlying, s.expiry): s.price for s in shared.settled}
        self.staged = {}
        for s in shared.staged:
            self.staged.setdefault(s.underlying, {})[s.params.expiry] = (s.params, s.vols)

    def setting(self, event: str, subject: int = 0) -> Setting | None:
        """The newest setting of a kind."""
        return self.settings.get((event, subject))

    # --- files and listings -------------------------------------------------------------------------------------------

    def _expiry_listed(self, args: dict[str, Any]) -> None:
        key = args["underlying"], args["expiry"]
        known = self.listings[key].strikes if key in self.listings else ()
        strikes = tuple(sorted({*known, *args["strikes"]}))
        self.listings[key] = Listed(underlying=key[0], expiry=key[1], strikes=strikes)

    def _publication_staged(self, args: dict[str, Any]) -> None:
        self.staged.pop(args["underlying"], None)

    def _expiry_published(self, args: dict[str, Any]) -> None:
        u, expiry = args["underlying"], args["expiry"]
        params = ExpiryParams(
            expiry=expiry, phi_ppb=args["phiPpb"], df_ppb=args["dfPpb"], sigma_atm_ppm=args["sigmaAtmPpm"]
        )
        listed = self.listings[u, expiry].strikes
        # A strike at volatility 0 is left out of the file.
        vols = tuple(StrikeVol(strike=k, sigma_ppm=s) for k, s in zip(listed, args["sigmaPpm"], strict=True) if s)
        self.staged[u] = {**self.staged.get(u, {}), expiry: (params, vols)}

    def _item_refused(self, args: dict[str, Any]) -> None:
        """An expiry keeps what is in force, whatever was announced for it; what never was in force stays out."""
        u, expiry = args["underlying"], args["expiry"]
        if not expiry:  # a range: `Published` says what binds
            return
        live, others = self.live.get(u), {e: of for e, of in self.staged.get(u, {}).items() if e != expiry}
        kept = {} if live is None else {e.expiry: e for e in live.expiries if e.expiry == expiry}
        self.staged[u] = others | {e: (params, dict(live.strikes)[e]) for e, params in kept.items() if live}

    def _published(self, args: dict[str, Any]) -> None:
        """The flip: what was staged becomes live, what was live becomes the file before it."""
        u = args["underlying"]
        staged = sorted(self.staged.pop(u, {}).items())
        self.live[u] = replace(
            self.live[u],  # its header came with the FileComputed of the same transaction, ranges in force included
            expiries=tuple(params for _, (params, _) in staged),
            strikes=tuple((expiry, vols) for expiry, (_, vols) in staged),
        )

    def _file_computed(self, args: dict[str, Any]) -> None:
        u = args["underlying"]
        old = self.live.get(u)
        if old is not None and not args["refresh"]:
            self.previous[u] = old
        base = old or FileState(
            epoch=0,
            ref_spot=0,
            time=0,
            ranges=Ranges(psr_ppm=0, vsr_up_ppm=0, vsr_down_ppm=0),
            expiries=(),
            strikes=(),
        )
        h = args["header"]
        self.live[u] = replace(
            base,
            epoch=args["epoch"],
            ref_spot=h["refSpot"],
            time=h["time"],
            ranges=Ranges(psr_ppm=h["psrPpm"], vsr_up_ppm=h["vsrUpPpm"], vsr_down_ppm=h["vsrDownPpm"]),
            im_uplift_pct=h["imUpliftPct"],
        )

    def _expiry_settled(self, args: dict[str, Any]) -> None:
        self.settled[args["underlying"], args["expiry"]] = args["price"]

    # --- settings -----------------------------------------------------------------------------------------------------

    def _set(self, event: Event) -> None:
        about = SETTINGS[event.name]
        subject = event.args[about] if about else 0
        flat = dict(_flatten(event.args))
        self.settings[event.name, subject] = Setting(
            event=event.name,
            subject=subject,
            numbers=tuple(sorted((k, int(v)) for k, v in flat.items() if isinstance(v, int))),
            texts=tuple(sorted((k, _hex(v)) for k, v in flat.items() if isinstance(v, bytes | str))),
        )


def _flatten(args: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    for name, value in args.items():
        if isinstance(value, dict):
            yield from _flatten(value)
        else:
            yield name, value


def _hex(value: bytes | str) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else value


def _left(roster: Roster) -> npt.NDArray[np.bool_]:
    """Accounts of which something is left."""
    left = roster.cash.nonzero | roster.in_auction
    for start in (roster.collateral_start, roster.position_start):
        left |= np.diff(start) > 0
    for account, state in roster.whole.items():
        row = roster.row(account)
        if row is not None:
            left[row] = not is_closed(state)
    return left
