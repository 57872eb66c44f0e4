"""What the comparison says, in sentences that take no side."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from keeper.demo.panels import money
from keeper.demo.run import Keeping
from keeper.demo.summary import Life, RunSummary

#: Differences below a dollar are none.
SAME_USD = 1.0

#: What is compared, and how a run is read; in all of them less is better.
MEASURES: tuple[tuple[str, Callable[[RunSummary], float], float], ...] = (
    ("bad debt", lambda r: r.bad_debt, SAME_USD),
    ("fund used", lambda r: max(0.0, r.fund_before - r.fund_after), SAME_USD),
    ("accounts liquidated", lambda r: float(r.liquidations), 0.5),
    ("mean margin held", lambda r: r.mean_margin, SAME_USD),
)


def verdict(lives: Sequence[Life]) -> tuple[str, ...]:
    """Compare the lives of each seed.  Empty if there is nothing to compare."""
    seeds = list(dict.fromkeys(life.summary.seed for life in lives))
    runs = {(life.summary.seed, life.summary.name): life for life in lives}
    if any((seed, keeping) not in runs for seed in seeds for keeping in Keeping):
        return ()
    ours = [runs[seed, Keeping.RECALIBRATING].summary for seed in seeds]
    static = [runs[seed, Keeping.STATIC].summary for seed in seeds]
    nobody = [runs[seed, Keeping.NOBODY].summary for seed in seeds]
    free = (
        f"Without a keeper {_mean(nobody, 'bad debt')} USD of losses have nobody to pay them at the end"
        f"{' on average' if len(seeds) > 1 else ''}; with static margins {_mean(static, 'bad debt')}, recalibrating "
        f"{_mean(ours, 'bad debt')}. Beating no keeper is free; the comparison that counts is with static margins."
    )
    return (
        free,
        _sides(ours, static),
        _timing([runs[seed, Keeping.RECALIBRATING] for seed in seeds], [runs[seed, Keeping.STATIC] for seed in seeds]),
    )


def _sides(ours: Sequence[RunSummary], theirs: Sequence[RunSummary]) -> str:
    """Where recalibrating wins, where it does not, and where there is no difference; by the mean over seeds."""
    better: list[str] = []
    worse: list[str] = []
    equal: list[str] = []
    for name, read, same in MEASURES:
        pairs = [(read(a), read(b)) for a, b in zip(ours, theirs, strict=True)]
        mine, other = (sum(side) / len(pairs) for side in zip(*pairs, strict=True))
        side = better if other - mine >= same else worse if mine - other >= same else equal
        side.append(f"{name} ({_number(mine)} against {_number(other)}{_by_seed(pairs, same)})")
    parts = [("wins in", better), ("loses in", worse), ("is equal in", equal)]
    told = "; ".join(
        f"{verb} {', '.join(found) or 'nothing'}" for verb, found in parts if found or verb != "is equal in"
    )
    return f"Recalibrating against static margins of equal average requirement: it {told}. Less is better in each."


def _by_seed(pairs: Sequence[tuple[float, float]], same: float) -> str:
    """How many seeds were better, equal and worse; nothing to say for one."""
    if len(pairs) == 1:
        return ""
    lower, higher = (sum(sign * (b - a) >= same for a, b in pairs) for sign in (1, -1))
    counts = (("better", lower), ("equal", len(pairs) - lower - higher), ("worse", higher))
    return f" on average; of {len(pairs)} seeds " + ", ".join(f"{n} {word}" for word, n in counts if n)


def _timing(ours: Sequence[Life], static: Sequence[Life]) -> str:
    """Where the margin was held, in numbers."""
    parts = []
    for name, lives in (("recalibrated", ours), ("static", static)):
        calm = [life.frames[len(life.frames) // 4].mean_margin for life in lives]
        peak = [max(f.mean_margin for f in life.frames) for life in lives]
        parts.append(f"{name} {_avg(calm)} USD an account in the calm and {_avg(peak)} at the peak")
    return (
        f"Margin stood at: {'; '.join(parts)}. What recalibrating asks for in the middle of a crash, static margins "
        "have asked for all along; accounts that the rise itself made liquidatable are among those counted above."
    )


def _mean(runs: Sequence[RunSummary], measure: str) -> str:
    read = next(read for name, read, _ in MEASURES if name == measure)
    return _avg([read(r) for r in runs])


def _avg(values: Sequence[float]) -> str:
    return _number(sum(values) / len(values))


def _number(value: float) -> str:
    """Whole where it is whole."""
    return f"{value:,.0f}" if value == round(value) else money(round(value, 2))
