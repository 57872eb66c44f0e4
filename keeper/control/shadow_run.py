"""What a run of the shadow leaves behind: how many blocks it saw, and live and shadow numbers side by side.

Kept block by block, so that a run that is broken off has counted what it saw.  A block counts once every underlying
with numbers in force was looked at in it: one whose price was unusable was held beside nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from keeper.control.shadow import Shadowed
from keeper.domain.updates import ShadowRun
from keeper.ports import Updates
from keeper.risk.version import MODEL_VERSION


def kept(seen: Iterable[Shadowed], store: Updates, *, symbol: str | None, now_s: int, knobs: str) -> Iterator[Shadowed]:
    """Pass on what the shadow saw, and keep the run.

    Args:
        seen: what `keeper.control.shadow.shadow` yields.
        store: where the run is remembered.
        symbol: the one underlying that is looked at; None for all.
        now_s: wall time at which it begins, unix seconds.
        knobs: digest of those that it runs with (`keeper.policy.choices`).
    """
    run: ShadowRun | None = None
    last: dict[str, Shadowed] = {}
    worst: dict[str, Shadowed] = {}
    pushes: dict[str, int] = {}
    for one in seen:
        if run is None:
            run = ShadowRun(
                number=0,
                model=MODEL_VERSION,
                symbol=(symbol or "").upper(),
                begun_s=now_s,
                first_block=one.block.number,
                last_block=one.block.number,
                last_hash="",
                blocks=0,
                numbers="",
                knobs=knobs,
            )
        last[one.symbol] = one
        if one.symbol not in worst or one.effect.below_mm > worst[one.symbol].effect.below_mm:
            worst[one.symbol] = one
        pushes[one.symbol] = pushes.get(one.symbol, 0) + bool(one.pushed)
        lines = [_line(last[name], worst[name], pushes[name]) for name in sorted(last)]
        run = store.keep_shadow(
            replace(
                run,
                last_block=one.block.number,
                last_hash=one.block.hash,
                blocks=run.blocks + one.whole,
                numbers="\n".join(lines),
            )
        )
        yield one


def _line(last: Shadowed, worst: Shadowed, pushes: int) -> str:
    """`ETH: scan_range 15 % live, 16.25 % shadow, …; 2 shadow pushes; at worst 1 newly below MM, at block 103`."""
    pairs = ", ".join(
        f"{name} {getattr(last.live, field) / 10_000:g} % live {getattr(last.shadow, field) / 10_000:g} % shadow"
        for name, field in (("scan_range", "psr_ppm"), ("vol_up", "vsr_up_ppm"), ("vol_down", "vsr_down_ppm"))
    )
    fallen = f"at worst {worst.effect.below_mm} newly below MM, at block {worst.block.number}"
    return f"{last.symbol}: {pairs}; {pushes} shadow pushes; {fallen}"
