"""What a version before ids carried their source left behind, recorded by `record.py`."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

from schemas.config import AttributionConfig, SourceConfig
from streams.connectors.registry import systems_of
from streams.identity.directories import Directories

#: The sources of that version's fresh configuration; the operator has said whose the page's groups are.
SOURCES = tuple(
    SourceConfig.model_validate({"name": name, "vendor": vendor, "secrets": ({"env": "NONE"},), **more})
    for name, vendor, more in (
        ("web", "segment", {"directory": "product"}),
        ("product", "rudderstack", {}),
        ("crm", "hubspot", {}),
        ("support", "zendesk", {}),
        ("operators", "touchline", {}),
    )
)


def directories() -> Directories:
    """Theirs."""
    return Directories(SOURCES, AttributionConfig(), systems=systems_of())


@cache
def recorded() -> dict[str, Any]:
    """`logs`: (topic, partition, record values); `offsets` read of them; `stored` facts; and what was `shown`."""
    found: dict[str, Any] = json.loads(gzip.decompress((Path(__file__).parent / "topics.json.gz").read_bytes()))
    return found


#: Types that the catalogue gives otherwise since: a view of a form's page is a view and no request, a login is use, and
#: a visit from any other site is no review.
_NOW = {
    "71754c28-0103-50ae-bd01-da1ed4cbe7c6": "product_use",
    "cca67d05-8cea-5da9-8e30-7aa281b22472": "demo_page",
    "a034e2fd-6df6-5604-89be-3e473bf64a42": "quote_page",
    "9167a233-ee99-5daa-b873-b85dd50ae9fc": "quote_page",
    "ccf1e059-0064-56b5-b36f-982fe19dc6c1": "quote_page",
    "756c9569-955a-5ed6-b8e5-282e153634e3": "quote_page",
    "e89b7441-7684-5f9b-affd-7923a1f7d946": "quote_page",
    "9bd49036-6411-5eb3-8351-fab0b32f9183": "quote_page",
    "2bb01a15-952d-5802-a181-5b7c0ca86d55": "website_visit",
    "d29dac59-4527-5591-91e0-ee1a5567aef1": "website_visit",
}


def mended() -> dict[str, Any]:
    """What was `shown`, without what mends were meant to change.

    Besides the types: a won deal alone begins no onboarding now, so the account of this one is no longer `stalled`. And
    a deal that was won by mistake and put right two hours later was never won: it did not go back a stage, and whoever
    waits has waited since the deal began.
    """
    before: dict[str, Any] = recorded()["shown"]
    won, begun, put_right = (
        "30d5cdef-8b1b-5b4c-ad8a-df52b39bd921",
        "0a6e366f-e05a-5e78-969e-c4adc132ff8b",
        "d0613099-b274-5a51-8712-38c0a8234ea1",
    )
    gone = {
        "5081deea-eea4-542e-87cb-d4fb07e1f6b6",
        "d186e7be-2e32-5b41-82ea-b58bea9046ac",
        "ebf72216-a297-559c-a9fb-38cfdbfa48ca",
    }
    assert before["events"][won]["friction"] == ["stalled"] and gone <= set(before["signals"])
    changes: dict[str, dict[str, Any]] = {event: {"type": kind} for event, kind in _NOW.items()} | {
        won: {"friction": []},
        begun: {"friction": ["stalled"]},
        put_right: {"friction": []},
    }
    events = {event: row | changes.get(event, {}) for event, row in before["events"].items()}
    signals = sorted({*before["signals"], "5d0aaab3-b414-5497-9120-8e448524aebc"} - gone)
    return before | {"events": events, "signals": signals}
