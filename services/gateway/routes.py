"""Which path is what. Both slash forms are served, and nothing ever redirects: SDKs follow with an empty GET."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Purpose = Literal[
    "events",
    "records",
    "beacon",
    "pixel",
    "webhook",
    "telemetry",
    "segment_settings",
    "rudder_config",
    "health",
    "version",
]

_CALLS = ("track", "identify", "page", "screen", "group", "alias", "batch", "import", "t", "i", "p", "s", "g", "a", "b")
_READ = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Route:
    """One path: what it is for, who may call it how, and the part of the path that varies.

    `cors`: whether a page of another origin may call it.
    """

    purpose: Purpose
    methods: tuple[str, ...] = ("POST",)
    vendor: str = ""
    argument: str = ""
    batch: bool = False
    cors: bool = True


_FIXED: dict[str, Route] = {
    **{f"/v1/{call}": Route("events", batch=call in ("batch", "import", "b")) for call in _CALLS},
    "/v1/touchline": Route("records", vendor="touchline", batch=True, cors=False),
    "/beacon/v1/batch": Route("beacon", vendor="rudderstack", batch=True),
    "/pixel/v1/track": Route("pixel", ("GET",), vendor="rudderstack"),
    "/pixel/v1/page": Route("pixel", ("GET",), vendor="rudderstack"),
    "/v1/m": Route("telemetry"),
    "/sourceConfig": Route("rudder_config", _READ),
    "/health": Route("health", _READ),
    "/healthz": Route("health", _READ),
    "/version": Route("version", _READ),
}
WEBHOOK_VENDORS = ("hubspot", "zendesk")


@lru_cache(maxsize=1024)
def find(path: str) -> Route | None:
    """The route of a path, with or without a trailing slash."""
    path = path.rstrip("/")
    fixed = _FIXED.get(path)
    if fixed is not None:
        return fixed
    parts = path.split("/")[1:]
    if len(parts) == 2 and parts[0] in WEBHOOK_VENDORS:
        return Route("webhook", vendor=parts[0], argument=parts[1])
    if len(parts) == 4 and parts[:2] == ["v1", "projects"] and parts[3] == "settings":
        return Route("segment_settings", _READ, argument=parts[2])
    return None
