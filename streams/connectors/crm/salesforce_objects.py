"""What each object of Salesforce becomes: accounts, contacts, leads, opportunities, cases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from schemas.touchpoints import Alias, Scalar
from streams.connectors import reading
from streams.connectors.crm.salesforce_ids import Record, id_of
from streams.connectors.reading import MAX_TEXT_CHARS, text
from streams.identity.aliases import Kind, alias, ordered

Fields = dict[str, Any]
#: Statuses of a case in the helpdesk's words. Closed is solved: Salesforce opens such cases again.
_STATUSES = {
    "new": "new", "open": "open", "working": "open", "in progress": "open", "escalated": "open", "reopened": "open",
    "on hold": "hold", "waiting": "pending", "pending": "pending", "waiting on customer": "pending",
    "waiting for customer": "pending", "awaiting customer": "pending", "closed": "solved", "resolved": "solved",
}  # fmt: skip
_OUTCOMES = {"closed won": "won", "closed lost": "lost"}


@dataclass(frozen=True, slots=True)
class Change:
    """One record as a message tells it: of which object, what became of it, its fields, and what was emptied."""

    kind: str
    change: str
    record: Record
    record_id: str
    event_id: str
    occurred_at: datetime
    emptied: frozenset[str]


def is_stated(value: object) -> bool:
    return value is not None and value != "" and not isinstance(value, dict)


#: Custom fields; the last is in every organisation that Salesforce fills with samples.
_TIERS: Final = ("Account_Tier__c", "Tier__c", "Customer_Tier__c", "CustomerPriority__c")


def _account(change: Change) -> Fields:
    record = change.record
    traits = {
        "name": _name(record),
        "domain": reading.domain_of(record.get("Website")),
        "industry": text(record.get("Industry")),
        "employees": text(record.get("NumberOfEmployees")).removesuffix(".0"),
        "tier": reading.first_text((record,), _TIERS),
        "annual_revenue": text(record.get("AnnualRevenue")),
        "owner_id": id_of(record, "OwnerId"),
    }
    return {
        "action": "crm_record",
        "account_refs": (f"crm:{change.record_id}",),
        "account_traits": _filled(traits),
        "subject": f"company:{change.record_id}",
        "properties": _owner(record),
    }


def _contact(change: Change) -> Fields:
    record = change.record
    return {
        "action": "crm_record",
        "aliases": ordered([*_person(change.record_id), *_addresses(record)]),
        "account_refs": _of_account(record),
        "person_traits": _filled(_traits(record)),
        "subject": f"contact:{change.record_id}",
        "properties": _owner(record),
    }


def _lead(change: Change) -> Fields:
    """Somebody who is no contact yet; converted, they are one person with the contact that was made of them."""
    record, contact = change.record, id_of(change.record, "ConvertedContactId")
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


def _opportunity(change: Change) -> Fields:
    record = change.record
    stage = text(record.get("StageName"))
    given = {
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
        "properties": {**given, **_owner(record)},
    }


def _case(change: Change) -> Fields:
    record, is_new = change.record, change.change == "CREATE"
    person = [*_person(id_of(record, "ContactId")), *_written(record)]
    status = "solved" if is_true(record.get("IsClosed")) else _status(record)
    given: dict[str, Scalar] = {
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
        "properties": {**given, **_owner(record)},
    }


def _user(change: Change) -> Fields:
    """One of our own people, who may own accounts and deals; of no customer, so it names nobody as acting."""
    how = "left" if _flag(change.record, "IsActive") is False else "joined"
    return {
        "action": "crm_record",
        "subject": f"owner:{change.record_id}",
        "staff": dict.fromkeys(filter(None, [_address(change.record)]), how),
    }


def says_nothing(change: Change) -> bool:
    """Whether a user is none of ours, as customers and partners at a portal are, or nothing says who it is."""
    is_ours = text(change.record.get("UserType")).lower() == "standard" and _address(change.record)
    return change.kind == "User" and not is_ours


def _address(record: Record) -> Alias | None:
    return alias("email", text(record.get("Email")))


READERS: dict[str, Callable[[Change], Fields]] = {
    "Account": _account,
    "Contact": _contact,
    "Lead": _lead,
    "Opportunity": _opportunity,
    "Case": _case,
    "User": _user,
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
    return {"owner_id": id_of(record, "OwnerId")}


def _of_account(record: Record, name: str = "AccountId") -> tuple[str, ...]:
    found = id_of(record, name)
    return (f"crm:{found}",) if found else ()


def _filled(values: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def _flag(record: Record, name: str) -> bool | None:
    value = record.get(name)
    return is_true(value) if is_stated(value) else None


def is_true(value: object) -> bool:
    return value is True or text(value).lower() in ("true", "1")
