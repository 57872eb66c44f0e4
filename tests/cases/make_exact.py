"""Golden cases of the integer arithmetic: calldata for GridHarness and the bytes it must answer.

    python -m tests.cases.make_exact        rewrite tests/cases/exact.json

The expected answers come from the Python twin (keeper/risk/exact); forge replays the same file against the contract
(contracts/test/risk/Exact.t.sol), so that each language is held by the other without both being installed.
"""

from __future__ import annotations

import json
import random  # noqa: TID251 - integers past 64 bits, from a seeded instance
from pathlib import Path
from typing import Any

from eth_abi import encode
from eth_utils.crypto import keccak

from keeper.domain.riskfile import ExpiryParams, File, Ranges, StrikeArray
from keeper.risk.exact import black76, q64, riskfile
from keeper.risk.exact.grid import Leg, assess

PATH = Path(__file__).with_name("exact.json")
SEED = 20_261_121
NOW = 1_780_000_000
UNDERLYING = 1

FILE = "(uint256,uint256,uint256,uint256,(uint32,uint40,uint40,(uint64,uint32,uint256[3])[])[])"
PORTFOLIO = "(uint256,uint256[],int256,uint256,uint256)"
QUERY = "(uint64,uint32,uint32,uint40,uint40,uint24,uint24,uint24,uint32,uint256,uint256)"


def case(name: str, signature: str, args: list[Any], answer_type: str, answer: Any) -> dict[str, str]:
    """One call and its answer."""
    types = signature[signature.index("(") + 1 : -1]
    data = keccak(text=signature)[:4] + encode(_split(types), args)
    return {"name": name, "data": "0x" + data.hex(), "answer": "0x" + encode([answer_type], [answer]).hex()}


def _split(types: str) -> list[str]:
    out, depth, start = [], 0, 0
    for i, c in enumerate(types):
        depth += (c == "(") - (c == ")")
        if c == "," and depth == 0:
            out.append(types[start:i])
            start = i + 1
    return [*out, types[start:]]


def functions(rng: random.Random) -> list[dict[str, str]]:
    """Elementary functions over their edges and random points."""
    exps = [-45 << 64, q64.EXP_MIN, q64.EXP_MIN - 1, -1, 0, 1, q64.LN2, -q64.LN2, q64.LN2 // 2, q64.EXP_MAX, 1 << 80]
    exps += [rng.randrange(-44 << 64, 20 << 64) for _ in range(60)]
    lns = [1, 2, q64.ONE - 1, q64.ONE, q64.ONE + 1, q64.SQRT_HALF - 1, q64.SQRT_HALF, 1 << 127, (1 << 128) - 1]
    lns += [rng.getrandbits(rng.randrange(2, 160)) | 1 for _ in range(60)]
    roots = [0, 1, 2, 3, q64.ONE, (1 << 128) - 1] + [rng.getrandbits(rng.randrange(1, 190)) for _ in range(60)]
    tails = [0, 1, q64.ONE, q64.TAIL_CUT - 1] + [rng.randrange(q64.TAIL_CUT) for _ in range(60)]
    calls = []
    for _ in range(120):
        forward = int(rng.lognormvariate(0, 0.6) * 2**64) + 1
        strike = int(rng.lognormvariate(0, 0.6) * 2**64) + 1
        v = rng.choice((0, 1, 2**40, rng.randrange(1 << 62), rng.randrange(1 << 65), rng.randrange(1 << 68)))
        calls.append([forward, strike, q64.ln(forward) - q64.ln(strike), v])
    deviations = [[rng.randrange(4_000_000), rng.choice((1, 60, 3600, rng.randrange(10**8)))] for _ in range(40)]
    terms = [0, 1, 86_399, 86_400, 86_401, 30 * 86_400, 30 * 86_400 + 1, 10**8]
    terms += [rng.randrange(10**8) for _ in range(30)]
    shocks = [
        [rng.randrange(1, 4_000_000), rng.randrange(10**6), rng.randrange(10**6), riskfile.term_factor(t), 400_000]
        for t in terms
    ]
    out = [
        case("exp", "exp(int256[])", [exps], "int256[]", [q64.exp(x) for x in exps]),
        case("ln", "ln(uint256[])", [lns], "int256[]", [q64.ln(x) for x in lns]),
        case("sqrt", "sqrt(uint256[])", [roots], "uint256[]", [q64.sqrt(x) for x in roots]),
        case("mills", "mills(int256[])", [tails], "int256[]", [q64.mills(x) for x in tails]),
        case("call", "call(int256[4][])", [calls], "int256[]", [black76.call(*c) for c in calls]),
        case(
            "deviation",
            "deviation(uint256[2][])",
            [deviations],
            "uint256[]",
            [black76.deviation(s, black76.sqrt_years(t)) for s, t in deviations],
        ),
        case("term_factor", "termFactor(uint256[])", [terms], "uint256[]", [riskfile.term_factor(t) for t in terms]),
        case(
            "shocked vols",
            "shockedVols(uint256[5][])",
            [shocks],
            "uint256[2][]",
            [[riskfile.vol_up(s, u, m, f), riskfile.vol_down(s, d, m)] for s, u, d, m, f in shocks],
        ),
    ]
    for psr in (1, 25_000, 110_000, 150_001, 220_000, 316_666, 316_667, 333_333, 500_000):
        out.append(case(f"levels {psr}", "levels(uint256)", [psr], "uint256[24]", riskfile.levels(psr)))
        out.append(
            case(
                f"weights {psr}",
                "weights(uint256,uint256)",
                [psr, 750_000],
                "uint256[24]",
                riskfile.weights(psr, 750_000),
            )
        )
    return out


def arrays(rng: random.Random) -> dict[str, str]:
    """Risk arrays from an hour to a year, deep in and out of the money."""
    queries, answers = [], []
    for _ in range(60):
        spot = rng.randrange(10**18, 10**23)
        params = ExpiryParams(
            expiry=NOW + rng.choice((60, 3600, 86_400, 7 * 86_400, 30 * 86_400, 365 * 86_400)),
            phi_ppb=rng.randrange(950_000_000, 1_100_000_000),
            df_ppb=rng.randrange(900_000_000, 1_000_000_001),
            sigma_atm_ppm=600_000,
        )
        ranges = Ranges(
            psr_ppm=rng.choice((25_000, 110_000, 150_000, 316_667, 500_000)),
            vsr_up_ppm=rng.randrange(1_000_000),
            vsr_down_ppm=rng.randrange(1_000_000),
        )
        strike = int(spot * rng.lognormvariate(0, 0.5)) // 10**10
        sigma, floor = rng.randrange(100_000, 3_000_000), rng.choice((0, 400_000))
        array = riskfile.strike_array(
            strike=strike,
            sigma_ppm=sigma,
            expiry=params,
            ranges=ranges,
            vol_floor_ppm=floor,
            ref_spot=spot,
            now=NOW,
        )
        mark = riskfile.call_mark(strike=strike, sigma_ppm=sigma, expiry=params, ref_spot=spot, now=NOW)
        queries.append(
            (
                strike,
                sigma,
                params.expiry,
                params.phi_ppb,
                params.df_ppb,
                ranges.psr_ppm,
                ranges.vsr_up_ppm,
                ranges.vsr_down_ppm,
                floor,
                spot,
                NOW,
            )
        )
        answers.append([*array.values, mark])
    return case("strike arrays", f"strikeArrays({QUERY}[])", [queries], "uint256[25][]", answers)


def a_file(rng: random.Random, *, extreme: bool) -> File:
    """A file over three expiries; `extreme` fills its rows with any int32 whatever it means."""
    ref = rng.choice((2_000 * 10**18, rng.randrange(10**16, 10**24)))
    psr = rng.choice((1, 60_000, 110_000, 150_000, 220_000, 316_667, 400_000, 500_000))
    ranges = Ranges(psr_ppm=psr, vsr_up_ppm=400_000, vsr_down_ppm=250_000)
    expiries, rows = {}, {}
    for tau in (rng.randrange(60, 3600), 7 * 86_400, rng.randrange(8, 300) * 86_400):
        params = ExpiryParams(
            expiry=NOW + tau,
            phi_ppb=rng.randrange(980_000_000, 1_050_000_000),
            df_ppb=rng.randrange(950_000_000, 1_000_000_001),
            sigma_atm_ppm=600_000,
        )
        expiries[params.expiry] = params
        for k in range(22):
            strike, sigma = ref * (60 + 4 * k) // 100 // 10**10, rng.randrange(300_000, 1_500_000)
            if extreme:
                values = tuple(rng.choice((0, 1, 2**31 - 1, rng.getrandbits(31))) for _ in range(24))
                rows[params.expiry, strike] = StrikeArray(strike=strike, sigma_ppm=sigma, values=values)
            else:
                rows[params.expiry, strike] = riskfile.strike_array(
                    strike=strike,
                    sigma_ppm=sigma,
                    expiry=params,
                    ranges=ranges,
                    vol_floor_ppm=400_000,
                    ref_spot=ref,
                    now=NOW,
                )
    return File(ref_spot=ref, ranges=ranges, tail_ppm=750_000, short_min_ppm=10_000, expiries=expiries, arrays=rows)


def file_words(file: File) -> tuple[Any, ...]:
    """`file` as GridHarness.FileIn."""
    expiries = []
    for params in file.expiries.values():
        strikes = []
        for (expiry, strike), array in file.arrays.items():
            if expiry == params.expiry:
                words = [sum(v << 32 * j for j, v in enumerate(array.values[8 * w : 8 * w + 8])) for w in range(3)]
                strikes.append((strike, array.sigma_ppm, words))
        expiries.append((params.expiry, params.phi_ppb, params.df_ppb, strikes))
    return file.ref_spot, file.ranges.psr_ppm, file.tail_ppm, file.short_min_ppm, expiries


def packed(leg: Leg) -> int:
    """`leg` as a Position word: instrument above bit 136, size in the low 128."""
    instrument = UNDERLYING << 104 | leg.expiry << 72 | leg.strike << 8 | (1 if leg.is_call else 2)
    return instrument << 136 | leg.size % (1 << 128)


def portfolios(rng: random.Random, *, extreme: bool, count: int) -> dict[str, str]:
    """Random portfolios over random files: hedges, spreads, 64 legs, no legs, spot far away."""
    files, inputs, answers = [], [], []
    for f in range(3):
        file = a_file(rng, extreme=extreme)
        files.append(file_words(file))
        strikes = sorted(file.arrays)
        for _ in range(count):
            chosen = sorted(
                (e, k, kind) for e, k in rng.sample(strikes, rng.choice((0, 1, 3, 10, 32))) for kind in (1, 2)
            )
            chosen = [c for c in chosen if rng.random() < rng.choice((0.5, 1.0))]
            big = 10 ** rng.choice((0, 9, 18, 20, 25))
            legs = [
                Leg(expiry=e, strike=k, is_call=kind == 1, size=rng.choice((-1, 1)) * rng.randrange(1, 11) * big)
                for e, k, kind in chosen
            ]
            perp = rng.choice((0, rng.randrange(-(10**20), 10**20)))
            psr = file.ranges.psr_ppm
            spot = file.ref_spot * rng.choice((10**6, 10**6 + psr // 3, 10**6 - psr // 3, 700_001, 1_900_007)) // 10**6
            now = NOW + rng.choice((0, 1, 59))
            a = assess(file, legs, perp, spot, now)
            inputs.append((f, [packed(leg) for leg in legs], perp, spot, now))
            answers.append((a.option_mark, a.grid, a.short_minimum, a.worst_row))
    return case(
        "portfolios, any int32 rows" if extreme else "portfolios",
        f"assess({FILE}[],{PORTFOLIO}[])",
        [files, inputs],
        "(int256,uint256,uint256,uint8)[]",
        answers,
    )


def cases() -> list[dict[str, str]]:
    """Every case, the same at every run."""
    rng = random.Random(SEED)
    return [
        *functions(rng),
        arrays(rng),
        portfolios(rng, extreme=False, count=20),
        portfolios(rng, extreme=True, count=20),
    ]


if __name__ == "__main__":
    PATH.write_text(json.dumps({"cases": cases()}, indent=1) + "\n", encoding="utf-8")
