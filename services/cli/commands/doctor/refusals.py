"""What the gateway refused: by source and reason, since when."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from schemas.parking import NotTaken
from services.cli.commands.doctor.check import Check, Place
from streams.runtime.standings import TOPIC

LOOKS_BACK = timedelta(days=7)
SHOWN = 20
FIXES = {
    "invalid_key": "give the sender the source's key; `touchline.yaml` names its file",
    "missing_key": "give the sender the source's key; `touchline.yaml` names its file",
    "invalid_signature": "put the sender's signing secret into the source's file, and restart the gateway; an address "
    "that is named must be the one that the sender calls (`public_base_url`)",
    "stale_signature": "set the clock of the gateway's machine (`timedatectl`); else the sender's clock is wrong, or "
    "somebody sends old requests again",
    "missing_signature": "turn signing on at the sender; else somebody calls the address who is not your sender, or a "
    "proxy takes the header away",
    "unknown_source": "give the sender the address of a source, `/VENDOR/NAME`; `touchline sources ls` lists yours",
    "too_large": "let the sender send smaller batches, or raise `gateway.max_body_bytes`",
    "unavailable": "Kafka did not ack: see its log and disk; senders that follow Retry-After send again",
    "no_base_url": "set the source's `public_base_url` to the address at which browsers reach the gateway",
    "no_sdk": "set the source's `sdk_folder`, or load the SDK from npm: the connector's page has both",
    "unknown_path": "nothing, unless a sender of yours has a wrong address: compare with docs/reference/connectors.md",
}
ANY_FIX = "the answer's text tells the sender what is wrong; compare with docs/reference/connectors.md"


def refusals(place: Place) -> Iterator[Check]:
    """As the gateways told it, those of a cluster too; some seconds late."""
    if TOPIC in place.kafka.topics:
        from services.common.parked import standings_of

        standings = asyncio.run(standings_of(place.config.kafka))
        yield from refusals_of(standings.not_taken(datetime.now(UTC) - LOOKS_BACK))


def refusals_of(found: Iterable[NotTaken]) -> Iterator[Check]:
    """One finding for each source and reason, the commonest first; pure. Dead letters have a check of their own."""
    refused = sorted((one for one in found if one.stage == "gateway"), key=lambda one: -one.count)
    for one in refused[:SHOWN]:
        who = f"`{one.source}`" if one.source else "an unknown sender"
        since, last = (at.isoformat(timespec="seconds") for at in (one.since, one.last_at))
        detail = f"{one.count} of {who}: {one.reason} since {since}, the last at {last}: {one.detail}"
        yield Check("refusals", "warning", detail, FIXES.get(one.reason, ANY_FIX))
    if not refused:
        yield Check("refusals", "ok", f"none in {LOOKS_BACK.days} days")
