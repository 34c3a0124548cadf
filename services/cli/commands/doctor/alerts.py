"""Whether anybody is told of what hurts: channels, and messages that reached nobody."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from schemas.incidents import Delivery
from services.cli.commands.doctor.check import Check, Place

RECENT = timedelta(days=1)
NEWEST = 5_000
_HOW = "add one under `alerts` in touchline.yaml (docs/how-to/alerts.md), then `touchline alerts test NAME`"


def channels(place: Place) -> Iterator[Check]:
    """Whether there are any, and whether the configuration leaves some without a route."""
    config = place.config.alerts
    if not config.channels:
        yield Check("alerts", "warning", "no channel is configured: nobody is told, only the log is written", _HOW)
        return
    routed = {name for route in config.routes for name in route.channels} if config.routes else None
    for channel in config.channels:
        if routed is not None and channel.name not in routed:
            yield Check(
                "alerts", "warning", f"no route leads to channel `{channel.name}`", "name it in `alerts.routes`"
            )
    if config.routes and all(route.crm_owners for route in config.routes):
        detail = "every route asks for an owner in the CRM: of accounts without one nobody is told"
        yield Check("alerts", "warning", detail, "add a route without `crm_owners`")
    if not config.public_url:
        yield Check("alerts", "warning", "messages have no links", "set `alerts.public_url` to the page's address")
    yield Check("alerts", "ok", f"{len(config.channels)} channel(s)")


def delivered(place: Place) -> Iterator[Check]:
    """Messages of the last day that reached nobody."""
    if "alerts.deliveries.v1" in place.kafka.topics:
        from services.cli.commands.alerts import deliveries

        yield from delivered_of(asyncio.run(deliveries(place.config.kafka, NEWEST)), datetime.now(UTC))


def delivered_of(lines: Iterable[Delivery], now: datetime) -> Iterator[Check]:
    """One finding a channel; pure."""
    failed: Counter[str] = Counter()
    answers: dict[str, str] = {}
    sent = 0
    for line in lines:
        if now - line.at > RECENT:
            continue
        sent += line.outcome == "sent"
        if line.outcome in ("gave_up", "nobody"):
            failed[line.channel] += 1
            answers[line.channel] = line.answer
    for channel, count in sorted(failed.items()):
        where = f"channel `{channel}` gave up {count}" if channel else f"no route wanted {count}"
        detail = f"{where} message(s) since yesterday, the last: {answers[channel] or 'no answer'}"
        fix = f"`touchline alerts test {channel}`" if channel else "see `alerts` in touchline.yaml"
        yield Check("deliveries", "warning", detail, f"{fix}; `touchline alerts log` lists them")
    if not failed:
        yield Check("deliveries", "ok", f"{sent} message(s) since yesterday, none undelivered")
