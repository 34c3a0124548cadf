"""RudderStack's data plane: Segment's dialect, plus a pixel that carries its message in the query string."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import orjson

from schemas.touchpoints import RawRequest
from streams.connectors.spec import Vendor
from streams.connectors.web.dialect import address, touchpoint


def payload(request: RawRequest) -> str:
    """The body; for a pixel the message its query spells (`context.page.path=/x` nests)."""
    return _from_query(request.query) if request.path.startswith("/pixel/") else request.body


def _from_query(query: str) -> str:
    message: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, errors="replace"):
        place = message
        *parents, last = name.split(".")[:8]
        for parent in parents:
            inner = place.setdefault(parent, {})
            if not isinstance(inner, dict):
                break
            place = inner
        else:
            place[last] = value
    return orjson.dumps(message).decode()


VENDOR = Vendor("rudderstack", touchpoint, batch_key="batch", payload=payload, address=address)
