"""Salesforce: Outbound Messages (SOAP, whole records) and Change Data Capture (JSON, what changed).

Both carry records of the same objects under the same field names, so one reader serves both. An id has 15 characters,
in which case counts, or the same with 3 more that say which letters are upper case; here it always has 18.
https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_om_outboundmessaging.htm
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from xml.sax.saxutils import escape

from schemas.errors import UnmappableEvent, shown
from schemas.touchpoints import Alias, CleanTouchpoint, RawRequest, Scalar
from streams.connectors import reading
from streams.connectors.reading import MAX_TEXT_CHARS, ident, member, text
from streams.connectors.results import Ignored, Message
from streams.connectors.schemes import QueryToken
from streams.connectors.spec import Connector, Docs, Sample, Scope
from streams.connectors.ways import Answers, Reply, Tenant, Webhook
from streams.identity.aliases import Kind, alias, ordered

Record = dict[str, Any]
Fields = dict[str, Any]

_ID = re.compile(r"[A-Za-z0-9]{15}([A-Za-z0-9]{3})?")
_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
#: Statuses of a case in the helpdesk's words. Closed is solved: Salesforce opens such cases again.
_STATUSES = {
    "new": "new", "open": "open", "working": "open", "in progress": "open", "escalated": "open", "reopened": "open",
    "on hold": "hold", "waiting": "pending", "pending": "pending", "waiting on customer": "pending",
    "waiting for customer": "pending", "awaiting customer": "pending", "closed": "solved", "resolved": "solved",
}  # fmt: skip
_OUTCOMES = {"closed won": "won", "closed lost": "lost"}
_CHANGES = ("CREATE", "UPDATE", "DELETE", "UNDELETE")
#: A record that was made and not changed since; Salesforce stamps both within one save.
_JUST_MADE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class _Change:
    """One record as a message tells it: of which object, what became of it, its fields, and what was emptied."""

    kind: str
    change: str
    record: Record
    record_id: str
    event_id: str
    occurred_at: datetime
    emptied: frozenset[str]


def touchpoints(message: Message, envelope: Message, request: RawRequest) -> tuple[CleanTouchpoint, ...] | Ignored:
    """One notification of an Outbound Message, or one change event, which may tell of several records."""
    changes = _notified(message, request) if "sObject" in message else _captured(message)
    if isinstance(changes, Ignored):
        return changes
    if changes[0].kind not in _READERS:
        return Ignored("other_object")
    return tuple(found for change in changes for found in _told(change, request))


def _told(change: _Change, request: RawRequest) -> list[CleanTouchpoint]:
    fields = _READERS[change.kind](change)
    properties = {**fields.pop("properties", {}), **_fate(change)}
    if change.change == "DELETE":
        fields["action"] = "crm_removed"
    found = CleanTouchpoint(
        event_id=reading.event_id(request.source, change.event_id),
        source=request.source,
        vendor=request.vendor,
        vendor_type=f"{change.kind}.{change.change.lower()}",
        vendor_event_id=change.event_id,
        occurred_at=change.occurred_at,
        received_at=request.received_at,
        clock_suspect=reading.is_suspect(change.occurred_at, request.received_at),
        properties={name: value for name, value in properties.items() if value not in (None, "")},
        backfill=request.backfill,
        **{"channel": "crm", **fields},
    )
    return [found, *_emptied(change, found)]


def _emptied(change: _Change, found: CleanTouchpoint) -> list[CleanTouchpoint]:
    """A company whose website was emptied claims no domain any more: a statement of its own."""
    if change.kind != "Account" or "Website" not in change.emptied:
        return []
    event_id = f"{change.event_id}#Website"
    return [
        found.changed(
            event_id=reading.event_id(found.source, event_id),
            vendor_event_id=event_id,
            account_traits={},
            properties={"property": "domain"},
        )
    ]


def _fate(change: _Change) -> dict[str, Scalar]:
    return {"restored": True} if change.change == "UNDELETE" else {}


# -- Outbound Messages


def _notified(message: Message, request: RawRequest) -> list[_Change] | Ignored:
    record = member(message, "sObject")
    kind = text(record.get("@type")).rpartition(":")[2]
    if not kind:
        raise UnmappableEvent(f"`sObject` has no `xsi:type`, but {shown(record.get('@type'))}", "missing_field")
    at = next((record[name] for name in ("LastModifiedDate", "SystemModstamp") if _is_told(record.get(name))), None)
    occurred_at = reading.stamp(at, "LastModifiedDate") if at is not None else request.received_at
    created = record.get("CreatedDate")
    is_new = at is not None and _is_told(created) and occurred_at - reading.stamp(created, "CreatedDate") <= _JUST_MADE
    event_id = ident(message, "Id") or reading.content_id(message, frozenset())
    emptied = frozenset(name for name, value in record.items() if isinstance(value, dict) and value.get("@nil"))
    is_gone = _is_true(record.get("IsDeleted"))
    change = "DELETE" if is_gone else "CREATE" if is_new else "UPDATE"
    return [_Change(kind, change, record, _required(record, "Id"), event_id, occurred_at, emptied)]


def _is_told(value: object) -> bool:
    return value is not None and value != "" and not isinstance(value, dict)


# -- Change Data Capture


def _captured(message: Message) -> list[_Change] | Ignored:
    payload = member(message, "data") or message
    payload = member(payload, "payload") or payload
    header = member(payload, "ChangeEventHeader")
    if not header:
        raise UnmappableEvent("neither `sObject` nor `ChangeEventHeader` is given", "unknown_type")
    kind, change = text(header.get("entityName")), text(header.get("changeType")).upper()
    if change.startswith("GAP_"):
        return Ignored("gap")  # it says that changes were not captured, and nothing of them
    if change not in _CHANGES:
        raise UnmappableEvent(f"`changeType` is not known: {shown(header.get('changeType'))}", "unknown_type")
    occurred_at = reading.stamp(header.get("commitTimestamp"), "commitTimestamp")
    listed = header.get("recordIds")
    ids = [_long(one) for one in listed if isinstance(one, str)] if isinstance(listed, list) else []
    if not ids:
        raise UnmappableEvent(f"`recordIds` must list ids, not {shown(listed)}", "missing_field")
    nulled = header.get("nulledFields")
    emptied = frozenset(one for one in nulled if isinstance(one, str)) if isinstance(nulled, list) else frozenset()
    place = f"{ident(header, 'transactionKey')}:{ident(header, 'sequenceNumber')}"
    place = place if place != ":" else reading.content_id(message, frozenset({"event"}))
    return [_Change(kind, change, payload, one, f"{place}:{one}", occurred_at, emptied) for one in dict.fromkeys(ids)]


# -- what each object is

#: Custom fields; the last is in every organisation that Salesforce fills with samples.
_TIERS: Final = ("Account_Tier__c", "Tier__c", "Customer_Tier__c", "CustomerPriority__c")


def _account(change: _Change) -> Fields:
    record = change.record
    traits = {
        "name": _name(record),
        "domain": reading.domain_of(record.get("Website")),
        "industry": text(record.get("Industry")),
        "employees": text(record.get("NumberOfEmployees")).removesuffix(".0"),
        "tier": reading.first_text((record,), _TIERS),
        "annual_revenue": text(record.get("AnnualRevenue")),
        "owner_id": _id(record, "OwnerId"),
    }
    return {
        "action": "crm_record",
        "account_refs": (f"crm:{change.record_id}",),
        "account_traits": _filled(traits),
        "subject": f"company:{change.record_id}",
        "properties": _owner(record),
    }


def _contact(change: _Change) -> Fields:
    record = change.record
    return {
        "action": "crm_record",
        "aliases": ordered([*_person(change.record_id), *_addresses(record)]),
        "account_refs": _of_account(record),
        "person_traits": _filled(_traits(record)),
        "subject": f"contact:{change.record_id}",
        "properties": _owner(record),
    }


def _lead(change: _Change) -> Fields:
    """Somebody who is no contact yet; converted, they are one person with the contact that was made of them."""
    record, contact = change.record, _id(change.record, "ConvertedContactId")
    company = {"name": text(record.get("Company")), "domain": reading.domain_of(record.get("Website"))}
    return {
        "action": "alias" if contact else "crm_record",
        "aliases": ordered([*_person(contact), *_person(change.record_id), *_addresses(record)]),
        "account_refs": _of_account(record, "ConvertedAccountId"),
        "person_traits": _filled(_traits(record)),
        "account_traits": {} if contact else _filled(company),
        "subject": f"contact:{contact or change.record_id}",
        "properties": {**_owner(record), "status": text(record.get("Status")).lower()},
    }


def _opportunity(change: _Change) -> Fields:
    record = change.record
    stage = text(record.get("StageName"))
    told = {
        "value": stage,
        "outcome": _OUTCOMES.get(stage.lower(), ""),
        "is_won": _flag(record, "IsWon"),
        "is_closed": _flag(record, "IsClosed"),
        "amount": reading.number(record.get("Amount")),
        "currency": text(record.get("CurrencyIsoCode")),
        "close_date": text(record.get("CloseDate")),
    }
    return {
        "action": "deal_stage_changed" if stage else "crm_record",
        "aliases": ordered([alias("crm_deal", change.record_id)]),
        "account_refs": _of_account(record),
        "subject": f"deal:{change.record_id}",
        "title": _name(record),
        "properties": {**told, **_owner(record)},
    }


def _case(change: _Change) -> Fields:
    record, is_new = change.record, change.change == "CREATE"
    person = [*_person(_id(record, "ContactId")), *_written(record)]
    status = "solved" if _is_true(record.get("IsClosed")) else _status(record)
    told: dict[str, Scalar] = {
        "status" if is_new else "current": status,
        "priority": text(record.get("Priority")).lower(),
        "via": text(record.get("Origin")).lower(),
        "escalated": _flag(record, "IsEscalated") or None,
    }
    case = alias("crm_ticket", change.record_id)
    return {
        "action": "ticket_created" if is_new else "ticket_status" if status else "ticket_changed",
        "aliases": ordered([*person, case if is_new or not person else None]),
        "account_refs": _of_account(record),
        "channel": "support",
        "subject": f"ticket:{change.record_id}",
        "title": text(record.get("Subject")),
        "text": text(record.get("Description"), MAX_TEXT_CHARS) if is_new else "",
        "properties": {**told, **_owner(record)},
    }


_READERS: dict[str, Callable[[_Change], Fields]] = {
    "Account": _account,
    "Contact": _contact,
    "Lead": _lead,
    "Opportunity": _opportunity,
    "Case": _case,
}


# -- fields


def _person(record_id: str) -> list[Alias | None]:
    return [alias("crm_contact", record_id)] if record_id else []


def _addresses(record: Record) -> list[Alias | None]:
    kinds: tuple[tuple[Kind, str], ...] = (("email", "Email"), ("phone", "MobilePhone"), ("phone", "Phone"))
    return [alias(kind, value) for kind, name in kinds if isinstance(value := record.get(name), str)]


def _written(record: Record) -> list[Alias | None]:
    """The address of whoever opened a case: the contact's, else the one that was typed into the form."""
    stated = text(record.get("ContactEmail")) or ("" if record.get("ContactId") else text(record.get("SuppliedEmail")))
    return [found] if (found := alias("email", stated)) else []


def _traits(record: Record) -> dict[str, str]:
    return {"name": _name(record), "title": text(record.get("Title")), "department": text(record.get("Department"))}


def _name(record: Record) -> str:
    """`Name` is text, and in change events of people an object of its parts."""
    stated = record.get("Name")
    parts = stated if isinstance(stated, dict) else record
    return text(stated) or " ".join(filter(None, (text(parts.get("FirstName")), text(parts.get("LastName")))))


def _status(record: Record) -> str:
    stated = text(record.get("Status")).lower()
    return _STATUSES.get(stated, stated)


def _owner(record: Record) -> dict[str, Scalar]:
    return {"owner_id": _id(record, "OwnerId")}


def _of_account(record: Record, name: str = "AccountId") -> tuple[str, ...]:
    found = _id(record, name)
    return (f"crm:{found}",) if found else ()


def _filled(values: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def _flag(record: Record, name: str) -> bool | None:
    value = record.get(name)
    return _is_true(value) if _is_told(value) else None


def _is_true(value: object) -> bool:
    return value is True or text(value).lower() in ("true", "1")


# -- ids


def _id(record: Record, name: str) -> str:
    """An id of 18 characters; empty where there is none."""
    value = record.get(name)
    return _long(value) if isinstance(value, str) and value else ""


def _required(record: Record, name: str) -> str:
    value = record.get(name)
    if not isinstance(value, str) or not value:
        raise UnmappableEvent(f"`{name}` must be an id, not {shown(value)}", "missing_field")
    return _long(value)


def _long(value: str) -> str:
    """The id with 18 characters: the last 3 say which of the 15 before are upper case, five letters each."""
    value = value.strip()
    if not _ID.fullmatch(value):
        raise UnmappableEvent(f"an id has 15 or 18 letters and digits, not {shown(value)}", "wrong_value")
    short, end = value[:15], value[15:].upper()
    if value in (value.lower(), value.upper()) and end and all(one in _DIGITS for one in end):
        # some programs change the case of an id, and its end restores it
        upper = [_DIGITS.index(end[place // 5]) >> place % 5 & 1 for place in range(15)]
        short = "".join(one.upper() if is_upper else one.lower() for one, is_upper in zip(short, upper, strict=True))
    return short + _end(short)


def _end(short: str) -> str:
    parts = (short[at : at + 5] for at in (0, 5, 10))
    return "".join(_DIGITS[sum(one.isupper() << place for place, one in enumerate(part))] for part in parts)


def same_organization(stated: str) -> str:
    """An organisation's id as it is compared: with 18 characters; anything else as it is."""
    try:
        return _long(stated)
    except UnmappableEvent:
        return stated


# -- the protocol

SAMPLE_ORGANIZATION = "00D000000000001EAA"
_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_OUTBOUND = "http://soap.sforce.com/2005/09/outbound"
ACK = Reply(
    f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="{_SOAP}"><soapenv:Body>'
    f'<notificationsResponse xmlns="{_OUTBOUND}"><Ack>true</Ack></notificationsResponse>'
    "</soapenv:Body></soapenv:Envelope>".encode(),
    b"text/xml; charset=utf-8",
)
"""Anything else makes Salesforce send again, for 24 hours."""


def sample(now: datetime) -> Sample:
    """An opportunity that is won."""
    fields = {
        "Id": "006000000000001AAA",
        "AccountId": "001000000000001AAA",
        "Name": "A sample & more",
        "StageName": "Closed Won",
        "Amount": "12000.0",
        "LastModifiedDate": (now - timedelta(seconds=2)).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    }
    record = "".join(f"<sf:{name}>{escape(value)}</sf:{name}>" for name, value in fields.items())
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="{_SOAP}" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>'
        f'<notifications xmlns="{_OUTBOUND}"><OrganizationId>{SAMPLE_ORGANIZATION}</OrganizationId>'
        f"<ActionId>04k000000000001AAA</ActionId><Notification><Id>04l{int(now.timestamp()):012d}AAA</Id>"
        f'<sObject xsi:type="sf:Opportunity" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">{record}</sObject>'
        "</Notification></notifications></soapenv:Body></soapenv:Envelope>"
    )
    return Sample(body, content_type="text/xml; charset=UTF-8", headers=(("soapaction", '""'),))


CONNECTOR = Connector(
    name="salesforce",
    versions=("2005/09/outbound", "change events 61.0"),
    ways_in=(
        Webhook(
            QueryToken("token"),
            content="xml_or_json",
            tenant=Tenant(
                "Envelope.Body.notifications.OrganizationId",
                "the organisation's id (Setup → Company Information)",
                same_organization,
                SAMPLE_ORGANIZATION,
            ),
        ),
    ),
    map=touchpoints,
    mapping=5,
    batch_key="Envelope.Body.notifications.Notification",
    answers=Answers(ok=ACK),
    feeds=("ticket", "ticket_status", "deal", "words", "person", "organisation"),
    ids=Scope(accounts=("crm",), people=("crm_contact",), records=("crm_deal", "crm_ticket")),
    docs=Docs(
        title="Salesforce",
        setup=(
            "Put a long random text into the source's secret, and your organisation's id (Setup → Company Information) "
            "into `tenant` of the source.",
            "Setup → Outbound Messages → New, one for each of Account, Contact, Lead, Opportunity and Case; endpoint "
            "URL "
            "`https://GATEWAY/salesforce/SOURCE?token=SECRET`, by HTTPS. Leave `Send Session ID` off.",
            "Choose the fields below, and always `Id`, `CreatedDate` and `LastModifiedDate`.",
            "Flows → New record-triggered flow for each object, on create and on update: send the outbound message.",
            "Or send change events: whatever reads them for you (Kafka Connect, a middleware) posts their JSON, one "
            "or an "
            "array, to the same address.",
        ),
        subscribe="Account: `Name`, `Website`, `Industry`, `NumberOfEmployees`, `OwnerId`. Contact: `AccountId`, "
        "`FirstName`, `LastName`, `Email`, `Phone`, `MobilePhone`, `Title`, `Department`. Lead: the same, `Company`, "
        "`Website`, `Status`, `ConvertedContactId`, `ConvertedAccountId`. Opportunity: `AccountId`, `Name`, "
        "`StageName`, "
        "`IsWon`, `IsClosed`, `Amount`, `CurrencyIsoCode`, `CloseDate`, `OwnerId`. Case: `AccountId`, `ContactId`, "
        "`ContactEmail`, `SuppliedEmail`, `Subject`, `Description`, `Status`, `IsClosed`, `Priority`, `Origin`, "
        "`IsEscalated`, `OwnerId`. Account, too: your field of its tier (`Account_Tier__c`, `Tier__c`, "
        "`Customer_Tier__c`).",
        settings="`tenant`: messages of another organisation are refused. Salesforce signs nothing, so the token in "
        "the URL "
        "is the proof: keep it out of the access logs of proxies, and let only Salesforce's addresses through where "
        "you can.",
        limits="Salesforce sends up to 100 notifications at once, again for 24 hours until it reads the ack, in any "
        "order, "
        "with the values of the moment of sending. A notification that comes twice is one event. Change events of "
        "kind `GAP_…` say only that changes are missing: they are ignored and counted.",
        reads="Records are what the CRM says: accounts with name and domain, contacts at their account, deals with "
        "stage, "
        "amount, owner and outcome. A deal is won or lost by `IsWon` and `IsClosed`, else by the stages `Closed Won` "
        "and "
        "`Closed Lost`; the blueprint knows the standard stages. A lead is a person; once converted one with its "
        "contact. A case is a ticket; closed is `solved`, and replies are not told. The blueprint's `vendor_type` is "
        "`Opportunity.update`, `Case.create` and so on. Other objects are ignored and counted.",
    ),
    sample=sample,
)
