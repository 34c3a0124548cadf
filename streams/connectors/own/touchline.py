"""Our own dialect (schemas/records.py): records of what has no vendor API, as touchpoints.

Without an id a record is its content, so sending it again is the same event. A record that does not say when
takes the time it was received; that time is then part of its identity, because one event has one time.
"""

from __future__ import annotations

import difflib
from datetime import datetime, timedelta

import orjson
from pydantic import BaseModel, ValidationError

from schemas.records import (
    RECORDS,
    Record,
    TouchpointRecord,
)
from schemas.touchpoints import CleanTouchpoint, RawRequest
from streams.connectors import reading
from streams.connectors.own.kinds import FIELDS, Fields
from streams.connectors.own.naming import ACCOUNT_NAMESPACES, RefusedField
from streams.connectors.results import Message
from streams.connectors.spec import Connector, Docs, Erasures, Fresh, Sample, Scope
from streams.connectors.ways import SUCCESS, Answers, Call, Keyed

BATCH_KEY = "records"
PATH = "/v1/touchline"
ACTIONS_PATH = "/v1/touchline/actions"
"""What people do about incidents: no events, so the gateway writes them to a log of their own."""
ERASURE = "erasure"
_REASONS = {"missing": "missing_field", "extra_forbidden": "unknown_field", "string_too_long": "too_long"}


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
    return CleanTouchpoint(**found | FIELDS[record.kind](record))


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
    mapping=6,
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
