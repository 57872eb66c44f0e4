"""Volatility histories from files: which columns, in which units, and what is refused."""

import pytest

from keeper.errors import BadInput
from keeper.marketdata.vols_file import load_vols

DAY = 86_400
NOW = 1_767_115_875


def write(folder, text):
    path = folder / "atm.csv"
    path.write_text(text)
    return path


def test_load__by_symbol_and_tenor__sorted_and_snapped_to_the_hour(tmp_path):
    """T in years of 365 days, rounded to six digits, still finds the hour; each symbol is its own history."""
    left = 40 * DAY + 1_725  # to the full hour
    text = (
        "ts,cur,expiry,T,atm_iv\n"
        f"{NOW},eth,x,{left / 365 / DAY:.6f},0.7\n{NOW},ETH,y,{5_325 / 365 / DAY:.6f},0.8\n"
        f"{NOW},BTC,y,0.5,0.4\n{NOW + 60},ETH,x,{(left - 60) / 365 / DAY:.6f},0.71\n{NOW + 60},ETH,z,1,\n"
    )
    found = load_vols(write(tmp_path, text))
    assert sorted(found) == ["BTC", "ETH"]
    eth = found["ETH"]
    assert eth.time_s.tolist() == [NOW, NOW, NOW + 60]
    assert eth.expiry_s.tolist() == [NOW + 5_325, NOW + left, NOW + left]
    assert eth.vol.tolist() == [0.8, 0.7, 0.71]


def test_load__days_or_no_tenor__both_understood(tmp_path):
    by_days = load_vols(write(tmp_path, f"time,dte,vol\n{NOW - NOW % 3_600},2,0.5\n"))["atm"]
    assert by_days.expiry_s[0] - by_days.time_s[0] == 2 * DAY
    index = load_vols(write(tmp_path, "date,iv\n2026-01-01,0.5\n2026-01-02,0.6\n"))["atm"]
    assert index.expiry_s.tolist() == [0, 0]
    assert index.step_s == DAY


def test_load__indices_in_points__one_history_each(tmp_path):
    """`eth_dvol` is a 30-day index of ETH: 77.59 is 77.59 %."""
    found = load_vols(write(tmp_path, "ts,eth_dvol,btc_dvol,other\n0,77.59,60,x\n3600,77.36,,y\n"))
    assert {name: one.vol.tolist() for name, one in found.items()} == {"ETH": [0.7759, 0.7736], "BTC": [0.6]}
    assert found["ETH"].expiry_s.tolist() == [0, 0]
    assert list(load_vols(write(tmp_path, "ts,dvol\n0,77.59\n"))) == ["atm"]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("ts,dvol\n1,0\n", 2, "dvol is 0"),
        ("ts,dvol\n1,50\n1,50\n", 3, "the time 1 does not come after 1"),
        ("ts,dvol\n1,\n", 1, "no volatilities"),
        ("ts,T\n1,1\n", 1, "no column atm_iv or iv or vol"),
        ("ts,T,atm_iv\n", 1, "no volatilities"),
        ("ts,T,atm_iv\n1,1,55\n", 2, "atm_iv is 55"),
        ("ts,T,atm_iv\n1,1,-0.5\n", 2, "atm_iv is -0.5"),
        ("ts,T,atm_iv\n1,0,0.5\n", 2, "t is 0"),
        ("ts,T,atm_iv\n5,1,0.5\n4,1,0.5\n", 3, "the time 4 comes before 5"),
        ("ts,T,atm_iv\n5,1,0.5\n5,1,0.6\n", 3, "twice"),
    ],
)
def test_load__bad_row__file_line_and_what_is_expected(tmp_path, text, line, said):
    path = write(tmp_path, text)
    with pytest.raises(BadInput) as refused:
        load_vols(path)
    assert f"{path}:{line}: " in refused.value.message
    assert said in refused.value.message
    assert refused.value.hint.startswith("expected ")
