"""What senders write where an id should be is never an alias, and it is reported with its source."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from schemas.touchpoints import CleanTouchpoint, RawRequest
from services.cli.commands.doctor.nobodies import nobodies_of
from services.common.placeholder_ids import Placeholder, SharedId
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
    # holes of other templates, and what an address bar, a page or quotes made of one
    *("__USER_ID__", "[USER_ID]", "[%USER%]", "{{ user_id }", "%%user_id%%", "##user##", "@@user@@", "{!Contact.Id}"),
    *("%(user_id)s", "%s", "{0}", "$1", ":user_id", "{user.id||''}", "%7B%7Buser.id%7D%7D", "&lt;user&gt;"),
    *('"undefined"', "'null'", '""', "{}", "---", "***", "\\N", "YOUR_USER_ID", "your-user-id"),
    # nothing, joined to what it would be called
    *("null_null", "user-undefined", "user:undefined", "visitor-null", "id_null", "anon-id", "guest-", "noid", "no-id"),
    # nobody, in words of other languages and of programs that hide people
    *("anoniem", "onbekend", "Gast", "niet ingelogd", "unbekannt", "invité", "unset", "[deleted]", "redacted"),
    *("opt-out", "OPT_OUT", "consent_denied", "cookieless", "not_authenticated", "unauthenticated"),
    # logins that everybody has, numbers and UUIDs that nobody drew, hashes of nothing
    *("admin", "system", "default", "public", "demo", "asdf", "123456789", "1234567890", "xxxx", "0.0"),
    *("00000000-0000-0000-0000-000000000001", "00000000-0000-4000-8000-000000000000", "0" * 20),
    *("12345678-1234-1234-1234-123456789012", "550e8400-e29b-41d4-a716-446655440000"),
    *(
        "d41d8cd98f00b204e9800998ecf8427e",
        "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709",
        "37a6259cc0c1dae299a7866489dff0bd",
    ),
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
]
MORE_IDS = [
    *(
        "u1",
        "42",
        "1001",
        "12345",
        "jan.demo",
        "demo-42",
        "user_7",
        "guest123",
        "anonymous_8f2c",
        "admin42",
        "test-7f3a",
    ),
    *("null-island-42", "u-undefinedness", "usr_123", "A-100", "{7f3a2b9c}", "00012", "public-42", "nobody42"),
]
IDS = [
    *MORE_IDS,
    "4c3b8f2e-93d1-4f0a-8f4e-1f7f2c1a9a10",
    "GA1.2.1234567890.1700000000",
    "user-17",
    "u0",
    "10",
    "anna",
    "nulla-42",
]


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
    assert touchpoint.properties[NOBODY] == literal.strip()[:60]


@pytest.mark.parametrize("value", IDS)
def test_an_id_is_an_id(value: str) -> None:
    touchpoint = segment(value)
    assert touchpoint.aliases == (f"anonymous:{value}",)
    assert NOBODY not in touchpoint.properties


@pytest.mark.parametrize("address", ["none@none.com", "test@acme.nl", "noemail@acme.nl", "voornaam.achternaam@x.nl"])
def test_an_address_of_nobody_is_none(address: str) -> None:
    assert segment("a-1", traits={"email": address}).aliases == ("anonymous:a-1",)


@pytest.mark.parametrize(
    "address",
    ["gast@acme.nl", "demo@acme.nl", "anna@default.nl", "system.jones@acme.nl", "x@acme.nl", "customer@acme.nl"],
)
def test_what_would_be_no_id_may_be_a_name(address: str) -> None:
    assert f"email:{address}" in segment("a-1", traits={"email": address}).aliases


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
