"""Log lines: structured, sparse, without secrets.

`log.info("sink caught up", extra={"rows": 1200})` becomes a text line with `rows=1200` at its end,
or one JSON object a line. Logging is set up once per process, by its `main`.
"""

from __future__ import annotations

import logging
import re
import sys
from datetime import UTC, datetime
from typing import Literal, TextIO

import orjson

from streams.runtime.kafka_log_limit import Sparse

#: Libraries whose own loggers stay enabled (and cost CPU) whatever the root says: the level goes on them.
QUIET_LOGGERS: dict[str, int] = {
    "aiokafka": logging.ERROR,
    "aiokafka.cluster": logging.CRITICAL,  # ten lines a second while a topic is not there yet
    "asyncio": logging.WARNING,
    "clickhouse_connect": logging.ERROR,  # our own line says, once, that the store is away
    "urllib3": logging.ERROR,  # its retry warnings carry the query's parameters
    "faust": logging.WARNING,
    "httpcore": logging.WARNING,
    "httpx": logging.WARNING,
    "mode": logging.WARNING,
    "uvicorn": logging.WARNING,
    "uvicorn.access": logging.CRITICAL,
    "uvicorn.error": logging.WARNING,
}

_SECRET = re.compile(
    r"""(?ix) ((?:password|passwd|secret|token|api[_-]?key|write[_-]?key|authorization)["']?\s*[=:]\s*)
        (?:(?:basic|bearer)\s+)? ("[^"]*"|'[^']*'|[^\s,;&}"']+)"""
)
_USERINFO = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^/\s@]+@")
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


def masked(text: str) -> str:
    """`text` without what looks like a secret: `token=…`, `Authorization: …`, `http://user:password@…`."""
    return _USERINFO.sub(r"\1…@", _SECRET.sub(r"\1…", text))


def _plain(key: str, value: object) -> object:
    """A field's value as JSON may show it: numbers stay numbers, a secret by its name is hidden."""
    if isinstance(value, bool | int | float):
        return value
    return masked(f"{key}={value}").removeprefix(f"{key}=")


class _Formatter(logging.Formatter):
    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def _parts(self, record: logging.LogRecord) -> tuple[str, str, dict[str, object]]:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        return at, record.getMessage(), fields

    def _trace(self, record: logging.LogRecord) -> str:
        return self.formatException(record.exc_info) if record.exc_info else ""


class TextFormatter(_Formatter):
    """`2026-01-31T09:00:00.000+00:00 WARNING gateway kafka is away attempts=3`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback below it where there is one."""
        at, message, fields = self._parts(record)
        tail = "".join(f" {key}={value}" for key, value in fields.items())
        line = f"{at} {record.levelname} {self._service} {message}{tail}"
        trace = self._trace(record)
        return masked(f"{line}\n{trace}" if trace else line)


class JsonFormatter(_Formatter):
    """One JSON object a line: at, level, service, logger, message, then the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; a traceback is the field `trace`."""
        at, message, fields = self._parts(record)
        entry: dict[str, object] = {"at": at, "level": record.levelname, "service": self._service}
        entry |= {"logger": record.name, "message": masked(message)}
        entry |= {key: _plain(key, value) for key, value in fields.items()}
        if trace := self._trace(record):
            entry["trace"] = masked(trace)
        return orjson.dumps(entry, default=str).decode()


def configure_logging(
    service: str,
    log_format: Literal["text", "json"] = "text",
    *,
    level: int = logging.INFO,
    stream: TextIO | None = None,
) -> None:
    """Send this process's log lines to `stream` (default: stderr). Calling again replaces the former set-up."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(service) if log_format == "json" else TextFormatter(service))
    handler.addFilter(Sparse())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, own_level in QUIET_LOGGERS.items():
        logging.getLogger(name).setLevel(own_level)
