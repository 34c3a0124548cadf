"""Every connector, by the name used in configuration, metrics, fixtures and file names."""

from __future__ import annotations

from streams.connectors.crm import hubspot
from streams.connectors.own import touchline
from streams.connectors.spec import Vendor
from streams.connectors.support import zendesk
from streams.connectors.web import rudderstack, segment

CONNECTORS: dict[str, Vendor] = {
    "segment": segment.VENDOR,
    "rudderstack": rudderstack.VENDOR,
    "hubspot": hubspot.VENDOR,
    "zendesk": zendesk.VENDOR,
    "touchline": touchline.VENDOR,
}
