"""What a version before ids carried their source left behind, recorded by `record.py`."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

from schemas.config import AttributionConfig, SourceConfig
from streams.connectors.registry import systems_of
from streams.resolve.directories import Directories

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
