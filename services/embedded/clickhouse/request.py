"""An HTTP request as a statement: which parameter is a bound value, a setting, or transport. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl
from uuid import uuid4

from services.embedded.clickhouse.errors import BAD_ARGUMENTS, NOT_IMPLEMENTED, SYNTAX_ERROR, ClickHouseError
from services.embedded.clickhouse.form import MAX_FIELDS, fields_of
from services.embedded.clickhouse.statement import Statement

# Read here or without a meaning for one process on loopback; everything else in the URL is a ClickHouse setting.
TRANSPORT: Final = frozenset(
    [
        "query",
        "database",
        "default_format",
        "user",
        "password",
        "query_id",
        "quota_key",
        "role",
        "session_id",
        "session_timeout",
        "session_check",
        "compress",
        "decompress",
        "enable_http_compression",
        "http_zlib_compression_level",
        "wait_end_of_query",
        "buffer_size",
        "client_protocol_version",
        "send_progress_in_http_headers",
        "http_headers_progress_interval_ms",
        "stacktrace",
        "cancel_http_readonly_queries_on_client_close",
        "close_session",
        "add_http_cors_header",
    ]
)


# They come back in headers.
_FORMAT: Final = re.compile(r"[A-Za-z0-9_]{1,64}")
_QUERY_ID: Final = re.compile(r"[\x21-\x7e]{1,256}")


def _query_id(params: Mapping[str, str]) -> str:
    asked = params.get("query_id") or str(uuid4())
    if _QUERY_ID.fullmatch(asked) is None:
        raise ClickHouseError.made(SYNTAX_ERROR, "query_id must be up to 256 visible ASCII characters")
    return asked


def _default_format(headers: Mapping[str, str], params: Mapping[str, str]) -> str:
    asked = params.get("default_format") or headers.get("x-clickhouse-format") or "TabSeparated"
    if _FORMAT.fullmatch(asked) is None:
        raise ClickHouseError.made(BAD_ARGUMENTS, f"Unknown format {asked[:40]!r}")
    return asked


def parameters(query_string: bytes) -> dict[str, str]:
    """The URL's parameters; of two with one name the later. Raises ClickHouseError for more than anybody needs."""
    try:
        pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise ClickHouseError.made(BAD_ARGUMENTS, f"The URL has more than {MAX_FIELDS} parameters") from None
    return dict(pairs)


def is_form(headers: Mapping[str, str]) -> bool:
    """Whether the body is a form, whose fields stand for those of the URL."""
    return headers.get("content-type", "").startswith("multipart/form-data")


def to_statement(
    headers: Mapping[str, str], params: Mapping[str, str], body: bytes, *, max_query_bytes: int | None = None
) -> Statement:
    """The statement of a request. The URL's `query` and the body are one text, as ClickHouse reads them.

    Raises ClickHouseError for what cannot be read, and for a text above `max_query_bytes`.
    """
    if params.get("decompress") == "1":
        raise ClickHouseError.made(NOT_IMPLEMENTED, "decompress=1 is not spoken here: set it to 0")
    if is_form(headers):
        params, body = {**params, **fields_of(headers["content-type"], body)}, b""
    query = params.get("query", "").encode()
    text = query + b"\n" + body if query and body else query or body
    if max_query_bytes is not None and len(text) > max_query_bytes:
        raise ClickHouseError.made(SYNTAX_ERROR, f"Max query size exceeded: {max_query_bytes} bytes")
    return Statement(
        text=text,
        database=params.get("database", "") or headers.get("x-clickhouse-database", ""),
        default_format=_default_format(headers, params),
        query_id=_query_id(params),
        params={name[6:]: value for name, value in params.items() if name.startswith("param_")},
        settings={k: v for k, v in params.items() if k not in TRANSPORT and not k.startswith("param_")},
    )
