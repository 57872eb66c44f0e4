"""Law: each key of the settings has an effect.  A key that nobody reads lies to the operator.

CONSUMERS names, for each key, the module that reads it.  A key without a line fails; so does a line whose module does
not read the key.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

import keeper
from keeper.settings import Settings
from keeper.settings.tree import leaves

PACKAGE = Path(keeper.__file__).parent


def _keys() -> dict[str, str]:
    """Both roles have the same sources, and one module that reads them."""
    role = ("publisher", "liquidator")
    sources = [key for key in leaves(Settings) if key.startswith("keys.publisher.")]
    both = [key.replace("keys.publisher", f"keys.{one}", 1) for key in sources for one in role]
    return dict.fromkeys([*both, *(f"keys.more_{one}s" for one in role)], "wiring/keys.py")


#: Key → module under keeper/ that reads it.
CONSUMERS: dict[str, str] = {
    **_keys(),
    "chain.rpc_urls": "wiring/nodes.py",
    "chain.chain_id": "wiring/nodes.py",
    "chain.confirmations": "wiring/__init__.py",
    "chain.settle_on": "wiring/finality.py",
    "chain.settle_on_by_action": "wiring/finality.py",
    "chain.reorg_depth": "wiring/__init__.py",
    "chain.multicall": "wiring/__init__.py",
    "protocol.accepted_code": "wiring/__init__.py",
    "chain.poll_interval_s": "wiring/__init__.py",
    "chain.request_timeout_s": "wiring/nodes.py",
    "chain.quorum": "wiring/nodes.py",
    "chain.max_head_age_s": "wiring/nodes.py",
    "chain.max_head_lag_blocks": "wiring/nodes.py",
    "chain.retries": "wiring/nodes.py",
    "chain.call_deadline_s": "wiring/nodes.py",
    "chain.batch_size": "wiring/nodes.py",
    "protocol.name": "wiring/__init__.py",
    "protocol.deployment_file": "wiring/__init__.py",
    "store.url": "wiring/__init__.py",
    "fees.max_fee_gwei": "wiring/sender.py",
    "fees.priority_fee_gwei": "wiring/sender.py",
    "fees.max_spend_eth_per_day": "wiring/sender.py",
    "fees.replace_after_blocks": "wiring/sender.py",
    "fees.stuck_after_blocks": "wiring/sender.py",
    "fees.abandon_after_blocks": "wiring/sender.py",
    "relay.url": "wiring/relay.py",
    "relay.method": "wiring/relay.py",
    "relay.auth_file": "wiring/relay.py",
    "relay.kinds": "wiring/relay.py",
    "relay.fallback_after_blocks": "wiring/relay.py",
    "relay.when_down": "wiring/relay.py",
    "relay.request_timeout_s": "wiring/relay.py",
    "quotes.source": "wiring/__init__.py",
    "quotes.file": "wiring/__init__.py",
    "quotes.url": "wiring/__init__.py",
    "quotes.names": "wiring/__init__.py",
    "quotes.poll_every_s": "wiring/__init__.py",
    "quotes.request_timeout_s": "wiring/__init__.py",
    "quotes.max_per_expiry": "wiring/__init__.py",
    "risk.ewma_lambda": "risk/calibration/fitting.py",
    "risk.es_level": "risk/calibration/scan_range.py",
    "risk.horizon_hours": "risk/calibration/scan_range.py",
    "risk.history_days": "wiring/__init__.py",
    "risk.max_round_age_s": "risk/calibration/fitting.py",
    "risk.min_observations": "risk/calibration/fitting.py",
    "risk.psr_floor_ppm": "risk/calibration/scan_range.py",
    "risk.psr_ceiling_ppm": "risk/calibration/scan_range.py",
    "risk.psr_multiplier": "risk/calibration/scan_range.py",
    "risk.psr_lattice_ppm": "risk/calibration/scan_range.py",
    "risk.stress_weight": "risk/calibration/scan_range.py",
    "risk.stress_days": "risk/calibration/scan_range.py",
    "risk.floor_share": "risk/calibration/scan_range.py",
    "risk.vsr_up_ppm": "risk/calibration/scan_range.py",
    "risk.vsr_down_ppm": "risk/calibration/scan_range.py",
    "risk.vol_floor_ppm": "risk/calibration/term.py",
    "risk.vol_ceiling_ppm": "risk/calibration/term.py",
    "risk.term_short_power": "risk/calibration/term.py",
    "risk.term_long_power": "risk/calibration/term.py",
    "risk.discount_rate_ppm": "risk/calibration/term.py",
    "risk.implied.weight_ppm": "risk/calibration/implied.py",
    "risk.implied.max_age_s": "risk/calibration/implied.py",
    "risk.implied.max_index_gap_ppm": "risk/calibration/implied.py",
    "risk.implied.max_carry_ppm": "risk/calibration/implied.py",
    "risk.implied.vol_min_ppm": "risk/calibration/implied.py",
    "risk.implied.vol_max_ppm": "risk/calibration/implied.py",
    "risk.implied.min_quotes": "risk/calibration/implied.py",
    "risk.implied.max_fit_error_ppm": "risk/calibration/implied.py",
    "risk.implied.max_ratio": "risk/calibration/implied.py",
    "risk.implied.max_stretch": "risk/calibration/implied.py",
    "policy.hysteresis_ppm": "policy/triggers.py",
    "policy.forward_hysteresis_ppm": "policy/triggers.py",
    "policy.heartbeat_s": "policy/triggers.py",
    "policy.regime_short_s": "policy/triggers.py",
    "policy.regime_long_s": "policy/triggers.py",
    "policy.regime_ratio_ppm": "policy/triggers.py",
    "policy.loosen_after_s": "policy/publish.py",
    "policy.loosen_step_ppm": "policy/publish.py",
    "policy.impact_gate": "policy/publish.py",
    "policy.impact_max_accounts_ppm": "policy/weigh.py",
    "policy.impact_max_requirement_ppm": "policy/weigh.py",
    "policy.refresh_age_s": "policy/upkeep.py",
    "policy.refresh_distance_ppm": "policy/upkeep.py",
    "policy.margin_call_buffer_ppm": "cycle.py",
    "policy.max_inventory_usd": "policy/liquidate.py",
    "policy.max_bid_fraction_ppm": "policy/liquidate.py",
    "policy.min_bid_fraction_ppm": "policy/liquidate.py",
    "policy.min_bid_edge_ppm": "policy/liquidate.py",
    "policy.bid_slippage_ppm": "policy/liquidate.py",
    "policy.hedge_volume_usd_per_day": "policy/liquidate.py",
    "policy.hedge_impact": "policy/liquidate.py",
    "policy.hedge_wait_s": "policy/liquidate.py",
    "policy.hedge_half_spread_ppm": "policy/liquidate.py",
    "policy.addon_life_s": "policy/addons.py",
    "policy.addon_sure_age_s": "policy/addons.py",
    "policy.addon_late_ppm": "policy/addons.py",
    "policy.addon_peg_symbol": "policy/addons.py",
    "policy.addon_peg_floor_ppm": "policy/addons.py",
    "policy.addon_peg_slope": "policy/addons.py",
    "policy.addon_oi_low_usd": "policy/addons.py",
    "policy.addon_oi_high_usd": "policy/addons.py",
    "policy.addon_oi_ppm": "policy/addons.py",
    "policy.max_actions_per_block": "policy/decide.py",
    "policy.intent_ttl_s": "policy/publish.py",
    "policy.max_standby_per_block": "policy/decide.py",
    "policy.refused_wait_max_blocks": "policy/backoff.py",
    "policy.native_symbol": "policy/worth.py",
    "policy.loss_budget_usd_per_day": "policy/worth.py",
    "policy.when_unknown": "policy/worth.py",
    "policy.unknown_gas_gwei": "policy/worth.py",
    "jobs.heartbeat_every_s": "wiring/__init__.py",
    "jobs.reconcile_every_s": "wiring/__init__.py",
    "jobs.reconcile_sample": "wiring/__init__.py",
    "jobs.housekeeping_every_s": "wiring/__init__.py",
    "jobs.snapshots_kept": "wiring/__init__.py",
    "model.shadow_blocks": "cli/model.py",
    "log.level": "cli/options.py",
    "log.format": "cli/options.py",
}

#: Where reading a key is no effect: it is defined, or checked, there.
DEFINED = ("settings", "domain/knobs.py")

#: A property through which a key is read under another name.
READ_AS = {
    "max_fee_gwei": "max_fee_wei",
    "priority_fee_gwei": "priority_fee_wei",
    "max_spend_eth_per_day": "max_spend_wei_per_day",
}


#: Names under which the knobs are handed around; other sections are read as `settings.section.key`.
OWNERS = {"risk": {"knobs", "risk"}, "risk.implied": {"knobs", "implied"}, "policy": {"knobs", "_knobs", "policy"}}


@cache
def reads() -> dict[tuple[str, str], set[str]]:
    """(owner, attribute) → modules of the package with an `owner.attribute` or `….owner.attribute` in them."""
    found = defaultdict(set)
    for path in sorted(PACKAGE.rglob("*.py")):
        module = path.relative_to(PACKAGE).as_posix()
        if module.startswith(DEFINED):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                owner = getattr(node.value, "attr", getattr(node.value, "id", ""))
                found[owner, node.attr].add(module)
    return found


def readers(key: str) -> set[str]:
    """Modules that read a key."""
    *sections, name = key.split(".")
    wanted, known = READ_AS.get(name, name), reads()
    if sections[0] == "keys":  # a key's source is handed over whole
        return {module for (_, attribute), where in known.items() if attribute == wanted for module in where}
    owners = OWNERS.get(".".join(sections), set(sections[-1:]))
    return {module for owner in owners for module in known[owner, wanted]}


def test_consumers__name_existing_keys():
    assert not set(CONSUMERS) - set(leaves(Settings)), "these keys are gone"


@pytest.mark.parametrize("key", list(leaves(Settings)))
def test_key__has_an_effect(key):
    assert key in CONSUMERS, f"say in CONSUMERS which module reads {key}"
    found = readers(key)
    assert CONSUMERS[key] in found, f"{CONSUMERS[key]} does not read {key}; it is read in {sorted(found)}"
