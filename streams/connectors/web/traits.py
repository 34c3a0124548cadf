"""What senders call the traits of people and companies, in our words."""

from __future__ import annotations

from typing import Any

from streams.connectors import reading
from streams.connectors.reading import first_text

_COMPANY = {
    "name": ("name", "company_name", "companyName"),
    "industry": ("industry",),
    "employees": ("employees", "employee_count", "employeeCount", "numberofemployees"),
    "plan": ("plan",),
    "tier": reading.TIER_NAMES,
}
_PERSON = {
    "title": ("title", "job_title", "jobTitle", "jobtitle", "position"),
    "department": ("department",),
    "role": ("role",),
}
_OF_PERSONS = frozenset(
    {
        "name",
        "firstName",
        "first_name",
        "lastName",
        "last_name",
        *(name for names in _PERSON.values() for name in names),
    }
)


def person_traits(*places: dict[str, Any]) -> dict[str, str]:
    """Name, title, department and role, of the first place that tells each."""
    if all(map(_OF_PERSONS.isdisjoint, places)):
        return {}
    found = {trait: first_text(places, names) for trait, names in _PERSON.items()}
    found["name"] = first_text(places, ("name",)) or " ".join(
        filter(None, (first_text(places, ("firstName", "first_name")), first_text(places, ("lastName", "last_name"))))
    )
    return {trait: value for trait, value in found.items() if value}


def company_traits(place: dict[str, Any]) -> dict[str, str]:
    """Name, industry, size, plan, tier and domain of a company."""
    if not place:
        return {}
    found = {trait: first_text((place,), names) for trait, names in _COMPANY.items()}
    found["domain"] = reading.domain_of(place.get("domain")) or reading.domain_of(place.get("website"))
    return {trait: value for trait, value in found.items() if value}
