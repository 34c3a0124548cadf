"""The calls of the HTTP API that Segment and RudderStack share."""

from __future__ import annotations

from datetime import datetime, timedelta

import orjson

from schemas.capabilities import Capability
from streams.connectors.spec import Sample
from streams.connectors.ways import Call

SINGLE = ("track", "identify", "page", "screen", "group", "alias", "t", "i", "p", "s", "g", "a")
BATCH = ("batch", "import", "b")
CALLS = (*(Call(f"/v1/{name}") for name in SINGLE), *(Call(f"/v1/{name}", batch=True) for name in BATCH))
TELEMETRY = "/v1/m"
"""What the SDKs report about themselves."""

FEEDS: tuple[Capability, ...] = (
    *("page_view", "click", "form", "client_error", "product_event", "event"),
    *("survey", "words", "person", "organisation"),
)


def sample(now: datetime) -> Sample:
    """A page seen by somebody known."""
    message = {
        "type": "page",
        "messageId": f"sample-{now:%Y%m%d%H%M%S}",
        "timestamp": (now - timedelta(seconds=2)).isoformat(),
        "anonymousId": "sample-visitor",
        "properties": {"path": "/pricing", "title": "Pricing"},
        "context": {
            "page": {"path": "/pricing", "url": "https://www.example.com/pricing", "title": "Pricing"},
            "test": True,
        },
    }
    return Sample(orjson.dumps({"batch": [message], "sentAt": now.isoformat()}).decode(), path="/v1/batch")
