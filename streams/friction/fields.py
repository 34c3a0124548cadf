"""The fields of a touchpoint that rules group, count and tell apart by. An unknown name is a property's."""

from __future__ import annotations

import re
from collections.abc import Callable

from schemas.touchpoints import AttributedTouchpoint, CleanTouchpoint
from streams.friction.topics import words_of
from streams.friction.views import view_of

Reader = Callable[[AttributedTouchpoint], str]
REFERENCES = (
    "ref",
    "quote_id",
    "order_id",
    "contract_id",
    "ticket_id",
    "deal_id",
    "meeting_id",
    "invoice_id",
    "conversation_id",
)
_TOPICS = ("topic", "category")
_FEATURES = ("feature", "feature_name", "name")
_ERRORS = ("error_type", "type", "exception_type", "$exception_type", "exception")


def reader(name: str) -> Reader:
    """How to read the field of that name as text; empty when the touchpoint has none."""
    read = _FIELDS.get(name)
    return read if read is not None else lambda item: _property(item.touchpoint, (name,))


def visitor(item: AttributedTouchpoint) -> str:
    """Who sits there: the session, else the person."""
    return item.touchpoint.session_id or item.attribution.person_id


def person(item: AttributedTouchpoint) -> str:
    """The person, else the session."""
    return item.attribution.person_id or item.touchpoint.session_id


def stated_topic(item: AttributedTouchpoint) -> str:
    """The topic the sender names."""
    return _property(item.touchpoint, _TOPICS).lower()


def topic(item: AttributedTouchpoint) -> str:
    """The topic the sender names, else the words of the title: two tickets of one title are about one thing.

    What names no matter ("Question", category "Other") is no topic.
    """
    stated = stated_topic(item)
    return stated if words_of(stated) or re.search(r"\d", stated) else words_of(item.touchpoint.title)


def ref(item: AttributedTouchpoint) -> str:
    """The case it is about: its subject, else the id of a quote, an order, a contract, ...; without its kind.

    A deal's number may be what a quote calls it, too; a ticket's is its helpdesk's alone.
    """
    found = item.touchpoint.subject or _property(item.touchpoint, REFERENCES)
    return found.partition(":")[2] if found.startswith("ticket:") else found.rpartition(":")[2]


def case(item: AttributedTouchpoint) -> str:
    """What it is about; without that, who it is about: a chat that its sender gives no number."""
    return ref(item) or person(item)


def conversation(item: AttributedTouchpoint) -> str:
    """The case it is about; without one every event is its own."""
    return ref(item) or item.event_id


def contact_channel(item: AttributedTouchpoint) -> str:
    """How the customer came to us: what the helpdesk says, else the channel."""
    return _property(item.touchpoint, ("via",)).lower() or item.touchpoint.channel


def _property(touchpoint: CleanTouchpoint, names: tuple[str, ...]) -> str:
    for name in names:
        value = touchpoint.properties.get(name)
        if value is not None and value != "":
            return str(value)
    return ""


_FIELDS: dict[str, Reader] = {
    "visitor": visitor,
    "person": person,
    "session": lambda item: item.touchpoint.session_id,
    "element": lambda item: item.touchpoint.element,
    "source": lambda item: item.touchpoint.source,
    "page": lambda item: item.touchpoint.page,
    "view": lambda item: view_of(item.touchpoint),
    "subject": lambda item: item.touchpoint.subject,
    "event": lambda item: item.touchpoint.event_id,
    "ref": ref,
    "case": case,
    "conversation": conversation,
    "feature": lambda item: _property(item.touchpoint, _FEATURES),
    "topic": topic,
    "stated_topic": stated_topic,
    "error_type": lambda item: _property(item.touchpoint, _ERRORS),
    "contact_channel": contact_channel,
}
