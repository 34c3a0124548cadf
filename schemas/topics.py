"""The topic catalogue: names, keys, models. A record's value is a JSON array of 1…N items of its model; in a compacted
topic of one, under that one's key. Earlier versions wrote several there, too, under a hash of their keys.

How long each is kept, and what it holds of people, is said in `schemas.retention`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

TopicName = Literal[
    "touchpoints.raw.v1",
    "touchpoints.recalled.v1",
    "identity.links.v1",
    "touchpoints.attributed.v1",
    "journey.facts.v1",
    "touchpoints.dead.v1",
    "touchpoints.parked.v1",
    "sources.standings.v1",
    "incidents.actions.v1",
    "alerts.desks.v1",
    "alerts.deliveries.v1",
    "touchpoints.clean.v1",
]


@dataclass(frozen=True, slots=True)
class Topic:
    """`key` names what the partition is chosen by (murmur2); `single` topics have one partition, in total order.

    `extra`: settings of the broker's that only this topic has.
    """

    name: TopicName
    key: str
    model: str
    cleanup: Literal["delete", "compact"] = "delete"
    single: bool = False
    max_message_bytes: int = 1_000_000
    extra: dict[str, str] = field(default_factory=dict)


#: The largest request body the gateway takes is 4 MiB; escaped as a JSON string it may double.
RAW_MAX_BYTES = 10 * 1024 * 1024

#: A log that everyone reads whole at the start, and whose keys are few: kept short by frequent compaction.
SMALL = {"segment.bytes": str(4 << 20)}

TOPICS: dict[TopicName, Topic] = {
    t.name: t
    for t in (
        Topic("touchpoints.raw.v1", "request_id", "RawRequest", max_message_bytes=RAW_MAX_BYTES),
        Topic("touchpoints.recalled.v1", "account_id", "Recalled"),
        Topic("identity.links.v1", "link_id", "Link", cleanup="compact", single=True),
        Topic("touchpoints.attributed.v1", "account_id", "AccountInput"),
        Topic("journey.facts.v1", "account_id", "Fact"),
        Topic("touchpoints.dead.v1", "letter_id", "DeadLetter", max_message_bytes=RAW_MAX_BYTES),
        Topic("touchpoints.parked.v1", "source", "Parked", max_message_bytes=RAW_MAX_BYTES),
        Topic("sources.standings.v1", "kind and source", "Standing", cleanup="compact", single=True, extra=SMALL),
        Topic("incidents.actions.v1", "action_id", "IncidentAction", cleanup="compact", single=True, extra=SMALL),
        Topic("alerts.desks.v1", "account_id", "Desk", cleanup="compact", extra=SMALL),
        Topic("alerts.deliveries.v1", "notice_id", "Delivery", single=True),
    )
}

FORMER: dict[TopicName, Topic] = {
    t.name: t for t in (Topic("touchpoints.clean.v1", "strongest alias", "CleanTouchpoint"),)
}
"""What earlier versions wrote, and nobody does now. Where such a topic is there it is drained, then deleted."""
