"""Every connector, by the name used in configuration, metrics, fixtures and file names."""

from __future__ import annotations

from streams.vendors import hubspot, rudderstack, segment, touchline, zendesk
from streams.vendors.base import Vendor

VENDORS: dict[str, Vendor] = {
    "segment": segment.VENDOR,
    "rudderstack": rudderstack.VENDOR,
    "hubspot": hubspot.VENDOR,
    "zendesk": zendesk.VENDOR,
    "touchline": touchline.VENDOR,
}
