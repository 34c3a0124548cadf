"""bi.directory: every version of every field of a CRM object, against a naive reading of the same records."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest

from schemas.facts import TouchpointFact
from schemas.touchpoints import CleanTouchpoint, RawRequest
from services.sink.columns import TABLES, columns
from services.sink.rows import rows_of
from streams.connectors.registry import CONNECTORS
from streams.connectors.results import Mapped
from streams.runtime.clickhouse import Store
from tests.clickhouse_fixture import ClickHouse
from tests.store_facts import START, touchpoint_fact
from tests.store_fixture import fresh_store

pytestmark = pytest.mark.clickhouse
Version = tuple[str, str, str, str, datetime, datetime | None]
NAMES = {"jobtitle": "title", "numberofemployees": "employees", "domain": "domains"}


def clean(vendor: str, record: dict[str, Any], hours: float) -> CleanTouchpoint:
    at = START + timedelta(hours=hours)
    times = (
        {"occurredAt": int(at.timestamp() * 1000), "eventId": str(hours)}
        if vendor == "hubspot"
        else {"at": at.isoformat()}
    )
    body = orjson.dumps({**record, **times}).decode()
    request = RawRequest(request_id="r", source=vendor, vendor=vendor, received_at=at, body=body)
    (result,) = CONNECTORS[vendor].read(request)
    assert isinstance(result, Mapped), result
    return result.touchpoint


def hubspot(kind: str, hours: float, **more: Any) -> CleanTouchpoint:
    return clean("hubspot", {"subscriptionType": kind, **more}, hours)


def ours(hours: float, **record: Any) -> CleanTouchpoint:
    return clean("touchline", record, hours)


def changed(record_id: int, name: str, value: str) -> dict[str, Any]:
    return {"objectId": record_id, "propertyName": name, "propertyValue": value}


PAIR = {"fromObjectId": 7, "toObjectId": 51, "associationType": "CONTACT_TO_COMPANY"}
RECORDS = [
    hubspot("company.creation", 0, objectId=51),
    hubspot("company.propertyChange", 1, **changed(51, "name", 'Acme "NL"')),
    hubspot("company.propertyChange", 2, **changed(51, "name", 'Acme "NL"')),
    hubspot("company.propertyChange", 3, **changed(51, "numberofemployees", "250")),
    ours(
        4, kind="account", id="51", name="Acme", employees="250", domains=["acme.com"], lifecycle="customer", owner="9"
    ),
    hubspot("contact.propertyChange", 5, **changed(7, "jobtitle", "CTO")),
    hubspot("contact.propertyChange", 5.5, **changed(7, "email", "ann@acme.com")),
    hubspot("contact.associationChange", 6, **PAIR, associationRemoved=False),
    hubspot("contact.associationChange", 7, **PAIR, associationRemoved=True),
    hubspot("contact.deletion", 8, objectId=7),
    ours(9, kind="deal", id="3", stage="Contract sent", amount=1250.5, account="51"),
    ours(10, kind="deal", id="3", stage="closedwon", amount=1250.5, account="51"),
    ours(11, kind="owner", id="9", name="Team north"),
    ours(12, kind="touchpoint", name="call", subject="deal:3"),
    hubspot("company.creation", 13, objectId=52),
    hubspot("company.propertyChange", 14, **changed(52, "name", "Acme Benelux")),
    hubspot("contact.propertyChange", 15, **changed(8, "jobtitle", "CFO")),
    hubspot("company.merge", 16, primaryObjectId=51, mergedObjectIds=[51, 52], newObjectId=51),
    hubspot("contact.merge", 17, primaryObjectId=9, mergedObjectIds=[8], newObjectId=9),
    hubspot("company.deletion", 18, objectId=52),
]


def said(one: CleanTouchpoint, account_id: str) -> dict[str, str]:
    """What a record says of its object, field by field."""
    known = dict(one.properties)
    if "association" in known:
        return {"exists": "true", "account": "" if known["removed"] else account_id}
    found = {"exists": "false" if one.action == "crm_removed" else "true"}
    name, value = known.pop("property", None), known.pop("value", None)
    if name is not None and value is not None:
        found[NAMES.get(str(name), str(name))] = str(value)
    return found | {key: str(each) for key, each in known.items() if key != "change_source"}


def naive(facts: list[TouchpointFact]) -> set[Version]:
    told: dict[tuple[str, str, str], list[tuple[datetime, str, str]]] = defaultdict(list)
    for fact in facts:
        one = fact.input.touchpoint
        kind, _, object_id = one.subject.partition(":")
        if one.action != "custom":
            for field, value in said(one, fact.account_id).items():
                told[{"company": "account"}.get(kind, kind), object_id, field].append(
                    (one.occurred_at, one.event_id, value)
                )
            for gone in str(one.properties.get("merged", "")).split():
                if gone != object_id:
                    for field, value in (("exists", "false"), ("merged_into", object_id)):
                        told[{"company": "account"}.get(kind, kind), gone, field].append(
                            (one.occurred_at, one.event_id, value)
                        )
    versions: set[Version] = set()
    for key, values in told.items():
        kept: list[tuple[datetime, str]] = []
        for at, _, value in sorted(values):
            if not kept or kept[-1][1] != value:
                kept.append((at, value))
        ends = [at for at, _ in kept[1:]]
        versions |= {(*key, value, at, end) for (at, value), end in zip(kept, [*ends, None], strict=True)}
    return versions


def stored(store: Store, facts: list[TouchpointFact]) -> set[Version]:
    rows = rows_of(facts, START)["touchpoints"]
    store.insert("touchpoints", TABLES["touchpoints"], columns("touchpoints", rows))
    database = str(store.client.command("SELECT currentDatabase()"))
    found = set()
    for row in store.rows(f"SELECT * FROM bi_{database}.directory"):
        until = row["until"] if not row["is_current"] else None
        about = (row["object_kind"], row["object_id"], row["field"], row["value"], _aware(row["since"]))
        found.add((*about, _aware(until) if until else None))
    return found  # type: ignore[return-value]


def _aware(at: Any) -> Any:
    return at.replace(tzinfo=START.tzinfo) if at.tzinfo is None else at


def test_versions_are_those_a_naive_reader_finds_in_any_order(
    clickhouse_url: ClickHouse, clickhouse_database: str
) -> None:
    facts = []
    for number, one in enumerate(RECORDS):
        fact = touchpoint_fact(number, account="crm:51")
        facts.append(fact.changed(event_id=one.event_id, input=fact.input.changed(touchpoint=one)))
    expected = naive(facts)
    random.Random(3).shuffle(facts)
    with fresh_store(clickhouse_url, clickhouse_database) as (store, config):
        assert config.bi_database == f"bi_{clickhouse_database}"
        half = len(facts) // 2
        stored(store, facts[:half])
        found = stored(store, facts[half:] + facts[:3])  # late ones, and some once more
        assert found == expected
        names = {(kind, object_id, field, value) for kind, object_id, field, value, _, until in found if until is None}
        assert ("account", "51", "name", "Acme") in names and ("deal", "3", "amount", "1250.5") in names
        assert ("contact", "7", "account", "") in names and ("contact", "7", "exists", "false") in names
        assert {("account", "52", "exists", "false"), ("account", "52", "merged_into", "51")} <= names
        assert {("contact", "8", "exists", "false"), ("contact", "9", "exists", "true")} <= names
        assert ("account", "51", "exists", "true") in names
        assert not any(field == "email" for _, _, field, _ in names)
        without_first = naive([fact for fact in facts if fact.input.touchpoint != RECORDS[9]])
        assert found != without_first, "the comparison can fail"
