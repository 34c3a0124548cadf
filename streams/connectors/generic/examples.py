"""A mapping's examples: each request is read as if it had come, and what comes of it is compared."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from schemas.base import UtcTime
from schemas.documents import Loc
from schemas.errors import did_you_mean, shown
from schemas.mapping import Example, Mapping
from schemas.touchpoints import CleanTouchpoint, RawRequest
from streams.connectors.results import Ignored, Mapped, Refused, Result
from streams.connectors.spec import Connector

#: When the requests of examples are received.
RECEIVED_AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
_OWN = frozenset({"event_id", "source", "vendor", "received_at", "backfill", "language", "sentiment", "network"})
FIELDS = tuple(name for name in CleanTouchpoint.__struct_fields__ if name not in _OWN)
_TIME: TypeAdapter[datetime] = TypeAdapter(UtcTime)


def failures(mapping: Mapping, connector: Connector) -> list[tuple[Loc, str]]:
    """(where, what is other than expected) of every example that its connector reads otherwise."""
    found: list[tuple[Loc, str]] = []
    for index, example in enumerate(mapping.examples):
        results = connector.read(_request(mapping, connector, example))
        place: Loc = ("examples", index)
        if len(results) != len(example.expect):
            stated = f"{len(results)} messages came of it, {len(example.expect)} were expected{_listed(results)}"
            found.append(((*place, "expect"), stated))
            continue
        for at, (result, wanted) in enumerate(zip(results, example.expect, strict=True)):
            found += [((*place, "expect", at), stated) for stated in _differences(result, wanted)]
    return found


def _request(mapping: Mapping, connector: Connector, example: Example) -> RawRequest:
    asked = example.request
    body = asked.body if isinstance(asked.body, str) else orjson.dumps(asked.body, default=str).decode()
    return RawRequest(
        request_id="example",
        source=connector.source,
        vendor=connector.name,
        received_at=RECEIVED_AT,
        method=mapping.receive.methods[0],
        path=f"/{connector.key}",
        query=asked.query,
        headers={name.lower(): value for name, value in asked.headers.items()},
        body="" if asked.body is None else body,
    )


def _differences(result: Result, wanted: dict[str, Any]) -> list[str]:
    if "refused" in wanted or "ignored" in wanted or not isinstance(result, Mapped):
        came = _short(result)
        return [] if came == wanted else [f"expected {shown(wanted)}, but it was {_shown(result)}"]
    touchpoint = result.touchpoint.fields()
    return [stated for name, value in wanted.items() if (stated := _difference(touchpoint, name, value))]


def _difference(touchpoint: dict[str, Any], name: str, value: Any) -> str:
    if name not in FIELDS:
        return f"a touchpoint has no field `{name}`{did_you_mean(name, FIELDS, list_all=False)}"
    found = touchpoint[name]
    if name.endswith("_at") or name in ("valid_from", "valid_to"):
        same = _moment(found) == _moment(value)
    else:
        same = found == value
    return "" if same else f"`{name}` is {shown(found)}, expected {shown(value)}"


def _moment(value: object) -> object:
    try:
        return _TIME.validate_python(value)
    except ValidationError:
        return value


def _short(result: Result) -> dict[str, str]:
    if isinstance(result, Ignored):
        return {"ignored": result.reason}
    return {"refused": result.reason} if isinstance(result, Refused) else {}


def _shown(result: Result) -> str:
    if isinstance(result, Mapped):
        return f"a touchpoint of action `{result.touchpoint.action}`"
    if isinstance(result, Refused):
        return f"refused ({result.reason}): {result.message}"
    return f"ignored: {result.reason}"


def _listed(results: list[Result]) -> str:
    return f"; the first was {_shown(results[0])}" if results else ""
