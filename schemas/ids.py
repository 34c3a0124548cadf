"""Ids that carry their source: `<kind>:<directory>:<value>`, for kinds that each system numbers by itself.

Contact 51 of one CRM is not contact 51 of another, so `crm_contact:crm:51` says whose 51 it is. What is the same
everywhere stays as it is: `email:ann@acme.example`, a domain, our own user id, a browser's id. A value may hold
colons; a directory's name cannot, so an id is read by its first two.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

Family = Literal["crm", "support", "product"]
"""The kinds of system that number records: each kind of id is one family's."""

#: Kind of alias or account → whose records these are.
FAMILY: dict[str, Family] = {
    "crm": "crm",
    "crm_contact": "crm",
    "crm_deal": "crm",
    "crm_ticket": "crm",
    "org": "support",
    "support_user": "support",
    "ticket": "support",
    "group": "product",
}
#: Kind of a touchpoint's subject → whose case it is; a ticket is the CRM's where a CRM tells of it.
SUBJECTS: dict[str, Family] = {
    "company": "crm",
    "contact": "crm",
    "conversation": "crm",
    "deal": "crm",
    "line_item": "crm",
    "owner": "crm",
    "product": "crm",
    "organization": "support",
    "ticket": "support",
    "user": "support",
}
#: Accounts that stand for people who work together, and may be a customer of the CRM: groups and organisations.
BARE = ("group:", "org:")
#: What a directory may be called; like a source's name, which it is by default.
DIRECTORY_NAME = r"^[a-z][a-z0-9_]{0,39}$"


def subject_family(kind: str) -> Family | None:
    """Whose records a subject of this kind is of; None for what no system numbers: a form, a page."""
    return "crm" if kind.startswith("object_") else SUBJECTS.get(kind)


class Scoped(NamedTuple):
    """An id in its parts."""

    kind: str
    directory: str
    value: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.directory}:{self.value}"

    @property
    def bare(self) -> str:
        """Without its directory, as the vendor's own words have it."""
        return f"{self.kind}:{self.value}"


@lru_cache(maxsize=65_536)
def parts(name: str) -> Scoped | None:
    """The parts of an id that carries its source; None for a global one, and for one that has no directory."""
    kind, _, rest = name.partition(":")
    if kind not in FAMILY and subject_family(kind) is None:
        return None
    directory, colon, value = rest.partition(":")
    return Scoped(kind, directory, value) if colon else None


def directory_of(name: str) -> str:
    """The directory an id is of; empty for a global one."""
    found = parts(name)
    return found.directory if found else ""


def bare(name: str) -> str:
    """The id without its directory, for people to read: `ticket:12`."""
    found = parts(name)
    return found.bare if found else name
