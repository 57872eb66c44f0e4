"""Between client and server: no proper answer."""

from __future__ import annotations

from typing import Any, Final

from keeper.testing import broken
from keeper.testing.broken import Broken, Damage, Garbled, Reset, Silence, Slow, Status
from keeper.testing.faults.fault import Boundary, Call, Fault, Forward, Shot

SEND = "eth_sendRawTransaction"


def _raising(make: Any) -> Any:
    """A hook that breaks the exchange with what `make(shot)` returns.  The node adds the answer where one was made."""

    def on_call(shot: Shot, _call: Call, _forward: Forward) -> Any:
        shot.fire()
        raise make(shot)

    return on_call


def _wire(name: str, about: str, make: Any, *, methods: tuple[str, ...] = (), **defaults: float | str) -> Fault:
    return Fault(
        name=name, boundary=Boundary.WIRE, about=about, methods=methods, defaults=defaults, on_call=_raising(make)
    )


def _garbled(name: str, damage: Damage) -> Fault:
    return _wire(name, f"The answer is {damage.about}.", lambda _shot: Garbled(damage))


def _limited(shot: Shot) -> Broken:
    wait = shot.number("retry_after_s")
    message = '{"jsonrpc":"2.0","id":null,"error":{"code":429,"message":"Too Many Requests"}}'
    return Status(429, retry_after_s=wait if wait >= 0 else None, body=message)


FAULTS: Final = (
    _wire("timeout", "The request is never executed and never answered.", lambda _: Silence("a time-out")),
    _wire(
        "answer_lost",
        "The request is executed, and its answer never comes.",
        lambda _: Silence("a time-out after execution", executed=True),
    ),
    _wire(
        "sent_then_timeout",
        "The node takes the transaction, and its answer never comes.",
        lambda _: Silence("a time-out after the node took it", executed=True),
        methods=(SEND,),
    ),
    _wire("reset", "The connection is reset before the request is executed.", lambda _: Reset("a reset connection")),
    _wire("slow", "The answer is late.", lambda shot: Slow(float(shot.options["seconds"])), seconds=0.05),
    _wire(
        "rate_limited",
        "429, with Retry-After unless `retry_after_s` is negative.",
        _limited,
        retry_after_s=-1,
    ),
    _wire(
        "server_error",
        "A 5xx with the page of a proxy.",
        lambda shot: Status(shot.number("status"), body="<html><body><h1>Bad Gateway</h1></body></html>"),
        status=502,
    ),
    _garbled("truncated_json", broken.TRUNCATED),
    _garbled("short_body", broken.SHORT),
    _garbled("empty_body", broken.EMPTY),
    _garbled("html_body", broken.HTML),
    _garbled("wrong_id", broken.WRONG_ID),
)
