"""HubSpot webhooks (v3): an array of changes to CRM records, thin: ids and one property each.

`eventId` is not unique, so an event's identity is composite; `attemptNumber` is how it travelled and no part of it.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import orjson

from schemas.actions import Action
from schemas.errors import UnmappableEvent, shown
from schemas.touchpoints import Alias, CleanTouchpoint, RawRequest, Scalar
from streams.connectors import reading
from streams.connectors.reading import ident, text
from streams.connectors.results import Message
from streams.connectors.schemes import Hmac
from streams.connectors.spec import Connector, Docs, Erasures, Fresh, Sample, Scope
from streams.connectors.ways import Webhook
from streams.identity.aliases import Kind, alias, ordered

#: The platform's object type ids; custom objects keep theirs.
OBJECT_TYPES = {
    "0-1": "contact",
    "0-2": "company",
    "0-3": "deal",
    "0-5": "ticket",
    "0-7": "product",
    "0-8": "line_item",
}
OBJECTS = frozenset((*OBJECT_TYPES.values(), "conversation", "object"))
CHANGES = frozenset(
    {"creation", "deletion", "privacyDeletion", "propertyChange", "merge", "restore", "associationChange", "newMessage"}
)
ALIAS_KINDS: dict[str, Kind] = {"contact": "crm_contact", "deal": "crm_deal", "ticket": "crm_ticket"}
IDENTITY = ("portalId", "subscriptionId", "objectId", "eventId", "occurredAt", "propertyName")
_PAIR = ("fromObjectId", "toObjectId", "primaryObjectId")
TRANSPORT = frozenset({"attemptNumber"})

_PERSON_PROPERTIES = {
    "jobtitle": "title",
    "department": "department",
    "hs_role": "role",
    "hs_buying_role": "role",
}
_ACCOUNT_PROPERTIES = {"name": "name", "domain": "domain", "website": "domain", "industry": "industry"} | {
    "hs_additional_domains": "domain",
    "numberofemployees": "employees",
    **dict.fromkeys((*reading.TIER_NAMES, "hs_target_account", "hs_ideal_customer_profile"), "tier"),
    "annualrevenue": "annual_revenue",
    "hubspot_owner_id": "owner_id",
}
#: In pipelines of the customer's own, stages are numbers; these properties say what the deal came to, true or false:
#: a fact beside the stage, told in any order. What is set is also told in the words of HubSpot's own pipeline.
_OUTCOMES = {"hs_is_closed_won": ("won", "closedwon"), "hs_is_closed_lost": ("lost", "closedlost")}
#: Stages of HubSpot's own pipeline of tickets: waiting for the customer is to have answered.
_TICKET_STAGES = {"1": "new", "2": "pending", "3": "open", "4": "closed"}
_ASSOCIATION = re.compile(r"([A-Z]+)_TO_([A-Z]+)")


def touchpoint(message: Message, envelope: Message, request: RawRequest) -> CleanTouchpoint:
    """One change of one record."""
    kind, change = _subscription(message)
    occurred_at = reading.stamp(message.get("occurredAt"), "occurredAt")
    records = _records(message, kind, change)
    name, value = ident(message, "propertyName"), text(message.get("propertyValue"))
    is_outcome = _is_outcome(kind, name, value)
    status = _ticket_status(name, value) if kind == "ticket" and change == "propertyChange" else ""
    vendor_event_id = _identity(message)
    return CleanTouchpoint(
        event_id=reading.event_id(request.source, vendor_event_id),
        source=request.source,
        vendor=request.vendor,
        vendor_type=f"{kind}.{change}:{name}" if name else f"{kind}.{change}",
        vendor_event_id=vendor_event_id,
        action="deal_stage_changed"
        if is_outcome
        else "ticket_status"
        if status
        else _action(message, kind, change, name),
        occurred_at=occurred_at,
        received_at=request.received_at,
        clock_suspect=reading.is_suspect(occurred_at, request.received_at),
        aliases=_aliases(records, kind, name, value),
        account_refs=_account_refs(records),  # of a removed association, too: it ends a membership
        person_traits=_person_traits(kind, name, value),
        account_traits=_account_traits(kind, name, value),
        channel="crm",
        subject=f"{kind}:{_about(records, kind, change)}",
        properties=_properties(message, change, name, value)
        | _merged(records, change)
        | _read(name, is_outcome, status),
        backfill=request.backfill,
    )


def _subscription(message: Message) -> tuple[str, str]:
    """(`contact`, `propertyChange`), from either the classic or the platform's form (`object.…` + objectTypeId)."""
    stated = message.get("subscriptionType")
    kind, _, change = stated.partition(".") if isinstance(stated, str) else ("", "", "")
    if kind not in OBJECTS or change not in CHANGES:
        raise UnmappableEvent(f"`subscriptionType` is not known: {shown(stated)}", "unknown_type")
    if kind == "object":
        type_id = ident(message, "objectTypeId") or ident(message, "fromObjectTypeId")
        kind = OBJECT_TYPES.get(type_id, f"object_{type_id}" if type_id else "")
        if not kind:
            raise UnmappableEvent("`objectTypeId` is missing", "missing_field")
    return kind, change


def _is_outcome(kind: str, name: str, value: str) -> bool:
    """Whether it says that a deal is won, or lost."""
    return kind == "deal" and name in _OUTCOMES and value.lower() == "true"


def _identity(message: Message) -> str:
    if message.get("eventId") in (None, ""):
        return reading.content_id(message, TRANSPORT)
    paired = any(message.get(field) is not None for field in _PAIR)
    fields = (*IDENTITY, *_PAIR) if paired else IDENTITY
    return ":".join(ident(message, field) for field in fields)


def _records(message: Message, kind: str, change: str) -> list[tuple[str, str]]:
    """(kind, id) of every record the change is about; the first is the one that changed."""
    if change == "associationChange":
        return _associated(message, kind)
    if change == "merge":
        merged = message.get("mergedObjectIds")
        # the record that remains first: sometimes a merge makes a new one
        ids = [ident(message, field) for field in ("newObjectId", "primaryObjectId", "objectId")]
        ids += [text(value) for value in merged] if isinstance(merged, list) else []
    else:
        ids = [ident(message, "objectId")]
    found = list(dict.fromkeys((kind, value) for value in ids if value))
    if not found:
        raise UnmappableEvent("`objectId` is missing", "missing_field")
    return found


def _about(records: list[tuple[str, str]], kind: str, change: str) -> str:
    """The record whose story it is: of merged tickets the one that went into the other, for its waiting is over."""
    is_gone = kind == "ticket" and change == "merge" and len(records) > 1
    return records[1 if is_gone else 0][1]


def _associated(message: Message, kind: str) -> list[tuple[str, str]]:
    stated = _ASSOCIATION.match(text(message.get("associationType")))
    kinds = [part.lower() for part in stated.groups()] if stated else [kind, _to_kind(message)]
    ids = [ident(message, "fromObjectId"), ident(message, "toObjectId")]
    if not all(ids):
        raise UnmappableEvent("an association needs `fromObjectId` and `toObjectId`", "missing_field")
    return list(zip(kinds, ids, strict=True))


def _to_kind(message: Message) -> str:
    type_id = ident(message, "toObjectTypeId")
    return OBJECT_TYPES.get(type_id, f"object_{type_id}")


def _removed(message: Message) -> bool:
    return message.get("associationRemoved") is True


def _action(message: Message, kind: str, change: str, name: str) -> Action:
    if change in ("deletion", "privacyDeletion") or _removed(message):
        return "crm_removed"
    if change == "merge" and kind == "contact":
        return "alias"
    if change == "creation" and kind in ("deal", "ticket"):
        return "deal_created" if kind == "deal" else "ticket_created"
    if change != "propertyChange":
        return "crm_record"
    if name == "lifecyclestage":
        return "lifecycle_changed"
    if kind == "deal" and name == "dealstage":
        return "deal_stage_changed"
    return "ticket_changed" if kind == "ticket" else "crm_record"


def _aliases(records: list[tuple[str, str]], kind: str, name: str, value: str) -> tuple[Alias, ...]:
    found = [alias(ALIAS_KINDS[of], record_id) for of, record_id in records if of in ALIAS_KINDS]
    if kind == "contact" and name in ("email", "hs_additional_emails"):
        found += [alias("email", address) for address in value.split(";")]
    if kind == "contact" and name in ("phone", "mobilephone"):
        found.append(alias("phone", value))
    return ordered(found)


def _account_refs(records: list[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(f"crm:{record_id}" for of, record_id in records if of == "company")


def _person_traits(kind: str, name: str, value: str) -> dict[str, str]:
    trait = _PERSON_PROPERTIES.get(name)
    return {trait: value} if kind == "contact" and trait and value else {}


def _account_traits(kind: str, name: str, value: str) -> dict[str, str]:
    trait = _ACCOUNT_PROPERTIES.get(name)
    if kind != "company" or trait is None:
        return {}
    if trait == "domain":
        value = " ".join(filter(None, map(reading.domain_of, value.split(";"))))
    return {trait: value} if value else {}


def _properties(message: Message, change: str, name: str, value: str) -> dict[str, Scalar]:
    found: dict[str, Any] = {}
    if name:
        found["property"] = name
        if not reading.is_sensitive(name):
            found["value"] = value
    if change == "associationChange":
        found["association"] = text(message.get("associationType"))
        found["removed"] = _removed(message)
        if message.get("isPrimaryAssociation") is True:
            found["primary"] = True
    if change == "privacyDeletion":
        found["privacy"] = True
    if change == "restore":
        found["restored"] = True
    source = text(message.get("changeSource"))
    return {**found, "change_source": source} if source else found


def _read(name: str, is_outcome: bool, status: str) -> dict[str, Scalar]:
    """How a deal ended, or a ticket's status, in the words of every source."""
    outcome, value = _OUTCOMES[name] if is_outcome else ("", "")
    found: dict[str, Scalar] = {"value": value, "outcome": outcome} if is_outcome else {}
    return found | ({"current": status} if status else {})


def _ticket_status(name: str, value: str) -> str:
    """The status that a ticket's property says; empty for another property, or a stage of a pipeline of one's own."""
    if name == "hs_pipeline_stage":
        return _TICKET_STAGES.get(value, "")
    if name == "closed_date":
        return "closed" if value else "open"
    if name == "hs_is_closed":
        return {"true": "closed", "false": "open"}.get(value.lower(), "")
    return ""


def _merged(records: list[tuple[str, str]], change: str) -> dict[str, Scalar]:
    """The ids that are the first record's from now on."""
    return {"merged": " ".join(value for _, value in records[1:])} if change == "merge" else {}


def sample(now: datetime) -> Sample:
    """A contact's address as it became known."""
    change = {
        "eventId": int(now.timestamp()),
        "subscriptionId": 25,
        "portalId": 33,
        "appId": 7,
        "occurredAt": int(now.timestamp() * 1000) - 2_000,
        "subscriptionType": "contact.propertyChange",
        "attemptNumber": 0,
        "objectId": 51,
        "propertyName": "email",
        "propertyValue": "sample@example.com",
        "changeSource": "CRM",
    }
    return Sample(orjson.dumps([change]).decode())


SCHEME = Hmac(
    b"x-hubspot-signature-v3",
    ("method", "url", "body", "timestamp"),
    timestamp="ms",
    timestamp_header=b"x-hubspot-request-timestamp",
    url_decoded=b":/?@!$'()*,;",
)

CONNECTOR = Connector(
    name="hubspot",
    versions=("v3",),
    ways_in=(Webhook(SCHEME),),
    map=touchpoint,
    mapping=7,
    feeds=("ticket", "ticket_status", "deal", "lifecycle", "person", "organisation", "erasure"),
    erasures=Erasures(("contact.privacyDeletion",)),
    ids=Scope(accounts=("crm",), people=("crm_contact",), records=("crm_deal", "crm_ticket")),
    docs=Docs(
        title="HubSpot",
        setup=(
            "Private or public app → Webhooks → target URL `GATEWAY/hubspot/SOURCE`.",
            "Put the app's client secret into the source's secret.",
            "Set `public_base_url` on the source to the scheme and host that HubSpot calls.",
        ),
        subscribe="Contacts, companies, deals and tickets: creation, deletion, merge, restore, association changes, "
        "and property changes of at least `email`, `jobtitle`, `lifecyclestage`, `dealstage`, `hs_is_closed_won`, "
        "`hs_is_closed_lost`, the company's `name`, `domain`, `annualrevenue`, `hubspot_owner_id` and tier "
        "(`account_tier`, `customer_tier`, `tier` or `hs_ideal_customer_profile`), a ticket's `hs_pipeline_stage` and "
        "`hs_is_closed`.",
        settings="`public_base_url`: HubSpot signs the URL it calls. Without it the signature is checked against the "
        "address the gateway itself listens on.",
        limits="A stamp more than 5 minutes off is refused. HubSpot sends up to 100 changes a request. It "
        "sends no owner's address: import your owners with `email`, and what they do themselves is `internal`.",
    ),
    fresh=Fresh("crm", "HubSpot webhooks to /hubspot/crm; put the app's client secret into the file"),
    sample=sample,
)
