"""Zendesk event webhooks: one event about a ticket, a user or an organisation per request."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

import orjson

from schemas.actions import Action
from schemas.errors import UnmappableEvent, shown
from schemas.touchpoints import Alias, CleanTouchpoint, RawRequest, Scalar
from streams.connectors import reading
from streams.connectors.reading import MAX_TEXT_CHARS, ident, member, text
from streams.connectors.results import Message
from streams.connectors.schemes import Hmac
from streams.connectors.spec import Connector, Docs, Fresh, Sample, Scope
from streams.connectors.ways import Webhook
from streams.identity.aliases import Kind, alias, ordered
from streams.identity.placeholders import is_placeholder

#: The second as Zendesk lists some events of users.
_PREFIXES = ("zen:event-type:", "zen:event-type/")
_CHAT = "messaging_ticket"
_TICKETS = ("ticket", _CHAT)
_IDENTITIES: dict[str, Kind] = {"email": "email", "phone_number": "phone"}
#: Roles of our own people: what the helpdesk says of them is about no customer.
_STAFF = ("agent", "admin")
#: It ties people to organisations and unties them, as the CRM does with companies.
_TIES: dict[str, Action] = {
    "organization_membership_created": "crm_record",
    "organization_membership_deleted": "crm_removed",
}
#: A rating in words, as scores of 1…5; `offered` and the like are no answer.
_RATINGS = {"good": 5.0, "bad": 1.0}


def touchpoint(message: Message, envelope: Message, request: RawRequest) -> CleanTouchpoint:
    """One event of the helpdesk."""
    kind, change = _type(message)
    detail, event = member(message, "detail"), member(message, "event")
    comment = _comment(event)
    occurred_at = reading.stamp(message.get("time"), "time")
    vendor_event_id = ident(message, "id") or reading.content_id(message, frozenset())
    score = _score(event) if _is_rating(change) else None
    record_id = _record_id(message, detail)
    return CleanTouchpoint(
        event_id=reading.event_id(request.source, vendor_event_id),
        source=request.source,
        vendor=request.vendor,
        vendor_type=f"{kind}.{change}",
        vendor_event_id=vendor_event_id,
        action=_action(kind, change, comment, score),
        occurred_at=occurred_at,
        received_at=request.received_at,
        clock_suspect=reading.is_suspect(occurred_at, request.received_at),
        aliases=_aliases(kind, record_id, detail, event),
        staff=_staff(kind, change, record_id, detail, event),
        account_refs=_account_refs(kind, record_id, detail, event),
        person_traits=_person_traits(kind, detail, event),
        account_traits=_account_traits(kind, detail),
        channel="support",
        subject=f"{'ticket' if kind in _TICKETS else kind}:{record_id}" if record_id else "",
        title=text(detail.get("subject")) if kind in _TICKETS else "",
        text="" if _by_agent(kind, change, detail) else _text(change, detail, event),
        score=score,
        score_kind="csat" if score is not None else "",
        properties=_properties(kind, change, detail, event) | _opened(kind, change, detail),
        backfill=request.backfill,
    )


#: The second is told of a status of one's own: its name says nothing, what it stands for is the ticket's `status`.
_STATUS_CHANGES = ("status_changed", "custom_status_changed")


def _type(message: Message) -> tuple[str, str]:
    stated = message.get("type")
    if not isinstance(stated, str) or not stated.startswith(_PREFIXES):
        raise UnmappableEvent(f"`type` is not known: {shown(stated)}", "unknown_type")
    kind, dot, change = stated[len(_PREFIXES[0]) :].strip()[:100].partition(".")
    if not (kind and dot and change):
        raise UnmappableEvent(f"`type` is not known: {shown(stated)}", "unknown_type")
    return kind, change


def _record_id(message: Message, detail: dict[str, Any]) -> str:
    """`detail.id`, else the end of `subject` (`zen:ticket:12345`)."""
    return ident(detail, "id") or ident(message, "subject").rpartition(":")[2]


def _is_rating(change: str) -> bool:
    return "csat" in change or "satisfaction" in change


def _action(kind: str, change: str, comment: dict[str, Any], score: float | None) -> Action:
    if kind not in _TICKETS:
        return _TIES.get(change, "support_record")
    if change == "created":
        return "ticket_created"
    if change in _STATUS_CHANGES:
        return "ticket_status"
    if change == "comment_added" and comment.get("is_public") is not False:
        return "ticket_replied_by_agent" if _by_staff(comment) else "ticket_replied_by_customer"
    if change == "message_added" and comment:
        return "ticket_replied_by_agent" if _by_staff(comment) else "ticket_replied_by_customer"
    return "survey_answered" if score is not None else "ticket_changed"


def _comment(event: dict[str, Any]) -> dict[str, Any]:
    """A ticket's comment is an object, a rating's is its text; a chat's message has an actor, who may be a machine."""
    if isinstance(event.get("comment"), str):
        return {"body": event["comment"]}
    if "message" not in event:
        return member(event, "comment")
    actor = member(event, "actor")
    if actor.get("type") not in ("end_user", "agent"):
        return {}
    author = {"id": ident(actor, "id").removeprefix("zd:"), "is_staff": actor["type"] == "agent"}
    return {"body": text(member(event, "message").get("body"), MAX_TEXT_CHARS), "author": author}


def _by_staff(comment: dict[str, Any]) -> bool:
    return member(comment, "author").get("is_staff") is True


def _aliases(kind: str, record_id: str, detail: dict[str, Any], event: dict[str, Any]) -> tuple[Alias, ...]:
    """One person: who wrote the comment if that is a customer, else who asked; two would be linked as one.

    A chat's messages name only who wrote them: an agent's is found by the ticket, which is the customer's.
    """
    if kind == "user":
        return () if _is_staff(detail) else _user_aliases(record_id, detail, event)
    if kind not in _TICKETS:
        return ()
    comment = _comment(event)
    author = ident(member(comment, "author"), "id") or ident(comment, "author_id")
    person = alias("support_user", ("" if _by_staff(comment) else author) or ident(detail, "requester_id"))
    return ordered([person, alias("ticket", record_id) if kind == _CHAT or not person else None])


def _is_staff(detail: dict[str, Any]) -> bool:
    return text(detail.get("role")).lower() in _STAFF


def _staff(
    kind: str, change: str, record_id: str, detail: dict[str, Any], event: dict[str, Any]
) -> dict[Alias, Literal["seen", "joined", "left"]]:
    """Our own people: who has such a role, was given it or had it until now; and who answers or has a ticket."""
    if kind == "user":
        how = _turn(change, detail, event)
        return dict.fromkeys(_user_aliases(record_id, detail, event), how) if how else {}
    if kind not in _TICKETS:
        return {}
    comment = _comment(event)
    author = ident(member(comment, "author"), "id") or ident(comment, "author_id")
    ours = [author if _by_staff(comment) else "", ident(detail, "assignee_id")]
    return {name: "seen" for one in ours if (name := alias("support_user", one))}


def _turn(change: str, detail: dict[str, Any], event: dict[str, Any]) -> Literal["", "seen", "joined", "left"]:
    """What a user's event says of whether they are of ours."""
    if change != "role_changed":
        return "seen" if _is_staff(detail) else ""
    before, after = (text(event.get(name)).lower() in _STAFF for name in ("previous", "current"))
    if _is_staff(detail) or after:
        return "joined"
    return "left" if before else ""


def _user_aliases(record_id: str, detail: dict[str, Any], event: dict[str, Any]) -> tuple[Alias, ...]:
    identity = member(event, "identity")
    kind = _IDENTITIES.get(text(identity.get("type")))
    return ordered(
        [
            alias("support_user", record_id),
            alias("user", ident(detail, "external_id")),
            alias("phone", text(detail.get("phone"))),
            alias("email", text(detail.get("email"))),
            alias(kind, text(identity.get("value"))) if kind else None,
        ]
    )


def _account_refs(kind: str, record_id: str, detail: dict[str, Any], event: dict[str, Any]) -> tuple[str, ...]:
    """The organisation, best first: the CRM's id of it is better than the helpdesk's own."""
    if kind == "user" and _is_staff(detail):
        return ()
    if kind == "organization":
        external = ident(detail, "external_id")
        named = [external if external.startswith("crm:") else "", f"org:{record_id}" if record_id else ""]
    else:
        # of a membership the one it is about, else the user's first
        organization = ident(member(event, "organization"), "id") or ident(detail, "organization_id")
        named = [f"org:{organization}" if not is_placeholder(organization) else ""]
    return tuple(ref for ref in named if ref)


def _person_traits(kind: str, detail: dict[str, Any], event: dict[str, Any]) -> dict[str, str]:
    if kind != "user" or _is_staff(detail):
        return {}
    fields = member(detail, "user_fields")
    found = {
        "name": text(detail.get("name")),
        "title": reading.first_text((fields,), ("title", "job_title")),
        "department": reading.first_text((fields,), ("department",)),
    }
    return {trait: value for trait, value in found.items() if value}


def _account_traits(kind: str, detail: dict[str, Any]) -> dict[str, str]:
    if kind != "organization":
        return {}
    names = detail.get("domain_names")
    stated = names if isinstance(names, list) else text(names).split()
    domains = [domain for domain in (reading.domain_of(name) for name in stated) if domain]
    external = ident(detail, "external_id")
    found = {"name": text(detail.get("name")), "domain": " ".join(dict.fromkeys(domains)), "external_id": external}
    return {trait: value for trait, value in found.items() if value}


def _text(change: str, detail: dict[str, Any], event: dict[str, Any]) -> str:
    if change == "created":
        return text(detail.get("description"), MAX_TEXT_CHARS)
    return text(_comment(event).get("body"), MAX_TEXT_CHARS)


def _score(event: dict[str, Any]) -> float | None:
    """A rating of 1…5, or `good`/`bad`; None when it was only offered."""
    for name in ("score", "rating", "current"):
        stated = event.get(name)
        if isinstance(stated, dict):
            stated = stated.get("score", stated.get("rating"))
        found = _RATINGS.get(text(stated).lower()) or reading.number(stated)
        if found is not None and 1 <= found <= 5:
            return found
    return None


def _properties(kind: str, change: str, detail: dict[str, Any], event: dict[str, Any]) -> dict[str, Scalar]:
    """What changed, in lower case, and for tickets how they stand; of a status of one's own, the one it stands for."""
    found = {name: text(event.get(name)).lower() for name in ("current", "previous")}
    if change == "custom_status_changed":
        found = {"current": text(detail.get("status")).lower(), "custom_status": found["current"]}
    if kind in _TICKETS:
        found |= {name: text(detail.get(name)).lower() for name in ("status", "priority", "type")}
        found["via"] = text(member(detail, "via").get("channel")).lower()
        found["assignee_id"] = text(detail.get("assignee_id"))
    kept: dict[str, Scalar] = {name: value for name, value in found.items() if value}
    return kept | {"escalated": True} if _is_escalated(event) else kept


def _opened(kind: str, change: str, detail: dict[str, Any]) -> dict[str, Scalar]:
    return {"opened_by_agent": True} if _by_agent(kind, change, detail) else {}


def _by_agent(kind: str, change: str, detail: dict[str, Any]) -> bool:
    """Whether somebody else opened the ticket for who asks: the words are theirs, and they are there already."""
    submitter, requester = ident(detail, "submitter_id"), ident(detail, "requester_id")
    return kind in _TICKETS and change == "created" and bool(submitter and requester) and submitter != requester


def _is_escalated(event: dict[str, Any]) -> bool:
    """Whether the tag `escalated` (or `escalation`) was set just now."""
    added = event.get("tags_added", event.get("added_tags"))
    return isinstance(added, list) and any(text(tag).lower() in ("escalated", "escalation") for tag in added)


def sample(now: datetime) -> Sample:
    """A ticket as it is opened."""
    event = {
        "id": f"sample-{now:%Y%m%d%H%M%S}",
        "time": (now - timedelta(seconds=2)).isoformat(),
        "type": "zen:event-type:ticket.created",
        "subject": "zen:ticket:12",
        "detail": {"id": "12", "subject": "Sample", "description": "A sample ticket", "requester_id": "7"},
        "event": {},
    }
    return Sample(orjson.dumps(event).decode())


SCHEME = Hmac(
    b"x-zendesk-webhook-signature",
    ("timestamp", "body"),
    timestamp="iso",
    timestamp_header=b"x-zendesk-webhook-signature-timestamp",
)

CONNECTOR = Connector(
    name="zendesk",
    versions=("2022-06-20",),
    ways_in=(Webhook(SCHEME),),
    keep_headers=("x-zendesk-webhook-id", "x-zendesk-webhook-invocation-id"),
    map=touchpoint,
    mapping=6,
    feeds=("ticket", "ticket_status", "ticket_reply", "ticket_answer", "survey", "words", "person", "organisation"),
    ids=Scope(accounts=("org", "crm"), people=("support_user",), records=("ticket",)),
    docs=Docs(
        title="Zendesk",
        setup=(
            "Admin Center → Apps and integrations → Webhooks → Zendesk events → endpoint `GATEWAY/zendesk/SOURCE`.",
            "Put the webhook's signing secret into the source's secret.",
        ),
        subscribe="Ticket, user and organization events; of messaging, the chat's messages.",
        reads="Agents and administrators (a user's `role`), who has a ticket and whoever answers as `is_staff`, are "
        "the operator's own people: what they do on the website or in the product is `internal`, in every source. Who "
        "is made an end user again (`user.role_changed`) is a customer from then on.",
        limits="A stamp more than 5 minutes off is refused.",
    ),
    fresh=Fresh("support", "Zendesk webhooks to /zendesk/support; put the webhook's signing secret into the file"),
    sample=sample,
)
