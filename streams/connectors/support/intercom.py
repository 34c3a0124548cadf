"""Intercom webhooks: one notification about a conversation, a ticket, a contact or a company per request.

Topics and payloads: https://developers.intercom.com/docs/references/webhooks/webhook-models, of API 2.x and of the 1.x
that older apps still speak (`user`, `conversation_message`).
"""

from __future__ import annotations

import re
from datetime import datetime
from html import unescape
from typing import Any

import orjson

from schemas.actions import Action
from schemas.errors import UnmappableEvent, shown
from schemas.touchpoints import Alias, CleanTouchpoint, RawRequest, Scalar
from streams.connectors import reading
from streams.connectors.reading import MAX_TEXT_CHARS, ident, member, text
from streams.connectors.results import Ignored, Message
from streams.connectors.schemes import SCHEMES
from streams.connectors.spec import Connector, Docs, Erasures, Sample, Scope
from streams.connectors.ways import Handshake, Webhook
from streams.identity.aliases import alias, ordered
from streams.identity.placeholders import is_placeholder

#: Topic → what it means; a reply of a machine and a rating without a number are changes.
_CASES: dict[str, Action] = {
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
_CONTACTS = re.compile(
    r"(contact(\.(user|lead))?|user|visitor)\."
    r"(created|updated|signed_up|added_email|email\.updated|tag\.created|tag\.deleted|unarchived?|merged)"
)
_COMPANIES: dict[str, Action] = {
    "company.created": "support_record",
    "company.updated": "support_record",
    "company.contact.attached": "crm_record",  # they tie people to companies and untie them, as the CRM does
    "company.contact.detached": "crm_removed",
}
_IGNORED: dict[str, str] = {
    "ping": "ping",
    "conversation.admin.noted": "internal_note",
    "ticket.note.created": "internal_note",
    "conversation.read": "read",
    "conversation_part.redacted": "redacted",
    "conversation.contact.attached": "participant",
    "conversation.contact.detached": "participant",
    "ticket.contact.attached": "participant",
    "ticket.contact.detached": "participant",
    "contact.archived": "removed",
    "user.deleted": "removed",
    "company.deleted": "removed",
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
DELETED = "contact.deleted"
_TRANSPORT = frozenset({"delivery_attempts", "delivery_status", "delivered_at", "first_sent_at", "self", "links"})
_LINE_END = re.compile(r"<(?:br|/p|/div|/li|/tr|/h[1-6])\b[^<>]*>", re.I)
_TAG = re.compile(r"</?[a-z!][^<>]*>", re.I)


def touchpoints(message: Message, envelope: Message, request: RawRequest) -> tuple[CleanTouchpoint, ...] | Ignored:
    """One notification; a customer's reply to what was closed is a reply and a reopening."""
    topic = message.get("topic")
    if not isinstance(topic, str) or not topic:
        raise UnmappableEvent(f"`topic` must be text, not {shown(topic)}", "unknown_type")
    item = member(member(message, "data"), "item")
    if topic in _CASES:
        return _case(topic, item, message, request)
    if topic == DELETED:
        return (_deleted(topic, item, message, request),)
    if topic in _COMPANIES or _CONTACTS.fullmatch(topic):
        return (_record(topic, item, message, request),)
    return Ignored("own_people" if topic.startswith("admin.") else _IGNORED.get(topic, "other_topic"))


def _new(topic: str, action: Action, at: object, message: Message, request: RawRequest) -> CleanTouchpoint:
    """What all have in common. `at` is when it happened if the item tells, else the notification does."""
    at = message.get("created_at") if at is None else at
    occurred_at = reading.stamp(at, "created_at")
    vendor_event_id = ident(message, "id") or reading.content_id(message, _TRANSPORT)
    return CleanTouchpoint(
        event_id=reading.event_id(request.source, vendor_event_id),
        source=request.source,
        vendor=request.vendor,
        vendor_type=topic,
        vendor_event_id=vendor_event_id,
        action=action,
        occurred_at=occurred_at,
        received_at=request.received_at,
        clock_suspect=reading.is_suspect(occurred_at, request.received_at),
        channel="support",
        backfill=request.backfill,
    )


# --- conversations and tickets: one id space, since a conversation that becomes a ticket keeps its id ----------


def _case(topic: str, item: Message, message: Message, request: RawRequest) -> tuple[CleanTouchpoint, ...] | Ignored:
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
    found = _new(topic, action, _happened_at(topic, part, case), message, request).changed(
        aliases=ordered([*person, alias("ticket", case_id) if action == "ticket_created" or not person else None]),
        account_refs=_account_refs(_company_of(case)),
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


def _listed(of: Message, name: str) -> list[Message]:
    """The objects of a list; Intercom wraps each in an object, where its name is the same or `data`."""
    held = member(of, name)
    found = held.get(name, held.get("data"))
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _part(topic: str, item: Message, case: Message) -> Message:
    """The part that the notification is about: the only one of a conversation, the last of a ticket."""
    stated = member(item, "ticket_part")
    parts = [stated] if stated else _listed(case, "conversation_parts") or _listed(case, "ticket_parts")
    if topic == "conversation.user.created":  # begun by a message of ours, it begins with the customer's first words
        return next((part for part in parts if _is_customer(part)), {}) if not _is_customer(_opening(case)) else {}
    fitting = [part for part in parts if _fits(topic, part)]
    return (fitting or parts or [{}])[-1]


def _fits(topic: str, part: Message) -> bool:
    if topic.endswith(("user.replied", "contact.replied")):
        return _is_customer(part)
    return "ticket_state" in part if topic.startswith("ticket.") and _CASES[topic] == "ticket_status" else True


def _opening(case: Message) -> Message:
    """The first message, which is not among the parts."""
    return member(case, "source") or member(case, "conversation_message")


def _author_type(part: Message) -> str:
    return text(member(part, "author").get("type")).lower()


def _is_customer(part: Message) -> bool:
    return _author_type(part) in _CUSTOMERS


def _is_human(part: Message) -> bool:
    """Whether somebody of ours wrote it; what Fin says in an agent's name is a machine's."""
    author = member(part, "author")
    by_machine = author.get("from_ai_agent") is True or author.get("is_ai_answer") is True
    return _author_type(part) in _PEOPLE_OF_OURS and not by_machine


def _action(topic: str, part: Message, case: Message, score: float | None) -> Action:
    action = _CASES[topic]
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
    known = [member(rating, "contact"), *wrote, member(case, "user"), *_listed(case, "contacts"), *authors]
    known = [one for one in known if ident(one, "id")]
    return _aliases([one for one in known if ident(one, "id") == ident(known[0], "id")])


def _aliases(said: list[Message]) -> tuple[Alias, ...]:
    """The ids in what is said of one contact; a lead's `external_id` is Intercom's own making, no user id of ours."""
    is_lead = any("lead" in (one.get("role"), one.get("type")) for one in said)
    found = [alias("support_user", ident(one, "id")) for one in said]
    for one in said:
        found += [alias("email", text(one.get("email"))), alias("phone", text(one.get("phone")))]
        found += [] if is_lead else [alias("user", ident(one, name)) for name in ("external_id", "user_id")]
    return ordered(found)


def _title(case: Message) -> str:
    attributes = member(case, "ticket_attributes")
    stated = attributes.get("_default_title_") or case.get("title") or _opening(case).get("subject")
    return _plain(stated)[: reading.MAX_VALUE_CHARS]


def _text(topic: str, part: Message, case: Message, rating: Message) -> str:
    """The words of whoever acted; nothing where only a state changed."""
    if _CASES[topic] == "survey_answered":
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
    is_rating = _CASES[topic] == "survey_answered"
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
    before, after = _turn(topic, part, case) if _CASES[topic] == "ticket_status" else ("", "")
    tags = _listed({"tags": case.get("tags_added")}, "tags") if topic.endswith("tag.created") else []
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


# --- contacts and companies ---------------------------------------------------------------------------------


def _record(topic: str, item: Message, message: Message, request: RawRequest) -> CleanTouchpoint:
    is_company = topic in _COMPANIES
    company = (member(item, "company") or ({} if "contact" in item else item)) if is_company else _company_of(item)
    contact = member(item, "contact") or member(item, "user") or ({} if is_company else item)
    record = contact or company
    record_id = ident(record, "id")
    if not record_id:
        raise UnmappableEvent(f"`data.item` of `{shown(topic)}` has no `id`", "missing_field")
    merged = member(item, "merged_from")
    return _new(topic, _COMPANIES.get(topic, "support_record"), None, message, request).changed(
        aliases=_aliases([one for one in (contact, merged) if one]),
        account_refs=_account_refs(company),
        person_traits=_person_traits(contact),
        account_traits=_account_traits(company),
        subject=f"{'user' if contact else 'organization'}:{record_id}",
        properties={"tag": tag} if (tag := text(member(item, "tag").get("name"))) and "@" not in tag else {},
    )


def _deleted(topic: str, item: Message, message: Message, request: RawRequest) -> CleanTouchpoint:
    """A contact that is gone for good; Intercom then tells its ids alone."""
    if not ident(item, "id"):
        raise UnmappableEvent(f"`data.item` of `{shown(topic)}` has no `id`", "missing_field")
    return _new(topic, "support_record", None, message, request).changed(aliases=_aliases([item]))


def _company_of(of: Message) -> Message:
    """The company that a conversation, a ticket or a contact names; none of several is the one."""
    companies = _listed(of, "companies")
    if len(companies) == 1:
        return companies[0]
    return member(of, "company") or ({"id": ident(of, "company_id")} if of.get("company_id") else {})


def _account_refs(company: Message) -> tuple[str, ...]:
    """Best first: the id that the operator gave it, if that is the CRM's, then Intercom's own."""
    external, own = ident(company, "company_id"), ident(company, "id")
    named = [external if external.startswith("crm:") else "", "" if is_placeholder(own) else f"org:{own}"]
    return tuple(ref for ref in named if ref)


def _person_traits(contact: Message) -> dict[str, str]:
    attributes = member(contact, "custom_attributes")
    found = {
        "name": text(contact.get("name")),
        "title": reading.first_text((attributes,), ("job_title", "Job title", "title")),
        "department": reading.first_text((attributes,), ("department", "Department")),
    }
    return {trait: value for trait, value in found.items() if value}


def _account_traits(company: Message) -> dict[str, str]:
    if not _account_refs(company):
        return {}
    found = {
        "name": text(company.get("name")),
        "domain": reading.domain_of(company.get("website")),
        "industry": text(company.get("industry")),
        "employees": text(company.get("size")),
        "tier": reading.first_text((member(company, "custom_attributes"),), reading.TIER_NAMES),
        "external_id": text(company.get("company_id")),
    }
    return {trait: value for trait, value in found.items() if value}


def sample(now: datetime) -> Sample:
    """A conversation as it is opened."""
    at = int(now.timestamp())
    contact = {"type": "contact", "id": "5ba682d23d7cf92bef87bfd4", "external_id": "sample-7"}
    author: dict[str, Any] = {"type": "user", "id": contact["id"], "email": "sample@example.com"}
    item = {
        "type": "conversation",
        "id": "12",
        "created_at": at - 2,
        "source": {"type": "conversation", "body": "<p>A sample conversation</p>", "author": author},
        "contacts": {"type": "contact.list", "contacts": [contact]},
        "state": "open",
    }
    event = {
        "type": "notification_event",
        "id": f"notif_sample-{at}",
        "topic": "conversation.user.created",
        "created_at": at - 1,
        "data": {"type": "notification_event_data", "item": item},
    }
    return Sample(orjson.dumps(event).decode())


CONNECTOR = Connector(
    name="intercom",
    versions=("1.4", "2.11", "2.15"),
    ways_in=(Webhook(SCHEMES["hub_sha1"], handshakes=(Handshake(methods=("HEAD",), signed=False),)),),
    map=touchpoints,
    mapping=5,
    feeds=(
        "ticket",
        "ticket_status",
        "ticket_reply",
        "ticket_answer",
        "survey",
        "words",
        "person",
        "organisation",
        "erasure",
    ),
    erasures=Erasures(
        (DELETED,), "agents delete contacts for other reasons, too, such as one that was made twice by mistake"
    ),
    ids=Scope(accounts=("org", "crm"), people=("support_user",), records=("ticket",)),
    docs=Docs(
        title="Intercom",
        setup=(
            "Put the app's client secret (Developer Hub → your app → Basic information) into the source's secret.",
            "Developer Hub → your app → Webhooks → endpoint URL `GATEWAY/intercom/SOURCE`, by HTTPS. Intercom asks for "
            "it with HEAD before it saves it, so the gateway must run.",
            "Choose the topics, and set the subscription live.",
        ),
        subscribe="`conversation.user.created`, `.user.replied`, `.admin.replied`, `.operator.replied`, "
        "`.admin.assigned`, `.admin.closed`, `.admin.opened`, `.admin.snoozed`, `.admin.unsnoozed`, `.rating.added`, "
        "`.priority.updated`, `.deleted`; `conversation_part.tag.created`; `contact.user.*` and `contact.lead.*` but "
        "tags, `contact.email.updated`, `contact.merged`; `company.*`; `ticket.created`, `.contact.replied`, "
        "`.admin.replied`, `.admin.assigned`, `.state.updated`, `.rating.provided`. `ticket.resolved` and "
        "`ticket.closed` tell once more what `ticket.state.updated` tells. What else is sent is ignored and counted.",
        limits="Intercom waits 5 s for an answer and sends what failed once more, after a minute, and then never: what "
        "happens while the gateway is away for longer is lost. After 1,000 failures in a row within 15 minutes it "
        "pauses for 15 minutes; after seven days of failures it suspends a private app's subscription until you set it "
        "live again.",
        reads="A conversation is a case, as a ticket is, and one that becomes a ticket stays the same case. Messenger, "
        "WhatsApp, SMS and social conversations are chats, those by e-mail and telephone are support tickets. What Fin "
        "and other machines answer is no human's reply; notes, back-office and tracker tickets are ignored. Closed is "
        "`solved`, since a reply reopens it; snoozed is `hold`. A customer's reply that reopens is two touchpoints: a "
        "reply and a status. Priority, or a tag `escalated`, is an escalation. Ratings are CSAT 1–5, their remark is "
        "the text. The person is who wrote or rated, else the conversation's first contact, by id, e-mail, phone and "
        "your own user id (`external_id`; a lead's is Intercom's own and not used). A company is `org:ID`, or "
        "`crm:ID` first where that is the `company_id` you gave it; of a contact with several companies none is "
        "taken. The blueprint's `vendor_type` is the topic.",
    ),
    sample=sample,
)
