"""Opaque cursors: the key of the last row seen. They name a place, so pages neither skip nor repeat."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import orjson

from schemas.base import EPOCH
from services.dashboard.store import TimeKey

_MAX_LENGTH = 600
_MILLISECOND = timedelta(milliseconds=1)
_MOST = 2**63 - 1


class BadCursor(ValueError):
    """The text is no cursor of ours."""


def encode(key: str, row_id: str) -> str:
    return urlsafe_b64encode(orjson.dumps([key, row_id])).decode().rstrip("=")


def decode(text: str) -> tuple[str, str]:
    """(key, id). Raises BadCursor for anything `encode` did not make."""
    try:
        parts = orjson.loads(urlsafe_b64decode(text[:_MAX_LENGTH] + "=" * (-len(text) % 4)))
    except ValueError as error:
        raise BadCursor(text) from error
    if not (isinstance(parts, list) and len(parts) == 2 and all(isinstance(part, str) for part in parts)):
        raise BadCursor(text)
    return parts[0], parts[1]


def encode_ranked(sort: str, place: tuple[str, int, str]) -> str:
    """A place in a list that is sorted so."""
    key, seen, row_id = place
    return encode(orjson.dumps([sort, key, str(seen)]).decode(), row_id)


def decode_ranked(text: str, sort: str) -> tuple[str, int, str]:
    """Raises BadCursor, also where the list was sorted otherwise."""
    key_text, row_id = decode(text)
    try:
        was, key, seen = orjson.loads(key_text)
        if was == sort and isinstance(key, str) and -_MOST <= (place := int(seen)) <= _MOST:
            return key, place, row_id
    except (TypeError, ValueError):
        pass
    raise BadCursor(text)


def encode_time(at: datetime, row_id: str) -> str:
    return encode(str((at.astimezone(UTC) - EPOCH) // _MILLISECOND), row_id)


def decode_time(text: str) -> TimeKey:
    """Raises BadCursor."""
    key, row_id = decode(text)
    try:
        return EPOCH + int(key) * _MILLISECOND, row_id
    except (ValueError, OverflowError) as error:
        raise BadCursor(text) from error
