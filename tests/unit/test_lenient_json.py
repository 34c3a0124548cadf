"""What senders write that is no JSON, or no text: read as nothing or as U+FFFD, everywhere, and no event is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.cli.importing.files import Opened, Row, survey
from streams.connectors import content
from streams.connectors.lenient import decoded, shallow
from streams.connectors.registry import CONNECTORS
from streams.connectors.results import Mapped, Refused, Result
from tests.gateway_kit import client, gateway, hubspot_headers, zendesk_headers
from tests.unit.test_connectors import GOLDEN, JSON, circumstances, mapped, touchpoint

NUMBERS = ("NaN", "Infinity", "-Infinity")
HALVES = ("\\ud83d", "\\uDE00", "a\\ud83db", "\\ud83d\\ud83d")
DEEP: Any = None
for _ in range(64):
    DEEP = [DEEP]
TRACK = '{"type":"track","event":"A","userId":"u","messageId":"%s","timestamp":"2026-11-21T10:00:00Z","properties":%s}'


# --- the values -----------------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_what_json_allows_is_read_as_ever(value: Any) -> None:
    """Also that no id changes: where orjson reads a text, this says the same of it."""
    text = json.dumps(value)
    try:
        expected = orjson.loads(text)
    except orjson.JSONDecodeError:
        return
    assert decoded(text) == expected and repr(decoded(text)) == repr(expected)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a":NaN,"b":[Infinity,{"c":-Infinity}]}', {"a": None, "b": [None, {"c": None}]}),
        ('"NaN \\ud83d"', "NaN \ufffd"),
        ('{"\\ud83d":["\\ude00x"]}', {"\ufffd": ["\ufffdx"]}),
        ('"\\ud83d\\ude00"', "\U0001f600"),
        ('"\\\\ud83d"', "\\ud83d"),
        ("\ufeff[1]", [1]),
        ('["a\tb\r\nc"]', ["a\tb\r\nc"]),
        ("[" * 5_000 + "1" + "]" * 5_000, DEEP),
        ('[{"a\\"]":' * 700 + "1" + "}]" * 700 + " ", None),
        ("[18446744073709551616,-9223372036854775809,18446744073709551615]", [2.0**64, -(2.0**63), 2**64 - 1]),
    ],
)
def test_values(text: str, value: Any) -> None:
    assert decoded(text) == value or value is None


def test_only_what_is_too_deep_is_cut_off() -> None:
    body = '{"batch":[%s,%s]}' % (TRACK % (1, '{"a":%s,"b":1}' % ("[" * 3_000 + "]" * 3_000)), TRACK % (2, "{}"))  # noqa: UP031
    assert [touchpoint(one).properties for one in mapped("segment", body)] == [{"b": 1}, {}]
    assert shallow(body.replace("[" * 3_000, "[[").replace("]" * 3_000, "]]")) == body.replace(
        "[" * 3_000, "[["
    ).replace("]" * 3_000, "]]")
    nameless = TRACK.replace('"messageId":"%s",', "") % ('{"a":%s}' % ("[" * 400 + "]" * 400))  # noqa: UP031
    (refused,) = mapped("segment", nameless)
    assert isinstance(refused, Refused) and refused.reason == "too_deep"


@pytest.mark.parametrize(
    "text",
    ["1e400", "-1e400", "9" * 400, "nan", "[" * 100_000, "[" * 5_000 + "]" * 4_999, '{"a":1', "", "\ufeff\ufeff1"],
)
def test_what_stays_wrong(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decoded(text)


# --- every connector, wherever it stands ------------------------------------------------------------------


JSON_BODIES = [
    path
    for path in GOLDEN
    if CONNECTORS[path.parent.name].content_of(json.loads(path.read_text())["path"]) == "json"
    and not isinstance(json.loads(path.read_text())["body"], str | None)
]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every value in it."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for name, one in inner for found in places(one, (*path, name)))]


def put(body: Any, path: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
    """The body with another value in one place."""
    if not path:
        return change(body)
    inner = list(body) if isinstance(body, list) else dict(body)
    inner[path[0]] = put(inner[path[0]], path[1:], change)
    return inner


NOTHING = [(number, None) for number in NUMBERS]
REPLACED = [(f'"{half}"', decoded(f'"{half}"')) for half in HALVES]


@pytest.mark.parametrize("path", JSON_BODIES, ids=lambda path: f"{path.parent.name}/{path.stem}")
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_wherever_it_stands_it_is_read_as_what_it_stands_for(path: Path, data: st.DataObject) -> None:
    example = json.loads(path.read_text())
    body, how = example["body"], circumstances(example)
    place = data.draw(st.sampled_from([one for one in places(body) if one]))
    written, meant = data.draw(st.sampled_from([*NOTHING, *REPLACED]))
    marked = json.dumps(put(body, place, lambda _: "@here@"))
    sent = data.draw(st.sampled_from(["", "\ufeff"])) + marked.replace('"@here@"', written)
    expected = mapped(path.parent.name, put(body, place, lambda _: meant), **how)
    assert came_to(mapped(path.parent.name, sent, **how)) == came_to(expected)


def came_to(results: list[Result]) -> list[Result]:
    """Without the exact text of what is refused, which is as it was sent."""
    return [replace(one, original="") if isinstance(one, Refused) else one for one in results]


def test_the_check_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Known bad: as it was, one such value cost its whole message."""
    monkeypatch.setattr(content, "decoded", orjson.loads)
    assert isinstance(mapped("segment", TRACK % ("m", '{"n":NaN}'))[0], Refused)


def test_neighbours_keep_their_words_and_ids() -> None:
    clean = mapped("segment", '{"batch":[' + ",".join(TRACK % (n, '{"x":1}') for n in range(3)) + "]}")
    texts = [TRACK % (0, '{"x":1}'), TRACK % (1, '{"n":NaN,"t":"hello \\ud83d"}'), TRACK % (2, '{"x":1}')]
    found = mapped("segment", '\ufeff{"sentAt":NaN,"context":{"x":"\\ud83d"},"batch":[' + ",".join(texts) + "]}")
    assert [found[0], found[2]] == [clean[0], clean[2]]
    assert touchpoint(found[1]).properties == {"n": None, "t": "hello \ufffd"}
    assert touchpoint(found[1]).event_id == touchpoint(clean[1]).event_id


def test_an_identify_with_half_an_emoji_still_says_who_it_is() -> None:
    body = '{"type":"identify","userId":"u","traits":{"email":"ann@acme.example","name":"Ann \\ud83d"}}'
    found = touchpoint(mapped("segment", body)[0])
    assert "email:ann@acme.example" in found.aliases and found.person_traits["name"] == "Ann \ufffd"


# --- every way in -----------------------------------------------------------------------------------------


BODIES = {
    "numbers": '{"batch":[%s,%s]}' % (TRACK % (1, '{"n":NaN,"m":[-Infinity]}'), TRACK % (2, "{}")),  # noqa: UP031
    "half an emoji": '{"batch":[%s,%s]}' % (TRACK % (1, '{"t":"\\ud83d"}'), TRACK % (2, "{}")),  # noqa: UP031
    "a byte-order mark": "\ufeff" + '{"batch":[%s,%s]}' % (TRACK % (1, "{}"), TRACK % (2, "{}")),  # noqa: UP031
    "a byte that is none": '{"batch":[%s,%s]}' % (TRACK % (1, '{"t":"\udcf0"}'), TRACK % (2, "{}")),  # noqa: UP031
    "a line's end": '{"batch":[%s,%s]}' % (TRACK % (1, '{"t":"a\r\n\tb"}'), TRACK % (2, "{}")),  # noqa: UP031
    "depths": '{"batch":[%s,%s]}' % (TRACK % (1, '{"t":%s}' % ("[" * 2_000 + "]" * 2_000)), TRACK % (2, "{}")),  # noqa: UP031
    "a long number": '{"batch":[%s,%s]}' % (TRACK % (1, '{"t":"%s"}' % ("9" * 5_000)), TRACK % (2, "{}")),  # noqa: UP031
    "a list with them": "\ufeff[%s,%s]" % (TRACK % (1, '{"n":Infinity}'), TRACK % (2, "{}")),  # noqa: UP031
}


@pytest.mark.parametrize("auth", [("WK", ""), ("RK", ""), None])
@pytest.mark.parametrize("name", BODIES)
async def test_the_gateway_takes_all_of_it(name: str, auth: tuple[str, str] | None) -> None:
    if auth is None and BODIES[name].lstrip("\ufeff").startswith("["):
        pytest.skip("a list has no place for a key")
    app, writer = gateway()
    body = BODIES[name] if auth else BODIES[name].replace('{"batch"', '{"writeKey":"WK","batch"', 1)
    async with client(app) as http:
        answer = await http.post(
            "/v1/batch", content=body.encode(errors="surrogateescape"), auth=auth or httpx.USE_CLIENT_DEFAULT
        )
    assert answer.status_code == 200, answer.text
    assert writer.items[0].body == body.replace("\udcf0", "\ufffd"), "the record is what was sent"
    results = [result for item in writer.items for result in CONNECTORS[item.vendor].read(item)]
    assert [type(one) for one in results] == [Mapped, Mapped]


async def test_webhooks_take_it_and_their_signature_is_of_what_was_sent() -> None:
    app, writer = gateway()
    hook = "\ufeff" + '[{"objectId":5,"propertyValue":NaN},3]'
    ticket = '\ufeff{"detail":{"subject":"\\ud83d"}}'
    async with client(app) as http:
        first = await http.post("/hubspot/crm", content=hook.encode(), headers=hubspot_headers(hook.encode()))
        second = await http.post("/zendesk/support", content=ticket.encode(), headers=zendesk_headers(ticket.encode()))
        third = await http.post(
            "/v1/touchline", content='\ufeff{"records":[{"kind":"owner","id":NaN}]}'.encode(), auth=("OK", "")
        )
    assert [first.status_code, second.status_code, third.status_code] == [200, 200, 200]
    assert [item.source for item in writer.items] == ["crm", "support", "operators"]


@pytest.mark.parametrize("odd", ["1", '"x"', "null", "[]", "NaN"])
@pytest.mark.parametrize("batch", ['{"batch":[%s,%s]}', "[%s,%s]"])
async def test_what_is_no_object_in_a_list_costs_itself_alone(batch: str, odd: str) -> None:
    app, writer = gateway()
    async with client(app) as http:
        answer = await http.post("/v1/batch", content=batch % (odd, TRACK % (1, "{}")), auth=("WK", ""))
        nothing = await http.post("/v1/batch", content=f"[{odd}]", auth=("WK", ""))
    assert (answer.status_code, nothing.status_code) == (200, 400)
    refused, kept = CONNECTORS["segment"].read(writer.items[0])
    assert isinstance(refused, Refused) and refused.original == odd and isinstance(kept, Mapped)


def test_files_that_are_imported_are_read_the_same(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('\ufeff{"id":1,"n":NaN}\n{"id":2,"t":"\\ud83d"}\n', encoding="utf-8")
    rows = list(Opened(survey(file)).rows())
    assert rows == [Row(1, {"id": 1, "n": None}), Row(2, {"id": 2, "t": "\ufffd"})]
