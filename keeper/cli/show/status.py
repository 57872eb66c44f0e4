"""`keeper status` for a person and for a script."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from keeper.cli.show import words
from keeper.cli.show.actions import became, handed_tree, on_what, tx_state, tx_tree
from keeper.cli.show.cycle import alerts_view
from keeper.cli.show.money import money_tree, money_view
from keeper.cli.show.numbers import number
from keeper.cli.show.standings import standings_tree, standings_view
from keeper.cli.show.tables import table as plain_table
from keeper.cli.show.targets import targets_tree, targets_view
from keeper.domain.action import kind
from keeper.domain.modes import BEFORE_MODES, SENDING
from keeper.domain.snapshot import BreakerState, Snapshot, Usable
from keeper.offline import account_name
from keeper.ops.status import Status

#: A loop that has not moved for so long is worth a colour.
QUIET_S = 120
BAR = 30


def status_view(status: Status) -> RenderableType:
    """Everything, most urgent first."""
    if status.last is None:
        return Text("no block has been lived yet: keeper once", style="yellow")
    parts: list[RenderableType] = [_head(status)]
    if status.last.decision.alerts:
        parts.append(alerts_view(status.last))
    parts.append(_bands(status))
    if status.snapshot is not None:
        parts += [_markets(status, status.snapshot), *standings_view(status), *targets_view(status)]
        parts += _auctions(status.snapshot)
    parts += [*_nearest(status), *_open(status), *money_view(status.money), *_notices(status), *_lately(status)]
    return Group(*(Padding(part, (0, 0, 1, 0)) for part in parts[:-1]), parts[-1])


def _head(status: Status) -> RenderableType:
    assert status.last is not None
    block = status.last.block
    table = Table.grid(padding=(0, 2, 0, 0))
    when = f"{words.utc(block.timestamp)}, {words.age(status.now_s - block.timestamp)}"
    table.add_row("last block", Text(f"{block.number:,}", style="bold"), when)
    if status.now_s - block.timestamp > QUIET_S:
        table.add_row("", "", Text("prices, ages and waits below are as of that block", style="yellow"))
    beats = _beats(status)
    for name, (at, progress) in beats.items():
        quiet, gone = status.now_s - at, name == SENDING and status.sender is None
        said = Text(words.age(quiet), style="bold red" if quiet > QUIET_S or gone else "green")
        table.add_row(f"heartbeat {name}", f"{progress:,}", said)
    if status.sender is not None:
        host = f" on {status.sender.host}" if status.sender.host else ""
        since = f"since {words.utc(status.sender.since_s)}"
        table.add_row("sender", Text(f"pid {status.sender.pid}", style="green"), f"lives{host}, {since}")
    elif SENDING in beats:
        table.add_row("sender", Text("dead", style="bold red"), "no process sends from this store: keeper run --send")
    elif beats:
        table.add_row("sender", "none", "nothing is sent from this store")
    if not beats:
        table.add_row("heartbeat", "–", Text("none: keeper run has not run here", style="bright_black"))
    if status.snapshot is not None and status.snapshot.fund is not None:
        table.add_row("insurance fund", words.usd(status.snapshot.fund.balance), "")
    return table


def _bands(status: Status) -> RenderableType:
    table = plain_table("accounts", "count", "", "equity, USD", "maintenance, USD", "initial, USD")
    total = max(1, sum(band.accounts for band in status.bands.values()))
    for band, one in status.bands.items():
        style = words.BAND_STYLES[band] if one.accounts else "bright_black"
        cells = max(1, round(one.accounts * BAR / total)) if one.accounts else 0
        amounts = [words.amount(x) if one.accounts and band != "unknown" else "–" for x in (one.equity, one.mm, one.im)]
        table.add_row(
            Text(str(band), style=style),
            str(one.accounts),
            Text("█" * cells, style=style, no_wrap=True, overflow="crop"),
            *amounts,
        )
    return table


def _markets(status: Status, snapshot: Snapshot) -> RenderableType:
    assert status.last is not None
    targets = {t.underlying: t for t in status.last.decision.targets}
    table = plain_table("market", "spot, USD", "scan range", "target", "file age", "next publication", "breaker")
    now = snapshot.block.timestamp
    for u in snapshot.underlyings:
        spot = Text(words.amount(u.spot.wad)) if isinstance(u.spot, Usable) else Text("unusable", style="bold red")
        target = targets.get(u.underlying)
        due = "–" if u.publication is None else "now" if u.publication.next_allowed_s <= now else "later"
        if u.publication is not None and u.publication.frozen:
            due = "frozen"
        elif due == "later" and u.publication is not None:
            due = f"in {u.publication.next_allowed_s - now} s"
        breaker = Text("–" if u.breaker is None else "closed", style="bright_black")
        if u.breaker is not None and u.breaker.open:
            breaker = Text(f"open, {max(0, u.breaker.until_s - now)} s at most", style="bold yellow")
        table.add_row(
            Text(u.symbol, style="bold"),
            spot,
            number("psr", u.live.ranges.psr_ppm if u.live else None),
            number("psr", target.ranges.psr_ppm if target else None),
            f"{now - u.live.time:,} s" if u.live else "–",
            due,
            breaker,
        )
    return table


def _breaker_tree(breaker: BreakerState | None) -> dict[str, Any] | None:
    if breaker is None:
        return None
    return {"open": breaker.open, "until_s": breaker.until_s or None, "why": breaker.why or None}


def _auctions(snapshot: Snapshot) -> list[RenderableType]:
    if not snapshot.auctions:
        return []
    table = plain_table("auction", "running", "paid in, USD", "paid by fund, USD", "")
    for one in snapshot.auctions:
        table.add_row(
            account_name(one.account),
            f"{snapshot.block.timestamp - one.start_time:,} s",
            words.amount(one.reserved),
            words.amount(one.paid_by_fund),
            Text("insolvent", style="bright_magenta") if one.insolvent_since else "",
        )
    return [table]


def _nearest(status: Status) -> list[RenderableType]:
    if not status.nearest:
        return []
    # In full, so that it can be handed to `keeper explain`.
    table = plain_table("nearest to liquidation", "health", "equity, USD", "maintenance, USD", "")
    for one in status.nearest:
        style = words.BAND_STYLES[one.band]
        health = Text(words.health(one.health_ppm), style=style)
        note = Text("in auction", style="red") if one.in_auction else ""
        table.add_row(account_name(one.account), health, words.amount(one.equity), words.amount(one.mm), note)
    return [table]


def _open(status: Status) -> list[RenderableType]:
    if not status.open_txs:
        return [Text("no transaction is open", style="bright_black")]
    table = plain_table("open transaction", "state", "nonce", "tries", "decided at", "why", numbers=2)
    for tx in status.open_txs:
        nonce = "–" if tx.nonce is None else str(tx.nonce)
        block = f"{tx.intent.decided_at.number:,}"
        table.add_row(tx.intent.kind, tx_state(tx), nonce, str(len(tx.attempts)), block, tx.intent.why)
    return [table]


def _notices(status: Status) -> list[RenderableType]:
    if not status.notices:
        return []
    table = plain_table(
        f"margin calls, {status.called} standing", "block", "health", "equity, USD", "maintenance, USD", ""
    )
    for one in status.notices:
        state = Text("ended", style="bright_black") if one.ended else Text("stands", style="yellow")
        call = one.call
        table.add_row(
            account_name(call.account),
            f"{one.block.number:,}",
            words.health(call.health_ppm),
            words.amount(call.equity),
            words.amount(call.mm),
            state,
        )
    return [table]


def _lately(status: Status) -> list[RenderableType]:
    if not status.lately:
        return [Text("nothing was decided lately", style="bright_black")]
    symbols = {u.underlying: u.symbol for u in status.snapshot.underlyings} if status.snapshot else {}
    table = plain_table("lately", "block", "on", "why", "what became of it", numbers=1)
    for one in status.lately:
        action = one.handed.action
        table.add_row(
            Text(kind(action), style="bold"),
            f"{one.block.number:,}",
            on_what(action, symbols),
            Text(action.why),
            became(one.handed, one.tx),
        )
    return [table]


def _beats(status: Status) -> dict[str, tuple[int, int]]:
    """Heartbeats by mode; those of a version that had but one for both are left out."""
    return {name: beat for name, beat in status.heartbeats.items() if name != BEFORE_MODES}


def _sender_tree(status: Status) -> dict[str, Any]:
    one = status.sender
    if one is None:
        return {"state": "dead" if SENDING in _beats(status) else "none"}
    return {"state": "lives", "pid": one.pid, "host": one.host, "since_s": one.since_s}


def status_tree(status: Status) -> dict[str, Any]:
    """Everything, as one object."""
    last, snapshot = status.last, status.snapshot
    targets = {t.underlying: t for t in last.decision.targets} if last else {}
    return {
        "now_s": status.now_s,
        "last_block": None
        if last is None
        else {"number": last.block.number, "hash": last.block.hash, "timestamp": last.block.timestamp},
        "sender": _sender_tree(status),
        "heartbeats": {name: {"at_s": at, "block": block} for name, (at, block) in _beats(status).items()},
        "alerts": list(last.decision.alerts) if last else [],
        "accounts": {
            str(band): {
                "count": one.accounts,
                "equity": words.money(one.equity),
                "mm": words.money(one.mm),
                "im": words.money(one.im),
            }
            for band, one in status.bands.items()
        },
        "markets": [
            {
                "underlying": u.underlying,
                "symbol": u.symbol,
                "spot": words.money(u.spot.wad) if isinstance(u.spot, Usable) else None,
                "psr_ppm": u.live.ranges.psr_ppm if u.live else None,
                "psr_target_ppm": targets[u.underlying].ranges.psr_ppm if u.underlying in targets else None,
                "target": targets_tree(targets.get(u.underlying)),
                "im_uplift_pct": u.live.im_uplift_pct if u.live else None,
                "parameters": standings_tree(
                    u, targets.get(u.underlying), snapshot.block.timestamp, status.held.get(u.underlying, {})
                ),
                "breaker": _breaker_tree(u.breaker),
            }
            for u in snapshot.underlyings
        ]
        if snapshot
        else [],
        "fund": words.money(snapshot.fund.balance) if snapshot and snapshot.fund else None,
        "auctions": [
            {
                "account": account_name(one.account),
                "start_time": one.start_time,
                "insolvent_since": one.insolvent_since or None,
                "paid_in": words.money(one.reserved),
                "paid_by_fund": words.money(one.paid_by_fund),
            }
            for one in (snapshot.auctions if snapshot else ())
        ],
        "nearest": [
            {
                "account": account_name(one.account),
                "band": one.band,
                "health_ppm": str(one.health_ppm),
                "equity": words.money(one.equity),
                "mm": words.money(one.mm),
            }
            for one in status.nearest
        ],
        "open_transactions": [tx_tree(tx) for tx in status.open_txs],
        "money": money_tree(status.money),
        "margin_calls_standing": status.called,
        "margin_calls": [
            {
                "account": account_name(one.call.account),
                "block": one.block.number,
                "health_ppm": str(one.call.health_ppm),
                "equity": words.money(one.call.equity),
                "mm": words.money(one.call.mm),
                "ended": one.ended,
            }
            for one in status.notices
        ],
        "lately": [{"block": one.block.number} | handed_tree(one.handed, one.tx) for one in status.lately],
    }
