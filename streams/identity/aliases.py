"""Aliases: the ids a person, or a thing of the CRM or helpdesk, is known by, as `kind:value`.

`alias(kind, value)` is the only place one is made. A value that names nobody in particular
(`undefined`, `00000000-…`) gives None, so it can never link two people. A role's address (`info@acme.com`) becomes
`mailbox:…`: it tells a company and stands for whoever reads it, but never links anyone.

User ids are `user:<id>`, without the source's name: a company's own user id is the one thing its
browser, its servers and its helpdesk (`external_id`) share, and joining them is what it is for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal, cast, get_args
from unicodedata import normalize

from schemas.ids import directory_of
from schemas.touchpoints import Alias
from streams.identity.placeholders import is_no_mailbox, is_placeholder
from streams.names import readable_host

PersonKind = Literal["crm_contact", "email", "support_user", "user", "phone", "anonymous", "device", "mailbox"]
ObjectKind = Literal["crm_deal", "crm_ticket", "ticket"]
Kind = PersonKind | ObjectKind

#: Strong to weak. What comes first names the person, and is the key a touchpoint travels by.
PERSON_KINDS: tuple[str, ...] = get_args(PersonKind)
OBJECT_KINDS: tuple[str, ...] = get_args(ObjectKind)
CONTACT, USER = "crm_contact", "user"
TICKETS = ("ticket:", "crm_ticket:")
"""How the aliases of tickets begin."""
NAMING_KINDS = frozenset({"crm_contact", "email", "support_user", "user"})
"""Of these the earliest names a person; others do where there is none."""
_PEOPLE = frozenset(PERSON_KINDS)
RANK = {kind: len(PERSON_KINDS) + len(OBJECT_KINDS) - i for i, kind in enumerate((*PERSON_KINDS, *OBJECT_KINDS))}
"""Kind → strength."""

# fmt: off
#: English, Dutch, German, French.
ROLE_MAILBOXES = frozenset(
    {
        "abuse", "accounting", "accounts", "accountspayable", "admin", "administrator", "ap", "billing", "careers",
        "compliance", "contact", "customercare", "customerservice", "donotreply", "do-not-reply", "enquiries",
        "enquiry", "events", "feedback", "finance", "frontdesk", "hello", "help", "helpdesk", "hostmaster", "hr",
        "info", "information", "inquiries", "invoice", "invoices", "invoicing", "it", "itsupport", "jobs", "legal",
        "mail", "mailbox", "mailer-daemon", "management", "marketing", "news", "newsletter", "no-reply", "no_reply",
        "noreply", "notifications", "office", "operations", "order", "orders", "payments", "payroll", "postmaster",
        "press", "privacy", "procurement", "purchase", "purchasing", "quotes", "reception", "recruitment", "root",
        "sales", "salesteam", "security", "service", "services", "shop", "support", "team", "webmaster", "welcome",
        "administratie", "afspraken", "bestellingen", "boekhouding", "crediteuren", "debiteuren", "directie",
        "facturatie", "facturen", "factuur", "financien", "inkoop", "klantenservice", "magazijn", "offerte",
        "offertes", "personeelszaken", "planning", "receptie", "secretariaat", "vacatures", "verkoop", "webwinkel",
        "anfrage", "anfragen", "angebot", "bestellung", "bestellungen", "bewerbung", "buchhaltung", "buero", "büro",
        "datenschutz", "einkauf", "empfang", "kontakt", "kundendienst", "kundenservice", "personal", "post",
        "rechnung", "rechnungen", "rechnungswesen", "sekretariat", "verwaltung", "vertrieb", "zentrale",
        "accounts.payable", "accounts-payable", "accounts.receivable", "customer.service", "customer-service",
        "human.resources",
        "accueil", "achats", "administration", "bonjour", "commande", "commandes", "commercial", "compta",
        "comptabilite", "comptabilité", "devis", "direction", "facturation", "facture", "factures", "recrutement",
        "rh", "secretariat", "secrétariat", "serviceclient", "ventes",
    }
)
# fmt: on

_OF_A_COUNTRY = re.compile(r"(\w{4,})[._-](?:[a-z]{2}|benelux|emea|apac|europe|global)")
"""A role's address of one country or region: `sales-nl`, `info.de`. Short roles could be initials: `it.ho`."""

_EMAIL = re.compile(r"[^\s\u200b\u2060\ufeff@<>,;:\"()\[\]\\]{1,64}@(?:\w(?:[\w-]{0,61}\w)?\.)+(?:[^\W_]|-){2,63}")
_NAMED = re.compile(r"[^<>]+<([^<>]+)>")
_UNSEEN = "\u00a0\u200b\u2060\ufeff "
"""Blanks that copying brings along."""
_MAX_LENGTH = 512
_LONGEST_TOLD = 60


@lru_cache(maxsize=16_384)
def alias(kind: Kind, value: str) -> Alias | None:
    """The alias of `value`, normalised for its kind; None when it names nobody."""
    text = value.strip()
    if len(text) > _MAX_LENGTH or is_placeholder(text):
        return None
    if kind in ("email", "mailbox"):
        return _address(text)
    if kind == "phone":
        return _phone(text)
    return f"{kind}:{text}"


NOBODY = "placeholder_id"
"""Property of a touchpoint: what its sender wrote where an id should be. Reported, never an alias."""


def placeholder_among(*ids: str) -> str:
    """The first of these that names nobody, as it is reported; empty for none."""
    found = next((text.strip() for text in ids if text.strip() and is_placeholder(text.strip())), "")
    return found[:_LONGEST_TOLD]


def kind_of(name: Alias) -> Kind:
    """The part before the colon."""
    return cast(Kind, name.partition(":")[0])


def strength(name: Alias) -> int:
    """Higher is stronger; 0 for a kind we do not know."""
    return RANK.get(name.partition(":")[0], 0)


def is_person(name: Alias) -> bool:
    """Whether it is a human's id; deals and tickets have aliases too and are never merged into people."""
    return name.partition(":")[0] in _PEOPLE


def unique_space(name: Alias) -> str | None:
    """The space of ids of which a person has one only: two aliases of one space are two people. None: of no such space.

    Of contacts that holds within a CRM's directory, of user ids within what one source tells.
    """
    kind = name.partition(":")[0]
    if kind == CONTACT:
        return f"{CONTACT}:{directory_of(name)}"
    return USER if kind == USER else None


def is_mailbox(name: Alias) -> bool:
    """Whether it is a role's address, which links nobody."""
    return name.startswith("mailbox:")


def ordered(names: Iterable[Alias | None]) -> tuple[Alias, ...]:
    """Each once, strongest first, then by value, so that order of arrival never shows."""
    return _in_order(frozenset(names))


@lru_cache(maxsize=16_384)
def _in_order(names: frozenset[Alias | None]) -> tuple[Alias, ...]:
    """The ids of one person come together again and again."""
    return tuple(sorted(filter(None, names), key=_place))


def _place(name: Alias) -> tuple[int, Alias]:
    return (-RANK.get(name.partition(":")[0], 0), name)


def is_email(text: str) -> bool:
    """Whether it has the shape of one bare address; role mailboxes do, too."""
    return _EMAIL.fullmatch(text.strip().lower()) is not None


def _address(text: str) -> Alias | None:
    address = text.lower()
    if _EMAIL.fullmatch(address) is None and _EMAIL.fullmatch(address := _bare(address)) is None:
        return None
    if "xn--" in address or not address.isascii():
        name, _, host = normalize("NFC", address).partition("@")
        address = f"{name}@{readable_host(host)}"
    mailbox = address.partition("@")[0].partition("+")[0]
    regional = _OF_A_COUNTRY.fullmatch(mailbox)
    if mailbox in ROLE_MAILBOXES or (regional and regional[1] in ROLE_MAILBOXES):
        return f"mailbox:{address}"
    return None if is_no_mailbox(mailbox) else f"email:{address}"


def _bare(text: str) -> str:
    """The address in what people paste: `Ann Smit <ann@acme.com>`, `mailto:ann@acme.com`, `ann@acme.com.`"""
    named = _NAMED.fullmatch(text)
    found = (named[1] if named else text).strip(_UNSEEN)
    return found.removeprefix("mailto:").partition("?")[0].rstrip(".,;")


def _phone(text: str) -> Alias | None:
    """E.164 only: a number without its country could be anyone's."""
    compact = re.sub(r"^tel:|\(0\)|[\s().\-/]", "", text.lower())  # `(0)` is dialled at home only
    if compact.startswith("00"):
        compact = "+" + compact[2:]
    return f"phone:{compact}" if re.fullmatch(r"\+[1-9][0-9]{7,14}", compact) else None
