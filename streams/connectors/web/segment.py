"""Segment's HTTP Tracking API: single calls and batches, from servers and browsers."""

from __future__ import annotations

from typing import Any

from streams.connectors.spec import Connector, Docs, Erasures, Fresh, Scope
from streams.connectors.ways import SUCCESS, Answers, Keyed, Sdk, Setting
from streams.connectors.web.circumstances import PREFETCH_HEADERS
from streams.connectors.web.clock import CLOCK_HEADERS
from streams.connectors.web.dialect import address, touchpoint
from streams.connectors.web.protocol import CALLS, FEEDS, TELEMETRY, sample


def settings(key: str, source: str, base_url: str) -> dict[str, Any]:
    """What analytics-next loads before it starts. Without `apiHost` it would send to the vendor's own host."""
    scheme, _, host = base_url.partition("://")
    destination = {
        "apiKey": key,
        "apiHost": f"{host}/v1",
        "protocol": scheme,
        "unbundledIntegrations": [],
        "addBundledMetadata": True,
    }
    return {
        "integrations": {"Segment.io": destination},
        "plan": {"track": {"__default": {"enabled": True, "integrations": {}}}},
        "edgeFunction": {},
        "analyticsNextEnabled": True,
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "metrics": {"sampleRate": 0, "host": f"{host}/v1"},
        "legacyVideoPluginsEnabled": False,
        "remotePlugins": [],
    }


SDK = Sdk(
    entry="/analytics.js/v1/{key}/analytics.min.js",
    file="standalone.js",
    parts="/analytics-next/bundles/{file}",
    renamed=(("https://cdn.segment.com", "{base}"), ("api.segment.io/v1", "{host}/v1")),
    folder="`dist/umd` of the npm package `@segment/analytics-next`",
)

CONNECTOR = Connector(
    name="segment",
    versions=("v1",),
    ways_in=(
        Keyed(
            CALLS,
            settings=(Setting("/v1/projects/{key}/settings", settings, unknown=404, names_us=True),),
            swallowed=(TELEMETRY,),
            sdk=SDK,
        ),
    ),
    map=touchpoint,
    mapping=8,
    keep_headers=(*CLOCK_HEADERS, *PREFETCH_HEADERS),
    batch_key="batch",
    address=address,
    answers=Answers(ok=SUCCESS),
    feeds=(*FEEDS, "erasure"),
    erasures=Erasures(("delete",), "pages know their write key, and whoever knows it could erase anybody"),
    ids=Scope(accounts=("group", "crm")),
    docs=Docs(
        title="Segment, and every SDK or CDP that speaks its protocol",
        setup=(
            "Take the write key from the source's secret file.",
            "Point your SDK at the gateway:\n"
            "   - analytics-python: `analytics.host = GATEWAY`, `analytics.write_key`\n"
            "   - @segment/analytics-node: `new Analytics({writeKey, host: GATEWAY})`\n"
            "   - @segment/analytics-next from npm: `AnalyticsBrowser.load({writeKey, cdnURL: GATEWAY})`, and nothing "
            "else; without `cdnURL` it asks Segment's own host for its settings\n"
            "   - the `<script>` snippet: replace `https://cdn.segment.com` in it by GATEWAY, and set `sdk_folder` on "
            "the source",
            "Set `public_base_url` on the source to the address at which browsers reach the gateway. On this machine "
            "alone (a page and a gateway on localhost) it is not needed.",
        ),
        subscribe="For deletions (Segment's regulations): in Segment a Webhooks destination to `GATEWAY/v1/track` with "
        "the header `Authorization: Basic BASE64(KEY:)`, where KEY is the write key of a source of its own with "
        "`erases: true` that no page knows; filter all but deletions out of it. Segment then forwards each as "
        "`type: delete`.",
        settings="`public_base_url`: the SDK is told to send there; with a proxy in front the gateway cannot know it, "
        "and refuses to guess: it answers what to set, and the SDK sends nothing to anybody. `sdk_folder`: a folder "
        "with the SDK's files, for the snippet: `npm pack @segment/analytics-next@1.84.3`, unpack it, and name "
        "its `package/dist/umd`. The gateway puts its own address in the place of Segment's hosts. Browsers "
        "too old for the SDK load a polyfill from cdnjs.cloudflare.com.",
        limits="A body of 4,000 KiB; an SDK's batch has 500 KB at most.",
    ),
    fresh=Fresh("web", "any Segment SDK or CDP; the write key is in the file", directory="product"),
    sample=sample,
)
