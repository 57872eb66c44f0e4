"""The page at the end: one self-contained HTML file with tables and plots, no script and nothing loaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from keeper.demo import gauges, plots, ramp_plots
from keeper.demo.panels import money
from keeper.demo.pricefile import show_time
from keeper.demo.summary import Life, RunSummary
from keeper.deploy import BreakerSpec

PPM = 10**6

CSS = """
:root { --ink: #1b1f24; --faint: #9aa1aa; --page: #ffffff; --line: #d9dde2; --note: #5c6570; color-scheme: light dark }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7eb; --faint: #6c7480; --page: #14171b; --line: #30363d; --note: #9aa3ad }
}
* { box-sizing: border-box }
body { margin: 2.5rem auto; max-width: 62rem; padding: 0 1.25rem; background: var(--page); color: var(--ink);
       font: 15px/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif }
h1 { font-size: 1.6rem; margin: 0 0 .2rem } h2 { font-size: 1.12rem; margin: 2.4rem 0 .6rem }
p { margin: .4rem 0 .8rem; max-width: 46rem } .note { color: var(--note); font-size: .92rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .4rem 0 1rem; font-size: .94rem }
th, td { text-align: right; padding: .28rem .9rem .28rem 0; border-bottom: 1px solid var(--line) }
th:first-child, td:first-child { text-align: left } td { white-space: nowrap }
thead th { color: var(--note); font-weight: 600 }
.scroll { overflow-x: auto } svg { display: block; width: 100%; height: auto; margin: .3rem 0 .8rem }
svg text { font-family: inherit }
"""

#: Rows of the summary table: label, and how a run fills it.
ROWS: tuple[tuple[str, Callable[[RunSummary], str]], ...] = (
    ("blocks", lambda r: str(r.blocks)),
    ("accounts", lambda r: str(r.accounts)),
    ("publications", lambda r: str(r.updates_pushed)),
    ("margin calls", lambda r: str(r.margin_calls)),
    ("accounts liquidated", lambda r: str(r.liquidations)),
    ("breaker openings (flags that waited)", lambda r: f"{r.breaker_openings} ({r.flags_deferred})"),
    ("expiries settled", lambda r: str(r.settled)),
    ("bad debt, USD", lambda r: money(r.bad_debt)),
    ("fund before, USD", lambda r: money(r.fund_before)),
    ("fund after, USD", lambda r: money(r.fund_after)),
    ("paid by the other accounts, USD", lambda r: money(r.socialised)),
    ("mean margin held, USD", lambda r: money(r.mean_margin)),
    ("largest difference to the contract, wei", lambda r: "–" if r.parity_max_wei is None else str(r.parity_max_wei)),
    ("cycle, ms (median · 99th of 100)", lambda r: f"{r.cycle_ms_p50:.0f} · {r.cycle_ms_p99:.0f}"),
    ("transactions of the keeper", lambda r: str(r.transactions)),
)


def render(lives: Sequence[Life], *, verdict: Sequence[str] = ()) -> str:
    """Make the page.

    Args:
        lives: at least one.  The last one of the first seed is shown in full; with several, all are compared by seed.
        verdict: sentences of the comparison, one paragraph each.
    """
    first_seed = [life for life in lives if life.summary.seed == lives[0].summary.seed]
    shown = first_seed[-1]
    body = [
        "<h1>Margin keeper: a market through a crash</h1>",
        f"<p>{_opening(shown)}</p>",
        *(f"<p>{escape(sentence)}</p>" for sentence in verdict),
        "<h2>Summary</h2>",
        *_comparison(lives),
    ]
    title = f"The {shown.summary.name} run" + (f", seed {shown.summary.seed}" if len(lives) > 1 else "")
    body += [
        f"<h2>{escape(title)}: price and scan range</h2>",
        _note(
            "The band is one full price move of the risk file in force: what an account must survive. The dashed line "
            "is what the keeper would have published had the on-chain fences let it."
        ),
        plots.prices(shown.frames),
        *_parameters(shown),
        "<h2>Health</h2>",
        plots.health(shown.frames),
        "<h2>Margin calls and liquidations</h2>",
        plots.events(shown.frames),
        "<h2>Money</h2>",
        plots.money(shown.frames),
        *_breaker(shown),
        *_parity(shown.summary),
        _note(
            "Every account, trade, publication and liquidation above happened on an embedded chain, through the "
            "contracts and the keeper as they are deployed elsewhere. The accounts are invented; prices were "
            f"{'made up from a seed' if 'made up' in shown.summary.path else 'replayed from a file'}."
        ),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Margin keeper: {escape(shown.summary.path)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def _opening(life: Life) -> str:
    summary, frames = life.summary, life.frames
    falls = []
    for i, first in enumerate(frames[0].underlyings):
        seen = [p for f in frames if (p := f.underlyings[i].price) is not None]
        if seen and first.price:
            falls.append(f"{first.symbol} fell {max(0.0, 1 - min(seen) / first.price) * 100:.0f} % below its opening")
    hours = (frames[-1].time - frames[0].time) / 3600
    return escape(
        f"{summary.path[:1].upper()}{summary.path[1:]}. {summary.accounts} accounts over {summary.blocks} blocks "
        f"({hours:.0f} hours of market time); "
        f"{' and '.join(falls)}."
    )


def _comparison(lives: Sequence[Life]) -> list[str]:
    """A table of runs per seed, with a plot where there is something to compare."""
    parts: list[str] = []
    for seed in dict.fromkeys(life.summary.seed for life in lives):
        group = [life for life in lives if life.summary.seed == seed]
        if len(lives) > 1:
            parts.append(f"<h2>Seed {seed}</h2>" if len(group) < len(lives) else "")
        head = [life.summary.name if len(lives) > 1 else "" for life in group]
        parts.append(_table(["", *head], [[label, *(fill(x.summary) for x in group)] for label, fill in ROWS]))
        if len(group) > 1:
            parts.append(plots.control([(x.summary.name, x.frames) for x in group], name=f"control{seed}"))
    return parts


def _parameters(life: Life) -> list[str]:
    """Published parameters beside their targets over the run, and where each stood at its end."""
    last = life.frames[-1]
    if not any(u.parameters for u in last.underlyings):
        return []
    return [
        "<h2>Published parameters: target, budget and ramp</h2>",
        _note(
            "The target is what the kernel wants. The keeper publishes as much of the way as the fences let it: a step "
            "at a time, and in a day no further than the grey band. Initial margin follows a tighter published range "
            "at once, by a surcharge; the range in force, from which maintenance follows, moves there at a fixed rate."
        ),
        ramp_plots.scan_ranges(life.frames),
        ramp_plots.levels(life.frames),
        _note(
            "Where each stood at the end; what is left of the day's budget in percentage points and as a part of it."
        ),
        _table(gauges.NAMES, gauges.cells(last)),
    ]


def _breaker(life: Life) -> list[str]:
    """When the flash-crash breaker opened, why, and whose flags waited."""
    spec = BreakerSpec()
    openings = [one for f in life.frames for one in f.openings]
    rows = [
        [
            show_time(one.since_s),
            one.symbol,
            "feeds disagree" if one.why == "feeds" else "one round" if one.move is None else f"{one.move * 100:+.1f} %",
            show_time(one.until_s)[-5:],
            str(one.waited),
            str(one.flagged),
        ]
        for one in openings
    ]
    head = ["opened, UTC", "market", "leap", "until, at the latest", "flags that waited", "sent at its release"]
    return [
        "<h2>Flash-crash breaker</h2>",
        _note(
            "Anyone may liquidate, so only the contract can keep anyone from doing so on a price that is gone a minute "
            f"later. A round that leaves the prices of {spec.window_s // 60} minutes by more than "
            f"{spec.k_ppm / PPM:g} scan ranges, and by {spec.min_move_ppm / 10_000:g} % at least, puts its market in "
            "reduce-only, widens initial margin, and has new liquidations wait for a second round, "
            f"{spec.hold_s // 60} minutes at most. Between two blocks of this path no round comes: it releases by "
            "itself, and what waited is sent at the price that opened it, or at the next where that comes sooner."
        ),
        _table(head, rows) if rows else _note("It did not open in this run."),
    ]


def _parity(summary: RunSummary) -> list[str]:
    if not summary.parity:
        return []
    rows = [
        [str(c.index + 1), str(c.block), str(c.accounts), str(c.max_wei), c.worst_account or "–"]
        for c in summary.parity
    ]
    return [
        "<h2>Parity</h2>",
        _note(
            "Equity, maintenance and initial requirement of every account, computed by the keeper in Python and asked "
            "of the contract at the same block."
        ),
        _table(["block of the run", "chain block", "accounts compared", "largest difference, wei", "account"], rows),
    ]


def _note(text: str) -> str:
    return f'<p class="note">{escape(text)}</p>'


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    titles = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    top = f"<thead><tr>{titles}</tr></thead>" if any(head) else ""
    lines = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table>{top}<tbody>{lines}</tbody></table></div>'
