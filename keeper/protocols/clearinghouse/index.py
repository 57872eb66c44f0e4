"""What the contracts' events say: every account, file, listing and setting, without asking the node once per account.

Every event carries absolute new values, so the index needs no arithmetic: the newest event of a field is its value.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from keeper.domain.riskfile import ExpiryParams, Ranges
from keeper.domain.snapshot import AccountState, FileState, Kind, PerpState, Position, StrikeVol
from keeper.protocols.abi import Event
from keeper.protocols.clearinghouse.ids import unpack_instrument


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
class IndexState:
    """The index as it is stored."""

    accounts: tuple[AccountState, ...] = ()
    settings: tuple[Setting, ...] = ()
    listings: tuple[Listed, ...] = ()
    live: tuple[Published, ...] = ()
    previous: tuple[Published, ...] = ()
    settled: tuple[Settled, ...] = ()
    staged: tuple[Staged, ...] = ()


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


@dataclass
class HouseIndex:
    """Accounts, files, listings and settings as of the last applied block."""

    accounts: dict[int, AccountState] = field(default_factory=dict)
    settings: dict[tuple[str, int], Setting] = field(default_factory=dict)
    listings: dict[tuple[int, int], Listed] = field(default_factory=dict)
    live: dict[int, FileState] = field(default_factory=dict)
    previous: dict[int, FileState] = field(default_factory=dict)
    settled: dict[tuple[int, int], int] = field(default_factory=dict)
    staged: dict[int, dict[int, tuple[ExpiryParams, tuple[StrikeVol, ...]]]] = field(default_factory=dict)
    """By underlying and expiry: announced by a publication that was not flipped yet."""

    def apply(self, events: Iterable[Event]) -> None:
        """Apply the events of one block, in log order."""
        # An event that is not here changes nothing an account depends on.
        handlers = {
            "CashChanged": self._cash_changed,
            "LossPulled": self._loss_pulled,
            "CollateralChanged": self._collateral_changed,
            "PositionChanged": self._position_changed,
            "PerpTouched": self._perp_touched,
            "AuctionSet": self._auction_set,
            "ExpiryListed": self._expiry_listed,
            "PublicationStaged": self._publication_staged,
            "ExpiryPublished": self._expiry_published,
            "Published": self._published,
            "FileComputed": self._file_computed,
            "ExpirySettled": self._expiry_settled,
            "StrikesListed": self._expiry_listed,
        }
        for event in events:
            if event.name in SETTINGS:
                self._set(event)
            handler = handlers.get(event.name)
            if handler is not None:
                handler(event.args)

    def state(self) -> IndexState:
        """What is stored; `load` takes it back."""
        return IndexState(
            accounts=tuple(self.accounts[k] for k in sorted(self.accounts)),
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

    def load(self, state: IndexState) -> None:
        """Become `state`."""
        self.accounts = {a.account: a for a in state.accounts}
        self.settings = {(s.event, s.subject): s for s in state.settings}
        self.listings = {(x.underlying, x.expiry): x for x in state.listings}
        self.live = {p.underlying: p.file for p in state.live}
        self.previous = {p.underlying: p.file for p in state.previous}
        self.settled = {(s.underlying, s.expiry): s.price for s in state.settled}
        self.staged = {}
        for s in state.staged:
            self.staged.setdefault(s.underlying, {})[s.params.expiry] = (s.params, s.vols)

    def setting(self, event: str, subject: int = 0) -> Setting | None:
        """The newest setting of a kind."""
        return self.settings.get((event, subject))

    def replace_account(self, account: AccountState) -> None:
        """Take the contract's word for one account (reconciliation)."""
        self.accounts[account.account] = account

    # --- accounts -----------------------------------------------------------------------------------------------------

    def _account(self, account: int) -> AccountState:
        return self.accounts.get(account) or AccountState(
            account=account,
            cash=0,
            interest_entry=0,
            keep_entry=0,
            collateral=(),
            positions=(),
            perps=(),
            in_auction=False,
        )

    def _cash_changed(self, args: dict[str, Any]) -> None:
        old = self._account(args["account"])
        self.accounts[old.account] = replace(old, cash=args["cash"], interest_entry=args["interestEntryRay"])

    def _loss_pulled(self, args: dict[str, Any]) -> None:
        old = self._account(args["account"])
        self.accounts[old.account] = replace(old, keep_entry=args["keepEntryRay"])

    def _collateral_changed(self, args: dict[str, Any]) -> None:
        old = self._account(args["account"])
        held = {**dict(old.collateral), args["collateral"]: args["balance"]}
        self.accounts[old.account] = replace(old, collateral=tuple(sorted((c, b) for c, b in held.items() if b)))

    def _position_changed(self, args: dict[str, Any]) -> None:
        old = self._account(args["account"])
        held = {p.instrument: p.size for p in old.positions}
        held[unpack_instrument(args["instrument"])] = args["size"]
        positions = tuple(Position(instrument=i, size=s) for i, s in sorted(held.items(), key=_in_order) if s)
        self.accounts[old.account] = replace(old, positions=positions)

    def _perp_touched(self, args: dict[str, Any]) -> None:
        old = self._account(args["account"])
        held = {p.underlying: p for p in old.perps}
        held[args["underlying"]] = PerpState(
            underlying=args["underlying"], open_notional=args["openNotional"], funding_entry=args["fundingEntry"]
        )
        # The event follows the position's own: what was closed leaves no perp behind, as in the contract's view.
        perps = {p.instrument.underlying for p in old.positions if p.instrument.kind is Kind.PERP}
        self.accounts[old.account] = replace(old, perps=tuple(held[u] for u in sorted(held) if u in perps))

    def _auction_set(self, args: dict[str, Any]) -> None:
        old = self._account(args["account"])
        self.accounts[old.account] = replace(old, in_auction=args["inAuction"])

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
        vols = tuple(StrikeVol(strike=k, sigma_ppm=s) for k, s in zip(listed, args["sigmaPpm"], strict=True))
        self.staged[u] = {**self.staged.get(u, {}), expiry: (params, vols)}

    def _published(self, args: dict[str, Any]) -> None:
        """The flip: what was staged becomes live, what was live becomes the file before it."""
        u = args["underlying"]
        staged = sorted(self.staged.pop(u, {}).items())
        self.live[u] = replace(
            self.live[u],  # its header came with the FileComputed of the same transaction
            ranges=Ranges(psr_ppm=args["psrPpm"], vsr_up_ppm=args["vsrUpPpm"], vsr_down_ppm=args["vsrDownPpm"]),
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
        self.live[u] = replace(base, epoch=args["epoch"], ref_spot=args["refSpot"], time=args["time"])

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


def _in_order(item: tuple[Any, int]) -> tuple[int, int, int, int]:
    """The contract's order: underlying, expiry, strike, then perp before call before put."""
    i = item[0]
    return i.underlying, i.expiry, i.strike, ("perp", "call", "put").index(i.kind)


def _flatten(args: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    for name, value in args.items():
        if isinstance(value, dict):
            yield from _flatten(value)
        else:
            yield name, value


def _hex(value: bytes | str) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else value
