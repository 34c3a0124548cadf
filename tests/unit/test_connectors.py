"""Vendor mappings: golden examples, one contract for all of them, and hostile input."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.actions import ACTIONS
from schemas.errors import UnmappableEvent
from schemas.touchpoints import CLEAN, CleanTouchpoint, RawRequest
from streams.connectors import reading
from streams.connectors.registry import CONNECTORS
from streams.connectors.results import Ignored, Mapped, Refused, Result
from streams.connectors.slices import slices
from streams.identity.aliases import ordered

FIXTURES = Path(__file__).parents[1] / "fixtures" / "vendors"
GOLDEN = sorted(FIXTURES.glob("*/*.json"))
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def request(vendor: str, body: str, path: str = "/v1/batch", at: datetime = NOW, **more: Any) -> RawRequest:
    return RawRequest(request_id="r", source="web", vendor=vendor, received_at=at, path=path, body=body, **more)


def mapped(vendor: str, body: Any, **more: Any) -> list[Result]:
    return CONNECTORS[vendor].read(request(vendor, body if isinstance(body, str) else json.dumps(body), **more))


def circumstances(example: dict[str, Any]) -> dict[str, Any]:
    """How an example's request came, beside its body."""
    return {"path": example["path"], "query": example["query"], "headers": example.get("headers", {})}


def touchpoint(result: Result) -> CleanTouchpoint:
    assert isinstance(result, Mapped), result
    return result.touchpoint


def golden(path: Path) -> tuple[dict[str, Any], list[Result]]:
    example = json.loads(path.read_text())
    body = "" if example["body"] is None else example["body"]
    return example, mapped(path.parent.name, body, **circumstances(example))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_golden(path: Path) -> None:
    example, results = golden(path)
    assert len(results) == len(example["expect"])
    for result, expected in zip(results, example["expect"], strict=True):
        if "refused" in expected:
            assert isinstance(result, Refused) and result.reason == expected["refused"], result
            continue
        if "ignored" in expected:
            assert result == Ignored(expected["ignored"])
            continue
        found = touchpoint(result).fields()
        assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_what_is_golden_also_keeps_the_contract(path: Path) -> None:
    """An example can bless a bug; the contract cannot."""
    _, results = golden(path)
    for result in results:
        if isinstance(result, Mapped):
            assert_contract(result.touchpoint, path.parent.name)


def assert_contract(one: CleanTouchpoint, vendor: str) -> None:
    assert CLEAN.validate_json(CLEAN.dump_json([one])) == [one]
    assert one.action in ACTIONS
    assert uuid.UUID(one.event_id).version == 5
    assert one.aliases == ordered(one.aliases)
    assert one.vendor == vendor and one.source == "web" and one.received_at == NOW
    assert one.clock_suspect is (one.occurred_at > NOW + timedelta(minutes=5) or one.occurred_at.year == 1970)
    assert all(all(ref.partition(":")) for ref in one.account_refs)
    assert all(one.account_traits.values()) and all(one.person_traits.values())
    assert len(one.properties) <= 30 and len(one.text) <= 2_000
    assert not any("@" in str(value) for value in one.properties.values())
    assert (one.score is None) or one.score_kind


def test_every_vendor_has_examples_and_a_way_in() -> None:
    assert {path.parent.name for path in GOLDEN} == set(CONNECTORS)
    assert all(name == connector.name and connector.ways_in for name, connector in CONNECTORS.items())


# --- one identity, one time, however often it is sent -----------------------------------------------


def messages(path: Path) -> list[Any]:
    body = json.loads(path.read_text())["body"]
    key = CONNECTORS[path.parent.name].batch_key
    if isinstance(body, dict) and key in body:
        return list(body[key])
    return body if isinstance(body, list) else [body]


def identities(results: list[Result]) -> list[tuple[str, datetime]]:
    return [(one.touchpoint.event_id, one.touchpoint.occurred_at) for one in results if isinstance(one, Mapped)]


def resent(body: Any, changed: dict[str, Any] | None = None) -> Any:
    """The same body as a retry carries it: other stamps and counters of transport, those of the example's `resent`."""
    if isinstance(body, list):
        return [resent(one, changed) for one in body]
    if not isinstance(body, dict):
        return body
    again = {**body, **(changed or {})}
    if "batch" in body:
        again["batch"] = resent(body["batch"], changed)
    if "sentAt" in again:
        again["sentAt"] = "2026-11-22T09:00:00Z"
    if "attemptNumber" in again:
        again["attemptNumber"] = 7
    return again


STAMPED = [
    path
    for path in GOLDEN
    if path.stem not in ("times", "received") and json.loads(path.read_text())["body"] is not None
]


@pytest.mark.parametrize("path", STAMPED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_resend_is_the_same_event_at_the_same_time(path: Path) -> None:
    example = json.loads(path.read_text())
    how = circumstances(example)
    first = mapped(path.parent.name, example["body"], **how)
    again = mapped(path.parent.name, resent(example["body"], example.get("resent")), at=NOW + timedelta(days=3), **how)
    assert identities(first) == identities(again)


def test_the_resend_check_can_fail() -> None:
    """Known bad: a time corrected by sentAt, as many gateways do it, moves with every resend."""
    message = {"type": "track", "event": "A", "userId": "u", "messageId": "m", "timestamp": "2026-11-21T10:00:00Z"}
    bodies = [{**message, "sentAt": sent} for sent in ("2026-11-21T10:00:01Z", "2026-11-22T10:00:00Z")]
    times = [touchpoint(mapped("segment", body)[0]).occurred_at for body in bodies]
    assert times[0] == times[1]
    skewed = [NOW - (datetime.fromisoformat(body["sentAt"]) - one) for body, one in zip(bodies, times, strict=True)]
    assert skewed[0] != skewed[1]


def test_without_an_id_the_content_is_the_identity() -> None:
    message = {"type": "track", "event": "A", "userId": "u", "timestamp": "2026-11-21T10:00:00Z"}
    first, reordered, other = (
        touchpoint(mapped("segment", body)[0]).event_id
        for body in (message, dict(reversed(message.items())) | {"sentAt": "2026-11-21T10:00:09Z"}, message | {"x": 1})
    )
    assert first == reordered != other


def test_the_path_implies_the_type_and_not_the_identity() -> None:
    message = {"event": "A", "userId": "u", "timestamp": "2026-11-21T10:00:00Z"}
    ids = {touchpoint(mapped("segment", message, path=path)[0]).event_id for path in ("/v1/track", "/v1/t/", "/v1/t")}
    ids.add(touchpoint(mapped("segment", {**message, "type": "track"})[0]).event_id)
    assert len(ids) == 1


def test_without_any_stamp_the_time_of_sending_is_the_events_own() -> None:
    message = {"type": "track", "event": "A", "userId": "u"}
    one = touchpoint(mapped("segment", {**message, "sentAt": "2026-11-21T10:00:00Z"})[0])
    later = touchpoint(mapped("segment", {**message, "sentAt": "2026-11-21T10:00:01Z"})[0])
    assert one.occurred_at == datetime(2026, 11, 21, 10, tzinfo=UTC) and one.event_id != later.event_id
    bare = touchpoint(mapped("segment", message)[0])
    again = touchpoint(mapped("segment", message, at=NOW + timedelta(hours=1))[0])
    assert bare.occurred_at == NOW and bare.event_id == again.event_id


def test_a_record_without_a_time_is_one_statement_each_time_it_is_received() -> None:
    """Its time is the receipt's, so the receipt is part of its identity: one event never has two times."""
    record = {"kind": "account", "id": "51", "name": "Acme"}
    first, replayed = (touchpoint(mapped("touchline", record)[0]) for _ in range(2))
    resent_later = touchpoint(mapped("touchline", record, at=NOW + timedelta(hours=1))[0])
    assert first == replayed
    assert first.event_id != resent_later.event_id and first.occurred_at != resent_later.occurred_at
    timed = [touchpoint(mapped("touchline", {**record, key: "2026-11-20"})[0]) for key in ("at", "occurred_at")]
    assert [one.occurred_at for one in timed] == [datetime(2026, 11, 20, tzinfo=UTC)] * 2


def test_our_own_dialect_says_what_would_be_right() -> None:
    record = {"kind": "account", "id": "51", "domian": ["acme.example"]}
    refused = mapped("touchline", record)[0]
    assert isinstance(refused, Refused) and "`domian`" in refused.message and "`domains`" in refused.message
    assert isinstance(touchpoint(mapped("touchline", {"kind": "account", "id": "51"})[0]), CleanTouchpoint)


def test_sources_do_not_share_identities() -> None:
    body = json.dumps({"type": "track", "event": "A", "userId": "u", "messageId": "m"})
    found = [
        touchpoint(CONNECTORS["segment"].read(request("segment", body).changed(source=source))[0]).event_id
        for source in ("web", "app")
    ]
    assert found[0] != found[1]


# --- hostile input -----------------------------------------------------------------------------------


@pytest.mark.parametrize("vendor", sorted(CONNECTORS))
@settings(max_examples=150, deadline=None)
@given(body=st.text() | JSON.map(json.dumps))
def test_no_body_makes_a_mapping_raise(vendor: str, body: str) -> None:
    for result in CONNECTORS[vendor].read(request(vendor, body)):
        assert not isinstance(result, Refused) or result.reason != "mapping_failed", result


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: f"{path.parent.name}/{path.stem}")
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_field_of_any_type_is_mapped_or_refused(path: Path, data: st.DataObject) -> None:
    """Take a good example and put something else in one place: never an exception, never a broken touchpoint."""
    message = data.draw(st.sampled_from(messages(path)))
    damaged = json.loads(json.dumps(message)) if isinstance(message, dict) else {}
    place = damaged
    for _ in range(data.draw(st.integers(0, 2))):
        inner = [value for value in place.values() if isinstance(value, dict) and value]
        place = data.draw(st.sampled_from(inner)) if inner else place
    if place:
        place[data.draw(st.sampled_from(sorted(place)))] = data.draw(JSON)
    for result in mapped(path.parent.name, [damaged]):
        assert not isinstance(result, Refused) or result.reason != "mapping_failed", result
        if isinstance(result, Mapped):
            assert result.touchpoint.action in ACTIONS and len(result.touchpoint.properties) <= 30
            CLEAN.dump_json([result.touchpoint])


def test_our_own_mistake_costs_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> CleanTouchpoint:
        raise AttributeError("a bug")

    from dataclasses import replace

    result = replace(CONNECTORS["segment"], map=broken).read(request("segment", "{}"))[0]
    assert isinstance(result, Refused) and result.reason == "mapping_failed"


GOOD = '{"type":"track","event":"A","userId":"u","messageId":"%s","timestamp":"2026-11-21T10:00:00Z"}'


@pytest.mark.parametrize(
    "poison",
    [
        '{"userId":"u" , "type":"track","event":"A","properties":{"n":1e400}}',
        '{"type":"track","event":"A","userId":{"a":[1, 2]}}',
        '{"type":"track","event":"A","userId":"u","timestamp":"1e400"}',
        '{"type":"track","event":"A","userId":"u","timestamp":-1}',
        '{"type":"track","event":"A","userId":"u","messageId":[]}',
        "[]",
        "null",
    ],
)
def test_poison_is_one_refusal_with_its_exact_text_and_its_neighbours_stand(poison: str) -> None:
    clean = mapped("segment", f'{{"batch":[{GOOD % 1},{GOOD % 2}]}}')
    body = f'{{"sentAt":"x, ]","batch" : [ {GOOD % 1} ,\n{poison} , {GOOD % 2}]}}'
    first, refused, last = mapped("segment", body)
    assert isinstance(refused, Refused)
    assert (refused.original, refused.index) == (poison, 1)
    assert [first, last] == clean


def test_a_refusal_names_field_and_value_and_is_short() -> None:
    refused = mapped("segment", {"type": "track", "event": "A", "userId": {"secretive": "x" * 5_000}})[0]
    assert isinstance(refused, Refused)
    assert "`userId`" in refused.message and "secretive" in refused.message and len(refused.message) < 200


def test_an_unknown_field_is_no_reason_to_refuse() -> None:
    assert touchpoint(mapped("segment", json.loads(GOOD % 1) | {"v2": {"any": ["thing"]}})[0]).aliases == ("user:u",)


@pytest.mark.parametrize("body", ["", "{", "[" * 10_000 + "]" * 10_000, '{"batch":[' + "[" * 5_000, "\x00", "1"])
def test_a_body_that_is_no_payload_is_one_refusal(body: str) -> None:
    results = mapped("segment", body)
    assert [type(one) for one in results] == [Refused] and results[0].original == body  # type: ignore[union-attr]


@settings(max_examples=200, deadline=None)
@given(st.lists(JSON, max_size=5), st.sampled_from([None, 0, 2]))
def test_slices_are_the_messages(batch: list[Any], indent: int | None) -> None:
    envelope = {"a": 'x"],[', "batch": batch, "z": [1]}
    rest, texts = slices(json.dumps(envelope, indent=indent), "batch")
    assert [repr(json.loads(text)) for text in texts] == [repr(one) for one in batch]
    assert orjson.loads(rest) == {"a": 'x"],[', "z": [1]}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-03-02T09:00:00Z", "2026-03-02T09:00:00+00:00"),
        ("2026-03-02t09:00:00.5z", "2026-03-02T09:00:00.500000+00:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00"),
        ("2017-01-01T00:59:60.25+01:00", "2017-01-01T00:00:00.250000+00:00"),
        ("2026-03-02 09:00", "2026-03-02T09:00:00+00:00"),
    ],
)
def test_stamps_as_rfc_3339_allows_them(written: str, meant: str) -> None:
    assert reading.stamp(written, "timestamp").isoformat() == meant


@pytest.mark.parametrize("written", ["2026-03-02T09:60:00Z", "2026-03-02T09:00:61Z", "09:59:60", "today", ":60", ""])
def test_other_stamps_are_refused(written: str) -> None:
    with pytest.raises(UnmappableEvent, match="`timestamp` is not a time"):
        reading.stamp(written, "timestamp")
