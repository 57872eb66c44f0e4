"""Senseless quotes: whatever is in them, fits and refusals come out, never an exception and never an unlawful slice."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from keeper.risk.surface.arbitrage import check
from keeper.risk.surface.fit import fit_surface
from keeper.risk.surface.quotes import Model, Quote
from keeper.risk.surface.shock import USUAL, shocked

NOW = 1_700_000_000
NAN, INF = float("nan"), float("inf")


def senseless(seed: int) -> list[Quote]:
    """Absurd numbers, doubled strikes, noise, smiles with a corner, no marks; each seed one of them."""
    rng = np.random.default_rng(seed)
    kind = ("absurd", "values", "doubled", "noise", "unmarked", "corner")[seed % 6]
    quotes = []
    for _ in range(rng.integers(1, 5)):
        life = int(rng.choice([1_800, 20_000, 86_400, 864_000, 8_640_000, 259_200_000])) + int(rng.integers(0, 5_000))
        forward = float(10 ** rng.uniform(-6, 7))
        for i in range(int(rng.integers(1, 14))):
            vol: float | None = 0.5
            strike, bid, ask = forward * float(np.exp(0.02 * (i - 6))), 0.01, 0.011
            if kind == "absurd":
                vol, strike = float(10 ** rng.uniform(-3, 1.5)), forward * float(np.exp(5 * rng.normal()))
            elif kind == "values":
                vol = rng.choice([0.02, 10.0, NAN, INF, -1.0, 0.0, 1e308])
                strike = float(rng.choice([forward, forward * 1.1, 1e-300, 1e300, NAN, 0.0, -5.0]))
                bid, ask = (float(v) for v in rng.choice([NAN, 0.01, 0.0, -1.0, 2.0, INF], 2))
            elif kind == "doubled":
                strike = forward * (1 + 1e-9 * i)
            elif kind == "noise":
                vol = float(0.5 + 0.4 * rng.random())
            elif kind == "unmarked":
                vol, bid, ask = None, 0.001 * i, 0.1
            else:
                vol = abs(i - 6) * 0.3 + 0.02
            quotes.append(
                Quote(
                    expiry_s=NOW + life,
                    strike=strike,
                    is_call=strike >= forward,
                    forward=float(rng.choice([forward, NAN])) if kind == "values" else forward,
                    time_s=NOW - int(rng.integers(-10, 100)),
                    mark_vol=vol,
                    bid=bid,
                    ask=ask,
                )
            )
    return quotes


@pytest.mark.parametrize("model", list(Model))
@pytest.mark.parametrize("seed", range(18))
def test_fit_surface__senseless_quotes__values_and_no_arbitrage(seed, model):
    """SRF-7: nothing raises, every expiry has its answer with finite figures, and what is used is lawful."""
    quotes = senseless(seed)
    fitted = fit_surface(quotes, now_s=NOW, model=model)
    told = [fit.expiry_s for fit in fitted.fits] + [one.expiry_s for one in fitted.refused]
    assert sorted(told) == sorted({q.expiry_s for q in quotes})
    assert all(np.isfinite([f.error.rms, f.error_before.rms, f.error_marks.rms]).all() for f in fitted.fits)
    slices = fitted.surface.slices if fitted.surface else ()
    assert check(slices, USUAL) == ()
    assert all(check(shocked(slices, shock)) == () for shock in USUAL)


def test_fit_surface__without_a_compiler__same_surface():
    """SRF-2: where numba does not compile, the numpy twin fits the same surface."""
    code = textwrap.dedent(
        """
        import numpy as np
        from keeper.risk import compiled
        from keeper.risk.surface.fit import fit_surface
        from keeper.risk.surface.quotes import Quote
        k = np.linspace(-0.4, 0.4, 17)
        vol = 0.6 + 0.3 * k * k - 0.1 * k + 0.003 * np.cos(40 * k)
        quotes = [Quote(expiry_s=2_592_000 * n, strike=float(100 * np.exp(x)), is_call=x >= 0, forward=100.0, time_s=0,
                        mark_vol=float(v)) for n in (1, 2) for x, v in zip(k, vol)]
        fitted = fit_surface(quotes, now_s=0)
        w = [s.total_variance(x) for s in fitted.surface.slices for x in (-0.3, 0.0, 0.3)]
        print(compiled.COMPILED, *(f"{one:.6f}" for one in w))
        """
    )
    answers = {}
    for disable in ("0", "1"):
        env = os.environ | {"NUMBA_DISABLE_JIT": disable}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True)
        compiled, _, rest = done.stdout.partition(" ")
        answers[compiled] = [float(word) for word in rest.split()]
    assert set(answers) == {"True", "False"}
    assert answers["True"] == pytest.approx(answers["False"], rel=2e-4)
