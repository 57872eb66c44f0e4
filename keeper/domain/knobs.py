"""The operator's choices that the pure middle reads, as plain frozen values.

They are part of a cycle's stored inputs, so a replay uses the knobs of that day.  `keeper.settings` builds them from
the `[risk]` and `[policy]` sections; the docstring under each field is its comment in the file `keeper init` writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from keeper.errors import BadInput

_PPM = 1_000_000
#: Stands for every ticker that a table of the operator's does not name.
OTHERS: Final = "others"


@dataclass(frozen=True, kw_only=True)
class ImpliedKnobs:
    """When quoted volatilities are believed, and how much they weigh; where they are not, realised ones are used."""

    weight_ppm: int = 1_000_000
    """Weight of quoted against realised variance at the money, ppm; 1000000 is quotes alone, 0 realised alone.  Smile
    and forward are the quotes' in any case."""
    max_age_s: int = 300
    """Most seconds between the quotes and the block's time, either way."""
    max_index_gap_ppm: int = 20_000
    """Furthest the venue's index may be from our oracle's price, relative, ppm."""
    max_carry_ppm: int = 1_000_000
    """Furthest a quoted forward may be from the venue's index, ppm a year, and 1 % beside."""
    vol_min_ppm: int = 50_000
    """Quoted volatilities below this are left out, ppm."""
    vol_max_ppm: int = 5_000_000
    """Quoted volatilities above this are left out, ppm."""
    min_quotes: int = 6
    """An expiry with fewer strikes quoted than this is left out."""
    max_fit_error_ppm: int = 30_000
    """An expiry is left out if the fitted smile misses its quotes by more than this, root mean square, ppm."""
    max_ratio: float = 4.0
    """An expiry is left out if its quoted volatility at the money is more than so many times the realised one of its
    tenor, or less than the inverse."""
    max_stretch: float = 2.0
    """A listed expiry before the first quoted one, or after the last, is read off the surface if its time to expiry is
    within this factor of that one's."""

    def validate(self) -> None:
        """Raises: `BadInput` naming the first knob out of range."""
        _within("risk.implied.weight_ppm", self.weight_ppm, 0, _PPM)
        _within("risk.implied.max_age_s", self.max_age_s, 1, 31_536_000)
        _within("risk.implied.max_index_gap_ppm", self.max_index_gap_ppm, 1, 500_000)
        _within("risk.implied.max_carry_ppm", self.max_carry_ppm, 0, 10 * _PPM)
        _within("risk.implied.vol_max_ppm", self.vol_max_ppm, 1, 10 * _PPM)
        _within("risk.implied.vol_min_ppm", self.vol_min_ppm, 1, self.vol_max_ppm)
        _within("risk.implied.min_quotes", self.min_quotes, 5, 1_000)
        _within("risk.implied.max_fit_error_ppm", self.max_fit_error_ppm, 1, _PPM)
        _within("risk.implied.max_ratio", self.max_ratio, 1.0, 100.0)
        _within("risk.implied.max_stretch", self.max_stretch, 1.0, 10.0)


@dataclass(frozen=True, kw_only=True)
class RiskKnobs:
    """How parameters are estimated from oracle rounds."""

    ewma_lambda: float = 0.97
    """Weight of the past in the EWMA variance, per day; the newest day weighs 1 − λ.  Above 0, below 1."""
    es_level: float = 0.99
    """Expected-shortfall level α behind the price scan range.  0.5 to 0.9999."""
    horizon_hours: float = 24.0
    """Time to close out an account, in hours; the scan range covers a move over this time.  0.25 to 240."""
    history_days: int = 60
    """Days of oracle rounds that are looked at."""
    min_observations: int = 24
    """Fewer oracle rounds than this give no target: the parameters on-chain stay as they are."""
    max_round_age_s: int = 90_000
    """A newest oracle round older than this gives no target, in seconds; above the feed's own heartbeat."""
    psr_floor_ppm: int = 80_000
    """Lowest price scan range, ppm of spot: fences cannot follow a crash, a floor waits for it."""
    psr_ceiling_ppm: int = 325_000
    """Highest price scan range, ppm of spot.  Above 325000 the −3 scan row would reach a negative price."""
    stress_weight: float = 0.25
    """Weight w of the stressed period in the scan range, so that a calm month does not forget a crash.  0 to 1."""
    stress_days: int = 365
    """Length of the stressed period, in days: the wildest one within the history."""
    floor_share: float = 1.0
    """Share of the expected shortfall of the whole history below which the scan range never falls.  0 to 1."""
    psr_multiplier: float = 1.0
    """Factor on the expected shortfall, for what the estimate does not see.  1 to 3."""
    psr_lattice_ppm: int = 2_500
    """Scan ranges are rounded up to a multiple of this, so that daily noise does not move them.  ppm."""
    vsr_up_ppm: int = 450_000
    """One full rise of a 30-day volatility, relative, ppm."""
    vsr_down_ppm: int = 300_000
    """One full fall of a 30-day volatility, relative, ppm; less than 1000000."""
    vol_floor_ppm: int = 250_000
    """Lowest annual volatility we publish, ppm."""
    vol_ceiling_ppm: int = 3_000_000
    """Highest annual volatility we publish, ppm."""
    term_short_power: float = 0.3
    """Exponent of (30 / days to expiry) by which volatility departs from its mean up to 30 days.  0 to 1."""
    term_long_power: float = 0.13
    """The same beyond 30 days.  0 to 1."""
    discount_rate_ppm: int = 0
    """Annual rate, ppm, at which option values are discounted; 0 because margin here earns nothing."""
    implied: ImpliedKnobs = ImpliedKnobs()
    """When quoted volatilities are believed, and how much they weigh."""

    def validate(self) -> None:
        """Raises: `BadInput` naming the first knob out of range."""
        _within("risk.ewma_lambda", self.ewma_lambda, 0.01, 0.9999)
        _within("risk.es_level", self.es_level, 0.5, 0.9999)
        _within("risk.horizon_hours", self.horizon_hours, 0.25, 240)
        _within("risk.history_days", self.history_days, 1, 3650)
        _within("risk.min_observations", self.min_observations, 2, 1_000_000)
        _within("risk.max_round_age_s", self.max_round_age_s, 1, 31_536_000)
        _within("risk.psr_ceiling_ppm", self.psr_ceiling_ppm, 1, 325_000)
        _within("risk.psr_floor_ppm", self.psr_floor_ppm, 1, self.psr_ceiling_ppm)
        _within("risk.stress_weight", self.stress_weight, 0, 1)
        _within("risk.stress_days", self.stress_days, 1, 3650)
        _within("risk.floor_share", self.floor_share, 0, 1)
        _within("risk.psr_multiplier", self.psr_multiplier, 1, 3)
        _within("risk.psr_lattice_ppm", self.psr_lattice_ppm, 1, 100_000)
        _within("risk.vsr_up_ppm", self.vsr_up_ppm, 1, 5 * _PPM)
        _within("risk.vsr_down_ppm", self.vsr_down_ppm, 1, _PPM - 1)
        _within("risk.vol_ceiling_ppm", self.vol_ceiling_ppm, 1, 10 * _PPM)
        _within("risk.vol_floor_ppm", self.vol_floor_ppm, 1, self.vol_ceiling_ppm)
        _within("risk.term_short_power", self.term_short_power, 0, 1)
        _within("risk.term_long_power", self.term_long_power, 0, 1)
        _within("risk.discount_rate_ppm", self.discount_rate_ppm, 0, _PPM)
        self.implied.validate()


@dataclass(frozen=True, kw_only=True)
class PolicyKnobs:
    """When to act, and how far to go."""

    hysteresis_ppm: int = 50_000
    """A published number is pushed again when its target differs by more than this, relative, ppm."""
    forward_hysteresis_ppm: int = 2_500
    """A published forward, or a discount factor, is pushed again when its target differs by more than this, ppm of
    spot or of one."""
    heartbeat_s: int = 86_400
    """Push at least this often, in seconds, even if nothing moved."""
    regime_short_s: int = 21_600
    """Hours of the newest volatility that a regime is told by, in seconds."""
    regime_long_s: int = 604_800
    """Days of the usual volatility that it is held against, in seconds; at least four times regime_short_s."""
    regime_ratio_ppm: int = 2_000_000
    """The market counts as stormy while the newest volatility is more than this share of the usual one, ppm: then a
    fifth of the hysteresis band already pushes what tightens, and no scan range loosens."""
    loosen_after_s: int = 21_600
    """A scan range is lowered once its target has been lower for this long, in seconds; it is raised at once."""
    loosen_step_ppm: int = 250_000
    """Part of the way down to its target by which one push lowers a scan range, ppm."""
    impact_gate: str = "slow"
    """slow, refuse or off: what happens to a push that would liquidate more than the two shares below.  slow shortens
    the step until it does not, refuse waits."""
    impact_max_accounts_ppm: int = 50_000
    """Largest share of an underlying's holders that one push, or all pushes of a day together, may bring below
    maintenance, ppm.  A day's are held against the parameters of a day ago, which the chain remembers, at today's
    price; and whom our own pushes, and those that we signed, brought down counts whatever became of it.  Of a push that
    is not ours, whom an auction closed meanwhile is not seen: keeper impact says which of the day's are not."""
    impact_max_requirement_ppm: int = 50_000
    """Largest share of the holders' maintenance that the accounts they bring below may have, ppm; by the push and by
    the day alike."""
    refresh_age_s: int = 3_600
    """Refresh a risk file older than this, in seconds.  Keep it below the contract's own age limit."""
    refresh_distance_ppm: int = 700_000
    """Refresh once spot has moved this part of the distance limit (a third of the scan range), ppm."""
    margin_call_buffer_ppm: int = 100_000
    """An account with 1 <= health < 1 + this is told, ppm."""
    max_inventory_usd: int = 1_000_000
    """Most risk our own account may carry: its requirement before add-ons, in whole USD."""
    max_bid_fraction_ppm: int = 1_000_000
    """Largest part of an auctioned account that one bid takes, ppm."""
    min_bid_fraction_ppm: int = 10_000
    """Smaller slices are not worth a transaction, ppm; a remainder is taken whole."""
    min_bid_edge_ppm: int = 5_000
    """Least discount below the account's value at which we bid, ppm."""
    bid_slippage_ppm: int = 5_000
    """How much more than computed a bid may cost by the time it mines, ppm; a standard deviation of what spot may move
    until then comes on top, and never so much that the hedge would eat the discount."""
    hedge_volume_usd_per_day: int | Mapping[str, int] = 1_000_000_000
    """What is traded a day in an underlying where you hedge, whole USD: the depth behind the cost of a hedge.  One
    number for all, or by ticker with others for the rest: { ETH = 20_000_000_000, others = 1_000_000_000 }."""
    hedge_impact: float = 1.0
    """Y of the square-root law by which a hedge moves the price.  0 to 10."""
    hedge_wait_s: int = 60
    """Seconds from the decision to bid until its hedge is on."""
    hedge_half_spread_ppm: int = 10_000
    """Half the bid-ask spread of volatilities where you hedge, ppm; 10000 is a volatility point."""
    addon_life_s: int = 3_600
    """How long an add-on to IM for the state of the market lives, in seconds; renewed while it is due.  To a day."""
    addon_sure_age_s: int = 3_600
    """An oracle round older than this, in seconds, makes its price less than sure; at twice the age nothing is sure."""
    addon_late_ppm: int = 200_000
    """What IM is widened by when nothing is sure about a price, ppm; 0 turns it off."""
    addon_peg_symbol: str = ""
    """A listed collateral whose price tells whether the settlement token holds its peg; empty turns it off."""
    addon_peg_floor_ppm: int = 995_000
    """Below this price, ppm of a dollar, the peg counts as weak."""
    addon_peg_slope: int = 5
    """What IM is widened by for each part that the peg is weak: 5 adds 5 % for 1 %."""
    addon_oi_low_usd: int = 0
    """Open interest from which IM widens, whole USD an underlying."""
    addon_oi_high_usd: int = 0
    """Open interest at which it is widened most, whole USD an underlying; 0 turns it off."""
    addon_oi_ppm: int = 500_000
    """What IM is widened by at `addon_oi_high_usd`, ppm."""
    max_actions_per_block: int = 10
    """Most transactions decided in one block; the most urgent go first."""
    intent_ttl_s: int = 300
    """A decided transaction that is not signed within this many seconds is forgotten and decided anew."""
    max_standby_per_block: int = 500
    """Most actions that stand by in one block: they move up when more urgent ones turn out not to be wanted."""
    refused_wait_max_blocks: int = 64
    """Longest wait, in blocks, for a flag or bid that was refused; it doubles with each refusal in a row, and ends
    when the account changes."""
    native_symbol: str = "ETH"
    """Ticker of the chain's native currency among the oracle's assets: gas is weighed against gains at its price.
    Empty, or not listed there: what an action is worth is unknown."""
    loss_budget_usd_per_day: int = 250
    """What you pay in 24 hours to protect the protocol: flags and bids that cost more gas than they bring go out only
    while this lasts.  Whole USD; 0 acts at a profit only."""
    when_unknown: str = "act"
    """act or wait, where worth or gas cannot be told in USD; act spends at most unknown_gas_gwei on it."""
    unknown_gas_gwei: int = 50_000_000
    """Most gas money for one action of unknown worth, in gwei of native currency; 50000000 is 0.05 of it."""

    def validate(self) -> None:
        """Raises: `BadInput` naming the first knob out of range."""
        _within("policy.hysteresis_ppm", self.hysteresis_ppm, 0, 10 * _PPM)
        _within("policy.forward_hysteresis_ppm", self.forward_hysteresis_ppm, 0, _PPM)
        _within("policy.heartbeat_s", self.heartbeat_s, 1, 31_536_000)
        _within("policy.regime_short_s", self.regime_short_s, 60, 31_536_000)
        _within("policy.regime_long_s", self.regime_long_s, 4 * self.regime_short_s, 315_360_000)
        _within("policy.regime_ratio_ppm", self.regime_ratio_ppm, _PPM, 1_000 * _PPM)
        _within("policy.loosen_after_s", self.loosen_after_s, 0, 31_536_000)
        _within("policy.loosen_step_ppm", self.loosen_step_ppm, 1, _PPM)
        _within("policy.impact_max_accounts_ppm", self.impact_max_accounts_ppm, 0, _PPM)
        _within("policy.impact_max_requirement_ppm", self.impact_max_requirement_ppm, 0, _PPM)
        if self.impact_gate not in ("slow", "refuse", "off"):
            said = f"policy.impact_gate = {self.impact_gate!r} is none of slow, refuse and off"
            hint = "slow shortens a push that would liquidate too many, refuse waits, off pushes it"
            raise BadInput(said, hint=hint, key="policy.impact_gate", value=self.impact_gate)
        _within("policy.refresh_age_s", self.refresh_age_s, 1, 31_536_000)
        _within("policy.refresh_distance_ppm", self.refresh_distance_ppm, 1, _PPM)
        _within("policy.margin_call_buffer_ppm", self.margin_call_buffer_ppm, 0, 10 * _PPM)
        _within("policy.max_inventory_usd", self.max_inventory_usd, 0, 10**12)
        _within("policy.max_bid_fraction_ppm", self.max_bid_fraction_ppm, 1, _PPM)
        _within("policy.min_bid_fraction_ppm", self.min_bid_fraction_ppm, 0, self.max_bid_fraction_ppm)
        _within("policy.min_bid_edge_ppm", self.min_bid_edge_ppm, 0, _PPM)
        _within("policy.bid_slippage_ppm", self.bid_slippage_ppm, 0, _PPM)
        _volumes("policy.hedge_volume_usd_per_day", self.hedge_volume_usd_per_day)
        _within("policy.hedge_impact", self.hedge_impact, 0, 10)
        _within("policy.hedge_wait_s", self.hedge_wait_s, 1, 86_400)
        _within("policy.hedge_half_spread_ppm", self.hedge_half_spread_ppm, 0, _PPM)
        _within("policy.addon_life_s", self.addon_life_s, 60, 86_400)
        _within("policy.addon_sure_age_s", self.addon_sure_age_s, 60, 31_536_000)
        _within("policy.addon_late_ppm", self.addon_late_ppm, 0, 500_000)
        _within("policy.addon_peg_floor_ppm", self.addon_peg_floor_ppm, 500_000, _PPM)
        _within("policy.addon_peg_slope", self.addon_peg_slope, 0, 100)
        _within("policy.addon_oi_high_usd", self.addon_oi_high_usd, 0, 10**13)
        _within("policy.addon_oi_low_usd", self.addon_oi_low_usd, 0, max(0, self.addon_oi_high_usd - 1))
        _within("policy.addon_oi_ppm", self.addon_oi_ppm, 0, 500_000)
        _within("policy.max_actions_per_block", self.max_actions_per_block, 1, 1_000)
        _within("policy.intent_ttl_s", self.intent_ttl_s, 1, 86_400)
        _within("policy.max_standby_per_block", self.max_standby_per_block, 0, 10_000)
        _within("policy.refused_wait_max_blocks", self.refused_wait_max_blocks, 1, 100_000)
        _within("policy.loss_budget_usd_per_day", self.loss_budget_usd_per_day, 0, 10**9)
        _within("policy.unknown_gas_gwei", self.unknown_gas_gwei, 1, 10**12)
        if self.when_unknown not in ("act", "wait"):
            said = f"policy.when_unknown = {self.when_unknown!r} is neither act nor wait"
            hint = "act spends at most policy.unknown_gas_gwei; wait leaves such actions alone"
            raise BadInput(said, hint=hint, key="policy.when_unknown", value=self.when_unknown)


def _volumes(name: str, volumes: int | Mapping[str, int]) -> None:
    if not isinstance(volumes, Mapping):
        _within(name, volumes, 1, 10**13)
        return
    for symbol, volume in volumes.items():
        _within(f"{name}.{symbol}", volume, 1, 10**13)
    named = [symbol.upper() for symbol in volumes]
    if len(set(named)) != len(named) or OTHERS.upper() not in named:
        said = f"{name} names {', '.join(volumes) or 'nothing'}"
        hint = f"name each ticker once, and {OTHERS} for the rest: {{ ETH = 5_000_000, {OTHERS} = 1_000 }}"
        raise BadInput(said, hint=hint, key=name, value=", ".join(volumes))


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # false for NaN too
        hint = f"choose a value from {low} to {high}"
        raise BadInput(f"{name} = {value} is out of range", hint=hint, key=name, value=value, low=low, high=high)
