"""The generic webhook: a mapping in YAML, from an HTTP request to touchpoints, and what is refused at start."""

from __future__ import annotations

import asyncio
import json
import re
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.config import Config
from schemas.errors import ConfigurationError
from schemas.mapping import Mapping
from schemas.paths import MAX_STEPS, parsed
from schemas.touchpoints import CLEAN, DEAD, CleanTouchpoint, RawRequest
from services.cli.commands.remap_mappings import is_outdated
from services.cli.commands.validate import problems as validated
from services.common.config import load_config, read_config
from services.gateway.bootstrap import build
from services.gateway.samples import Sender, sample_of
from streams.connectors.generic.conditions import has_shape
from streams.connectors.generic.looking import Seen, look
from streams.connectors.generic.webhook import declared, failures, problems
from streams.connectors.registry import CONNECTORS, connectors_of, feeds_of, for_source
from streams.connectors.results import Ignored, Mapped, Refused, Result
from streams.connectors.schemes import SCHEMES, Basic, Hmac, Token
from streams.processors.attribute import Attribute
from streams.processors.mapper import Mapper
from streams.processors.shell import Record, Stage
from streams.runtime.metrics import Metrics
from tests.attributing import AsRead
from tests.gateway_kit import NOW, FakeWriter, client
from tests.unit.test_connectors import JSON
from tests.unit.test_new_connector import Outbox

pytestmark = pytest.mark.usefixtures("shipped_blueprint_tried_once")

EXAMPLES = Path(__file__).parents[2] / "examples" / "mappings"
SECRET = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BASIC: dict[str, Any] = {
    "version": 3,
    "receive": {"scheme": "token"},
    "events": [{"name": "seen", "action": "custom", "id": "id", "time": "at"}],
}
NAMES = ("helpdesk", "nps", "gone")
EVENT: dict[str, Any] = {"id": "1", "at": "2026-11-21T10:00:00Z"}


def made(**event: Any) -> Mapping:
    """The basic mapping whose one event says this, too."""
    return Mapping.model_validate({**BASIC, "events": [{**BASIC["events"][0], **event}]})


def read(mapping: Mapping, body: Any, **more: Any) -> list[Result]:
    request = RawRequest(
        request_id="r", source="desk", vendor="webhook", received_at=NOW, body=json.dumps(body), **more
    )
    return declared("desk", mapping).read(request)


def one(mapping: Mapping, **message: Any) -> CleanTouchpoint:
    (result,) = read(mapping, {**EVENT, **message})
    assert isinstance(result, Mapped), result
    return result.touchpoint


def refusal(mapping: Mapping, **message: Any) -> Refused:
    (result,) = read(mapping, {**EVENT, **message})
    assert isinstance(result, Refused), result
    return result


# --- from HTTP to touchpoints ----------------------------------------------------------------------------


def installed(folder: Path, *names: str) -> Path:
    """A configuration with one source for each of the shipped examples."""
    (folder / "mappings").mkdir()
    (folder / "secret").write_bytes(SECRET)
    sources = []
    for name in names:
        (folder / "mappings" / f"{name}.yaml").write_text((EXAMPLES / f"{name}.yaml").read_text())
        sources.append(
            {"name": name, "vendor": "webhook", "mapping": f"mappings/{name}.yaml", "secrets": [{"file": "secret"}]}
        )
    (folder / "touchline.yaml").write_text(yaml.safe_dump({"sources": sources}))
    return folder / "touchline.yaml"


async def normalised(config: Config, requests: list[RawRequest]) -> tuple[list[CleanTouchpoint], list[str]]:
    """What the processor makes of stored requests: touchpoints, and why others became dead letters."""
    outbox: Any = Outbox()
    stage = Stage("attribute", outbox, Metrics(), pytest.fail)
    handler = Attribute(stage, AsRead(), Mapper(connectors=connectors_of(config.sources)))
    items = b"[" + b",".join(request.encoded() for request in requests) + b"]"
    await asyncio.wait_for(await handler.handle([Record(items, ("touchpoints.raw.v1", 0, 7))]), 5)
    clean = [CLEAN.validate_json(b"[" + value + b"]")[0] for topic, _, value in outbox.outputs if "attributed" in topic]
    dead = [DEAD.validate_json(b"[" + value + b"]")[0].message for topic, _, value in outbox.outputs if "dead" in topic]
    return clean, dead


async def test_from_a_file_of_yaml_over_http_to_touchpoints(tmp_path: Path) -> None:
    config = load_config(installed(tmp_path, "helpdesk", "nps"), env={})
    writer = FakeWriter()
    app = build(config, secrets={"helpdesk": (SECRET,), "nps": (SECRET,)}, writer=writer, clock=lambda: NOW)
    connectors = connectors_of(config.sources)
    requests = []
    async with client(app) as http:
        for name in ("helpdesk", "nps"):
            sender = Sender(name, SECRET, "https://gw.example")
            connector = connectors[f"webhook/{name}"]
            # a sender's delivery id stands in a header; here the proof of the other scheme needs it
            prepared = replace(connector, sample=with_headers(connector.sample(NOW)))
            request = sample_of(prepared, sender, NOW)
            answer = await http.request(request.method, request.path, content=request.body, headers=request.headers)
            assert answer.status_code == 200, answer.text
            assert answer.content == connector.answers.ok.body
            bad = await http.post(request.path, content=request.body + b" ", headers=request.headers)
            assert bad.status_code == 401
            requests.append(request)
        assert (await http.post("/webhook/nobody", content=b"{}")).status_code == 404
        assert (await http.post("/webhook", content=b"{}")).status_code == 404
    assert [item.source for item in writer.items] == ["helpdesk", "nps"]
    assert [item.mapping for item in writer.items] == [1, 1]
    assert writer.items[0].headers == {"x-desk-event-id": "evt-1"} and writer.items[1].headers == {}
    touchpoints, dead = await normalised(config, writer.items)
    assert dead == []
    assert [(found.source, found.vendor_type) for found in touchpoints] == [
        ("helpdesk", "ticket.created"),
        ("nps", "nps.answered"),
        ("nps", "thumb.given"),
    ]
    again, _ = await normalised(config, writer.items)
    assert again == touchpoints


def with_headers(sample: Any) -> Any:
    return lambda now: replace(sample, headers=(*sample.headers, ("webhook-id", "msg_1")))


async def test_a_challenge_is_sent_back_as_the_mapping_says(tmp_path: Path) -> None:
    config = load_config(installed(tmp_path, "helpdesk"), env={})
    writer = FakeWriter()
    app = build(config, secrets={"helpdesk": (SECRET,)}, writer=writer, clock=lambda: NOW)
    connector = connectors_of(config.sources)["webhook/helpdesk"]
    asked = replace(connector.sample(NOW), body='{"event":"webhook.verify","challenge":"c1"}')
    request = sample_of(replace(connector, sample=lambda now: asked), Sender("helpdesk", SECRET, ""), NOW)
    async with client(app) as http:
        answer = await http.post(request.path, content=request.body, headers=request.headers)
    assert (answer.status_code, answer.json(), writer.items) == (200, {"challenge": "c1"}, [])


async def test_a_source_without_its_mapping_is_never_read_by_another(tmp_path: Path) -> None:
    """Stored requests of a source that was taken out of the configuration become dead letters that say so."""
    config = load_config(installed(tmp_path, "helpdesk"), env={})
    gone = RawRequest(request_id="r", source="gone", vendor="webhook", received_at=NOW, body='{"items":[]}')
    touchpoints, dead = await normalised(config, [gone])
    assert touchpoints == [] and len(dead) == 1 and "`gone`" in dead[0] and "`webhook`" in dead[0]
    assert for_source(CONNECTORS, "webhook", "gone") is not None, "the registry's own value reads a sample"


def test_what_a_source_tells_comes_from_its_mapping(tmp_path: Path) -> None:
    config = load_config(installed(tmp_path, "helpdesk", "nps"), env={})
    told = feeds_of(config.sources)
    assert told["nps"] == {"survey", "words", "person"}
    assert told["helpdesk"] == {
        "ticket",
        "ticket_status",
        "ticket_reply",
        "ticket_answer",
        "words",
        "person",
        "organisation",
    }
    assert declared("x", made()).feeds == ("product_event", "event")
    assert declared("x", made(channel="billing")).feeds == ("event",)
    assert declared("x", made()).mapping == 3 == one(made()).mapping


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.yaml")), ids=lambda file: file.stem)
def test_shipped_mappings_are_sound_and_their_examples_hold(file: Path) -> None:
    assert validated(file) == []
    mapping = Mapping.model_validate(yaml.safe_load(file.read_text()))
    assert problems(mapping) == [] and len(mapping.examples) >= 3


def test_what_the_how_to_page_shows_is_sound() -> None:
    text = (EXAMPLES.parents[1] / "docs" / "how-to" / "webhook-mappings.md").read_text()
    blocks = [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", text, re.S | re.M)]
    wholes = [Mapping.model_validate(block) for block in blocks if "version" in block]
    assert len(wholes) == 1 and problems(wholes[0]) == [] == failures(wholes[0]) and wholes[0].examples
    for block in blocks:
        if "receive" in block:
            assert problems(Mapping.model_validate({**BASIC, **block})) == []
        if "current" in block:
            made(properties=block)
        if "time" in block:
            made(**block)
    for name in SCHEMES:
        assert f"`{name}`" in text


def test_each_source_has_its_own_version_of_a_mapping(tmp_path: Path) -> None:
    """What one source's older mapping read is read anew; its neighbour's stays."""
    config = load_config(installed(tmp_path, "helpdesk", "nps"), env={})
    versions = {key: connector.mapping for key, connector in connectors_of(config.sources).items()}
    versions["webhook/nps"] = 2
    old = [RawRequest(request_id="r", source=name, vendor="webhook", received_at=NOW, body="") for name in NAMES]
    assert [is_outdated(request, versions) for request in old] == [False, True, False]


# --- nothing raises, a resend is the same event ----------------------------------------------------------

SHIPPED = [Mapping.model_validate(yaml.safe_load(file.read_text())) for file in sorted(EXAMPLES.glob("*.yaml"))]


@pytest.mark.parametrize("mapping", SHIPPED, ids=lambda mapping: mapping.title)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_nothing_in_a_message_makes_a_mapping_raise(mapping: Mapping, data: st.DataObject) -> None:
    """Take a good example and put anything in one place, or send anything at all."""
    request = data.draw(st.sampled_from(mapping.examples)).request
    body = data.draw(JSON) if data.draw(st.booleans()) else damaged(request.body, data)
    for result in read(mapping, body, headers=request.headers):
        assert not isinstance(result, Refused) or result.reason != "mapping_failed", result
        if isinstance(result, Mapped):
            assert CLEAN.validate_json(CLEAN.dump_json([result.touchpoint])) == [result.touchpoint]


def damaged(value: Any, data: st.DataObject) -> Any:
    if isinstance(value, dict) and value:
        name = data.draw(st.sampled_from(sorted(value)))
        return {**value, name: damaged(value[name], data)}
    if isinstance(value, list) and value:
        return [damaged(value[0], data), *value[1:]]
    return data.draw(JSON)


@pytest.mark.parametrize("mapping", SHIPPED, ids=lambda mapping: mapping.title)
def test_a_resend_keeps_id_and_time(mapping: Mapping) -> None:
    for example in mapping.examples:
        first, again = (
            declared("desk", mapping).read(
                RawRequest(
                    request_id="r", source="desk", vendor="webhook", received_at=at,
                    headers=example.request.headers, body=orjson.dumps(example.request.body).decode(),
                )
            )
            for at in (NOW, NOW + timedelta(days=2))
        )  # fmt: skip
        assert identities(first) == identities(again)


def identities(results: list[Result]) -> list[Any]:
    return [(r.touchpoint.event_id, r.touchpoint.occurred_at) for r in results if isinstance(r, Mapped)]


def test_without_an_id_the_content_is_it_but_for_what_a_resend_changes() -> None:
    mapping = made(id={"without": ["attempt"]})
    first, again, other = (one(mapping, **more) for more in ({"attempt": 1}, {"attempt": 2}, {"attempt": 1, "x": 1}))
    assert first.event_id == again.event_id != other.event_id


def test_parts_of_an_id_do_not_run_into_one_another() -> None:
    mapping = made(id=["a", "b"])
    assert one(mapping, a="x:y", b="z").event_id != one(mapping, a="x", b="y:z").event_id
    assert "`b` is missing" in refusal(mapping, a="x").message


# --- paths, conditions, values, times ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a.b", [1]),
        ("list[0].n", [1]),
        ("list[-1].n", [3]),
        ("list.1.n", [2]),
        ("list[*].n", [1, 2, 3]),
        ("list.*.n", [1, 2, 3]),
        ("list[k=Two].n", [2]),
        ('"x.y"', ["dot"]),
        ("a[*].b", [1]),
        ("a.none", []),
        ("null", []),
        ("empty", []),
        ("list[9].n", []),
        ("a.b.c.d", []),
        ("$query.q", ["1", "2"]),
        ("$header.X-Topic", ["t"]),
        ("$envelope.account", ["acc"]),
    ],
)
def test_what_stands_at_a_path(path: str, found: list[Any]) -> None:
    message = {
        "a": {"b": 1}, "list": [{"k": "one", "n": 1}, {"k": "two", "n": 2}, {"k": "three", "n": 3}],
        "x.y": "dot", "null": None, "empty": [],
    }  # fmt: skip
    request = RawRequest(
        request_id="r", source="s", vendor="w", received_at=NOW, body="", query="q=1&q=2", headers={"x-topic": "t"}
    )
    assert look(path)(Seen(message, {"account": "acc"}, request)) == found


@pytest.mark.parametrize("path", ["", "a..b", "a[", "a[x]", "{a}", "$heder.x", "$query", "a" * 300, ".".join("a" * 20)])
def test_what_is_no_path_is_refused_with_a_way_out(path: str) -> None:
    with pytest.raises(ValueError, match=r"path|look at|template"):
        parsed(path)
    assert len(parsed(".".join("a" * MAX_STEPS)).steps) == MAX_STEPS


def test_a_path_costs_little_whatever_it_meets() -> None:
    nested: Any = "x"
    for _ in range(6):
        nested = {"a": [nested] * 50}
    began = time.process_time()
    found = look(".".join(["a", "*"] * 6))(
        Seen(nested, {}, RawRequest(request_id="r", source="s", vendor="w", received_at=NOW, body=""))
    )
    assert len(found) <= 100 and time.process_time() - began < 1, "50 to the power of 6 were there"


@pytest.mark.parametrize(
    ("text", "shape", "fits"),
    [
        ("ticket.created", "ticket.*", True),
        ("ticket", "ticket.*", False),
        ("abc", "a?c", True),
        ("abc", "a?", False),
        ("aXbXc", "a*b*c", True),
        ("aba", "ab*ba", False),
        ("", "*", True),
        ("x" * 2_001, "*", False),
        ("a.c", "a[.]c", False),
        ("xabyb", "*a?y*", True),
    ],
)
def test_shapes(text: str, shape: str, fits: bool) -> None:
    assert has_shape(text, shape) is fits


def test_no_shape_runs_away() -> None:
    """As a regular expression (`.*a.*a…b`) this takes longer than anybody waits."""
    began = time.process_time()
    for shape in ("*a" * 90 + "*b", "*a?" * 60 + "*b", "(a+)+$", "*?" * 90 + "b"):
        assert not has_shape("a" * 2_000, shape)
    assert time.process_time() - began < 2


@given(text=st.text("ab", max_size=8), shape=st.text("ab?*", max_size=6))
def test_shapes_agree_with_the_slow_way(text: str, shape: str) -> None:
    def slow(text: str, shape: str) -> bool:
        if not shape:
            return not text
        if shape[0] == "*":
            return any(slow(text[n:], shape[1:]) for n in range(len(text) + 1))
        return bool(text) and shape[0] in ("?", text[0]) and slow(text[1:], shape[1:])

    assert has_shape(text, shape) is slow(text, shape)


@pytest.mark.parametrize(
    ("condition", "message", "holds"),
    [
        ({"equals": "Open"}, {"x": "open"}, True),
        ({"equals": True}, {"x": True}, True),
        ({"equals": 1}, {"x": "1"}, True),
        ({"in": ["a", "b"]}, {"x": "B"}, True),
        ({"in": ["a", "b"]}, {"x": ["b"]}, False),
        ({"exists": True}, {"x": 0}, True),
        ({"exists": True}, {"x": None}, False),
        ({"exists": False}, {}, True),
        ({"matches": "tick*"}, {"x": "Ticket"}, True),
    ],
)
def test_conditions(condition: dict[str, Any], message: dict[str, Any], holds: bool) -> None:
    mapping = made(when=[{"path": "x", **condition}])
    (result,) = read(mapping, {**EVENT, **message})
    assert isinstance(result, Mapped) is holds
    (result,) = read(made(unless=[{"path": "x", **condition}]), {**EVENT, **message})
    assert isinstance(result, Mapped) is not holds


@pytest.mark.parametrize(
    ("rule", "stated", "found"),
    [
        ({}, "2026-07-01T12:00:00+02:00", "2026-07-01T10:00:00+00:00"),
        ({"zone": "Europe/Amsterdam"}, "2026-07-01T12:00:00", "2026-07-01T10:00:00+00:00"),
        ({"zone": "Europe/Amsterdam"}, "2026-01-01 12:00", "2026-01-01T11:00:00+00:00"),
        ({"zone": "-05:30"}, "2026-01-01T12:00:00", "2026-01-01T17:30:00+00:00"),
        ({}, 1795255200, "2026-11-21T10:00:00+00:00"),
        ({}, "1795255200000", "2026-11-21T10:00:00+00:00"),
        ({}, "20261121", "2026-11-21T00:00:00+00:00"),
        ({"format": "s"}, "1795255200.5", "2026-11-21T10:00:00.500000+00:00"),
        ({"format": "ms"}, 5_000, "1970-01-01T00:00:05+00:00"),
        ({"format": "iso"}, 1795255200, ""),
        ({"format": "%d.%m.%Y %H:%M", "zone": "Europe/Berlin"}, "01.07.2026 12:00", "2026-07-01T10:00:00+00:00"),
        ({"format": "%Y-%m-%d %H:%M %z"}, "2026-07-01 12:00 +0300", "2026-07-01T09:00:00+00:00"),
        ({"format": "%d.%m.%Y"}, "2026-07-01", ""),
        ({}, "1" * 5_000, ""),
        ({}, 1e300, ""),
        ({}, True, ""),
        ({}, {"a": 1}, ""),
        ({}, "2250-01-01T00:00:00Z", ""),
    ],
)
def test_times(rule: dict[str, Any], stated: Any, found: str) -> None:
    mapping = made(time={"path": "at", **rule})
    if found:
        assert one(mapping, at=stated).occurred_at.isoformat() == found
    else:
        refused = refusal(mapping, at=stated)
        assert "`at`" in refused.message and refused.reason in ("bad_time", "missing_field")


def test_values_words_defaults_and_texts() -> None:
    mapping = made(
        name="order.{kind}",
        properties={
            "word": {"path": "w", "values": {"a": "A!", True: "yes"}, "otherwise": "other", "default": "none"},
            "kept": {"path": "w", "values": {"z": 1}},
            "list": {"path": "tags", "join": "+"},
            "first": "tags",
            "fixed": {"constant": 7},
            "full": {"template": "{f} {l}"},
        },
    )
    told = one(mapping, kind="paid", w=True, tags=["x", 2, None, {}], f="Ann", l="Smit")
    assert told.vendor_type == "order.paid"
    assert told.properties == {
        "word": "yes", "kept": True, "list": "x+2", "first": "x", "fixed": 7, "full": "Ann Smit"
    }  # fmt: skip
    assert one(mapping, w="q", f="Ann").properties == {"word": "other", "kept": "q", "fixed": 7}
    assert one(mapping).properties == {"word": "none", "fixed": 7}
    assert one(mapping).vendor_type == "custom", "a name with an empty hole is none"


def test_shared_fields_are_taken_over_and_an_events_own_wins() -> None:
    mapping = Mapping.model_validate(
        {
            **BASIC,
            "shared": {"id": "id", "time": "at", "channel": "billing", "properties": {"a": "a", "b": "b"}},
            "events": [{"name": "x", "action": "custom", "channel": "crm", "properties": {"b": "c"}}],
        }
    )
    told = one(mapping, a=1, b=2, c=3)
    assert (told.channel, told.properties) == ("crm", {"a": 1, "b": 3})


def test_people_and_accounts_are_cleaned_as_everywhere() -> None:
    mapping = made(
        person={"ids": {"email": "mail", "user": "user", "phone": "tel"}},
        account={"refs": {"crm": "crm", "domain": "site"}, "traits": {"domain": {"path": "sites", "join": " "}}},
    )
    told = one(
        mapping, mail=" Ann@Acme.Example ", user="undefined", tel="020 123", crm="n/a", site="https://www.acme.example/x",
        sites=["acme.example", "no domain", "acme.test"],
    )  # fmt: skip
    assert told.aliases == ("email:ann@acme.example",) and told.account_refs == ("domain:acme.example",)
    assert told.account_traits == {"domain": "acme.example acme.test"}
    assert refusal(mapping, user=1.5).reason == "wrong_type"


@pytest.mark.parametrize(
    ("event", "message", "words"),
    [
        ({}, {"id": None}, ["`id` is missing", "the event's id"]),
        ({}, {"at": "soon"}, ["`at`", "'soon'", "`any`", "time.format"]),
        ({"when": [{"path": "type", "equals": "a"}]}, {"type": "b"}, ["`type` is 'b'", "`ignore` rule"]),
        ({"when": [{"path": "api_key", "equals": "a"}]}, {"api_key": "hush"}, ["`api_key` is (hidden)"]),
        (
            {"action": "ticket_status", "properties": {"current": "s"}},
            {"s": "snoozed"},
            ["`properties.current`", "'snoozed'", "solved", "`values`"],
        ),
        ({"action": "survey_answered", "score": "n", "score_kind": "nps"}, {"n": 11}, ["11", "0–10", "`scale`"]),
        ({"action": "deal_stage_changed", "properties": {"value": "v"}}, {}, ["`properties.value` is empty"]),
        (
            {"action": "deal_stage_changed", "properties": {"outcome": "o"}},
            {"o": "gewonnen"},
            ["`properties.outcome`", "'gewonnen'", "open, won, lost", "`values`"],
        ),
    ],
)
def test_a_refused_message_names_field_value_and_way_out(
    event: dict[str, Any], message: dict[str, Any], words: list[str]
) -> None:
    told = refusal(made(**event), **message).message
    assert [word for word in words if word not in told] == [], told
    assert "hush" not in told


def test_a_stage_is_told_as_every_crm_tells_it() -> None:
    told = one(made(action="deal_stage_changed", properties={"value": "s", "amount": "n"}), s="Closed Won", n=5)
    assert told.properties == {"property": "dealstage", "value": "closedwon", "amount": 5}
    assert told.channel == "crm"


def test_how_a_deal_ended_is_told_beside_its_stage() -> None:
    told = {"value": "s", "outcome": {"path": "won", "values": {"true": "won"}}}
    both = one(made(action="deal_stage_changed", properties=told), s="Gewonnen", won=True)
    assert both.properties == {"property": "dealstage", "value": "gewonnen", "outcome": "won"}
    alone = one(made(action="deal_stage_changed", properties=told), won=True)
    assert alone.properties == {"outcome": "won"}


def test_what_nothing_fits_may_be_ignored() -> None:
    never = [{"path": "x", "equals": "y"}]
    mapping = Mapping.model_validate(
        {**BASIC, "unmatched": "ignore", "events": [{**BASIC["events"][0], "when": never}]}
    )
    assert read(mapping, EVENT) == [Ignored("unmatched")]


def test_messages_in_a_list_deep_in_the_body_keep_their_exact_text() -> None:
    mapping = Mapping.model_validate({**BASIC, "receive": {"scheme": "token", "each": "data.items"}})
    body = '{"a": 1, "data": {"n": 2, "items": [{"id": "1", "at": "2026-11-21"},  {"id" : 1e400}, {"at":"x"}]}}'
    results = declared("s", mapping).read(
        RawRequest(request_id="r", source="s", vendor="webhook", received_at=NOW, body=body)
    )
    assert [type(result) for result in results] == [Mapped, Refused, Refused]
    assert [result.original for result in results if isinstance(result, Refused)] == ['{"id" : 1e400}', '{"at":"x"}']


@pytest.mark.parametrize(
    ("content", "body"),
    [("form", "id=1&at=2026-11-21"), ("xml", "<event><id>1</id><at>2026-11-21</at></event>")],
)
def test_other_contents(content: str, body: str) -> None:
    each = "event" if content == "xml" else ""
    mapping = Mapping.model_validate({**BASIC, "receive": {"scheme": "token", "content": content, "each": each}})
    (result,) = declared("s", mapping).read(
        RawRequest(request_id="r", source="s", vendor="webhook", received_at=NOW, body=body)
    )
    assert isinstance(result, Mapped) and result.touchpoint.vendor_event_id == "1"


# --- how requests come in ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stated", "scheme"),
    [
        ("bearer", Token(b"authorization", b"Bearer ")),
        ({"kind": "basic"}, Basic()),
        ({"kind": "token", "header": "x-desk-token"}, Token(b"x-desk-token")),
        (
            {"kind": "hmac", "header": "x-sig", "encoding": "hex", "prefix": "v0=",
             "message": ["timestamp", ":", "body"], "timestamp": "s", "timestamp_header": "x-at", "tolerance_s": 60},
            Hmac(b"x-sig", ("timestamp", ":", "body"), encoding="hex", prefix=b"v0=", timestamp="s",
                 timestamp_header=b"x-at", tolerance_s=60),
        ),
    ],
)  # fmt: skip
def test_schemes(stated: Any, scheme: Any) -> None:
    webhook = declared("s", Mapping.model_validate({**BASIC, "receive": {"scheme": stated}})).webhook
    assert webhook is not None and webhook.scheme == scheme


# --- what is refused at start ----------------------------------------------------------------------------------

SOUND = """\
version: 1
receive:
  scheme: token
shared:
  time: at
events:
  - name: a
    action: custom
    id: id
    when: [{path: type, equals: a}]
    person: {ids: {email: mail}}
  - name: b
    action: ticket_status
    properties: {current: status}
examples:
  - request: {body: {type: a, id: 1, at: 2026-11-21}}
    expect: [{vendor_type: a}]
"""

#: What is changed in the sound one → where the complaint stands, and words of it.
REFUSED: dict[str, tuple[str, str, str, list[str]]] = {
    "unknown key": ("action: custom", "acton: custom", ":8:5", ["unknown key; did you mean `action`?"]),
    "unknown action": ("action: custom", "action: ticket_creatd", ":8:5", ["did you mean `ticket_created`?"]),
    "no path": ("id: id", "id: a..b", ":9:5", ["no path", "'a..b'", "write `a.b`"]),
    "a hole in a path": ("id: id", 'id: "x{a}"', ":9:5", ["`template`"]),
    "two tests": ("equals: a}", "equals: a, exists: true}", ":10:12", ["exactly one of `equals`"]),
    "the word `in`": ("equals: a}", "inn: [a]}", ":10:25", ["did you mean `in`?"]),
    "unknown kind of id": ("email: mail", "e_mail: mail", ":11:20", ["did you mean `email`?"]),
    "unknown scheme": ("scheme: token", "scheme: standard_webhook", ":3:3", ["did you mean `standard_webhooks`?"]),
    "unsigned body": (
        "scheme: token", "scheme: {kind: hmac, header: x-s, message: [id], id_header: x-i}", ":3:3", ["hold `body`"]
    ),
    "unsigned stamp": ("scheme: token", "scheme: {kind: hmac, header: x-s, timestamp: s}", ":3:3", ["`timestamp`"]),
    "a secret's header": ("id: id", "id: $header.authorization", ":9:5", ["`authorization`", "never kept"]),
    "a cookie in a text": ("name: a", 'name: "a{$header.cookie}"', ":7:5", ["`cookie`", "never kept"]),
    "the proof's header": ("id: id", "id: $header.x-webhook-token", ":9:5", ["`x-webhook-token`", "never kept"]),
    "a handshake's place": (
        "scheme: token", "scheme: token\n  handshakes: [{when: {$header.x: y}}]", ":4:16", ["no place of a handshake"]
    ),
    "a handshake that would open a hole": (
        "scheme: token", "scheme: token\n  handshakes: [{signed: false}]", ":2:1", ["needs `when`"]
    ),
    "no time": ("  time: at\n", "  channel: x\n", ":7:5", ["`time` is missing", "received: true"]),
    "time of receipt without id": ("time: at", "time: {received: true}", ":12:5", ["needs an `id`"]),
    "unknown zone": ("time: at", "time: {path: at, zone: Europe/Amsterdm}", ":5:20", ["no time zone"]),
    "a zone that is a file": ("time: at", "time: {path: at, zone: ../../etc/passwd}", ":5:20", ["no time zone"]),
    "a time without its year": ("time: at", 'time: {path: at, format: "%d/%m %H:%M"}', ":5:20", ["no time format"]),
    "nothing to tell a status by": ("{current: status}", "{curent: status}", ":13:5", ["needs `properties.current`"]),
    "what is never kept": ("{current: status}", "{current: status, api_key: k}", ":14:35", ["never kept"]),
    "takes every message": ("    when: [{path: type, equals: a}]\n", "", ":7:5", ["takes every message"]),
    "said by operators alone": ("action: custom", "action: decision", ":8:5", ["operators alone"]),
    "an example that fails": ("{vendor_type: a}", "{vendor_type: b}", ":17:14", ["`vendor_type` is 'a', expected 'b'"]),
    "an example's misspelt field": ("{vendor_type: a}", "{vendr_type: a}", ":17:14", ["did you mean `vendor_type`?"]),
    "an example of too many": ("[{vendor_type: a}]", "[]", ":17:5", ["1 messages came of it, 0 were expected"]),
    "an example that is refused": ("id: 1, at", "at", ":17:14", ["refused (missing_field)", "`id` is missing"]),
    "no regular expressions": ("equals: a}", "matches: " + "a" * 300 + "}", ":10:25", ["at most 200"]),
}  # fmt: skip


def in_folder(folder: Path, text: str, **source: Any) -> Path:
    (folder / "m.yaml").write_text(text)
    (folder / "secret").write_text("s3cret")
    listed = {"name": "desk", "vendor": "webhook", "secrets": [{"file": "secret"}], "mapping": "m.yaml", **source}
    (folder / "touchline.yaml").write_text(yaml.safe_dump({"sources": [listed]}, sort_keys=False))
    return folder / "touchline.yaml"


def test_the_sound_one_is_sound(tmp_path: Path) -> None:
    path = in_folder(tmp_path, SOUND)
    assert validated(path) == [] == validated(tmp_path / "m.yaml")
    assert isinstance(load_config(path, env={}).sources[0].mapping, Mapping)


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_mapping_is_refused_with_its_place(name: str, tmp_path: Path) -> None:
    old, new, place, words = REFUSED[name]
    assert SOUND.count(old) == 1
    path = in_folder(tmp_path, SOUND.replace(old, new))
    for file in (path, tmp_path / "m.yaml"):
        told = "\n".join(map(str, validated(file)))
        assert f"m.yaml{place}: " in told, told
        assert [word for word in words if word not in told] == [], told
    if "example" not in name:
        with pytest.raises(ConfigurationError, match=rf"m\.yaml{place}: "):
            load_config(path, env={})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mapping": "none.yaml"}, ["touchline.yaml:6:3: sources.0.mapping: no such file"]),
        ({"mapping": "../outside.yaml"}, ["outside the configuration's folder"]),
        ({"mapping": "/etc/passwd"}, ["outside the configuration's folder"]),
        ({"mapping": "link.yaml"}, ["outside the configuration's folder"]),
        ({"mapping": "big.yaml"}, ["larger than 256 KiB"]),
        ({"mapping": "latin.yaml"}, ["not UTF-8"]),
        ({"mapping": "broken.yaml"}, ["broken.yaml:2:1", "not valid YAML"]),
        ({"mapping": "."}, ["no such file"]),
        ({"mapping": None}, ["touchline.yaml:3:3: sources.0.vendor: `webhook` needs `mapping`"]),
        ({"vendor": "zendesk"}, ["sources.0.mapping: `zendesk` is understood without a mapping"]),
    ],
)
def test_a_file_that_is_no_mapping(changes: dict[str, Any], words: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    (tmp_path / "outside.yaml").write_text(SOUND)
    (folder / "link.yaml").symlink_to(tmp_path / "outside.yaml")
    (folder / "big.yaml").write_text("# " + "x" * 256 * 1024)
    (folder / "latin.yaml").write_bytes(b"version: \xff")
    (folder / "broken.yaml").write_text("version: [\n")
    path = in_folder(folder, SOUND, **changes)
    told = [str(complaint) for complaint in read_config(path, env={}).complaints]
    assert len(told) == 1 and [word for word in words if word not in told[0]] == [], told


def test_a_mapping_may_stand_in_the_configuration_itself(tmp_path: Path) -> None:
    inline = yaml.safe_load(SOUND)
    inline["examples"][0]["request"]["body"]["file"] = "x.pdf"
    path = in_folder(tmp_path, "unused", mapping=inline)
    assert validated(path) == []
    (source,) = load_config(path, env={}).sources
    assert source.mapping is not None and failures(source.mapping) == []
    assert source.mapping.examples[0].request.body["file"] == "x.pdf", "paths of the configuration alone are anchored"
