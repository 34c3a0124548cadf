"""What each kind of record of our own dialect becomes; the times and ids are the same for all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from schemas.ids import BARE
from schemas.records import (
    AccountRecord,
    ConsentRecord,
    ContactRecord,
    DealRecord,
    DecisionRecord,
    ErasureRecord,
    OwnerRecord,
    Record,
    TouchpointRecord,
)
from schemas.touchpoints import Scalar
from streams.connectors import reading
from streams.connectors.own.naming import (
    ACCOUNT,
    RefusedField,
    account_ref,
    address_of,
    alias_of,
    required_account,
    required_alias,
)
from streams.connectors.web.surveys import SCALES
from streams.identity.aliases import alias, ordered

Fields = dict[str, Any]


def _touchpoint(record: TouchpointRecord) -> Fields:
    who, where = record.person, record.account
    ref = account_ref(where.id) if where.id else ""
    properties = reading.scalars(dict(record.properties))
    return {
        "vendor_type": f"touchline:{record.name}",
        "action": record.action or ("custom" if record.score is None else "survey_answered"),
        "aliases": ordered(
            [
                alias("crm_contact", who.crm_contact),
                address_of("person.email", who.email),
                alias("support_user", who.support_user),
                alias("user", who.user_id),
                alias("phone", who.phone),
            ]
        ),
        "account_refs": (ref,) if ref else (),
        "person_traits": _kept(name=who.name, title=who.title, department=who.department, role=who.role),
        "account_traits": _kept(name=where.name, domain=reading.domain_of(where.domain)),
        "channel": record.channel.lower() or ("web" if record.online else "offline"),
        "subject": record.subject,
        "title": record.title,
        "text": record.text,
        "score": _score(record),
        "score_kind": "" if record.score is None else record.score_kind,
        "properties": properties if record.online is None else {"online": record.online, **properties},
    }


def _score(record: TouchpointRecord) -> float | None:
    low, high = SCALES[record.score_kind]
    if record.score is not None and not low <= record.score <= high:
        raise RefusedField("score", record.score, f"of kind {record.score_kind} must lie in {low:g}–{high:g}")
    return record.score


def _account(record: AccountRecord) -> Fields:
    ref = required_account("id", record.id)
    if record.merged_into:
        return _merged(record, ref)
    if record.deleted:
        return {"action": "crm_removed", "account_refs": (ref,), "subject": f"company:{record.id}"}
    domains = " ".join(dict.fromkeys(found for domain in record.domains if (found := _domain(domain))))
    about = _kept(name=record.name, industry=record.industry, employees=record.employees)
    traits = {name: value for name, value in record.traits.items() if value}
    return {
        "action": "lifecycle_changed" if record.lifecycle else "crm_record",
        "account_refs": (ref,),
        "account_traits": {**traits, **about, **_kept(domain=domains)},
        "subject": f"company:{record.id}",
        "properties": {
            **_changed("lifecyclestage", record.lifecycle),
            **about,
            **_kept(domains=domains[: reading.MAX_VALUE_CHARS], owner=record.owner),
            **reading.scalars({name: value for name, value in traits.items() if name not in about}),
            **_restored(record),
        },
    }


def _merged(record: AccountRecord, ref: str) -> Fields:
    """It is another account from now on; what else the record says of it is history."""
    into = required_account("merged_into", record.merged_into)
    if into == ref or not (into.startswith("crm:") and ref.startswith("crm:")):
        raise RefusedField("merged_into", record.merged_into, "must be another account of the CRM")
    return {
        "action": "crm_record",
        "account_refs": (into, ref),
        "subject": f"company:{into.removeprefix('crm:')}",
        "properties": {"merged": ref.removeprefix("crm:")[: reading.MAX_VALUE_CHARS]},
    }


def _restored(record: AccountRecord | ContactRecord) -> dict[str, Scalar]:
    return {"restored": True} if record.restored else {}


def _domain(text: str) -> str:
    found = reading.domain_of(text)
    if text and not found:
        raise RefusedField("domains", text, "must hold domains such as `acme.example`")
    return found


def _contact(record: ContactRecord) -> Fields:
    ref = account_ref(record.account) if record.account else ""
    if record.valid_from and record.valid_to and record.valid_to <= record.valid_from:
        raise RefusedField("valid_to", str(record.valid_to), "must lie after `valid_from`")
    about = _kept(name=record.name, title=record.title, department=record.department, role=record.role)
    contact = required_alias("id", alias("crm_contact", record.id), record.id)
    if record.deleted:
        return {"action": "crm_removed", "aliases": (contact,), "subject": f"contact:{record.id}"}
    return {
        "action": "crm_record",
        "aliases": ordered(
            [
                contact,
                address_of("email", record.email),
                alias("user", record.user_id),
                alias("phone", record.phone),
            ]
        ),
        "account_refs": (ref,) if ref else (),
        "valid_from": record.valid_from,
        "valid_to": record.valid_to,
        "person_traits": about,
        "subject": f"contact:{record.id}",
        "properties": {**about, **_kept(account=ref), **_restored(record)},
    }


def _deal(record: DealRecord) -> Fields:
    ref = account_ref(record.account) if record.account else ""
    closes = record.closes_at.isoformat() if record.closes_at else ""
    stated = {"amount": record.amount, "is_won": record.won, "is_lost": record.lost, "is_closed": record.closed}
    return {
        "action": "deal_stage_changed" if record.stage else "deal_created",
        "aliases": ordered([required_alias("id", alias("crm_deal", record.id), record.id)]),
        "account_refs": (ref,) if ref else (),
        "subject": f"deal:{record.id}",
        "title": record.name,
        "properties": {
            **_changed("dealstage", record.stage),
            **{name: value for name, value in stated.items() if value is not None},
            **_kept(name=record.name, currency=record.currency, closedate=closes, owner=record.owner, account=ref),
            **_kept(contacts=" ".join(record.contacts)[: reading.MAX_VALUE_CHARS]),
        },
    }


def _owner(record: OwnerRecord) -> Fields:
    about = _kept(name=record.name, department=record.department)
    staff = dict.fromkeys(filter(None, [address_of("email", record.email)]), "seen")
    return {"action": "crm_record", "subject": f"owner:{record.id}", "properties": about, "staff": staff}


def _decision(record: DecisionRecord) -> Fields:
    about_people = record.verdict in ("link", "unlink")
    if about_people and not record.b:
        raise RefusedField("b", None, f"is missing: {record.verdict} is about two aliases", "missing_field")
    if not about_people and not record.account:
        raise RefusedField("account", None, f"is missing: {record.verdict} is about an account", "missing_field")
    is_group = not about_people and record.a.startswith(BARE)
    named = [account_ref(record.a) if is_group else required_alias("a", alias_of(record.a), record.a)]
    if about_people:
        named.append(required_alias("b", alias_of(record.b), record.b))
    if len(set(named)) < len(named):
        raise RefusedField("b", record.b, "must be another alias than `a`")
    ref = "" if about_people else required_account("account", record.account)
    return {
        "action": "decision",
        "aliases": ordered(named),
        "account_refs": (ref,) if ref else (),
        "channel": "operations",
        "properties": _kept(verdict=record.verdict, by=record.by, note=record.note, proposal=record.proposal),
    }


def _erasure(record: ErasureRecord) -> Fields:
    """Knowledge, no contact. It is the subject's own, so that erasing them takes it away, too."""
    account = record.who.removeprefix(ACCOUNT) if record.who.startswith(ACCOUNT) else ""
    found = None if account else required_alias("who", alias_of(record.who), "")  # never told: it is in a dead letter
    return {
        "action": "support_record",
        "aliases": (found,) if found else (),
        "account_refs": (required_account("who", account),) if account else (),
        "channel": "operations",
        "properties": {**_kept(by=record.by), **({"suppress": True} if record.suppress else {})},
    }


def _consent(record: ConsentRecord) -> Fields:
    """Knowledge, no contact: from then on what they do is judged by it."""
    return {
        "action": "crm_record",
        "aliases": (required_alias("who", alias_of(record.who), record.who),),
        "channel": "operations",
        "flags": ("consented" if record.given else "declined",),
        "properties": {"consent": "given" if record.given else "declined", **_kept(by=record.by)},
    }


def _changed(name: str, value: str) -> dict[str, str]:
    """How HubSpot tells that one property changed; rules and phases watch it in that form."""
    return {"property": name, "value": "".join(value.lower().split())} if value else {}


def _kept(**values: str) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


FIELDS = cast(
    "dict[str, Callable[[Record], Fields]]",
    {
        "touchpoint": _touchpoint,
        "account": _account,
        "contact": _contact,
        "deal": _deal,
        "owner": _owner,
        "decision": _decision,
        "erasure": _erasure,
        "consent": _consent,
    },
)
