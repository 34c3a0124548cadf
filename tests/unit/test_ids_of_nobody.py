"""What senders write where an id should be is never an alias, and it is reported with its source."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from schemas.touchpoints import CleanTouchpoint, RawRequest
from services.cli.commands.doctor.nobodies import nobodies_of
from services.common.nobodies import Placeholder, SharedId
from streams.connectors.registry import CONNECTORS
from streams.connectors.results import Mapped
from streams.identity.aliases import NOBODY

AT = datetime(2026, 3, 1, 8, tzinfo=UTC)
#: As pages and servers really write them: a name in the place of its value, what code makes of nothing, and the holes
#: of templates that nobody filled in.
WRITTEN = [
    *(
        "anonymousId",
        "anonymous_id",
        "undefined",
        "null",
        "None",
        "NaN",
        "[object Object]",
        "[object HTMLInputElement]",
    ),
    *(
        "{{ user.id }}",
        "${userId}",
        "%ANONYMOUS_ID%",
        "<anonymous_id>",
        "*|UNIQID|*",
        "{% user_id %}",
        "{anonymous_id}",
    ),
    *("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", "0", "-1", "1111", "(not set)"),
    *("guest", "Anonymous", "not_logged_in", "userId", "distinct_id", "async function getId() {}", "() => uuid()"),
    *("process.env.ANON_ID", "@Model.UserId", "undefinedundefined", " undefined "),
]
IDS = ["4c3b8f2e-93d1-4f0a-8f4e-1f7f2c1a9a10", "GA1.2.1234567890.1700000000", "user-17", "u0", "10", "anna", "nulla-42"]


def read(vendor: str, message: dict[str, Any]) -> CleanTouchpoint:
    body = {"batch": [message], "api_key": "k"}
    request = RawRequest(request_id="r", source="web", vendor=vendor, received_at=AT, body=orjson.dumps(body).decode())
    (result,) = CONNECTORS[vendor].read(request)
    assert isinstance(result, Mapped), result
    return result.touchpoint


def segment(anonymous: str, **fields: Any) -> CleanTouchpoint:
    told = {"type": "page", "anonymousId": anonymous, "messageId": "m", "timestamp": AT.isoformat()}
    return read("segment", told | fields)


def posthog(distinct: str) -> CleanTouchpoint:
    told = {"event": "$pageview", "distinct_id": distinct, "uuid": "u", "timestamp": AT.isoformat()}
    return read("posthog", told | {"properties": {"$lib": "web", "$device_id": distinct, "$pathname": "/"}})


@pytest.mark.parametrize("literal", WRITTEN)
@pytest.mark.parametrize("send", [segment, posthog])
def test_it_links_nobody_and_is_told(send: Any, literal: str) -> None:
    touchpoint = send(literal)
    assert touchpoint.aliases == ()
    assert touchpoint.properties[NOBODY] == literal.strip()


@pytest.mark.parametrize("value", IDS)
def test_an_id_is_an_id(value: str) -> None:
    touchpoint = segment(value)
    assert touchpoint.aliases == (f"anonymous:{value}",)
    assert NOBODY not in touchpoint.properties


def test_the_other_id_counts_beside_it() -> None:
    touchpoint = segment("undefined", userId="u-7")
    assert (touchpoint.aliases, touchpoint.properties[NOBODY]) == (("user:u-7",), "undefined")


def test_doctor_says_whose_and_how_often() -> None:
    written = [Placeholder("web", "undefined", 412, AT, AT)]
    first, second = nobodies_of(written, [SharedId("app", "anonymous:web", 180)])
    assert (first.state, second.state) == ("warning", "warning")
    assert "`web` wrote `undefined` as an id in 412 touchpoints" in first.detail
    assert "`anonymous:web` of `app` was seen with 180 people" in second.detail
    (fine,) = nobodies_of([], [])
    assert fine.state == "ok"
