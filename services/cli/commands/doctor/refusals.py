"""What the gateway refused: by source and reason, since when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
from prometheus_client.parser import text_string_to_metric_families

from services.cli.commands.doctor.check import Check, Place

TIMEOUT_S = 3.0
NAME = "touchline_gateway_refusals"
FIXES = {
    "invalid_key": "give the sender the source's key; `touchline.yaml` names its file",
    "missing_key": "give the sender the source's key; `touchline.yaml` names its file",
    "invalid_signature": "put the sender's signing secret into the source's file, and restart the gateway",
    "too_large": "let the sender send smaller batches, or raise `gateway.max_body_bytes`",
    "unavailable": "Kafka did not ack: see its log and disk; senders that follow Retry-After send again",
    "no_base_url": "set the source's `public_base_url` to the address at which browsers reach the gateway",
    "no_sdk": "set the source's `sdk_folder`, or load the SDK from npm: the connector's page has both",
    "unknown_path": "nothing, unless a sender of yours has a wrong address: compare with docs/connectors.md",
}
ANY_FIX = "the answer's text tells the sender what is wrong; compare with docs/connectors.md"


def refusals(place: Place) -> Iterator[Check]:
    """Asks the gateway of a running `touchline up`; that of a cluster is asked by Prometheus."""
    port = place.run.ops_ports.get("gateway")
    if not place.is_running or port is None:
        return
    try:
        text = httpx.get(f"http://{place.config.metrics_host}:{port}/metrics", timeout=TIMEOUT_S).text
    except httpx.HTTPError as error:
        yield Check("refusals", "warning", f"the gateway does not tell its figures: {error!r}", "see its log")
        return
    yield from refusals_of(text)


def refusals_of(text: str) -> Iterator[Check]:
    """One finding for each source and reason in a gateway's `/metrics`; pure."""
    counts, since = _series(text, NAME + "_total"), _series(text, NAME + "_created")
    for (source, reason), count in sorted(counts.items()):
        begun_s = since.get((source, reason))
        when = f" since {datetime.fromtimestamp(begun_s, UTC).isoformat(timespec='seconds')}" if begun_s else ""
        detail = f"{count:.0f} of {f'`{source}`' if source else 'an unknown sender'}: {reason}{when}"
        yield Check("refusals", "warning", detail, FIXES.get(reason, ANY_FIX))
    if not counts:
        yield Check("refusals", "ok", "none since the gateway started")


def _series(text: str, name: str) -> dict[tuple[str, str], float]:
    families = text_string_to_metric_families(text)
    samples = (sample for family in families for sample in family.samples if sample.name == name)
    return {(sample.labels["source"], sample.labels["reason"]): sample.value for sample in samples}
