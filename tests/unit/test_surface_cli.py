"""`keeper surface`: answers, pictures, exit codes."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console, RenderableType
from typer.testing import CliRunner, Result

from keeper.cli.root import app
from keeper.cli.show.surface import Answered, spread_view, surface_view
from keeper.offline import quote_file
from keeper.risk.surface.fit import fit_surface
from keeper.risk.surface.quotes import Model
from keeper.risk.surface.spread import survey
from keeper.risk.surface.ssvi import PowerLaw, slice_svi

NOW = 1_770_000_000
DAY = 86_400


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    """Two underlyings, two snapshots, three expiries; the ETH calendar crosses in the last one."""
    lines = ["snap,cur,expiry,strike,cp,fut,bid,ask,iv"]
    for cur, forward in (("ETH", 3_000.0), ("BTC", 90_000.0)):
        for snap in (NOW, NOW + 6 * 3_600):
            for days, level in ((3, 0.6), (20, 0.7), (22, 0.66), (90, 0.6)):
                years = days / 365
                theta = level**2 * years
                svi = slice_svi(theta=theta, rho=-0.2, phi=PowerLaw(eta=0.9, gamma=0.45).phi(theta))
                for k in np.linspace(-2.5, 2.5, 15) * np.sqrt(theta):
                    vol = float(svi.vol(k, years))
                    strike = forward * np.exp(k)
                    side = "C" if k > 0 else "P"
                    lines.append(f"{snap},{cur},{snap + days * DAY},{strike},{side},{forward},0.01,0.011,{vol}")
                lines.append(f"{snap},{cur},{snap + 50 * DAY},{forward},C,{forward},0.01,0.011,0.6")
    path = tmp_path / "chain.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def run(*args: object) -> Result:
    return CliRunner().invoke(app, ["surface", *map(str, args)], env={"COLUMNS": "120", "TERM": "dumb"})


def test_surface__latest__errors_arbitrage_and_refusals(chain):
    """By default the first underlying's latest snapshot, and it is said; each expiry has its error or its reason."""
    done = run(chain, "--currency", "eth")
    assert done.exit_code == 0
    assert "ETH, 2026-02-02 08:40:00 UTC, raw SVI" in done.stdout
    assert "one of 2 snapshots" in done.stdout
    assert "--currency for BTC" in done.stdout
    assert "1 strikes count, 5 needed" in done.stdout
    assert "calendar: total variance" in done.stdout
    assert "none is left" in done.stdout


def test_surface__json__figures_of_every_expiry(chain):
    """One object: errors in vol points, arbitrage before repair, none after, refusals with reasons."""
    done = run(chain, "--currency", "ETH", "--snapshot", NOW, "--json")
    tree = json.loads(done.stdout)
    assert (tree["underlying"], tree["time"], tree["model"]) == ("ETH", NOW, "svi")
    assert [one["expiry"] - NOW for one in tree["expiries"]] == [3 * DAY, 20 * DAY, 22 * DAY, 90 * DAY]
    first, _, crossed, _ = tree["expiries"]
    assert first["error"]["median"] < 0.05
    assert first["error"]["quotes"] == len(first["quotes"]) == 15
    assert "calendar" in {v["kind"] for v in crossed["arbitrage_before_repair"]}
    assert crossed["repaired"]
    assert tree["arbitrage_left"] == []
    assert [one["reason"].split(":")[0] for one in tree["refused"]] == ["1 strikes count, 5 needed"]


@pytest.mark.parametrize("model", ["ssvi", "sabr"])
def test_surface__other_models__fitted(chain, model):
    """The other families answer in the same form."""
    tree = json.loads(run(chain, "--model", model, "--json").stdout)
    assert (tree["underlying"], tree["model"]) == ("BTC", model)
    assert len(tree["expiries"]) + len(tree["refused"]) == 5


@pytest.mark.parametrize(("ending", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_surface__plot__a_picture(chain, tmp_path, ending, magic):
    """--plot writes the kind of picture that the name says, and says where."""
    picture = tmp_path / "deep" / f"smiles.{ending}"
    done = run(chain, "--plot", picture)
    assert done.exit_code == 0
    assert picture.read_bytes().startswith(magic)
    assert "smiles." in done.stdout


def test_surface__all__distribution(chain):
    """Every snapshot of every underlying; a script gets the same numbers."""
    assert "4 snapshots, raw SVI" in run(chain, "--all").stdout
    tree = json.loads(run(chain, "--all", "--currency", "ETH", "--json").stdout)
    assert tree["snapshots"] == 2
    assert sum(one["expiries"] for one in tree["spreads"]) == 8
    assert tree["refusals"] == [{"reason": "strikes count, needed", "count": 2}]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--currency", "SOL"], "no quotes on SOL"),
        (["--snapshot", "yesterday"], "is no time"),
        (["--snapshot", "nan"], "--snapshot nan: is no time"),
        (["--snapshot", "-inf"], "--snapshot -inf: is no time"),
        (["--snapshot", "1e30"], "--snapshot 1e30: is beyond every calendar"),
        (["--currency", ""], "--currency is empty"),
        (["--snapshot", "2020-01-01"], "the file begins at 2026-02-02T02:40:00"),
        (["--plot", "smile.doc"], "is no picture"),
        (["--all", "--plot", "x.png"], "draws one snapshot"),
        (["--model", "heston"], "heston"),
    ],
)
def test_surface__unusable_input__exit_2(chain, tmp_path, monkeypatch, more, says):
    """What a person must correct ends with 2 and a sentence, and leaves no picture behind."""
    monkeypatch.chdir(tmp_path)
    done = run(chain, *more)
    assert done.exit_code == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_surface__bad_file__exit_2_and_an_object(tmp_path):
    """A file that is none is named; with --json the error is an object."""
    path = tmp_path / "chain.csv"
    path.write_text("a,b\n1,2\n")
    done = run(path, "--json")
    assert done.exit_code == 2
    assert "no column snap" in json.loads(done.stdout)["error"]["message"]


def test_surface__nothing_can_be_fitted__exit_2(tmp_path):
    """A chain of expired options gives reasons, not an empty surface."""
    path = tmp_path / "chain.csv"
    path.write_text(f"snap,expiry,strike,cp,fut,iv\n{NOW},{NOW - 5},100,C,100,0.5\n")
    done = run(path)
    assert done.exit_code == 2
    assert "no expiry of CHAIN can be fitted: expired" in done.stderr


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120])
@pytest.mark.parametrize("everything", [False, True])
def test_surface_view__any_width__no_number_is_cut(chain, width, everything):
    """Where a terminal is narrow, columns go and are named; what is shown is whole."""
    file = quote_file(chain)
    fits = [("BTC", at, fit_surface(file.at("BTC", at).quotes, now_s=at)) for at in file.times("BTC")]
    _, at, fitted = fits[-1]
    one = Answered(
        source="c", underlying="BTC", time_s=at, snapshots=2, underlyings=file.underlyings, fitted=fitted, left=()
    )
    view = spread_view(survey(fits), Model.SVI) if everything else surface_view(one, None)
    lines = shown(view, width)
    assert max(map(len, lines)) <= width
    assert "…" not in "\n".join(lines)
    assert ("no room here for" in " ".join(lines)) == (width <= 80)
    if not everything:
        (line,) = [line for line in lines if line.startswith("22 Feb 26")]
        assert ("90,000.00" in line) == (width >= 100)


def shown(view: RenderableType, width: int) -> list[str]:
    out = Console(width=width, file=io.StringIO(), color_system=None)
    out.print(view)
    return out.file.getvalue().splitlines()


def test_surface_view__a_mark_far_off__is_pointed_at(chain):
    """The largest miss stands beside the median; beyond 2 vol points the strike is named, whatever the median says."""
    at = quote_file(chain).times("ETH")[-1]
    quotes = list(quote_file(chain).at("ETH", at).quotes)
    far = next(i for i, q in enumerate(quotes) if q.expiry_s - at == 90 * DAY)
    quotes[far] = replace(quotes[far], mark_vol=quotes[far].mark_vol - 0.2)
    fitted = fit_surface(quotes, now_s=at)
    one = Answered(source="c", underlying="ETH", time_s=at, snapshots=1, underlyings=("ETH",), fitted=fitted, left=())
    lines = shown(surface_view(one, None), 100)
    said = next(i for i, line in enumerate(lines) if line == "Far from a mark")
    assert f"above the mark at {quotes[far].strike:,.8g}" in lines[said + 1]
    head = next(line for line in lines if "median" in line)
    assert head.split()[-5:] == ["max", "rms", "free", "fit", "how"]


def test_surface_view__held_up_by_the_expiry_before__is_said(chain):
    """Where the calendar keeps a smile above its mark, the expiry whose wing does it is named."""
    at = quote_file(chain).times("ETH")[-1]
    near = [q for q in quote_file(chain).at("ETH", at).quotes if q.expiry_s - at in (20 * DAY, 22 * DAY)]
    last = min((q for q in near if q.expiry_s - at == 22 * DAY), key=lambda q: q.strike)
    quotes = [replace(q, mark_vol=0.5) if q is last else q for q in near]
    fitted = fit_surface(quotes, now_s=at)
    one = Answered(source="c", underlying="ETH", time_s=at, snapshots=1, underlyings=("ETH",), fitted=fitted, left=())
    text = " ".join(" ".join(shown(surface_view(one, None), 100)).split())
    assert f"above the mark at {last.strike:,.8g}" in text
    assert "the wing of 22 Feb 26 08:40 lies above that mark" in text
