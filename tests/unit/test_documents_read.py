"""Documents: what is refused, and how; the schema, and the examples under it."""

import copy
import json
from pathlib import Path

import hypothesis.strategies as st
import jsonschema
import pytest
from hypothesis import given

from keeper.documents.derive_inputs import FeedInput
from keeper.documents.example import example_names, write_examples
from keeper.documents.market import MarketDocument
from keeper.documents.portfolio import OrdersDocument, PortfolioDocument
from keeper.documents.read import check, read_document, read_json
from keeper.documents.schema import DOCUMENTS, schema
from keeper.errors import BadInput

MARKET = {
    "as_of": "2026-01-15T12:00:00Z",
    "underlyings": {
        "ETH": {
            "spot": 3000,
            "vol": 0.6,
            "expiries": [
                {"expiry": "20260327", "smile": {"svi": {"a": 0.03, "b": 0.12, "rho": -0.25, "m": 0.02, "sigma": 0.35}}}
            ],
        }
    },
}
SVI = ("underlyings", "ETH", "expiries", 0, "smile", "svi")
VALIDATOR = jsonschema.Draft202012Validator(schema())


def changed(tree: dict, path: tuple, value: object) -> dict:
    """A copy with one place changed."""
    out = copy.deepcopy(tree)
    at = out
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return out


@pytest.mark.parametrize(
    ("path", "value", "field", "hint"),
    [
        (("spott",), 1, "spott", "known here"),
        (("underlyings", "ETH", "spott"), 1, "underlyings.ETH.spott", "did you mean spot?"),
        ((*SVI, "q"), 1, "underlyings.ETH.expiries[0].smile.svi.q", "known here: a, b, m, rho, sigma, tau_years"),
        ((*SVI, "b"), -0.1, "underlyings.ETH.expiries[0].smile.svi.b", "Steepness"),
        ((*SVI, "b"), "0.1", "underlyings.ETH.expiries[0].smile.svi.b", "Steepness"),
        (("underlyings", "ETH", "spot"), 0, "underlyings.ETH.spot", "Index price"),
        (("underlyings", "ETH", "spot"), True, "underlyings.ETH.spot", "Index price"),
        (("underlyings", "ETH", "vol"), 1e999, "underlyings.ETH.vol", "Annual volatility"),
        (("as_of",), "2026-01-15T12:00:00", "as_of", "ISO 8601"),
        (("as_of",), "yesterday", "as_of", "ISO 8601"),
        (("underlyings", "ETH", "expiries", 0, "expiry"), "30FEB26", "underlyings.ETH.expiries[0]", "One expiry"),
        (("underlyings", "ETH", "expiries", 0, "smile"), {}, "underlyings.ETH.expiries[0].smile", "Volatilit"),
        (("underlyings",), {}, "underlyings", "By symbol"),
        (("collaterals",), {"WETH": {}}, "collaterals.WETH", "One token"),
        (("stable_price",), None, "stable_price", "settlement token"),
    ],
)
def test_check__something_is_wrong__names_the_field_and_what_it_is(path, value, field, hint):
    """DOC-2: a refusal names the path of what is wrong, and says what belongs there."""
    with pytest.raises(BadInput) as refused:
        check(changed(MARKET, path, value), MarketDocument, where="m.json")
    assert refused.value.message.startswith("m.json: ")
    assert refused.value.fields["field"] == field
    assert field in refused.value.message
    assert hint in refused.value.hint


@pytest.mark.parametrize(
    ("model", "tree", "said"),
    [
        (MarketDocument, changed(MARKET, ("collaterals",), {"W": {"underlying": "BTC"}}), "no underlying here"),
        (
            MarketDocument,
            changed(MARKET, ("collaterals",), {"W": {"price": 1, "haircut_mm": 0.2, "haircut_im": 0.1}}),
            "below haircut_mm",
        ),
        (
            MarketDocument,
            changed(MARKET, ("underlyings", "ETH", "expiries"), [{"expiry": "27MAR26"}, {"expiry": "2026-03-27"}]),
            "given twice",
        ),
        (MarketDocument, changed(MARKET, ("underlyings", "ETH", "book"), {"bids": [[1, 1], [2, 1]]}), "go down"),
        (
            MarketDocument,
            changed(MARKET, ("underlyings", "ETH", "book"), {"bids": [[2, 1]], "asks": [[2, 1]]}),
            "not below the best ask",
        ),
        (PortfolioDocument, {"positions": [{"instrument": "ETH", "size": 1}]}, "not the name of an instrument"),
        (
            PortfolioDocument,
            {"positions": [{"instrument": "ETH-27MAR26-3000-C", "size": 1, "entry_price": 5}]},
            "fully paid",
        ),
        (PortfolioDocument, {"positions": [{"instrument": "ETH-27MAR26", "size": 1, "funding": 5}]}, "funding"),
        (OrdersDocument, {"orders": []}, "at least 1"),
        (OrdersDocument, {"orders": [{"instrument": "ETH-PERP", "side": "long", "amount": 1}]}, "'buy' or 'sell'"),
        (OrdersDocument, {"orders": [{"instrument": "ETH-PERP", "side": "buy", "amount": -1}]}, "greater than 0"),
        (
            OrdersDocument,
            {"orders": [{"instrument": "ETH-PERP", "side": "buy", "amount": 1, "price": 0}]},
            "only an option",
        ),
    ],
)
def test_check__makes_no_sense__says_why(model, tree, said):
    with pytest.raises(BadInput, match=said):
        check(tree, model, where="x.json")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"as_of": ', "line 1, column"),
        ('{"a": 1, "a": 2}', "'a' is given twice"),
        ('{"underlyings": {"ETH": {"spot": 1, "spot": 2}}}', "'spot' is given twice"),
        ('{"a": NaN}', "NaN is not a number"),
        ('{"a": -Infinity}', "-Infinity is not a number"),
        ("[" * 100_000, "nested more than 100 deep"),
        ('{"a":' * 101 + "1" + "}" * 101, "nested more than 100 deep"),
        ('{"a": "' + "[" * 101 + '", "a": 1}', "given twice"),
        ('{"a": ' + "9" * 5_000 + "}", "a number of 5000 digits"),
        ("\ud800".encode("utf-8", "surrogatepass"), "cannot be read"),
    ],
    ids=[
        "cut",
        "twice",
        "twice inside",
        "nan",
        "infinity",
        "deep",
        "objects",
        "brackets in a string",
        "digits",
        "no text",
    ],
)
def test_read_json__readers_would_disagree__refused(tmp_path: Path, text, said):
    path = tmp_path / "x.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BadInput, match=said) as refused:
        read_json(path)
    assert str(path) in refused.value.message


def test_read_json__absent__says_how_to_begin(tmp_path: Path):
    with pytest.raises(BadInput, match="no such file") as refused:
        read_json(tmp_path / "x.json")
    assert "--example" in refused.value.hint


@given(st.floats(min_value=1e-12, max_value=1e15))
def test_check__any_number__kept_to_the_last_bit(spot: float):
    """DOC-3: reading changes no number."""
    tree = {"as_of": "2026-01-15T12:00:00Z", "underlyings": {"ETH": {"spot": spot}}}
    assert check(tree, MarketDocument, where="x").underlyings["ETH"].spot == spot


BEYOND = [
    (("underlyings", "ETH", "spot"), 1e308),
    (("underlyings", "ETH", "spot"), 1e-308),
    (("underlyings", "ETH", "rate"), 5.1),
    (("underlyings", "ETH", "vol"), 1e4),
    (("underlyings", "ETH", "expiries", 0, "forward"), 1e308),
    (("underlyings", "ETH", "expiries", 0, "forward"), 1e-308),
    ((*SVI, "m"), 1e300),
    (("underlyings", "ETH", "adv"), 1e16),
    (("underlyings", "ETH", "book"), {"bids": [[1e-300, 1]]}),
    (("stable_price",), 1e-300),
]


@pytest.mark.parametrize(("path", "value"), BEYOND)
def test_check__beyond_any_market__refused_by_reader_and_schema(path, value):
    """A slip of the pen is not computed with: what overflows later is a defect, and this is none."""
    tree = changed(MARKET, path, value)
    assert not VALIDATOR.is_valid(tree)
    with pytest.raises(BadInput, match=r"underlyings\.ETH|stable_price"):
        check(tree, MarketDocument, where="m.json")


def test_schema__itself__is_one():
    jsonschema.Draft202012Validator.check_schema(schema())
    json.dumps(schema(), allow_nan=False)


def test_schema__every_field__says_what_it_means():
    """A stranger can write a document from the schema alone."""
    undescribed = [
        f"{name}.{field}"
        for name, part in schema()["$defs"].items()
        for field, node in part.get("properties", {}).items()
        if "description" not in node and name != "Confidence"
    ]
    assert undescribed == []


@pytest.mark.parametrize("name", [name for name in example_names() if name.endswith(".json")])
def test_example__each__is_what_the_schema_and_the_reader_say(tmp_path: Path, name: str):
    """The examples validate, and are read by one model each."""
    write_examples(tmp_path)
    tree = json.loads((tmp_path / name).read_text())
    VALIDATOR.validate(tree)
    kind = next(kind for kind in DOCUMENTS if kind in name)
    read_document(tmp_path / name, DOCUMENTS[kind])
    others = [model for other, model in DOCUMENTS.items() if other != kind]
    for other in others:
        with pytest.raises(BadInput):
            read_document(tmp_path / name, other)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spott",), 1),
        ((*SVI, "q"), 1),
        ((*SVI, "b"), -0.1),
        (("underlyings", "ETH", "spot"), "3000"),
        (("underlyings", "ETH", "expiries", 0, "smile"), {}),
        (("underlyings", "ETH", "expiries", 0, "smile", "flat"), 0.5),
        (("underlyings", "ETH", "expiries", 0, "smile"), {"quotes": [{"strike": 3000, "bid": 1}]}),
        (("underlyings", "ETH", "book"), {"bids": [[1]]}),
        (("collaterals",), {"WETH": {}}),
    ],
)
def test_schema__what_the_reader_refuses__is_not_valid_either(path, value):
    tree = changed(MARKET, path, value)
    assert not VALIDATOR.is_valid(tree)
    assert VALIDATOR.is_valid(MARKET)


def test_write_examples__something_is_there__nothing_is_overwritten(tmp_path: Path):
    (tmp_path / "orders.json").write_text("mine")
    with pytest.raises(BadInput, match=r"orders\.json is there already"):
        write_examples(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["orders.json"]
    assert (tmp_path / "orders.json").read_text() == "mine"


@pytest.mark.parametrize(
    ("field", "value"), [("rate", 1e300), ("sec_to_expiry", 1e12), ("forward", 1e308), ("rate", 5.1), ("rate", -5.1)]
)
def test_published_case__feed_beyond_any_market__refused(field, value):
    """A case that is changed by hand meets the same bounds; those that are published are within them."""
    feed = {"sec_to_expiry": 86_400, "forward": 3000, "fwd_conf": 1, "rate": 0.05, "rate_conf": 1, "vol_conf": 1}
    check(feed, FeedInput, where="feed")
    check(feed | {"sec_to_expiry": -5}, FeedInput, where="an expired feed")
    with pytest.raises(BadInput, match=f"feed: {field}: input should be"):
        check(feed | {field: value}, FeedInput, where="feed")
