"""Events with fields, on stderr: `log.info("cycle.done", block=19_000_001, accounts=412, took_ms=840)`.

Both structlog events and the standard library's records (web3, alembic, apscheduler) pass one chain, so that nothing
reaches the output unredacted.  stdout belongs to the answers of commands.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

MASK = "***"

#: Field names whose value is never shown, wherever they are nested.
_SECRET_NAMES = re.compile(
    r"private|secret|password|passphrase|mnemonic|api_?key|authorization|keystore_json", re.IGNORECASE
)

#: user:password@ of a URL.
_URL_CREDENTIALS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^/\s@]+@", re.IGNORECASE)

#: A path segment or query value of a URL that looks like an API key: 16 or more characters with a digit among them.
_URL_KEY = re.compile(r"(?P<before>://[^\s\"']*?[/=])(?=[\w-]*\d)[\w-]{16,}(?![\w.-])", re.ASCII)

#: Hex of 32 bytes after a word that says it is a key.  A bare 32-byte hash is a transaction or a block: shown.
_KEY_IN_TEXT = re.compile(r"(?P<before>key\W{1,4})(0x)?[0-9a-f]{64}\b", re.IGNORECASE)


def configure(
    *, level: str = "info", style: Literal["console", "json"] = "console", stream: TextIO | None = None
) -> None:
    """Set the process's logging.  Call once, before the first event; calling again replaces it.

    Args:
        level: least important event shown: debug, info, warning, error.
        style: `json`, one object a line, or `console` for a person.
        stream: where to write; stderr if None.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    out = stream or sys.stderr
    last: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if style == "json":
        last += [structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer(default=str)]
    else:
        # Exceptions become text before redaction, so that a URL in a traceback is masked too.
        last += [structlog.processors.format_exc_info, redact, structlog.dev.ConsoleRenderer(colors=out.isatty())]
    handler = logging.StreamHandler(out)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # At debug it writes each request's path by itself, where a provider's key may stand without the URL around it.
    logging.getLogger("urllib3").setLevel(logging.INFO)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Mask secrets in every field, at any depth: by the field's name, and by what the text looks like."""
    return {name: _redacted(name, value) for name, value in event.items()}


def redact_text(text: str) -> str:
    """`text` with credentials and API keys of URLs, and private keys named as such, masked."""
    text = _URL_CREDENTIALS.sub(rf"\g<scheme>{MASK}@", text)
    # Again until nothing changes: one match can hide the next segment of the same URL.
    while (masked := _URL_KEY.sub(rf"\g<before>{MASK}", text)) != text:
        text = masked
    return _KEY_IN_TEXT.sub(rf"\g<before>{MASK}", text)


def _redacted(name: object, value: Any) -> Any:
    if isinstance(name, str) and _SECRET_NAMES.search(name):
        return MASK
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, dict):
        return {key: _redacted(key, item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_redacted(None, item) for item in value]
    if isinstance(value, BaseException):
        return redact_text(str(value))
    return value if isinstance(value, (int, float, bool, type(None))) else redact_text(str(value))
