"""From a scenario's short messages to the requests vendors really send, and through their mappings."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from zlib import crc32

from schemas.config import AttributionConfig
from schemas.touchpoints import CleanTouchpoint, RawRequest
from streams.connectors.registry import CONNECTORS as MAPPINGS
from streams.connectors.results import Mapped
from streams.emotion.feeling import felt
from streams.identity.networks import Networks
from tests.scenarios.model import VENDORS, Event, Row, Scenario


def _dialect(name: str, event: Event, message: Row) -> Any:
    return {"messageId": name, "timestamp": event.at.isoformat(), **message}


def _posthog(name: str, event: Event, message: Row) -> Any:
    return {"batch": [{"uuid": name, "timestamp": event.at.isoformat(), "properties": {}, **message}]}


def _hubspot(name: str, event: Event, message: Row) -> Any:
    common = {"eventId": crc32(name.encode()), "subscriptionId": 25, "portalId": 33, "appId": 7, "attemptNumber": 0}
    return [{**common, "occurredAt": int(event.at.timestamp() * 1000), "changeSource": "CRM_UI", **message}]


def _salesforce(name: str, event: Event, message: Row) -> Any:
    """A change event: `is` says what of which record, the rest are its fields."""
    kind, change, record_id = message["is"].split()
    header = {"entityName": kind, "changeType": change, "recordIds": [record_id], "transactionKey": name}
    at = {"sequenceNumber": 1, "commitTimestamp": int(event.at.timestamp() * 1000)}
    fields = {field: value for field, value in message.items() if field != "is"}
    return {"schema": "s", "payload": {"ChangeEventHeader": header | at, **fields}, "event": {"replayId": 1}}


def _zendesk(name: str, event: Event, message: Row) -> Any:
    kind = f"zen:event-type:{message['type']}"
    return {"id": name, "time": event.at.isoformat(), "detail": {}, "event": {}, **message, "type": kind}


def _intercom(name: str, event: Event, message: Row) -> Any:
    """`item` is the whole of `data.item`; a part of it without a time has the event's."""
    at, item = int(event.at.timestamp()), {"type": "conversation", **message["item"]}
    item["conversation_parts"] = {"conversation_parts": [{"created_at": at, **part} for part in item.pop("parts", [])]}
    told = {"type": "notification_event", "id": f"notif_{name}", "created_at": at, "topic": message["topic"]}
    return {**told, "data": {"type": "notification_event_data", "item": item}}


def _touchline(name: str, event: Event, message: Row) -> Any:
    return {"records": [{"occurred_at": event.at.isoformat(), **message}]}


BODIES: dict[str, Callable[[str, Event, Row], Any]] = {
    "segment": _dialect,
    "rudderstack": _dialect,
    "posthog": _posthog,
    "hubspot": _hubspot,
    "salesforce": _salesforce,
    "zendesk": _zendesk,
    "intercom": _intercom,
    "touchline": _touchline,
}


def requests(name: str, event: Event) -> list[RawRequest]:
    """The event as it is received, once for each copy."""
    vendor, message = event.message
    received = event.received or event.at + timedelta(seconds=1)
    body = json.dumps(BODIES[vendor](name, event, message))
    return [
        RawRequest(
            request_id=f"{name}/{copy}",
            source=event.source or VENDORS[vendor],
            vendor=vendor,
            received_at=received + timedelta(minutes=copy),
            path=f"/v1/{message.get('type', '')}",
            body=body,
        )
        for copy in range(event.copies)
    ]


def understood(scenario: Scenario) -> tuple[dict[str, list[CleanTouchpoint]], dict[str, str]]:
    """(name → the event's copies as touchpoints, name → why its vendor mapping refused it).

    What else one message tells is `name+1`, `name+2`, …
    """
    mapped: dict[str, list[CleanTouchpoint]] = {}
    refused: dict[str, str] = {}
    listed = [{"account": account, "ranges": ranges} for account, ranges in scenario.networks.items()]
    networks = Networks(AttributionConfig.model_validate({"networks": listed}))
    directories = scenario.directories
    for name, event in scenario.spread():
        for request in requests(name, event):
            for number, result in enumerate(MAPPINGS[request.vendor].read(request)):
                if isinstance(result, Mapped) and directories.unclear(result.touchpoint):
                    refused[name] = "unclear_directory"
                elif isinstance(result, Mapped):
                    key = f"{name}+{number}" if number else name
                    located = networks.located(result.touchpoint, result.address)
                    mapped.setdefault(key, []).append(felt(directories.touchpoint(located)))
                else:
                    refused[name] = result.reason
    return mapped, refused
