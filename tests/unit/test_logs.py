"""What the keeper says: events with fields, UTC, nothing secret."""

from __future__ import annotations

import io
import json
import logging

import pytest
import structlog

from keeper import logs
from keeper.settings import Secret

KEY = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
API_KEY = "aBcD1234efGh5678ijKl"


@pytest.fixture
def output():
    """Where a test's events go; logging is as it was afterwards."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers[:], root.level = before
    structlog.reset_defaults()


def test_json__event__one_object_with_fields_in_utc(output):
    logs.configure(style="json", stream=output)
    structlog.get_logger().info("cycle.done", block=19_000_001, wei=2**200)
    record = json.loads(output.getvalue())
    assert record["event"] == "cycle.done"
    assert (record["block"], record["wei"], record["level"]) == (19_000_001, 2**200, "info")
    assert record["timestamp"].endswith("Z")


def test_level__less_important__silent(output):
    logs.configure(level="warning", style="json", stream=output)
    structlog.get_logger().info("quiet")
    logging.getLogger("alembic").info("quiet")
    assert output.getvalue() == ""


@pytest.mark.parametrize("style", ["json", "console"])
def test_redaction__every_way_in__nothing_secret_comes_out(output, style):
    """Fields, nested fields, messages, tracebacks and other libraries' records."""
    url = f"https://user:hunter2@rpc.example/v2/{API_KEY}?apikey={API_KEY}"
    logs.configure(style=style, stream=output)
    log = structlog.get_logger()
    log.warning(
        "rpc.failed", url=url, nested={"urls": [url], "private_key": KEY}, secret=Secret(KEY), error=OSError(url)
    )
    logging.getLogger("web3").warning("cannot reach %s", url)
    try:
        int(f"private key {KEY} at {url}")
    except ValueError:
        log.exception("signer.failed")
    text = output.getvalue()
    assert "rpc.example" in text
    for secret in ("hunter2", API_KEY, KEY):
        assert secret not in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql+psycopg://me:pw@host/keeper", "postgresql+psycopg://***@host/keeper"),
        (f"https://eth.example/v3/{API_KEY}/x/{API_KEY}", "https://eth.example/v3/***/x/***"),
        (f"wss://eth.example/?key={API_KEY}&a=1", "wss://eth.example/?key=***&a=1"),
        (f"tx 0x{KEY} mined", f"tx 0x{KEY} mined"),
        ("http://127.0.0.1:8545", "http://127.0.0.1:8545"),
        ("https://docs.example/some-long-page-about-margin", "https://docs.example/some-long-page-about-margin"),
        ("sqlite:///keeper.sqlite", "sqlite:///keeper.sqlite"),
    ],
)
def test_redact_text__examples(text, shown):
    assert logs.redact_text(text) == shown
