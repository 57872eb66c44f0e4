"""When a transaction counts as final, as the settings say."""

from __future__ import annotations

from keeper.chain.asking.rpc import Rpc
from keeper.chain.sending.finality import Confirmations, Finality, Rule, TaggedFinality
from keeper.settings import Settings


def finality_of(settings: Settings, rpc: Rpc) -> Finality:
    """The rule of each kind of action."""
    confirmations = settings.chain.confirmations
    default = _rule(settings.chain.settle_on, confirmations)
    pairs = (pair.partition("=") for pair in settings.chain.settle_on_by_action)
    by_kind = {kind: _rule(rule, confirmations) for kind, _, rule in pairs}
    counts = {kind: rule for kind, rule in by_kind.items() if isinstance(rule, int)}
    if isinstance(default, int) and len(counts) == len(by_kind):
        return Confirmations(default, counts)
    return TaggedFinality(rpc, confirmations=confirmations, default=default, by_kind=by_kind)


def _rule(text: str, confirmations: int) -> Rule:
    match text:
        case "safe" | "finalized":
            return text
        case "confirmations":
            return confirmations
    return int(text)
