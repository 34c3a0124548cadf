"""A form as clients send it instead of a URL that would be too long: fields of text, each bounded. Pure."""

from __future__ import annotations

from typing import Final

from multipart import MultipartError, ParserLimitReached, PushMultipartParser, parse_options_header

from services.embedded.clickhouse.errors import BAD_ARGUMENTS, NOT_IMPLEMENTED, QUERY_TOO_LARGE, ClickHouseError

MAX_FIELDS: Final = 1000
MAX_NAME_BYTES: Final = 512
_MAX_HEADERS: Final = 4
_BITE_BYTES: Final = 1 << 16


def fields_of(content_type: str, body: bytes) -> dict[str, str]:
    """The fields of a multipart form; of two with one name the later.

    Raises ClickHouseError for a form that is broken, has more than MAX_FIELDS fields or a head above MAX_NAME_BYTES,
    carries a table, or is not UTF-8.
    """
    boundary = parse_options_header(content_type)[1].get("boundary", "")
    fields: dict[str, str] = {}
    try:
        for name, value in _parts(boundary, body):
            fields[name] = value.decode()
    except UnicodeDecodeError:
        raise ClickHouseError.made(BAD_ARGUMENTS, f"Form field {name[:80]!r} is not UTF-8") from None
    except ParserLimitReached as error:
        raise ClickHouseError.made(QUERY_TOO_LARGE, f"The form is too large: {error}") from None
    except MultipartError as error:
        raise ClickHouseError.made(BAD_ARGUMENTS, f"The form is broken: {error}") from None
    return fields


def _parts(boundary: str, body: bytes) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytearray]] = []
    limits = {
        "max_header_size": MAX_NAME_BYTES,
        "max_header_count": _MAX_HEADERS,
        "max_segment_count": MAX_FIELDS,
    }
    with PushMultipartParser(boundary, strict=True, **limits) as parser:
        for start in range(0, len(body), _BITE_BYTES):
            for event in parser.parse(body[start : start + _BITE_BYTES]):
                if isinstance(event, bytes | bytearray):
                    found[-1][1].extend(event)
                elif event is not None:
                    if event.filename is not None:
                        raise ClickHouseError.made(NOT_IMPLEMENTED, "External tables in a form are not spoken here")
                    found.append((event.name or "", bytearray()))
    return [(name, bytes(value)) for name, value in found]
