"""Segment's HTTP Tracking API: single calls and batches, from servers and browsers."""

from __future__ import annotations

from streams.connectors.spec import Vendor
from streams.connectors.web.dialect import address, touchpoint

VENDOR = Vendor("segment", touchpoint, batch_key="batch", address=address)
