"""The demo as one use case: a request in, everything that happened out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from keeper.demo import report
from keeper.demo.control import three_lives
from keeper.demo.opening import RISK, policy
from keeper.demo.paths import BLOCKS, PricePath, recorded
from keeper.demo.population import MIN_ACCOUNTS
from keeper.demo.run import Assemble, Conduct, Keeping, live
from keeper.demo.stylised import stylised_crash
from keeper.demo.summary import Life
from keeper.demo.verdict import verdict
from keeper.demo.view import View
from keeper.demo.world import open_world
from keeper.deploy import BreakerSpec
from keeper.errors import BadInput

#: Fewer blocks than this leave no room for an expiry, a crash and an end.
MIN_BLOCKS = 12
#: More than this would take days, or all memory before the first block: a slip of the finger.
MAX_BLOCKS, MAX_ACCOUNTS = 10_000, 10_000


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to show."""

    sources: Mapping[str, Path] = field(default_factory=dict)
    """Price file by symbol; none: the stylised crash."""
    start: str | None = None
    end: str | None = None
    control: bool = False
    """Live the path three times."""
    seeds: int = 1
    """How many seeds, from `seed` on."""
    seed: int = 1
    blocks: int = BLOCKS
    accounts: int = 110


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What happened."""

    lives: tuple[Life, ...]
    verdict: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """One object for one run; with several, one per run under `runs`."""
        if len(self.lives) == 1:
            return self.lives[0].as_json()
        return {"runs": [life.as_json() for life in self.lives], "verdict": list(self.verdict)}

    @property
    def parity_max_wei(self) -> int:
        """Largest difference between Python and the contract in any run."""
        return max((life.summary.parity_max_wei or 0 for life in self.lives), default=0)

    def page(self) -> str:
        """The report."""
        return report.render(self.lives, verdict=self.verdict)


def show(request: Request, assemble: Assemble, view: View) -> Outcome:
    """Open the market and live its path, for each seed.

    Args:
        request: what to show.
        assemble: the composition root of production, `keeper.wiring.assemble`.
        view: who watches.

    Raises: `BadInput` for an unusable price file, window or size.
    """
    _check(request)
    lives: list[Life] = []
    for seed in range(request.seed, request.seed + request.seeds):
        path = _path(request, seed)
        view.begin(path.label)
        world = open_world(path, accounts=request.accounts, seed=seed, progress=view.step, breaker=BreakerSpec())
        if request.control:
            lives += three_lives(world, assemble, view)
        else:
            conduct = Conduct(keeping=Keeping.RECALIBRATING, risk=RISK, policy=policy(path.block_s))
            lives.append(live(world, assemble, conduct, view).life)
    return Outcome(lives=tuple(lives), verdict=verdict(lives))


def _check(request: Request) -> None:
    if request.seeds < 1:
        raise BadInput(f"--seeds {request.seeds}", hint="run at least one")
    if request.seed < 0:
        raise BadInput(f"--seed {request.seed} is negative", hint="give 0 or more")
    if request.blocks < MIN_BLOCKS:
        raise BadInput(f"--blocks {request.blocks} is too few", hint=f"a run needs at least {MIN_BLOCKS}")
    if request.blocks > MAX_BLOCKS:
        raise BadInput(f"--blocks {request.blocks} is too many", hint=f"a run has at most {MAX_BLOCKS:,}")
    if request.accounts < MIN_ACCOUNTS:  # said before a chain is deployed for nothing
        raise BadInput(f"--accounts {request.accounts} is too few", hint=f"the market needs at least {MIN_ACCOUNTS}")
    if request.accounts > MAX_ACCOUNTS:
        raise BadInput(f"--accounts {request.accounts} is too many", hint=f"the market has at most {MAX_ACCOUNTS:,}")
    if (request.start or request.end) and not request.sources:
        raise BadInput("--start and --end cut a price file, and there is none", hint="add --prices FILE")


def _path(request: Request, seed: int) -> PricePath:
    if not request.sources:
        return stylised_crash(seed=seed, blocks=request.blocks)
    path = recorded(request.sources, start=request.start, end=request.end, blocks=request.blocks)
    if len(path.points) < MIN_BLOCKS:
        raise BadInput(
            f"--start to --end is {len(path.points)} block(s) of {path.block_s // 60} min, a run needs {MIN_BLOCKS}",
            hint=f"put them at least {(MIN_BLOCKS - 1) * path.block_s // 60} min apart, or leave --end away",
        )
    return path
