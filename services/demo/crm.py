"""Scenes in the CRM, as HubSpot's webhooks tell them: thin changes of records, one property each. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any

from services.demo.calendar import Calendar
from services.demo.cast import Arc, Company, Person
from services.demo.script import Message, Script, epoch_ms

PORTAL_ID, APP_ID = 147_001, 1_160_452


REVENUE_PER_EMPLOYEE = 180_000
PRICE, PRICE_PER_EMPLOYEE = 4_800, 36
OWNERS = ("71000001", "71000002", "71000003")
"""Who sells, by the number that the CRM gives them."""
_GROWING: dict[Arc, tuple[str, ...]] = {
    "customer": ("appointmentscheduled", "qualifiedtobuy"),
    "delighted": ("qualifiedtobuy", "presentationscheduled", "contractsent"),
}
"""Customers from the beginning, and the stages of their further deal."""


def change(script: Script, at: datetime, kind: str, what: dict[str, Any]) -> None:
    """One webhook message; `kind` as in `contact.propertyChange`."""
    message: Message = {
        "eventId": script.number(),
        "subscriptionId": 25,
        "portalId": PORTAL_ID,
        "appId": APP_ID,
        "occurredAt": epoch_ms(at),
        "subscriptionType": kind,
        "attemptNumber": 0,
        "changeSource": "CRM_UI",
    }
    script.tell("crm", at, message | what)


def company_record(script: Script, company: Company, at: datetime) -> None:
    """The company appears in the CRM."""
    change(script, at, "company.creation", {"objectId": company.crm_id})
    found = {
        "name": company.name,
        "domain": company.domain,
        "industry": company.industry,
        "numberofemployees": str(company.employees),
        "annualrevenue": str(company.employees * REVENUE_PER_EMPLOYEE),
        "country": company.country,
        "hubspot_owner_id": OWNERS[company.crm_id % len(OWNERS)],
    }
    for name, value in found.items():
        change(
            script,
            at,
            "company.propertyChange",
            {"objectId": company.crm_id, "propertyName": name, "propertyValue": value},
        )


def tier(script: Script, company: Company) -> None:
    """The CRM grades the company, a minute after it knows it. Told last, so that no other message gets another id."""
    created = next((m for m in script.moments if m.message.get("subscriptionType") == "company.creation"), None)
    if created:
        grade = "A" if company.employees >= 1_500 else "B" if company.employees >= 250 else "C"
        about = {"objectId": company.crm_id, "propertyName": "account_tier", "propertyValue": grade}
        change(script, created.occurred_at + timedelta(minutes=1), "company.propertyChange", about)


def contact_record(script: Script, company: Company, person: Person, at: datetime) -> None:
    """A person appears in the CRM, at their company."""
    link = {"fromObjectId": person.contact_id, "toObjectId": company.crm_id, "associationRemoved": False}
    change(script, at, "contact.creation", {"objectId": person.contact_id})
    change(script, at, "contact.associationChange", {"associationType": "CONTACT_TO_COMPANY", **link})
    for name, value in (("email", person.email), ("jobtitle", person.title)):
        about = {"objectId": person.contact_id, "propertyName": name, "propertyValue": value}
        change(script, at + timedelta(seconds=1), "contact.propertyChange", about)


def lifecycle(script: Script, company: Company, at: datetime, stage: str) -> None:
    """The company moves on in the CRM's own lifecycle."""
    about = {"objectId": company.crm_id, "propertyName": "lifecyclestage", "propertyValue": stage}
    change(script, at, "company.propertyChange", about)


def deal(script: Script, company: Company, at: datetime) -> None:
    """A deal is opened for the company."""
    _opened(script, company, at, company.deal_id, PRICE + company.employees * PRICE_PER_EMPLOYEE)


def deal_stage(script: Script, company: Company, at: datetime, stage: str) -> None:
    """The deal moves."""
    _moved(script, at, company.deal_id, stage)


def expansion(script: Script, calendar: Calendar, company: Company) -> None:
    """A customer talks about more of it, and has not decided when the period ends. Told last, with its own dice."""
    if company.arc not in _GROWING:
        return
    rng = Random(f"{script.key}:expansion")
    share = rng.uniform(0.55, 0.8)
    extra = company.employees * PRICE_PER_EMPLOYEE * rng.choice((0.25, 0.5, 1.0))
    _opened(script, company, calendar.at(share, rng), company.expansion_id, PRICE + round(extra))
    for number, stage in enumerate(_GROWING[company.arc], start=1):
        _moved(script, calendar.at(share + 0.06 * number, rng), company.expansion_id, stage)


def _opened(script: Script, company: Company, at: datetime, deal_id: int, amount: int) -> None:
    link = {"fromObjectId": deal_id, "toObjectId": company.crm_id, "associationRemoved": False}
    change(script, at, "deal.creation", {"objectId": deal_id})
    change(script, at, "deal.associationChange", {"associationType": "DEAL_TO_COMPANY", **link})
    for name, value in {"amount": str(amount), "deal_currency_code": company.currency}.items():
        about = {"objectId": deal_id, "propertyName": name, "propertyValue": value}
        change(script, at, "deal.propertyChange", about)


def _moved(script: Script, at: datetime, deal_id: int, stage: str) -> None:
    about = {"objectId": deal_id, "propertyName": "dealstage", "propertyValue": stage}
    change(script, at, "deal.propertyChange", about)
