"""Salesforce: Outbound Messages (SOAP, whole records) and Change Data Capture (JSON, what changed).

Both carry records of the same objects under the same field names, so one reader serves both. An id has 15 characters,
in which case counts, or the same with 3 more that say which letters are upper case; here it always has 18.
https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_om_outboundmessaging.htm
"""

from __future__ import annotations

from datetime import datetime, timedelta
from xml.sax.saxutils import escape

from schemas.errors import UnmappableEvent, shown
from schemas.touchpoints import CleanTouchpoint, RawRequest, Scalar
from streams.connectors import reading
from streams.connectors.crm.salesforce_ids import long_id, required_id, same_organization
from streams.connectors.crm.salesforce_objects import READERS, Change, is_stated, is_true, says_nothing
from streams.connectors.reading import ident, member, text
from streams.connectors.results import Ignored, Message
from streams.connectors.schemes import QueryToken
from streams.connectors.spec import Connector, Docs, Sample, Scope
from streams.connectors.ways import Answers, Reply, Tenant, Webhook

_CHANGES = ("CREATE", "UPDATE", "DELETE", "UNDELETE")
#: A record that was made and not changed since; Salesforce stamps both within one save.
_JUST_MADE = timedelta(seconds=1)


def touchpoints(message: Message, envelope: Message, request: RawRequest) -> tuple[CleanTouchpoint, ...] | Ignored:
    """One notification of an Outbound Message, or one change event, which may tell of several records."""
    changes = _notified(message, request) if "sObject" in message else _captured(message)
    if isinstance(changes, Ignored):
        return changes
    if changes[0].kind not in READERS or says_nothing(changes[0]):
        return Ignored("other_object")
    return tuple(found for change in changes for found in _read(change, request))


def _read(change: Change, request: RawRequest) -> list[CleanTouchpoint]:
    fields = READERS[change.kind](change)
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


def _emptied(change: Change, found: CleanTouchpoint) -> list[CleanTouchpoint]:
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


def _fate(change: Change) -> dict[str, Scalar]:
    return {"restored": True} if change.change == "UNDELETE" else {}


# -- Outbound Messages


def _notified(message: Message, request: RawRequest) -> list[Change] | Ignored:
    record = member(message, "sObject")
    kind = text(record.get("@type")).rpartition(":")[2]
    if not kind:
        raise UnmappableEvent(f"`sObject` has no `xsi:type`, but {shown(record.get('@type'))}", "missing_field")
    at = next((record[name] for name in ("LastModifiedDate", "SystemModstamp") if is_stated(record.get(name))), None)
    occurred_at = reading.stamp(at, "LastModifiedDate") if at is not None else request.received_at
    created = record.get("CreatedDate")
    is_new = at is not None and is_stated(created) and occurred_at - reading.stamp(created, "CreatedDate") <= _JUST_MADE
    event_id = ident(message, "Id") or reading.content_id(message, frozenset())
    emptied = frozenset(name for name, value in record.items() if isinstance(value, dict) and value.get("@nil"))
    is_gone = is_true(record.get("IsDeleted"))
    change = "DELETE" if is_gone else "CREATE" if is_new else "UPDATE"
    return [Change(kind, change, record, required_id(record, "Id"), event_id, occurred_at, emptied)]


# -- Change Data Capture


def _captured(message: Message) -> list[Change] | Ignored:
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
    ids = [long_id(one) for one in listed if isinstance(one, str)] if isinstance(listed, list) else []
    if not ids:
        raise UnmappableEvent(f"`recordIds` must list ids, not {shown(listed)}", "missing_field")
    nulled = header.get("nulledFields")
    emptied = frozenset(one for one in nulled if isinstance(one, str)) if isinstance(nulled, list) else frozenset()
    place = f"{ident(header, 'transactionKey')}:{ident(header, 'sequenceNumber')}"
    place = place if place != ":" else reading.content_id(message, frozenset({"event"}))
    return [Change(kind, change, payload, one, f"{place}:{one}", occurred_at, emptied) for one in dict.fromkeys(ids)]


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
    mapping=6,
    batch_key="Envelope.Body.notifications.Notification",
    answers=Answers(ok=ACK),
    feeds=("ticket", "ticket_status", "deal", "words", "person", "organisation"),
    ids=Scope(accounts=("crm",), people=("crm_contact",), records=("crm_deal", "crm_ticket")),
    docs=Docs(
        title="Salesforce",
        setup=(
            "Put a long random text into the source's secret, and your organisation's id (Setup → Company Information) "
            "into `tenant` of the source.",
            "Setup → Outbound Messages → New, one for each of Account, Contact, Lead, Opportunity, Case and "
            "User; endpoint URL `https://GATEWAY/salesforce/SOURCE?token=SECRET`, by HTTPS. Leave `Send Session ID` "
            "off.",
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
        "`Customer_Tier__c`). User: `Email`, `UserType`, `IsActive`.",
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
        "contact. A case is a ticket; closed is `solved`, and replies are not told. A user of type "
        "`Standard` is one of the operator's own people, who own accounts and deals: what they do on the website or "
        "in the product is `internal`, in every source, until they are no longer active. Other users, and changes "
        "that do not state both `UserType` and `Email`, are ignored. The blueprint's `vendor_type` is "
        "`Opportunity.update`, `Case.create` and so on. Other objects are ignored and counted.",
    ),
    sample=sample,
)
