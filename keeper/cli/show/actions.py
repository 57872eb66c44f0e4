"""Actions, what became of them, and transactions."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from keeper.cli.show import words
from keeper.cli.show.takeover import takeover_tree
from keeper.domain.action import Action, Bid, Publish, Refresh, SetAddOn, SettleExpiry, SyncBreaker, kind
from keeper.domain.cycle import Handed
from keeper.domain.tx import TxRecord, TxState
from keeper.offline import account_name

#: What the dry sender puts before its reason.
DRY = "dry run: "

_STYLES = {
    TxState.PLANNED: "cyan",
    TxState.SIGNED: "cyan",
    TxState.SENT: "cyan",
    TxState.MINED: "green",
    TxState.FINAL: "bold green",
    TxState.REVERTED: "bold red",
    TxState.REPLACED: "yellow",
    TxState.EXPIRED: "yellow",
    TxState.DROPPED: "red",
    TxState.ABANDONED: "bold red",
}


def on_what(action: Action, symbols: dict[int, str]) -> str:
    """What an action acts on, short."""
    if isinstance(action, Publish | Refresh | SetAddOn | SyncBreaker):
        return symbols.get(action.underlying, f"underlying {action.underlying}")
    if isinstance(action, SettleExpiry):
        return f"{symbols.get(action.underlying, action.underlying)} {words.day(action.expiry)}"
    return words.account(action.account)


def became(handed: Handed, tx: TxRecord | None = None) -> Text:
    """What became of an action: its transaction as it stands now if it is given, else as it was handed over."""
    if tx is not None:
        return Text.assemble(tx_state(tx), f": {tx.reason}" if tx.reason else "")
    if handed.reason.startswith(DRY):
        said = handed.reason.removeprefix(DRY)
        return Text(f"dry: {said}", style="bright_black" if said == "would be sent" else "red")
    style = {"notice": "yellow", "failed": "bold red"}.get(handed.state) or _STYLES.get(TxState(handed.state), "")
    return Text.assemble((handed.state, style), f": {handed.reason}" if handed.reason else "")


def tx_state(tx: TxRecord) -> Text:
    """State of a transaction."""
    return Text(str(tx.state), style=_STYLES[tx.state])


def action_tree(action: Action) -> dict[str, Any]:
    """An action as an object."""
    tree: dict[str, Any] = {"kind": kind(action), "why": action.why}
    if isinstance(action, Publish | Refresh | SetAddOn | SettleExpiry | SyncBreaker):
        tree["underlying"] = action.underlying
    else:
        tree |= {"account": account_name(action.account), "account_id": f"{action.account:#066x}"}
    if isinstance(action, SettleExpiry):
        tree["expiry"] = action.expiry
    if isinstance(action, Publish):
        tree |= {"id": action.id, "psr_ppm": action.params.ranges.psr_ppm, "inputs_hash": action.inputs_hash}
    if isinstance(action, SetAddOn):
        tree |= {"ppm": action.ppm, "valid_until": action.valid_until}
    if isinstance(action, Bid):
        tree |= {"fraction_wad": str(action.fraction_wad), "max_cost": words.money(action.max_cost)}
        tree["takes_over"] = takeover_tree(action)
    return tree


def handed_tree(handed: Handed, tx: TxRecord | None = None) -> dict[str, Any]:
    """An action and what became of it: its transaction as it stands now if it is given."""
    dry = handed.reason.startswith(DRY)
    return action_tree(handed.action) | {
        "state": "dry" if dry else tx.state if tx else handed.state,
        "reason": tx.reason if tx else handed.reason.removeprefix(DRY),
        "intent_key": handed.intent_key,
        "worth": handed.worth,
    }


def tx_tree(tx: TxRecord) -> dict[str, Any]:
    """A transaction as an object."""
    return {
        "key": tx.intent.key,
        "kind": tx.intent.kind,
        "subject": tx.intent.subject,
        "state": tx.state,
        "sender": tx.sender,
        "nonce": tx.nonce,
        "attempts": [attempt.tx_hash for attempt in tx.attempts],
        "mined_block": tx.mined.number if tx.mined else None,
        "mined_hash": tx.mined_hash,
        "reason": tx.reason,
        "why": tx.intent.why,
    }
