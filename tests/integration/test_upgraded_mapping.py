"""What an older version read and learned, after the upgrade and `touchline remap`: as if it had never been."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete

from schemas.config import KafkaConfig
from schemas.links import LINKS, Carried, Erasure, Link, supersedes
from schemas.touchpoints import CleanTouchpoint
from services.common.records import consumer, history
from streams.connectors.registry import CONNECTORS
from streams.processors import journey as journey_module
from tests.clickhouse_fixture import ClickHouse
from tests.integration.older import PROGRAM
from tests.integration.pipelines import STAGES, Installation, installed, received
from tests.naive_attribution import led
from tests.pipeline import Pipeline
from tests.scenarios.messages import requests, understood
from tests.scenarios.model import Scenario
from tests.scenarios.play import AS_OF, standard

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]
WITHIN_S = 120.0
PROCESSORS = STAGES[:2]
SOURCES = """
sources:
  - {name: web, vendor: segment, secrets: [{env: NONE}], directory: product}
  - {name: crm, vendor: hubspot, secrets: [{env: NONE}]}
"""


def crm(day: int, **fields: Any) -> dict[str, Any]:
    return {"at": f"2026-03-{day:02} 09:00", "hubspot": fields}


def domain(day: int, company: int, host: str) -> dict[str, Any]:
    told = {"objectId": company, "propertyName": "domain", "propertyValue": host}
    return crm(day, subscriptionType="company.propertyChange", **told)


def tied(day: int, company: int, *, is_first: bool) -> dict[str, Any]:
    told = {"associationType": "CONTACT_TO_COMPANY", "fromObjectId": 9, "toObjectId": company}
    return crm(day, subscriptionType="contact.associationChange", isPrimaryAssociation=is_first, **told)


def page(day: int, user: str, **properties: Any) -> dict[str, Any]:
    properties |= {"path": "/pricing"}
    return {"at": f"2026-03-{day:02} 09:00", "segment": {"type": "page", "userId": user, "properties": properties}}


def knows(day: int, user: str, email: str) -> dict[str, Any]:
    told = {"type": "identify", "userId": user, "traits": {"email": email}}
    return {"at": f"2026-03-{day:02} 09:00", "segment": told}


STORY = Scenario.model_validate(
    {
        "name": "an upgrade",
        "events": {
            "lost": page(1, "u-lost", cc="somebody@omega.example"),
            "acme": domain(2, 7, "acme.example"),
            "beta": domain(2, 8, "beta.example"),
            "ann": knows(3, "u-ann", "ann@acme.example"),
            "bob": knows(3, "u-bob", "bob@beta.example"),
            "copied": page(4, "u-cid", cc="hal@beta.example"),
            "cid": page(5, "u-cid"),
            "about": page(6, "u-dee", about_account="8"),
            "dee": page(7, "u-dee"),
            "claims": page(8, "u-eve", their_host="gamma.example", whose="7"),
            "gamma": knows(9, "u-fay", "fay@gamma.example"),
            "zone": page(10, "u-ann", zone_forgotten=True),
            "doubled": page(11, "u-bob", twice=True),
            "member": page(12, "u-gus", crm_account_id="8"),
            "gus": page(13, "u-gus"),
            "first": tied(14, 7, is_first=True),
            "second": tied(15, 8, is_first=False),
            "title": crm(
                16, subscriptionType="contact.propertyChange", objectId=9, propertyName="jobtitle", propertyValue="CFO"
            ),
        },
        "expect": {"lost": {}},
    }
)
AFTER = Scenario.model_validate({"name": "since", "events": {"now": page(20, "u-ann")}, "expect": {"now": {}}})
FIELDS = ("account", "person", "method", "type", "phase", "persona", "subject")


def touchpoints() -> dict[str, CleanTouchpoint]:
    """What today's mappings make of everything."""
    mapped = understood(STORY)[0] | understood(AFTER)[0]
    return {name: told[0] for name, told in mapped.items()}


async def fresh(told: list[CleanTouchpoint]) -> tuple[dict[str, dict[str, str]], set[str]]:
    """What a run that never knew the older version shows, and the links that stand."""
    with patch.object(journey_module, "ROWS_EVERY_S", 0.0):
        pipeline = Pipeline(standard(), AS_OF, 1, STORY.directories)
        try:
            await pipeline.feed(told)
            await asyncio.wait_for(pipeline.run(), 60)
        finally:
            await pipeline.close()
    found = {}
    for event_id, fact in pipeline.store.visible().items():
        said = fact.input.attribution
        row = (fact.account_id, said.person_id, said.method, fact.touchpoint_type, fact.phase, fact.persona)
        found[event_id] = dict(zip(FIELDS, (*row, fact.input.touchpoint.subject), strict=True))
    return found, standing(pipeline.topics.logs["identity.links.v1", 0])


def standing(records: list[bytes]) -> set[str]:
    """The links that these records leave."""
    found: dict[str, Link] = {}
    for record in records:
        for link in LINKS.validate_json(record):
            if not isinstance(link, (Carried, Erasure)) and (
                link.link_id not in found or supersedes(link, found[link.link_id]) or link == found[link.link_id]
            ):
                found[link.link_id] = link
    return {key for key, link in found.items() if not link.retracted}


async def links(kafka: KafkaConfig) -> set[str]:
    async with consumer(kafka) as reader:
        return standing([record.value async for record in history(reader, kafka, "identity.links.v1")])


async def retention_takes(kafka: KafkaConfig, partition: int, before: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=list(kafka.bootstrap))
    await admin.start()
    place = TopicPartition(f"{kafka.topic_prefix}touchpoints.raw.v1", partition)
    await admin.delete_records({place: RecordsToDelete(before_offset=before)})
    await admin.close()


@pytest.fixture
def installation(
    tmp_path: Path, kafka_bootstrap: str, topic_prefix: str, clickhouse_url: ClickHouse, clickhouse_database: str
) -> Any:
    with installed(tmp_path, kafka_bootstrap, topic_prefix, clickhouse_url, clickhouse_database) as made:
        yield made


def test_remap_leaves_what_a_fresh_run_would_have_made(installation: Installation) -> None:
    kafka, told = installation.kafka, touchpoints()
    sent = [request for name, event in STORY.spread() for request in requests(name, event)]
    installation.configured(SOURCES)
    received(kafka, sent[:1], partition=1)
    received(kafka, sent[1:])
    installation.start(*STAGES, program=PROGRAM)
    installation.wait_for(lambda: len(installation.shown()), len(sent) + 1, WITHIN_S)
    expected, links_left = asyncio.run(fresh([touchpoint for name, touchpoint in told.items() if name != "lost"]))

    def where(name: str) -> str:
        return installation.shown().get(told[name].event_id, {}).get("account", "")

    wrong_once = {
        "cid": "crm:crm:8",
        "dee": "crm:crm:8",
        "gamma": "crm:crm:7",
        "gus": "crm:crm:8",
        "title": "crm:crm:8",
    }
    for name, account in wrong_once.items():
        installation.wait_for(lambda name=name: where(name), account, WITHIN_S)  # type: ignore[misc]
        assert expected[told[name].event_id]["account"] != account, "the older rules must have been wrong"
    lost, wrong = installation.shown()[told["lost"].event_id], asyncio.run(links(kafka)) - links_left
    assert {link.partition("|")[0] for link in wrong} >= {"typed", "membership", "account"}

    installation.stop(*PROCESSORS)
    asyncio.run(retention_takes(kafka, 1, 1))
    now = CONNECTORS["segment"].mapping
    received(kafka, [one.changed(mapping=now) for name, event in AFTER.spread() for one in requests(name, event)])
    installation.start(*PROCESSORS)
    done = installation.asked("remap")
    assert done.returncode == 0, done.stderr
    assert b"1 of segment stay as an older mapping read them: Kafka no longer has their requests" in done.stderr
    report = json.loads(done.stdout)
    assert report["accounts_attributed_anew"] >= 1, "older rules attributed what no mapping reads anew"
    assert report["left_as_read"] == {"segment": 1}
    assert (report["requests_read_anew"], report["touchpoints_withdrawn"]) == (len(sent) - 1, 1)

    again = installation.asked("remap")
    assert json.loads(again.stdout)["accounts_attributed_anew"] == 0, "it is done, also where it came out the same"

    kept = {told["lost"].event_id: lost}
    installation.wait_for(installation.shown, expected | kept, WITHIN_S)
    of_lost = {link for link in wrong if "u-lost" in link or "somebody@" in link}
    assert asyncio.run(links(kafka)) == links_left | of_lost
    places = led((touchpoint for name, touchpoint in told.items() if name != "lost"), ["crm"])
    assert {event: (row["person"], row["account"]) for event, row in expected.items()} == {
        event: (place.person_id, place.account_id) for event, place in places.items()
    }
