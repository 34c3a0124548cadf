"""The job that every peer does: read events, find out the account, count per account, write the event with its count.

Needs nothing of the project, because some peers run in an environment of their own.
"""

from __future__ import annotations

from typing import Any

import orjson

Event = dict[str, Any]


def events(record: bytes) -> list[Event]:
    """The events of a record as the gateway writes it: an array of requests, each with an array of messages."""
    messages = [message for request in orjson.loads(record) for message in orjson.loads(request["body"])["batch"]]
    return [
        {
            "event_id": message["messageId"],
            "account": message["context"]["traits"]["email"].rpartition("@")[2],
            "type": message["type"],
            "at": message["timestamp"],
        }
        for message in messages
    ]


def counted(event: Event, touchpoints: int) -> Event:
    """The event as it is written: with how many its account has had by then."""
    return {**event, "touchpoints": touchpoints}
