"""Segment's HTTP Tracking API: single calls and batches, from servers and browsers."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from streams.connectors.spec import Connector, Docs, Fresh, Scope
from streams.connectors.ways import SUCCESS, Answers, Keyed, Setting
from streams.connectors.web.dialect import address, touchpoint
from streams.connectors.web.protocol import CALLS, FEEDS, TELEMETRY, sample


def settings(key: str, source: str, public_base_url: str) -> dict[str, Any]:
    """What analytics-next loads before it starts; sends its events back here when `public_base_url` is set."""
    destination: dict[str, Any] = {"apiKey": key, "unbundledIntegrations": [], "addBundledMetadata": True}
    base = urlsplit(public_base_url)
    if base.netloc:
        destination |= {"apiHost": f"{base.netloc}/v1", "protocol": base.scheme}
    return {
        "integrations": {"Segment.io": destination},
        "plan": {"track": {"__default": {"enabled": True, "integrations": {}}}},
        "edgeFunction": {},
        "analyticsNextEnabled": True,
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "metrics": {"sampleRate": 0},
        "legacyVideoPluginsEnabled": False,
        "remotePlugins": [],
    }


CONNECTOR = Connector(
    name="segment",
    versions=("v1",),
    ways_in=(
        Keyed(CALLS, settings=(Setting("/v1/projects/{key}/settings", settings, unknown=404),), swallowed=(TELEMETRY,)),
    ),
    map=touchpoint,
    mapping=2,
    batch_key="batch",
    address=address,
    answers=Answers(ok=SUCCESS),
    feeds=FEEDS,
    ids=Scope(accounts=("group", "crm")),
    docs=Docs(
        title="Segment, and every SDK or CDP that speaks its protocol",
        setup=(
            "Take the write key from the source's secret file.",
            "Point your SDK at the gateway:\n"
            "   - analytics-python: `analytics.host = GATEWAY`, `analytics.write_key`\n"
            "   - @segment/analytics-node: `new Analytics({writeKey, host: GATEWAY})`\n"
            "   - @segment/analytics-next: `AnalyticsBrowser.load({writeKey, cdnURL: GATEWAY})`, with "
            "`public_base_url` set on the source; or give "
            "`integrations: {'Segment.io': {apiHost: 'HOST/v1', protocol: 'https'}}`",
        ),
        settings="`public_base_url`: where browsers reach the gateway; analytics-next is told to send there.",
        limits="A body of 4,000 KiB; an SDK's batch has 500 KB at most.",
    ),
    fresh=Fresh("web", "any Segment SDK or CDP; the write key is in the file", directory="product"),
    sample=sample,
)
