"""An HTTP request as a statement: which parameter is a bound value, a setting, or transport. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from typing import Final
from uuid import uuid4

from services.warehouse.errors import NOT_IMPLEMENTED, SYNTAX_ERROR, ClickHouseError
from services.warehouse.statement import Statement

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


# It comes back in a header.
_QUERY_ID: Final = re.compile(r"[\x21-\x7e]{1,256}")


def _query_id(params: Mapping[str, str]) -> str:
    asked = params.get("query_id") or str(uuid4())
    if _QUERY_ID.fullmatch(asked) is None:
        raise ClickHouseError.made(SYNTAX_ERROR, "query_id must be up to 256 visible ASCII characters")
    return asked


def to_statement(headers: Mapping[str, str], params: Mapping[str, str], body: bytes) -> Statement:
    """The statement of a request. The URL's `query` and the body are one text, as ClickHouse reads them."""
    if params.get("decompress") == "1":
        raise ClickHouseError.made(NOT_IMPLEMENTED, "decompress=1 is not spoken here: set it to 0")
    if headers.get("content-type", "").startswith("multipart/form-data"):
        fields = _form(headers["content-type"], body)
        params, body = {**params, **fields}, b""
    query = params.get("query", "").encode()
    text = query + b"\n" + body if query and body else query or body
    return Statement(
        text=text,
        database=params.get("database", "") or headers.get("x-clickhouse-database", ""),
        default_format=params.get("default_format") or headers.get("x-clickhouse-format") or "TabSeparated",
        query_id=_query_id(params),
        params={name[6:]: value for name, value in params.items() if name.startswith("param_")},
        settings={k: v for k, v in params.items() if k not in TRANSPORT and not k.startswith("param_")},
    )


def _form(content_type: str, body: bytes) -> dict[str, str]:
    message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    fields: dict[str, str] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        if part.get_filename() is not None or not isinstance(name, str):
            raise ClickHouseError.made(NOT_IMPLEMENTED, "External tables in a form are not spoken here")
        fields[name] = _text(part)
    return fields


def _text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    return payload.decode() if isinstance(payload, bytes) else ""
