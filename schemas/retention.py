"""Retention: what every topic and table holds of people, and how long it is kept. `erase` walks this registry.

A topic or table that is not in it fails a test, so nothing can be kept without a word about it. The numbers are
settings: of topics `kafka.retention_hours`, `kafka.retention_bytes`, `kafka.retention_hours_of` and
`kafka.compaction_hours`, of tables `retention.journey_days` and `retention.ignored_days` (`schemas/config.py`).
`streams/runtime/topics_admin.py` sets them on topics, `services/sink/retention.py` on tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from schemas.topics import TopicName

Keeps = Literal["log", "latest", "journey", "ignored", "erased"]
"""`log`: Kafka drops records by age and size. `latest`: the last record of each key stays, until it is erased or told
anew. `journey`: as long as touchpoints (`retention.journey_days`). `ignored`: `retention.ignored_days`.
`erased`: until its person or account is erased."""


@dataclass(frozen=True, slots=True)
class Holding:
    """One topic or table. `personal`: its fields that may say something of a person; none: it says nothing of one."""

    what: str
    keeps: Keeps
    personal: tuple[str, ...] = ()


_TOUCHPOINT: Final = (
    "aliases",
    "account_refs",
    "person_traits",
    "account_traits",
    "title",
    "text",
    "page",
    "properties",
)
_ALIASES: Final = ("key", "a", "b", "alias", "account_id", "record", "value", "by")

TOPICS_HELD: Final[dict[TopicName, Holding]] = {
    "touchpoints.raw.v1": Holding("requests as they came", "log", ("query", "headers", "body")),
    "touchpoints.clean.v1": Holding("touchpoints as an earlier version left them", "log", ("key", *_TOUCHPOINT)),
    "touchpoints.recalled.v1": Holding("touchpoints on their way back to attribution", "log", _TOUCHPOINT),
    "identity.links.v1": Holding("who is who, and the ledger of erasures", "latest", _ALIASES),
    "touchpoints.attributed.v1": Holding("touchpoints and whose they are", "log", (*_TOUCHPOINT, "person_id", "cause")),
    "journey.facts.v1": Holding(
        "rows of the store on their way", "log", (*_TOUCHPOINT, "person_id", "explanation", "explanation_coded")
    ),
    "touchpoints.dead.v1": Holding("what could not be read, with its bytes", "log", ("original", "message")),
    "touchpoints.parked.v1": Holding("requests of sources that are set aside", "log", ("query", "headers", "body")),
    "sources.standings.v1": Holding("where each source stands", "latest", ("detail",)),
    "incidents.actions.v1": Holding("what people did about incidents", "latest", ("by", "to", "text")),
    "alerts.desks.v1": Holding("what the alerts remember of accounts", "latest", ("person_id", "words", "name")),
    "alerts.deliveries.v1": Holding("who was told of what", "log", ("answer",)),
}

_ROW: Final = ("person_id", "session_id", "page", "element", "subject", "title", "text", "properties")

TABLES_HELD: Final[dict[str, Holding]] = {
    "touchpoints": Holding("the touchpoints of the map", "journey", (*_ROW, "utm_term", "vendor_event_id")),
    "histories": Holding("what an account is computed from", "journey", ("payload",)),
    "signals": Holding("friction and delight", "journey", ("person_id", "explanation", "explanation_coded")),
    "corrections": Holding("what a second look changed", "journey", ("cause", "cause_coded", "what", "what_coded")),
    "journey_minutes": Holding("cells of the map, by minute", "journey", ("person_set", "people")),
    "journey_days": Holding("cells of the map, by day", "journey", ("person_set",)),
    "account_journeys": Holding("where each account stands", "erased", ("name", "traits", "transitions")),
    "links": Holding("who is who, as rows", "erased", ("link_id", "payload")),
    "proposals": Holding("questions of who is who", "erased", ("a", "b", "reason", "by")),
    "deliveries": Holding("who was told of what", "journey", ("answer",)),
    "incidents": Holding(
        "incidents, and who took them", "journey", ("what", "taken_by", "assigned_by", "silenced_by", "done_by")
    ),
    "pseudonyms": Holding("the key of people's pseudonyms in the views of analysts", "erased"),
    "ignored": Holding("requests that concern no customer", "ignored"),
    "source_freshness": Holding("how fresh each source is", "erased"),
    "blueprints": Holding("blueprints that judged", "erased"),
    "migrations": Holding("what was applied to the database", "erased"),
    "views": Holding("which views it has", "erased"),
}

TTL_COLUMN: Final[dict[str, str]] = {
    "touchpoints": "minute",
    "histories": "occurred_at",
    "signals": "opened_at",
    "corrections": "corrected_at",
    "journey_minutes": "minute",
    "journey_days": "day",
    "deliveries": "at",
    "incidents": "pained_at",
    "ignored": "received_at",
}
"""Table that forgets → the column its age is counted by."""
