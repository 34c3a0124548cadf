"""Intercom webhooks: one notification about a conversation, a ticket, a contact or a company per request.

Topics and payloads: https://developers.intercom.com/docs/references/webhooks/webhook-models, of API 2.x and of the 1.x
that older apps still speak (`user`, `conversation_message`).
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import orjson

from schemas.errors import UnmappableEvent, shown
from schemas.touchpoints import CleanTouchpoint, RawRequest
from streams.connectors.reading import member
from streams.connectors.results import Ignored, Message
from streams.connectors.schemes import SCHEMES
from streams.connectors.spec import Connector, Docs, Erasures, Sample, Scope
from streams.connectors.support.intercom_cases import CASES, case_touchpoints
from streams.connectors.support.intercom_records import (
    ADMINS,
    COMPANIES,
    admin_touchpoint,
    deleted_contact,
    record_touchpoint,
)
from streams.connectors.ways import Handshake, Webhook

_CONTACTS = re.compile(
    r"(contact(\.(user|lead))?|user|visitor)\."
    r"(created|updated|signed_up|added_email|email\.updated|tag\.created|tag\.deleted|unarchived?|merged)"
)
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
DELETED = "contact.deleted"


def touchpoints(message: Message, envelope: Message, request: RawRequest) -> tuple[CleanTouchpoint, ...] | Ignored:
    """One notification; a customer's reply to what was closed is a reply and a reopening."""
    topic = message.get("topic")
    if not isinstance(topic, str) or not topic:
        raise UnmappableEvent(f"`topic` must be text, not {shown(topic)}", "unknown_type")
    item = member(member(message, "data"), "item")
    if topic in CASES:
        return case_touchpoints(topic, item, message, request)
    if topic == DELETED:
        return (deleted_contact(topic, item, message, request),)
    if topic in COMPANIES or _CONTACTS.fullmatch(topic):
        return (record_touchpoint(topic, item, message, request),)
    if topic in ADMINS and (found := admin_touchpoint(topic, item, message, request)):
        return (found,)
    return Ignored("own_people" if topic.startswith("admin.") else _IGNORED.get(topic, "other_topic"))


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
    mapping=6,
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
        "`.admin.replied`, `.admin.assigned`, `.state.updated`, `.rating.provided`; `admin.added_to_workspace`, "
        "`admin.removed_from_workspace`. `ticket.resolved` and "
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
        "taken. Admins who write, or are added to the workspace, are the operator's own people by their e-mail: what "
        "they do on the website or in the product is `internal`, in every source, until they are removed. The "
        "blueprint's `vendor_type` is the topic.",
    ),
    sample=sample,
)
