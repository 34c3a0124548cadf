"""Salesforce at the gateway: who may send, what is answered when, and bodies that are meant to do harm."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qsl
from xml.etree.ElementTree import fromstring

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.config import Config, SourceConfig
from schemas.errors import ConfigurationError
from schemas.touchpoints import RawRequest
from services.gateway.app import Gateway
from services.gateway.bootstrap import build
from services.gateway.samples import Outgoing, Sender, sample_of
from streams.connectors.content import MAX_DEPTH, MAX_ELEMENTS
from streams.connectors.crm.salesforce import ACK, CONNECTOR, SAMPLE_ORGANIZATION
from streams.connectors.crm.salesforce_ids import same_organization
from streams.connectors.results import Mapped
from tests.gateway_kit import NOW, REF, FakeWriter, client

SECRET = b"a long & random text"
SAMPLE = sample_of(CONNECTOR, Sender("crm", SECRET, "https://gw.example"), NOW)
ACKED = "{http://soap.sforce.com/2005/09/outbound}Ack"


def gateway(behaviour: str = "ack", tenant: str = SAMPLE_ORGANIZATION) -> tuple[Gateway, FakeWriter]:
    writer = FakeWriter(behaviour)
    source = SourceConfig(name="crm", vendor="salesforce", secrets=REF, tenant=tenant)
    config = Config.model_validate({"sources": (source,), "gateway": {"ack_timeout_s": 0.2}})
    return build(config, secrets={"crm": (b"old", SECRET)}, writer=writer, clock=lambda: NOW), writer


async def sent(app: Gateway, request: Outgoing = SAMPLE) -> tuple[int, bytes]:
    async with client(app) as http:
        url = f"{request.path}?{request.query}" if request.query else request.path
        answer = await http.request(request.method, url, content=request.body, headers=request.headers)
    return answer.status_code, answer.content


async def test_the_ack_is_soap_and_comes_once_kafka_has_the_message() -> None:
    app, writer = gateway()
    status, body = await sent(app)
    assert status == 200 and [one.text for one in fromstring(body).iter(ACKED)] == ["true"]
    assert len(writer.items) == 1 and writer.items[0].query == ""


@pytest.mark.parametrize("behaviour", ["hang", "fail", "away"])
async def test_without_kafka_nothing_is_acked(behaviour: str) -> None:
    app, _ = gateway(behaviour)
    status, body = await sent(app)
    assert status == 503 and b"Ack" not in body


BAD_QUERIES = ["", "token=", "token=wrong", "tokens=a%20long", "other=1", SAMPLE.query.upper(), SAMPLE.query + "x"]


@pytest.mark.parametrize("query", BAD_QUERIES)
async def test_only_who_knows_the_token_may_send(query: str) -> None:
    app, writer = gateway()
    status, body = await sent(app, replace(SAMPLE, query=query))
    assert (status, writer.items) == (401, []) and b"Ack" not in body and SECRET not in body


async def test_the_token_is_not_stored_and_an_older_one_holds_while_rotating() -> None:
    app, writer = gateway()
    assert (await sent(app, replace(SAMPLE, query=f"a=1&{SAMPLE.query}&b=2")))[0] == 200
    assert (await sent(app, replace(SAMPLE, query="token=old")))[0] == 200
    assert [item.query for item in writer.items] == ["a=1&b=2", ""]
    assert dict(parse_qsl(SAMPLE.query))["token"] == SECRET.decode()


def told(organization: str) -> bytes:
    return SAMPLE.body.replace(SAMPLE_ORGANIZATION.encode(), organization.encode())


@pytest.mark.parametrize("organization", [SAMPLE_ORGANIZATION, "00D000000000001", "00d000000000001eaa"])
async def test_either_form_of_the_organisations_id_is_taken(organization: str) -> None:
    for tenant in (SAMPLE_ORGANIZATION, "00D000000000001"):
        app, _ = gateway(tenant=tenant)
        assert (await sent(app, replace(SAMPLE, body=told(organization))))[0] == 200


@pytest.mark.parametrize("organization", ["00D000000000002EAA", "00D000000000002", "", "nonsense", "<b>x</b>"])
async def test_another_organisations_messages_are_refused(organization: str) -> None:
    app, writer = gateway()
    status, body = await sent(app, replace(SAMPLE, body=told(organization)))
    assert (status, writer.items) == (401, []) and b"other_tenant" in body


async def test_a_document_that_names_no_organisation_is_refused() -> None:
    start, end = b"<OrganizationId>", b"</OrganizationId>"
    bare = SAMPLE.body.partition(start)[0] + SAMPLE.body.partition(end)[2]
    for body in (bare, b"<Envelope/>", b"<Envelope><Body/></Envelope>"):
        app, writer = gateway()
        assert (await sent(app, replace(SAMPLE, body=body)))[0] == 401 and writer.items == []


async def test_change_events_come_the_same_way() -> None:
    app, writer = gateway()
    header = {"entityName": "Account", "changeType": "DELETE", "recordIds": ["001000000000001"]}
    body = orjson.dumps({"payload": {"ChangeEventHeader": header | {"commitTimestamp": 1795341600000}}})
    assert (await sent(app, replace(SAMPLE, body=body))) == (200, ACK.body)
    [result] = CONNECTOR.read(writer.items[0])
    assert isinstance(result, Mapped) and result.touchpoint.action == "crm_removed"


def test_a_source_without_its_organisation_is_refused_at_start() -> None:
    with pytest.raises(ConfigurationError, match="source `crm`: set `tenant` to the organisation's id"):
        gateway(tenant="")


BOMB = b'<!DOCTYPE a [<!ENTITY a "1234567890"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><Envelope>&b;</Envelope>'
HOSTILE = {
    "entities that grow": BOMB,
    "a file of ours": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><Envelope>&x;</Envelope>',
    "an address inside": b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd"><Envelope/>',
    "parameter entities": b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:9/"> %x;]><Envelope/>',
    "depth": b"<a>" * 500_000,
    "depth just over": b"<a>" * (MAX_DEPTH + 1) + b"</a>" * (MAX_DEPTH + 1),
    "width": b"<a>" + b"<b/>" * (MAX_ELEMENTS + 1) + b"</a>",
    "cut short": SAMPLE.body[:200],
    "an undefined entity": b"<Envelope>&nope;</Envelope>",
    "depth of JSON": b"[" * 500_000,
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_bodies_meant_to_harm_are_refused(what: str) -> None:
    app, writer = gateway()
    status, body = await sent(app, replace(SAMPLE, body=HOSTILE[what]))
    assert (status, writer.items) == (400, []) and b"root:" not in body


async def test_a_notification_that_comes_again_is_the_same_event() -> None:
    app, writer = gateway()
    for _ in range(2):
        await sent(app)
    ids = [result.touchpoint.event_id for item in writer.items for result in read(item)]
    assert len(ids) == 2 and len(set(ids)) == 1


def read(item: RawRequest) -> list[Mapped]:
    return [result for result in CONNECTOR.read(item) if isinstance(result, Mapped)]


def test_one_record_has_one_id_however_it_is_written() -> None:
    forms = ("0015000000Gv7qJ", "0015000000Gv7qJAAR", "0015000000GV7QJAAR", "0015000000gv7qjaar")
    assert {same_organization(form) for form in forms} == {"0015000000Gv7qJAAR"}
    assert same_organization("0015000000gv7qJ") != "0015000000Gv7qJAAR"
    assert same_organization("nonsense") == "nonsense"


@given(st.from_regex(r"[A-Za-z0-9]{15}", fullmatch=True))
def test_the_long_form_of_an_id_survives_any_change_of_its_case(short: str) -> None:
    long = same_organization(short)
    assert long[:15] == short and len(long) == 18
    assert {same_organization(form) for form in (long, long.lower(), long.upper())} == {long}
