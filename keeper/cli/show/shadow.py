"""`keeper shadow` for a person and for a script."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from keeper.cli.show import words
from keeper.cli.show.impact import effect_tree
from keeper.control.shadow import Shadowed


def shadowed_line(one: Shadowed) -> Text:
    """One underlying at one block, on one line."""
    e = one.effect
    target = words.percent(one.target.psr_ppm) if one.target else "none"
    said = (
        f"{one.block.number:,} {one.symbol}: scan range {words.percent(one.live.psr_ppm)} live, "
        f"{words.percent(one.shadow.psr_ppm)} shadow, {target} target; MM {words.usd(e.mm_before)} → "
        f"{words.usd(e.mm_after)}, IM {words.usd(e.im_before)} → {words.usd(e.im_after)}; "
    )
    fallen = (f"{e.below_mm} newly below MM", "bold red" if e.below_mm else "green")
    closed = (f"{e.below_im} below IM", "yellow" if e.below_im else "green")
    pushed = (f"; shadow pushed: {one.pushed}", "cyan") if one.pushed else ""
    return Text.assemble(said, fallen, ", ", closed, pushed)


def shadowed_tree(one: Shadowed) -> dict[str, Any]:
    """The same as an object."""
    return {
        "block": {"number": one.block.number, "hash": one.block.hash, "timestamp": one.block.timestamp},
        "symbol": one.symbol,
        "live": vars(one.live),
        "shadow": vars(one.shadow),
        "target": vars(one.target) if one.target else None,
        "pushed": one.pushed or None,
        "waits_for": one.waits or None,
        "effect": effect_tree(one.effect),
    }
