"""Intercom's contacts and companies, and what every touchpoint from there has in common."""

from __future__ import annotations

from typing import Literal

from schemas.actions import Action
from schemas.errors import UnmappableEvent, shown
from schemas.touchpoints import Alias, CleanTouchpoint, RawRequest
from streams.connectors import reading
from streams.connectors.reading import ident, member, text
from streams.connectors.results import Message
from streams.identity.aliases import alias, ordered
from streams.identity.placeholders import is_placeholder

COMPANIES: dict[str, Action] = {
    "company.created": "support_record",
    "company.updated": "support_record",
    "company.contact.attached": "crm_record",  # they tie people to companies and untie them, as the CRM does
    "company.contact.detached": "crm_removed",
}
#: Topic → what it says of one of our own people.
ADMINS: dict[str, Literal["joined", "left"]] = {
    "admin.added_to_workspace": "joined",
    "admin.removed_from_workspace": "left",
}
_TRANSPORT = frozenset({"delivery_attempts", "delivery_status", "delivered_at", "first_sent_at", "self", "links"})


def begun(topic: str, action: Action, at: object, message: Message, request: RawRequest) -> CleanTouchpoint:
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


def listed(of: Message, name: str) -> list[Message]:
    """The objects of a list; Intercom wraps each in an object, where its name is the same or `data`."""
    held = member(of, name)
    found = held.get(name, held.get("data"))
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def aliases(said: list[Message]) -> tuple[Alias, ...]:
    """The ids in what is said of one contact; a lead's `external_id` is Intercom's own making, no user id of ours."""
    is_lead = any("lead" in (one.get("role"), one.get("type")) for one in said)
    found = [alias("support_user", ident(one, "id")) for one in said]
    for one in said:
        found += [alias("email", text(one.get("email"))), alias("phone", text(one.get("phone")))]
        found += [] if is_lead else [alias("user", ident(one, name)) for name in ("external_id", "user_id")]
    return ordered(found)


def record_touchpoint(topic: str, item: Message, message: Message, request: RawRequest) -> CleanTouchpoint:
    is_company = topic in COMPANIES
    company = (member(item, "company") or ({} if "contact" in item else item)) if is_company else company_of(item)
    contact = member(item, "contact") or member(item, "user") or ({} if is_company else item)
    record = contact or company
    record_id = ident(record, "id")
    if not record_id:
        raise UnmappableEvent(f"`data.item` of `{shown(topic)}` has no `id`", "missing_field")
    merged = member(item, "merged_from")
    return begun(topic, COMPANIES.get(topic, "support_record"), None, message, request).changed(
        aliases=aliases([one for one in (contact, merged) if one]),
        account_refs=account_refs(company),
        person_traits=_person_traits(contact),
        account_traits=_account_traits(company),
        subject=f"{'user' if contact else 'organization'}:{record_id}",
        properties={"tag": tag} if (tag := text(member(item, "tag").get("name"))) and "@" not in tag else {},
    )


def deleted_contact(topic: str, item: Message, message: Message, request: RawRequest) -> CleanTouchpoint:
    """A contact that is gone for good; Intercom then tells its ids alone."""
    if not ident(item, "id"):
        raise UnmappableEvent(f"`data.item` of `{shown(topic)}` has no `id`", "missing_field")
    return begun(topic, "support_record", None, message, request).changed(aliases=aliases([item]))


def admins(
    said: list[Message], how: Literal["seen", "joined", "left"]
) -> dict[Alias, Literal["seen", "joined", "left"]]:
    """Our own people, by address alone: their ids are numbered beside those of contacts. A team is nobody."""
    found = [alias("email", text(one.get("email"))) for one in said if text(one.get("type")).lower() == "admin"]
    return {name: how for name in found if name}


def admin_touchpoint(topic: str, item: Message, message: Message, request: RawRequest) -> CleanTouchpoint | None:
    """One of our own people comes or goes; None where nothing says who."""
    staff = admins([{"type": "admin", **item}], ADMINS[topic])
    return begun(topic, "support_record", None, message, request).changed(staff=staff) if staff else None


def company_of(of: Message) -> Message:
    """The company that a conversation, a ticket or a contact names; none of several is the one."""
    companies = listed(of, "companies")
    if len(companies) == 1:
        return companies[0]
    return member(of, "company") or ({"id": ident(of, "company_id")} if of.get("company_id") else {})


def account_refs(company: Message) -> tuple[str, ...]:
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
    if not account_refs(company):
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
