"""Derive's portfolio margin through the kernel: its eleven vectors, and a plain twin on random accounts."""

import json
from dataclasses import replace
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from keeper.documents.derive_case import answer, margin_of, parse_case
from keeper.documents.derive_own import own_parameters
from keeper.documents.derive_params import Parameters, preset_of
from keeper.errors import BadInput
from keeper.risk.presets.derive_pmrm2 import PRESET
from tests.cases import derive_twin

FILE = json.loads((Path(__file__).parents[1] / "cases" / "derive_pmrm2.json").read_text(encoding="utf-8"))
CASES = {case["name"]: case for case in FILE["cases"]}


@pytest.mark.parametrize("name", list(CASES))
@pytest.mark.parametrize("whole", [True, False])
def test_derive__published_vector__to_ten_digits(name, whole):
    """Each published portfolio gives its published figures, from the file or as a case by itself."""
    case = CASES[name]
    found = answer(margin_of(parse_case(FILE, name=name) if whole else parse_case(case)))
    assert set(found) == {"IM", "MM", "mtm", "worst"}
    for figure in ("IM", "MM", "mtm"):
        assert found[figure] == pytest.approx(case["expected"][figure], rel=case["rel_tol"])
    assert found["worst"] == case["expected"]["worst"]


@pytest.mark.parametrize("name", list(CASES))
def test_twin__published_vector__to_ten_digits(name):
    """The plain twin is worth comparing with: it gives the published figures too."""
    found = derive_twin.answer(CASES[name], own_parameters())
    for figure in ("IM", "MM", "mtm"):
        assert found[figure] == pytest.approx(CASES[name]["expected"][figure], rel=1e-10)


def test_parameters__of_the_preset__make_the_preset():
    """Derive's own writing of the preset's numbers leads back to the preset."""
    again = preset_of(Parameters.model_validate(own_parameters()))
    assert replace(again, blocks=()) == replace(PRESET, blocks=())
    for block, own in zip(again.blocks, PRESET.blocks, strict=True):
        assert replace(block, rows=own.rows) == own
        assert [replace(row, tag="") for row in block.rows.rows] == [replace(row, tag="") for row in own.rows.rows]


SECONDS = st.sampled_from(
    [0, 1, 60, 1799, 1800, 1801, 3600, 86_399, 86_400, 794_852, 30 * 86_400, 30 * 86_400 + 1, 400 * 86_400]
)
SHARES = st.one_of(st.just(1.0), st.floats(0.0, 1.0), st.sampled_from([0.55, 0.5499, 0.2]))
FEW = st.floats(-20.0, 20.0)
SVI = [0.002138900837067276, 0.04163976582038121, -0.29089434907604955, -0.026351, 0.062563, 2500.0, 0.0252]


@st.composite
def overrides(draw):
    """A nested part of the parameter set: some keys of some blocks, or another list of rows."""
    out = {}
    own = own_parameters()
    for block in draw(st.lists(st.sampled_from([key for key in own if key != "Scenarios"]), max_size=3, unique=True)):
        keys = draw(st.lists(st.sampled_from([k for k in own[block] if "NORMAL" not in k]), max_size=3, unique=True))
        out[block] = {key: _moved(own[block][key], draw(st.floats(0.3, 2.0))) for key in keys}
    if draw(st.booleans()):
        rows = st.builds(
            lambda s, d, w: {"SpotShock": s, "VolShockDirection": d, "DampeningFactor": w},
            st.sampled_from([0.05, 0.5, 0.9, 1.0, 1.1, 2.0, 6.0]),
            st.sampled_from(["Up", "Down", "None", "LINEAR", "ABS"]),
            st.sampled_from([0.0, 0.05, 0.5, 1.0]),
        )
        out["Scenarios"] = draw(st.lists(rows, min_size=1, max_size=6))
    return out


def _moved(value, by):
    return value * by


@st.composite
def cases(draw):
    """An account of up to three expiries, a perpetual and several collaterals, the awkward ones among them."""
    spot = draw(st.sampled_from([2500.0, 95_663.5, 0.9]))
    feeds = []
    for seconds in draw(st.lists(SECONDS, max_size=3, unique=True)):
        forward = spot * draw(st.sampled_from([0.9, 1.0, 1.02]))
        svi = [*SVI[:5], forward, max(seconds, 3600) / 31_536_000]
        feeds.append(
            {
                "sec_to_expiry": seconds, "forward": forward, "fwd_conf": draw(SHARES),
                "rate": draw(st.sampled_from([-0.2, 0.0, 0.15, 0.6, 3.0])), "rate_conf": draw(SHARES),
                "vol_conf": draw(SHARES), "svi_a_b_rho_m_sigma_fwd_tau": svi,
            }
        )  # fmt: skip
    options = []
    if feeds:
        for _ in range(draw(st.integers(0, 6))):
            option = {
                "sec_to_expiry": draw(st.sampled_from(feeds))["sec_to_expiry"],
                "strike": spot * draw(st.sampled_from([0.0, 0.04, 0.8, 1.0, 1.0, 1.25, 4.0])),
                "call": draw(st.booleans()),
                "amount": draw(FEW),
                "vol": draw(st.sampled_from([None, 0.0, 0.1, 0.6, 1.2, 40.0])),
            }
            options += [option] * draw(st.integers(1, 2))
    collateral = [
        {
            "name": name, "amount": draw(st.floats(0.0, 50.0)), "price": draw(st.sampled_from([spot, 1.0, 0.9])),
            "conf": draw(SHARES), "risk_cancelling": draw(st.booleans()),
            "mm_haircut": draw(st.sampled_from([0.0, 0.02, 0.5])), "im_haircut": draw(st.sampled_from([0.0, 0.03])),
        }
        for name in draw(st.lists(st.sampled_from("ABC"), max_size=3))
    ]  # fmt: skip
    perps = draw(st.one_of(st.just(0.0), FEW))
    inputs = {
        "cash": draw(FEW) * spot, "spot": spot, "spot_conf": draw(SHARES),
        "stable": draw(st.sampled_from([1.00019088635, 0.98, 0.97, 0.5])), "perps": perps,
        "perp_price": spot * 1.01, "perp_conf": draw(SHARES), "upnl": draw(FEW), "funding": draw(FEW),
        "collateral": collateral, "options": options, "feeds": feeds,
    }  # fmt: skip
    return {"name": "random", "inputs": inputs, "param_overrides": draw(overrides())}


@hypothesis.given(cases())
def test_derive__random_account__equal_to_the_plain_twin(case):
    """TWIN-2: kernel and twin agree to 1e-10 of the money that passes through the account, in every figure."""
    found, plain = answer(margin_of(parse_case(case))), derive_twin.answer(case, own_parameters())
    i = case["inputs"]
    held = sum(abs(o["amount"]) for o in i["options"]) + abs(i["perps"]) + 1.0
    through = held * i["spot"] * 10 + abs(i["cash"]) + sum(c["amount"] * c["price"] for c in i["collateral"])
    for figure in ("IM", "MM", "mtm"):
        assert found[figure] == pytest.approx(plain[figure], rel=1e-10, abs=1e-12 * through), "TWIN-2"
    losses = sorted(plain["losses"].values())
    if losses[1] - losses[0] > 1e-9 * through:
        assert found["worst"] == plain["worst"], "TWIN-2"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"param_overrides": {"Margn": {}}}, "did you mean Margin"),
        ({"param_overrides": {"Margin": {"IM_LOS_FACTOR": 1}}}, "IM_LOSS_FACTOR"),
        ({"param_overrides": {"Margin": {"IM_LOSS_FACTOR": "1"}}}, "IM_LOSS_FACTOR"),
        ({"param_overrides": {"Scenarios": [{"SpotShock": 1.0}]}}, "Scenarios[0]"),
        ({"inputs": {}}, "cash"),
    ],
)
def test_derive_case__wrong_field__named_with_a_way_out(change, message):
    """A case that cannot be read names the field, and says what to do."""
    case = dict(CASES["test_20_structures_basic_put"]) | change
    with pytest.raises(BadInput) as refusal:
        parse_case(case)
    assert message in str(refusal.value)
    assert refusal.value.hint
