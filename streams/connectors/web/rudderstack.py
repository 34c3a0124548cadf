"""RudderStack's data plane: Segment's dialect, plus a pixel that carries its message in the query string."""

from __future__ import annotations

from typing import Any

from streams.connectors.spec import Connector, Docs, Fresh, Scope
from streams.connectors.ways import PIXEL, Answers, Call, Keyed, Setting
from streams.connectors.web.circumstances import PREFETCH_HEADERS
from streams.connectors.web.clock import CLOCK_HEADERS
from streams.connectors.web.dialect import address, touchpoint
from streams.connectors.web.protocol import CALLS, FEEDS, TELEMETRY, sample


def source_config(key: str, source: str, public_base_url: str) -> dict[str, Any]:
    """What the RudderStack browser SDK loads; without it the SDK never sends anything."""
    off = {"errors": {"enabled": False}, "metrics": {"enabled": False}}
    return {
        "source": {
            "id": source,
            "name": source,
            "writeKey": key,
            "enabled": True,
            "workspaceId": "touchline",
            "config": {"statsCollection": off},
            "connections": [],
            "destinations": [],
            "dataplanes": {},
        }
    }


def screen(body: object, batch: bool) -> tuple[str, str] | None:
    """The refusals RudderStack documents for a whole request."""
    if batch:
        messages = body.get("batch") if isinstance(body, dict) else body
        if not isinstance(messages, list) or not messages:
            return "empty_batch", "empty batch payload"
    elif isinstance(body, dict) and not body.get("anonymousId") and not body.get("userId"):
        return "no_identity", "request neither has anonymousId nor userId"
    return None


def _pixel(call: str) -> Call:
    return Call(f"/pixel/v1/{call}", ("GET",), content="query", keys=("query",), always=PIXEL)


CONNECTOR = Connector(
    name="rudderstack",
    versions=("v1",),
    ways_in=(
        Keyed(
            (*CALLS, Call("/beacon/v1/batch", batch=True, keeps_cut=True), _pixel("track"), _pixel("page")),
            settings=(Setting("/sourceConfig", source_config),),
            swallowed=(TELEMETRY,),
            screen=screen,
        ),
    ),
    map=touchpoint,
    mapping=8,
    keep_headers=(*CLOCK_HEADERS, *PREFETCH_HEADERS),
    batch_key="batch",
    address=address,
    answers=Answers(refused="text"),
    feeds=FEEDS,
    ids=Scope(accounts=("group", "crm")),
    docs=Docs(
        title="RudderStack",
        setup=(
            "Take the write key from the source's secret file.",
            "Point your SDK at the gateway:\n"
            "   - rudder-sdk-python: `Client(write_key, host=GATEWAY)`\n"
            "   - @rudderstack/rudder-sdk-node: `new Analytics(writeKey, {dataPlaneUrl: GATEWAY, errorHandler})`;\n"
            "     without a handler (`(error) => {}`) version 3.0.13 ends your program, and loses what waits,\n"
            "     when an answer breaks off\n"
            "   - @rudderstack/analytics-js: `load(writeKey, GATEWAY, {configUrl: GATEWAY})`",
        ),
        limits="A body of 4,000 KiB.",
    ),
    fresh=Fresh("product", "any RudderStack SDK; the write key is in the file"),
    sample=sample,
)
