"""Intercom's conversations and tickets: who wrote, what it means, how the case stands.

They have one id space, since a conversation that becomes a ticket keeps its id.
"""

from __future__ import annotations

import re
from html import unescape

from schemas.actions import Action
from schemas.errors import UnmappableEvent, shown
from schemas.touchpoints import Alias, CleanTouchpoint, RawRequest, Scalar
from streams.connectors import reading
from streams.connectors.reading import MAX_TEXT_CHARS, ident, member, text
from streams.connectors.results import Ignored, Message
from streams.connectors.support.intercom_records import account_refs, admins, aliases, begun, company_of, listed
from streams.identity.aliases import alias, ordered

#: Topic → what it means; a reply of a machine and a rating without a number are changes.
CASES: dict[str, Action] = {
    "conversation.user.created": "ticket_created",
    "conversation.user.replied": "ticket_replied_by_customer",
    "conversation.admin.replied": "ticket_replied_by_agent",
    "conversation.admin.single.created": "ticket_replied_by_agent",  # we wrote first: nobody waits for an answer
    "conversation.operator.replied": "ticket_changed",
    "conversation.admin.closed": "ticket_status",
    "conversation.admin.opened": "ticket_status",
    "conversation.admin.snoozed": "ticket_status",
    "conversation.admin.unsnoozed": "ticket_status",
    "conversation.deleted": "ticket_status",
    "conversation.admin.assigned": "ticket_changed",
    "conversation.admin.open.assigned": "ticket_changed",
    "conversation.priority.updated": "ticket_changed",
    "conversation.company.updated": "ticket_changed",
    "conversation_part.tag.created": "ticket_changed",
    "conversation.rating.added": "survey_answered",
    "ticket.created": "ticket_created",
    "ticket.contact.replied": "ticket_replied_by_customer",
    "ticket.admin.replied": "ticket_replied_by_agent",
    "ticket.state.updated": "ticket_status",
    "ticket.resolved": "ticket_status",
    "ticket.closed": "ticket_status",
    "ticket.admin.assigned": "ticket_changed",
    "ticket.team.assigned": "ticket_changed",
    "ticket.attribute.updated": "ticket_changed",
    "ticket.rating.provided": "survey_answered",
}
#: (before, after) in the helpdesk's words. Closed is solved: a reply opens it again. Snoozed is our wish, so the
#: customer's clock goes on. An opened one may have been snoozed: see `_turn`.
_TURNS: dict[str, tuple[str, str]] = {
    "conversation.admin.closed": ("open", "solved"),
    "conversation.admin.opened": ("solved", "open"),
    "conversation.admin.snoozed": ("open", "hold"),
    "conversation.admin.unsnoozed": ("hold", "open"),
    "conversation.deleted": ("", "closed"),
}
_STATES = {
    "open": "open", "closed": "solved", "snoozed": "hold",
    "submitted": "new", "in_progress": "open", "waiting_on_customer": "pending", "resolved": "solved",
}  # fmt: skip
_CUSTOMERS = ("user", "lead", "contact", "visitor")
_PEOPLE_OF_OURS = ("admin", "team")
#: What is no chat; all other ways, such as the messenger or WhatsApp, are.
_LETTERS = ("email", "phone_call", "phone_switch")
#: Of these the first message is told, which is not among the parts.
_BEGUN = (".user.created", ".single.created")
_LINE_END = re.compile(r"<(?:br|/p|/div|/li|/tr|/h[1-6])\b[^<>]*>", re.I)
_TAG = re.compile(r"</?[a-z!][^<>]*>", re.I)


def case_touchpoints(
    topic: str, item: Message, message: Message, request: RawRequest
) -> tuple[CleanTouchpoint, ...] | Ignored:
    case = member(item, "ticket") if topic.startswith("ticket.") and "ticket" in item else item
    if _is_internal(case):
        return Ignored("internal_ticket")
    case_id = ident(case, "id")
    if not case_id:
        raise UnmappableEvent(f"`data.item` of `{shown(topic)}` has no `id`", "missing_field")
    part, rating = _part(topic, item, case), _rating(topic, case)
    score = _score(rating)
    action = _action(topic, part, case, score)
    person = _person(case, part, rating)
    is_chat = topic.startswith("conversation") and _via(case) not in _LETTERS
    about: dict[str, Scalar] = {"about": "chat" if is_chat else "ticket"} if action == "survey_answered" else {}
    found = begun(topic, action, _happened_at(topic, part, case), message, request).changed(
        aliases=ordered([*person, alias("ticket", case_id) if action == "ticket_created" or not person else None]),
        account_refs=account_refs(company_of(case)),
        staff=admins([_author(one) for one in (part, _opening(case)) if _is_human(one)], "seen"),
        channel="chat" if is_chat else "support",
        subject=f"ticket:{case_id}",
        title=_title(case),
        text=_text(topic, part, case, rating),
        score=score,
        score_kind="csat" if score is not None else "",
        properties=_properties(topic, part, case) | about,
    )
    reopens = topic == "conversation.user.replied" and part.get("part_type") == "open"
    return (found, _reopened(found)) if reopens else (found,)


def _reopened(reply: CleanTouchpoint) -> CleanTouchpoint:
    vendor_event_id = f"{reply.vendor_event_id}#reopened"
    return reply.changed(
        event_id=reading.event_id(reply.source, vendor_event_id),
        vendor_event_id=vendor_event_id,
        action="ticket_status",
        text="",
        properties=reply.properties | {"previous": "solved", "current": "open"},
    )


def _is_internal(case: Message) -> bool:
    """Tickets of another category than `Customer` are among our own people."""
    category = text(case.get("category")) or text(member(case, "ticket_type").get("category"))
    return category.lower() not in ("", "customer", "request")


def _part(topic: str, item: Message, case: Message) -> Message:
    """The part that the notification is about: the only one of a conversation, the last of a ticket."""
    stated = member(item, "ticket_part")
    parts = [stated] if stated else listed(case, "conversation_parts") or listed(case, "ticket_parts")
    if topic == "conversation.user.created":  # begun by a message of ours, it begins with the customer's first words
        return next((part for part in parts if _is_customer(part)), {}) if not _is_customer(_opening(case)) else {}
    fitting = [part for part in parts if _fits(topic, part)]
    return (fitting or parts or [{}])[-1]


def _fits(topic: str, part: Message) -> bool:
    if topic.endswith(("user.replied", "contact.replied")):
        return _is_customer(part)
    return "ticket_state" in part if topic.startswith("ticket.") and CASES[topic] == "ticket_status" else True


def _opening(case: Message) -> Message:
    """The first message, which is not among the parts."""
    return member(case, "source") or member(case, "conversation_message")


def _author(part: Message) -> Message:
    return member(part, "author")


def _author_type(part: Message) -> str:
    return text(_author(part).get("type")).lower()


def _is_customer(part: Message) -> bool:
    return _author_type(part) in _CUSTOMERS


def _is_human(part: Message) -> bool:
    """Whether somebody of ours wrote it; what Fin says in an agent's name is a machine's."""
    author = _author(part)
    by_machine = author.get("from_ai_agent") is True or author.get("is_ai_answer") is True
    return _author_type(part) in _PEOPLE_OF_OURS and not by_machine


def _action(topic: str, part: Message, case: Message, score: float | None) -> Action:
    action = CASES[topic]
    if action == "survey_answered" and score is None:
        return "ticket_changed"
    if action == "ticket_replied_by_agent":
        wrote = part or (_opening(case) if topic.endswith(".created") else {})
        return action if _is_human(wrote) or not member(wrote, "author") else "ticket_changed"
    if action == "ticket_status" and topic.startswith("ticket."):
        before, after = _turn(topic, part, case)
        return action if before != after else "ticket_changed"
    return action


def _happened_at(topic: str, part: Message, case: Message) -> object:
    """A reply's is the part's. A ticket made of a conversation began with it. Other changes have the notification's."""
    if topic == "ticket.created":
        return case.get("created_at")
    if topic.endswith(_BEGUN):
        return part.get("created_at", case.get("created_at"))
    return part.get("created_at") if topic.startswith("conversation.admin.") or topic.endswith(".replied") else None


def _person(case: Message, part: Message, rating: Message) -> tuple[Alias, ...]:
    """One person: who rated, else who wrote the part if that is a customer, else the conversation's first contact."""
    authors = [member(one, "author") for one in (part, _opening(case)) if _is_customer(one)]
    wrote = authors[:1] if _is_customer(part) else []
    known = [member(rating, "contact"), *wrote, member(case, "user"), *listed(case, "contacts"), *authors]
    known = [one for one in known if ident(one, "id")]
    return aliases([one for one in known if ident(one, "id") == ident(known[0], "id")])


def _title(case: Message) -> str:
    attributes = member(case, "ticket_attributes")
    stated = attributes.get("_default_title_") or case.get("title") or _opening(case).get("subject")
    return _plain(stated)[: reading.MAX_VALUE_CHARS]


def _text(topic: str, part: Message, case: Message, rating: Message) -> str:
    """The words of whoever acted; nothing where only a state changed."""
    if CASES[topic] == "survey_answered":
        return text(rating.get("remark"), MAX_TEXT_CHARS)
    if topic == "ticket.created":
        return _plain(member(case, "ticket_attributes").get("_default_description_"))
    if topic.endswith(".replied") or part:
        return _plain(part.get("body")) if topic.endswith((".replied", *_BEGUN)) else ""
    opens = topic.endswith(_BEGUN) and (_is_customer(_opening(case)) or topic.startswith("conversation.admin."))
    return _plain(_opening(case).get("body")) if opens else ""


def _plain(html: object) -> str:
    """The text of a message's HTML, line by line."""
    if not isinstance(html, str):
        return ""
    lines = unescape(_TAG.sub("", _LINE_END.sub("\n", html[: MAX_TEXT_CHARS * 10]))).splitlines()
    return text("\n".join(filter(None, (" ".join(line.split()) for line in lines))), MAX_TEXT_CHARS)


def _rating(topic: str, case: Message) -> Message:
    is_rating = CASES[topic] == "survey_answered"
    return member(case, "conversation_rating") or member(case, "ticket_rating") if is_rating else {}


def _score(rating: Message) -> float | None:
    """1…5; None when it was only asked for."""
    found = reading.number(rating.get("rating"))
    return found if found is not None and 1 <= found <= 5 else None


def _via(case: Message) -> str:
    """How the customer came: `conversation` is the messenger."""
    stated = (text(_opening(case).get("type")) or text(case.get("channel"))).lower()
    return {"conversation": "messenger", "conversation_message": "messenger"}.get(stated, stated)


def _status(state: object) -> str:
    """A state of a conversation or a ticket, which is an object in newer versions, in the helpdesk's words."""
    stated = text(state.get("category") if isinstance(state, dict) else state).lower()
    return _STATES.get(stated, stated)


def _turn(topic: str, part: Message, case: Message) -> tuple[str, str]:
    """(before, after)."""
    if topic in _TURNS:
        before, after = _TURNS[topic]
        never_closed = topic.endswith("opened") and member(case, "statistics").get("count_reopens") == 0
        return ("" if never_closed else before), after
    before, after = _status(part.get("previous_ticket_state")), _status(part.get("ticket_state"))
    stands = _status(case.get("ticket_state"))
    if stands and stands != after:  # the part tells of the turn before
        before, after = after, stands
    return (before, "closed") if topic == "ticket.closed" and after != "solved" else (before, after)


def _properties(topic: str, part: Message, case: Message) -> dict[str, Scalar]:
    """What changed, and how the case stands."""
    before, after = _turn(topic, part, case) if CASES[topic] == "ticket_status" else ("", "")
    tags = listed({"tags": case.get("tags_added")}, "tags") if topic.endswith("tag.created") else []
    names = [text(tag.get("name")) for tag in tags]
    assignee = member(part, "assigned_to") if "assigned" in topic else {}
    found = {
        "current": after,
        "previous": before,
        "status": _status(case.get("ticket_state", case.get("state"))),
        "priority": text(case.get("priority")).lower(),
        "via": _via(case),
        "assignee_id": text(assignee.get("id")) or text(case.get("admin_assignee_id")),
        "tag": ", ".join(names)[: reading.MAX_VALUE_CHARS],
    }
    kept: dict[str, Scalar] = {name: value for name, value in found.items() if value and "@" not in value}
    raised = topic == "conversation.priority.updated" and found["priority"] == "priority"
    tagged = any(name.lower() in ("escalated", "escalation") for name in names)
    return kept | {"escalated": True} if raised or tagged else kept
