"""Who plays: invented companies on invented domains, and the people who buy, build, purchase and use there. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random
from typing import Literal

Arc = Literal["customer", "delighted", "won", "pipeline", "prospect", "lost", "lost_reopened", "churned", "returning"]
Role = Literal["buyer", "engineer", "procurement", "user"]


@dataclass(frozen=True, slots=True)
class Person:
    """One human and every id the tools know them by."""

    first: str
    last: str
    title: str
    role: Role
    email: str
    anonymous_id: str
    user_id: str
    contact_id: int
    support_id: str

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first} {self.last}"


@dataclass(frozen=True, slots=True)
class Company:
    """One account: what the CRM and the helpdesk call it, who works there, and how its story goes."""

    name: str
    domain: str
    industry: str
    employees: int
    crm_id: int
    org_id: str
    deal_id: int
    arc: Arc
    people: tuple[Person, ...]

    @property
    def expansion_id(self) -> int:
        """The deal about more than it has."""
        return self.deal_id + 50_000_000

    @property
    def country(self) -> str:
        """Where it is, by its domain."""
        return COUNTRIES.get(self.domain.rpartition(".")[2], "United States")

    @property
    def currency(self) -> str:
        """What it pays in."""
        return {"United States": "USD", "United Kingdom": "GBP"}.get(self.country, "EUR")

    @property
    def buyer(self) -> Person:
        """Who signs."""
        return self.people[0]

    @property
    def engineer(self) -> Person:
        """Who evaluates and sets up."""
        return self.people[1]

    @property
    def procurement(self) -> Person:
        """Who negotiates: procurement where there is one, else the buyer."""
        return next((person for person in self.people if person.role == "procurement"), self.buyer)

    @property
    def users(self) -> tuple[Person, ...]:
        """Who works with the product."""
        return tuple(person for person in self.people if person.role in ("engineer", "user"))


# fmt: off
#: (name, top-level domain, industry, employees)
COMPANIES: tuple[tuple[str, str, str, int], ...] = (
    ("Ardent Robotics", "com", "Manufacturing", 420), ("Blauwdijk Logistiek", "nl", "Logistics", 1350),
    ("Cobalt Freight", "com", "Logistics", 2600), ("De Korenaar Foods", "nl", "Retail", 310),
    ("Eastmere Insurance", "co.uk", "Financial services", 5200),
    ("Fenwick & Holt", "co.uk", "Professional services", 180),
    ("Grootveld Bouw", "nl", "Construction", 740), ("Harrowgate Energy", "com", "Energy and utilities", 3100),
    ("Iepenhof Zorg", "nl", "Healthcare", 960), ("Juniper Lane Retail", "com", "Retail", 85),
    ("Kestrel Analytics", "com", "Software", 64), ("Lindegaard Shipping", "dk", "Logistics", 1480),
    ("Molenbeek Textiel", "be", "Retail", 220), ("Northgate Payments", "com", "Financial services", 390),
    ("Oosterlicht Media", "nl", "Media", 130), ("Pinecrest Medical", "com", "Healthcare", 2050),
    ("Quillmark Publishing", "com", "Media", 95), ("Rietdak Vastgoed", "nl", "Construction", 48),
    ("Silverbrook Hotels", "com", "Travel", 1700), ("Tasman Agritech", "com", "Manufacturing", 260),
    ("Uiterwaard Water", "nl", "Energy and utilities", 1120), ("Valemont Aerospace", "com", "Manufacturing", 4300),
    ("Westerkade Bank", "nl", "Financial services", 6100), ("Xantro Chemicals", "de", "Manufacturing", 2900),
    ("Yarrow Home Care", "co.uk", "Healthcare", 150), ("Zilverberg Metaal", "nl", "Manufacturing", 530),
    ("Alderpoint Systems", "com", "Software", 210), ("Brightwater Labs", "com", "Healthcare", 340),
    ("Copperline Telecom", "com", "Media", 3700), ("Duinzicht Reizen", "nl", "Travel", 76),
    ("Elmsworth College", "co.uk", "Public sector", 880), ("Foxglove Cosmetics", "fr", "Retail", 120),
    ("Gildehuis Accountants", "nl", "Professional services", 240), ("Highmoor Quarries", "co.uk", "Construction", 410),
    ("Ironbridge Tools", "com", "Manufacturing", 1250), ("Jadewal Software", "nl", "Software", 58),
    ("Kruidhof Farma", "be", "Healthcare", 1900), ("Larkfield Staffing", "com", "Professional services", 670),
    ("Meerstad Gemeente", "nl", "Public sector", 1400), ("Norrland Timber", "se", "Manufacturing", 360),
)
ARCS: tuple[Arc, ...] = (
    *("customer",) * 12, *("delighted",) * 5, *("won",) * 8, *("pipeline",) * 5, *("prospect",) * 3,
    "lost", "lost", "lost_reopened", "churned", "churned", "churned", "returning",
)
_FIRST = (
    "Anna", "Bram", "Carla", "Daan", "Eva", "Femke", "George", "Hannah", "Imran", "Jasper", "Kirsten", "Lotte", "Maya",
    "Niels", "Olivia", "Pieter", "Quentin", "Rosa", "Sanne", "Thomas", "Umar", "Vera", "Willem", "Yara", "Zoe", "Liam",
    "Sofia", "Marcus", "Ingrid", "Tobias", "Priya", "Ruben", "Claire", "Stijn", "Amelia", "Henrik",
)
_LAST = (
    "Adeyemi", "Bakker", "Carver", "Dekker", "Ellison", "Fischer", "Gupta", "Hendriks", "Iversen", "Jansen", "Keller",
    "Lambert", "Meijer", "Novak", "Okafor", "Peeters", "Quinn", "Rossi", "Smit", "Thorne", "Ueda", "Visser", "Walsh",
    "Yilmaz", "Zand", "Brandt", "Costa", "Dubois", "Egan", "Farrell", "Goossens", "Hale",
)
_TITLES: dict[Role, tuple[tuple[str, ...], tuple[str, ...]]] = {  # (English, Dutch)
    "buyer": (("Finance Director", "Chief Operating Officer", "Head of Customer Operations", "CFO", "CEO"),
              ("Financieel directeur", "Directeur operations", "Teamleider klantcontact")),
    "engineer": (("IT Manager", "Platform Engineer", "Security Architect", "DevOps Engineer", "System Administrator"),
                 ("Functioneel beheerder", "Ontwikkelaar", "Security architect")),
    "procurement": (("Procurement Manager", "Strategic Sourcing Partner"), ("Strategisch inkoper", "Inkoop adviseur")),
    "user": (("Support Specialist", "Operations Planner", "Business Analyst", "Order Coordinator", "Service Agent"),
             ("Medewerker klantenservice", "Planner", "Consultant bedrijfsvoering")),
}
# fmt: on
_DUTCH = ("nl", "be")
COUNTRIES = {
    "be": "Belgium", "de": "Germany", "dk": "Denmark", "fr": "France", "nl": "Netherlands", "se": "Sweden",
    "uk": "United Kingdom",
}  # fmt: skip


def cast(seed: int, size: int = len(COMPANIES)) -> tuple[Company, ...]:
    """The first `size` companies with their people; equal for equal arguments, ids too."""
    rng = Random(f"cast:{seed}")
    arcs = list(ARCS)
    rng.shuffle(arcs)
    return tuple(_company(rng, seed, index, arcs[index % len(arcs)]) for index in range(size))


def domain_of(name: str, suffix: str) -> str:
    """`Fenwick & Holt`, `co.uk` → `fenwick-holt-example.co.uk`: a company domain that nobody takes for a real one."""
    return "-".join(re.findall(r"[a-z0-9]+", name.lower())) + f"-example.{suffix}"


def _company(rng: Random, seed: int, index: int, arc: Arc) -> Company:
    name, suffix, industry, employees = COMPANIES[index % len(COMPANIES)]
    domain = domain_of(name, suffix)
    roles: list[Role] = ["buyer", "engineer"]
    if employees >= 250:
        roles.append("procurement")
    roles += ["user"] * (1 if employees < 80 else rng.randint(1, 2) if employees < 1000 else rng.randint(2, 4))
    names = rng.sample(_FIRST, len(roles))
    dutch = suffix in _DUTCH
    people = tuple(
        _person(rng, f"{seed}-{index}-{place}", (names[place], domain), role, dutch=dutch)
        for place, role in enumerate(roles)
    )
    number = seed % 1000 * 1000 + index
    return Company(
        name, domain, industry, employees, 500_000_000 + number, f"36{number:07d}", 900_000_000 + number, arc, people
    )


def _person(rng: Random, key: str, names: tuple[str, str], role: Role, *, dutch: bool) -> Person:
    first, domain = names
    last = rng.choice(_LAST)
    return Person(
        first=first,
        last=last,
        title=rng.choice(_TITLES[role][dutch]),
        role=role,
        email=f"{first}.{last}@{domain}".lower(),
        anonymous_id=f"anon-{key}",
        user_id=f"user-{key}",
        contact_id=_numbered(key, 700_000_000),
        support_id=str(_numbered(key, 800_000_000)),
    )


def _numbered(key: str, base: int) -> int:
    """A number that belongs to `seed-company-person` alone."""
    seed, company, person = (int(part) for part in key.split("-"))
    return base + seed % 1000 * 10_000 + company * 20 + person
