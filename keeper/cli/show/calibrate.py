"""What `keeper calibrate` found, for a person and for a script."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from keeper.cli.show.roomy import Roomy
from keeper.cli.show.surface import miss
from keeper.cli.show.words import day, percent, signed
from keeper.domain.knobs import RiskKnobs
from keeper.risk import lattice
from keeper.risk.backtest.judge import RECENT, Judgement
from keeper.risk.backtest.traffic_light import TrafficLight, Zone
from keeper.risk.calibration.calibrate import Calibration, Sample, Side, Swing
from keeper.risk.calibration.haircuts import Haircut
from keeper.risk.calibration.scan_range import Binding
from keeper.risk.calibration.surface_targets import SurfaceTargets
from keeper.risk.calibration.vol_range import VolRange
from keeper.risk.timeseries.volatility import Unestimated

_DAY_S: Final = 86_400
#: A coverage test whose exact p is below this is called by its name.
_SIGNIFICANT: Final = 0.05
_ZONES: Final = {Zone.GREEN: "green", Zone.YELLOW: "yellow", Zone.RED: "red"}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Everything that was asked for."""

    knobs: RiskKnobs
    origin: str
    """Where the knobs are from."""
    seed: int
    replicates: int
    prices: Sequence[tuple[str, Calibration | Unestimated]]
    """By name, in the order asked."""
    vols: Sequence[tuple[str, tuple[VolRange, VolRange] | Unestimated]]
    """Up and down, by name."""
    surfaces: Sequence[tuple[str, SurfaceTargets | Unestimated]]
    """By underlying."""


def calibrate_tree(found: Answer) -> dict[str, object]:
    """Figures as they are, for a script."""
    return {
        "settings": {"from": found.origin, **_plain(found.knobs)},
        "seed": found.seed,
        "replicates": found.replicates,
        "prices": [{"name": name, **_plain(one)} for name, one in found.prices],
        "vols": [
            {
                "name": name,
                **(_plain(one) if isinstance(one, Unestimated) else {str(v.way): _plain(v) for v in one}),
            }
            for name, one in found.vols
        ],
        "surfaces": [{"name": name, **_plain(one)} for name, one in found.surfaces],
        "keeper_toml": dict(_settings(found)),
    }


def _plain(one: Any) -> Any:
    """Records as objects, down to numbers and text."""
    if dataclasses.is_dataclass(one):
        return {f.name: _plain(getattr(one, f.name)) for f in dataclasses.fields(one)}
    if isinstance(one, Mapping):
        return {str(key): _plain(value) for key, value in one.items()}
    if isinstance(one, list | tuple):
        return [_plain(value) for value in one]
    return one.value if isinstance(one, Enum) else one


def calibrate_view(found: Answer) -> RenderableType:
    """For a terminal."""
    k = found.knobs
    parts: list[RenderableType] = [
        Text(
            f"ES {percent(lattice.to_ppm(k.es_level))} over {k.horizon_hours:g} h, λ {k.ewma_lambda:g}, "
            f"stress weight {k.stress_weight:g} "
            f"({found.origin}); seed {found.seed}, {found.replicates} bootstrap samples",
            style="bright_black",
        )
    ]
    for name, one in found.prices:
        parts += [Text(""), *(_unestimated(name, one) if isinstance(one, Unestimated) else _calibration(one, k))]
    for name, both in found.vols:
        parts += [
            Text(""),
            *(_unestimated(name, both) if isinstance(both, Unestimated) else _vol_ranges(name, both, k)),
        ]
    for name, chain in found.surfaces:
        parts += [Text(""), *(_unestimated(name, chain) if isinstance(chain, Unestimated) else _surface(name, chain))]
    return Group(*parts, *_keeper_toml(found))


def _unestimated(name: str, one: Unestimated) -> list[RenderableType]:
    return [Text.assemble((name, "bold"), ("  not calibrated: ", "red"), one.reason)]


def _calibration(one: Calibration, knobs: RiskKnobs) -> list[RenderableType]:
    scan, spread = one.scan, one.interval
    headline = Text.assemble(
        ("  scan range ", ""),
        (percent(scan.psr_ppm), "bold cyan"),
        f"  {scan.binding} binds; nine of ten such histories: {_share(spread.low)} to {_share(spread.high)}",
    )
    parts = [*_head(one.sample), headline, _pad(_terms(one, knobs)), _pad(_judgements(one, knobs))]
    if isinstance(one.out_of_sample, Unestimated):
        parts.append(Text(f"  no backtest day by day: {one.out_of_sample.reason}", style="yellow"))
    if one.swings:
        parts.append(_pad(_swings(one.swings)))
    allowed = one.allowed
    style = "green" if allowed.psr_ppm == scan.psr_ppm and allowed.floor_ppm == knobs.psr_floor_ppm else "yellow"
    parts.append(
        Text.assemble("  after breaches  ", (percent(allowed.psr_ppm), f"bold {style}"), f"   {allowed.reason}")
    )
    if isinstance(one.haircut, Haircut):
        said = one.haircut.reason.partition(": ")[2].partition(", from")[0]
        parts.append(
            Text.assemble("  as collateral   ", (percent(one.haircut.haircut_ppm), "bold cyan"), f" haircut   {said}")
        )
    return parts


def _head(sample: Sample) -> list[RenderableType]:
    gaps = f"{sample.gaps} gaps, the longest {_span(sample.longest_gap_s)}, left open" if sample.gaps else "no gaps"
    return [
        Text.assemble((sample.name, "bold"), f"   {_day(sample.first_s)} to {_day(sample.last_s)}"),
        Text(
            f"  {sample.prices:,} prices every {_span(sample.step_s)}; {gaps}\n"
            f"  {sample.windows:,} overlapping windows, {sample.apart:,} that do not overlap; "
            f"volatility {_share(sample.vol_now, 1)} now, {_share(sample.vol_mean, 1)} mean",
            style="bright_black",
        ),
    ]


def _terms(one: Calibration, knobs: RiskKnobs) -> Roomy:
    scan = one.scan
    table = Roomy("why", "", "asks for")
    current = knobs.psr_multiplier * (1.0 - knobs.stress_weight)
    worst = knobs.psr_multiplier * knobs.stress_weight
    chosen = {
        Binding.HISTORY: "history",
        Binding.FLOOR: "floor",
        Binding.FILTERED: "blend",
        Binding.NORMAL: "blend",
        Binding.CEILING: "",
    }[scan.binding]
    rows = (
        (
            "history",
            "ES of the whole history as it happened",
            f"{_share(scan.history)} × {knobs.floor_share:g}",
            knobs.floor_share * scan.history,
        ),
        ("", "ES at current volatility (filtered)", f"{_share(scan.now)} × {current:g}", None),
        ("", f"ES of the wildest {knobs.stress_days} days", f"{_share(scan.stress)} × {worst:g}", None),
        ("blend", "both together", "", scan.blend),
        ("floor", "floor of the settings", "", knobs.psr_floor_ppm / 1e6),
    )
    for key, label, how, value in rows:
        binds = bool(key) and key == chosen
        table.add_row(
            Text(label + (" ← binds" if binds else ""), style="bold" if binds else ""),
            how,
            "" if value is None else _share(value),
        )
    table.add_row(f"rounded up to {percent(knobs.psr_lattice_ppm)}", "", percent(scan.psr_ppm))
    return table


def _judgements(one: Calibration, knobs: RiskKnobs) -> Roomy:
    """Columns are margins and sides, rows what is said of them."""
    held = percent(one.scan.psr_ppm)
    columns = [(f"{held} held\n{side}", one.in_sample[side]) for side in Side]
    if not isinstance(one.out_of_sample, Unestimated):
        columns += [(f"day by day\n{side}", one.out_of_sample[side]) for side in Side]
    table = Roomy("breaches", *(label for label, _ in columns))
    each = [j for _, j in columns]
    share = 1.0 - knobs.es_level
    overlapping = [
        f"{_share(rate)} ± {100 * error:.2f}" if rate else "none"
        for rate, error in (one.overlapping[side] for side in Side)
    ]
    rows: tuple[tuple[str, list[str | Text]], ...] = (
        ("of windows that do not overlap", [f"{j.seen.count:,} of {j.seen.trials:,}" for j in each]),
        (f"expected at {percent(lattice.to_ppm(share))}", [f"{share * j.seen.trials:.1f}" for j in each]),
        ("rate of overlapping, HAC error", [*overlapping, *("" for _ in each[2:])]),
        ("coverage p, exact", [_short(j.pof.p_exact) for j in each]),
        ("    χ²", [_short(j.pof.p_chi2) for j in each]),
        ("    says at 5 %", [_coverage(j, share) for j in each]),
        ("independence p, exact", [_short(j.independence.p_exact) for j in each]),
        ("    χ²", [_short(j.independence.p_chi2) for j in each]),
        ("both together p, exact", [_short(j.conditional.p_exact) for j in each]),
        ("    χ²", [_short(j.conditional.p_chi2) for j in each]),
        ("traffic light, all windows", [_light(j.light) for j in each]),
        (f"traffic light, newest {RECENT}", [_light(j.recent, j.recent_count) for j in each]),
        ("shortfall test Z2", [signed(f"{j.shortfall.z2:+.2f}") for j in each]),
        ("    p, simulated", [_short(j.shortfall.p) for j in each]),
        ("beyond the margin, mean", [_share(j.excess.mean, 0) if j.excess.count else "–" for j in each]),
        ("    worst", [_share(j.excess.worst, 0) if j.excess.count else "–" for j in each]),
    )
    for label, cells in rows:
        table.add_row(label, *cells)
    return table


def _coverage(one: Judgement, share: float) -> Text:
    """What the exact test means."""
    if one.pof.p_exact >= _SIGNIFICANT:
        return Text("as it should")
    few = one.seen.rate < share
    return Text("too few" if few else "too many", style="green" if few else "red")


def _swings(swings: Sequence[Swing]) -> Roomy:
    table = Roomy("swing and cost", *(s.label for s in swings))
    table.add_row("peak to trough", *(f"{s.peak_to_trough:.2f}" for s in swings))
    table.add_row("largest call in 5 horizons", *(_share(s.call_5, 0) for s in swings))
    table.add_row("mean margin", *(_share(s.mean) for s in swings))
    table.add_row("of it unused, mean", *(_share(s.cost) for s in swings))
    table.add_row("windows breached on a side", *(_share(s.breached) for s in swings))
    return table


def _vol_ranges(name: str, both: tuple[VolRange, VolRange], knobs: RiskKnobs) -> list[RenderableType]:
    table = Roomy("volatility scan range", *(one.way for one in both))
    rows: tuple[tuple[str, list[str | Text]], ...] = (
        ("target", [Text(percent(v.vsr_ppm), style="bold cyan") for v in both]),
        ("nine of ten such histories", [f"{_share(v.interval.low)} to {_share(v.interval.high)}" for v in both]),
        ("ES of the whole history as it happened", [f"{_share(v.history)} × {knobs.floor_share:g}" for v in both]),
        ("ES at current volatility of volatility", [f"{_share(v.now)} × {1 - knobs.stress_weight:g}" for v in both]),
        (
            f"ES of the wildest {knobs.stress_days} days",
            [f"{_share(v.stress)} × {knobs.stress_weight:g}" for v in both],
        ),
        ("breaches of windows that do not overlap", [f"{v.seen.count} of {v.seen.trials}" for v in both]),
        ("coverage p, exact", [_short(v.pof.p_exact) for v in both]),
        ("    χ²", [_short(v.pof.p_chi2) for v in both]),
    )
    for label, cells in rows:
        table.add_row(label, *cells)
    sample = both[0]
    return [
        Text.assemble(
            (f"{name} at-the-money volatility", "bold"), f"   {_day(sample.first_s)} to {_day(sample.last_s)}"
        ),
        Text(
            f"  {sample.moves:,} moves of listed expiries at {sample.moments:,} moments, as shocks of 30-day ones",
            style="bright_black",
        ),
        _pad(table),
    ]


def _surface(name: str, one: SurfaceTargets) -> list[RenderableType]:
    heads = ("expiry", "days", "forward/spot", "σ ATM", "lowest", "σ", "highest", "σ", "median", "max", "rms")
    table = Roomy(
        *heads,
        needless=((9,), (4, 5, 6, 7), (1,), (2,), (10,)),
        caption="lowest and highest strike that is used; median, max and rms of |model − mark|, vol points, over the "
        "strikes of the publication; --json has each",
    )
    for expiry in one.expiries:
        params, vols = expiry.target.params, expiry.target.sigmas_ppm
        table.add_row(
            day(params.expiry),
            f"{(params.expiry - one.taken_s) / _DAY_S:.1f}",
            f"{params.phi_ppb / 1e9:.6f}",
            Text(percent(params.sigma_atm_ppm), style="bold cyan"),
            f"{expiry.strikes[0] / 1e8:,.10g}",
            _share(vols[0] / 1e6, 1),
            f"{expiry.strikes[-1] / 1e8:,.10g}",
            _share(vols[-1] / 1e6, 1),
            f"{expiry.error.median:.2f}",
            miss(expiry.error.max),
            f"{expiry.error.rms:.2f}",
        )
    return [
        Text.assemble(
            (f"{name} surface", "bold"), f"   {one.source}, {_day(one.taken_s)}, spot {one.index / 1e18:,.2f}"
        ),
        _pad(table),
        *(Text(f"  {day(expiry)} left out: {why}", style="yellow") for expiry, why in one.refused),
    ]


def _settings(found: Answer) -> list[tuple[str, int]]:
    """Keys of [risk] that hold the targets of all underlyings together: the widest of each."""
    step, share, ceiling = found.knobs.psr_lattice_ppm, found.knobs.floor_share, found.knobs.psr_ceiling_ppm
    floors = [
        max(one.allowed.floor_ppm, min(ceiling, lattice.up(lattice.to_ppm(share * one.scan.history), step)))
        for _, one in found.prices
        if isinstance(one, Calibration)
    ]
    vols = [both for _, both in found.vols if not isinstance(both, Unestimated)]
    keys = [("psr_floor_ppm", max(floors))] if floors else []
    if vols:
        keys += [("vsr_up_ppm", max(up.vsr_ppm for up, _ in vols)), ("vsr_down_ppm", max(d.vsr_ppm for _, d in vols))]
    return keys


def _keeper_toml(found: Answer) -> list[RenderableType]:
    keys = _settings(found)
    if not keys:
        return []
    notes = ["the widest of them"] if len(found.prices) + len(found.vols) > 1 else []
    notes += ["the keeper never publishes a scan range below the floor"] if keys[0][0] == "psr_floor_ppm" else []
    return [
        Text(f"\nfor keeper.toml{': ' if notes else ''}{'; '.join(notes)}", style="bold"),
        Text("  [risk]\n" + "\n".join(f"  {key} = {value}" for key, value in keys)),
    ]


def _pad(one: RenderableType) -> Padding:
    return Padding(one, (1, 0, 1, 2))


def _short(p: float) -> str:
    return "<0.0001" if p < 1e-4 else f"{p:.4f}"


def _light(light: TrafficLight, count: int | None = None) -> Text:
    return Text(light.zone + ("" if count is None else f", {count}"), style=_ZONES[light.zone])


def _share(part: float, digits: int = 2) -> str:
    return signed(f"{100 * part:.{digits}f} %")


def _day(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M")


def _span(seconds: int) -> str:
    if seconds >= 2 * _DAY_S:
        return f"{seconds / _DAY_S:.3g} days"
    if seconds >= 3_600:
        return f"{seconds / 3_600:.3g} h"
    return f"{seconds / 60:.3g} min" if seconds >= 60 else f"{seconds} s"
