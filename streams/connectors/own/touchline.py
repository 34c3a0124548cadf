"""Our own dialect (schemas/records.py): records of what has no vendor API, as touchpoints.

Without an id a record is its content, so sending it again is the same event. A record that does not say when
takes the time it was received; that time is then part of its identity, because one event has one time.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, cast

import orjson
from pydantic import BaseModel, ValidationError

from schemas.errors import UnmappableEvent, shown
from schemas.ids import BARE
from schemas.records import (
    RECORDS,
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
from schemas.touchpoints import Alias, CleanTouchpoint, RawRequest, Scalar
from streams.connectors import reading
from streams.connectors.results import Message
from streams.connectors.spec import Connector, Docs, Erasures, Fresh, Sample, Scope
from streams.connectors.ways import SUCCESS, Answers, Call, Keyed
from streams.connectors.web.surveys import SCALES
from streams.identity.aliases import OBJECT_KINDS, PERSON_KINDS, Kind, alias, is_email, ordered
from streams.identity.placeholders import is_placeholder

BATCH_KEY = "records"
PATH = "/v1/touchline"
ACTIONS_PATH = "/v1/touchline/actions"
"""What people do about incidents: no events, so the gateway writes them to a log of their own."""
ACCOUNT, ERASURE = "account:", "erasure"
ACCOUNT_NAMESPACES = ("crm", "group", "org", "domain")
_REASONS = {"missing": "missing_field", "extra_forbidden": "unknown_field", "string_too_long": "too_long"}
Fields = dict[str, Any]


class RefusedField(UnmappableEvent):
    """A record that cannot be taken, because of one field. `why` tells what would be right."""

    def __init__(self, field: str, value: object, why: str, reason: str = "wrong_value") -> None:
        super().__init__(f"`{field}` {why}, not {shown(value)}" if value is not None else f"`{field}` {why}", reason)
        self.field, self.value, self.why = field, value, why


def touchpoint(message: Message, envelope: Message, request: RawRequest) -> CleanTouchpoint:
    """One record in our words; raises RefusedField."""
    record = read(message)
    occurred_at = record.occurred_at or request.received_at
    vendor_event_id = identity(message, record, request)
    found: Fields = {
        "event_id": reading.event_id(request.source, vendor_event_id),
        "source": request.source,
        "vendor": request.vendor,
        "vendor_type": record.kind,
        "vendor_event_id": vendor_event_id,
        "occurred_at": occurred_at,
        "received_at": request.received_at,
        "clock_suspect": reading.is_suspect(occurred_at, request.received_at),
        "channel": "crm",
        "backfill": request.backfill,
    }
    return CleanTouchpoint(**found | _TOLD[record.kind](record))


def read(message: Message) -> Record:
    """The record a message holds; raises RefusedField for the first field that is wrong."""
    kind = message.get("kind")
    model = RECORDS.get(kind) if isinstance(kind, str) else None
    if model is None:
        raise RefusedField("kind", kind, f"must be one of {', '.join(RECORDS)}", "unknown_type")
    try:
        return model.model_validate(message)
    except ValidationError as error:
        raise _refusal(error, model) from None


def identity(message: Message, record: Record, request: RawRequest) -> str:
    """A touchpoint's own id, else the content; with the time of receipt where the content has no time."""
    if isinstance(record, TouchpointRecord) and record.id:
        return f"touchpoint:{record.id}"
    stamp = {} if record.occurred_at else {"received_at": request.received_at.isoformat()}
    return reading.content_id({**message, **stamp}, frozenset())


def account_ref(text: str) -> str:
    """An account's id with its namespace, `crm:` when it has none; empty for a placeholder such as `n/a`."""
    namespace, colon, rest = text.partition(":")
    if colon and namespace in ACCOUNT_NAMESPACES and rest.strip():
        return text
    return "" if is_placeholder(text) else f"crm:{text}"


def alias_of(text: str) -> Alias | None:
    """The alias someone wrote: `kind:value`, or a bare e-mail address; None when it names nobody."""
    kind, colon, value = text.strip().partition(":")
    if colon and kind in (*PERSON_KINDS, *OBJECT_KINDS):
        return alias(cast(Kind, kind), value)
    return alias("email", text) if "@" in text else None


def _refusal(error: ValidationError, model: type[BaseModel]) -> RefusedField:
    first = error.errors(include_url=False)[0]
    place, value = first["loc"], first["input"]
    field = ".".join(str(part) for part in place)
    if first["type"] == "missing":
        return RefusedField(field, None, "is missing", "missing_field")
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(place[-1]), model.model_fields, n=1)
        hint = f"did you mean `{near[0]}`?" if near else "put it into `traits` or `properties`"
        return RefusedField(field, None, f"is no field of this kind of record; {hint}", "unknown_field")
    why = str(first["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    reason = _REASONS.get(first["type"], "bad_time" if "datetime" in first["type"] or "1970" in why else "wrong_type")
    return RefusedField(field, value, why[:1].lower() + why[1:], reason)


# -- what each kind says; the times and ids are the same for all


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
                _address("person.email", who.email),
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
    ref = _required_account("id", record.id)
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
    into = _required_account("merged_into", record.merged_into)
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
    contact = _required_alias("id", alias("crm_contact", record.id), record.id)
    if record.deleted:
        return {"action": "crm_removed", "aliases": (contact,), "subject": f"contact:{record.id}"}
    return {
        "action": "crm_record",
        "aliases": ordered(
            [
                contact,
                _address("email", record.email),
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
    told = {"amount": record.amount, "is_won": record.won, "is_lost": record.lost, "is_closed": record.closed}
    return {
        "action": "deal_stage_changed" if record.stage else "deal_created",
        "aliases": ordered([_required_alias("id", alias("crm_deal", record.id), record.id)]),
        "account_refs": (ref,) if ref else (),
        "subject": f"deal:{record.id}",
        "title": record.name,
        "properties": {
            **_changed("dealstage", record.stage),
            **{name: value for name, value in told.items() if value is not None},
            **_kept(name=record.name, currency=record.currency, closedate=closes, owner=record.owner, account=ref),
            **_kept(contacts=" ".join(record.contacts)[: reading.MAX_VALUE_CHARS]),
        },
    }


def _owner(record: OwnerRecord) -> Fields:
    about = _kept(name=record.name, department=record.department)
    return {"action": "crm_record", "subject": f"owner:{record.id}", "properties": about}


def _decision(record: DecisionRecord) -> Fields:
    about_people = record.verdict in ("link", "unlink")
    if about_people and not record.b:
        raise RefusedField("b", None, f"is missing: {record.verdict} is about two aliases", "missing_field")
    if not about_people and not record.account:
        raise RefusedField("account", None, f"is missing: {record.verdict} is about an account", "missing_field")
    is_group = not about_people and record.a.startswith(BARE)
    named = [account_ref(record.a) if is_group else _required_alias("a", alias_of(record.a), record.a)]
    if about_people:
        named.append(_required_alias("b", alias_of(record.b), record.b))
    if len(set(named)) < len(named):
        raise RefusedField("b", record.b, "must be another alias than `a`")
    ref = "" if about_people else _required_account("account", record.account)
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
    found = None if account else _required_alias("who", alias_of(record.who), "")  # never told: it is in a dead letter
    return {
        "action": "support_record",
        "aliases": (found,) if found else (),
        "account_refs": (_required_account("who", account),) if account else (),
        "channel": "operations",
        "properties": {**_kept(by=record.by), **({"suppress": True} if record.suppress else {})},
    }


def _consent(record: ConsentRecord) -> Fields:
    """Knowledge, no contact: from then on what they do is judged by it."""
    return {
        "action": "crm_record",
        "aliases": (_required_alias("who", alias_of(record.who), record.who),),
        "channel": "operations",
        "flags": ("consented" if record.given else "declined",),
        "properties": {"consent": "given" if record.given else "declined", **_kept(by=record.by)},
    }


def _address(field: str, text: str) -> Alias | None:
    """The alias of an address; None for none or a placeholder. What is no address is refused, not lost."""
    if text and not is_placeholder(text) and not is_email(text):
        raise RefusedField(field, text, "must be one e-mail address")
    return alias("email", text)


def _required_alias(field: str, found: Alias | None, value: str) -> Alias:
    if found is None:
        raise RefusedField(field, value, "must name somebody: `kind:value`, or an e-mail address", "no_identity")
    return found


def _required_account(field: str, value: str) -> str:
    found = account_ref(value)
    if not found:
        raise RefusedField(field, value, "must name an account", "no_identity")
    return found


def _changed(name: str, value: str) -> dict[str, str]:
    """How HubSpot tells that one property changed; rules and phases watch it in that form."""
    return {"property": name, "value": "".join(value.lower().split())} if value else {}


def _kept(**values: str) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


_TOLD = cast(
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


def sample(now: datetime) -> Sample:
    """A talk at a stand."""
    record = {
        "kind": "touchpoint",
        "id": f"sample-{now:%Y%m%d%H%M%S}",
        "at": (now - timedelta(seconds=2)).isoformat(),
        "name": "Booth talk",
        "person": {"email": "sample@example.com"},
    }
    return Sample(orjson.dumps({"records": [record]}).decode(), path=PATH)


CONNECTOR = Connector(
    name="touchline",
    versions=("v1",),
    ways_in=(Keyed((Call(PATH, batch=True, keys=("bearer", "basic"), cors=False),)),),
    map=touchpoint,
    mapping=5,
    batch_key=BATCH_KEY,
    answers=Answers(ok=SUCCESS),
    feeds=(
        *("event", "survey", "words", "ticket", "ticket_status", "ticket_reply", "ticket_answer"),
        *("deal", "lifecycle", "person", "organisation", "erasure"),
    ),
    erasures=Erasures((ERASURE,)),
    ids=Scope(
        accounts=ACCOUNT_NAMESPACES,
        people=("crm_contact", "support_user"),
        records=("crm_deal", "crm_ticket", "ticket"),
    ),
    docs=Docs(
        title="Touchline's own dialect: imports, offline touchpoints, decisions",
        setup=(
            "Take the key from the source's secret file; it is for servers only.",
            "`touchline import FILE` sends spreadsheets; your own scripts `POST /v1/touchline` "
            "with `Authorization: Bearer KEY`.",
        ),
        limits="A body of 4,000 KiB. Every field: [import.md](../../how-to/import.md).",
    ),
    fresh=Fresh("operators", "`touchline import`, the page's answers, your own scripts: POST /v1/touchline"),
    sample=sample,
)
