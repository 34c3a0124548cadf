"""What every connector of the registry must keep, from the HTTP request to the touchpoint."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.capabilities import CAPABILITIES, Capability
from schemas.config import Config, SourceConfig
from schemas.touchpoints import CleanTouchpoint, RawRequest
from services.gateway.app import Gateway
from services.gateway.bootstrap import build
from services.gateway.routes import Routes
from services.gateway.samples import Outgoing, Sender, sample_of
from services.gateway.signatures import Signed, prove
from streams.connectors.registry import CONNECTORS, fed_by, feeders
from streams.connectors.results import Mapped
from streams.connectors.schemes import Hmac, QueryToken
from streams.connectors.spec import Connector, Erasures
from tests.gateway_kit import NOW, REF, FakeWriter, client

FIXTURES = Path(__file__).parents[1] / "fixtures" / "vendors"
BASE = "https://gw.example"
SECRET = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#: Ids that are everybody's, whichever source names them.
GLOBAL = {"email", "mailbox", "phone", "user", "anonymous"}
EACH = pytest.mark.parametrize("connector", CONNECTORS.values(), ids=list(CONNECTORS))


def gateway_of(connector: Connector) -> tuple[Gateway, FakeWriter]:
    """A gateway with one source, `it`, of this connector."""
    asked = connector.webhook.tenant if connector.webhook else None
    tenant = asked.example if asked else ""
    source = SourceConfig(name="it", vendor=connector.name, secrets=REF, public_base_url=BASE, tenant=tenant)
    writer = FakeWriter()
    made = build(
        Config(sources=(source,)),
        secrets={"it": (SECRET,)},
        writer=writer,
        clock=lambda: NOW,
        connectors={connector.name: connector},
    )
    return made, writer


def sample(connector: Connector) -> Outgoing:
    return sample_of(connector, Sender("it", SECRET, BASE), NOW)


async def sent(app: Gateway, request: Outgoing) -> httpx.Response:
    async with client(app) as http:
        url = f"{request.path}?{request.query}" if request.query else request.path
        return await http.request(request.method, url, content=request.body, headers=request.headers)


@EACH
async def test_the_sample_is_taken_and_understood(connector: Connector) -> None:
    app, writer = gateway_of(connector)
    answer = await sent(app, sample(connector))
    assert answer.status_code == 200 and answer.content == connector.answers.ok.body
    results = connector.read(writer.items[0])
    assert results and all(isinstance(result, Mapped) for result in results), results
    for result in results:
        assert isinstance(result, Mapped) and result.touchpoint.source == "it"


@EACH
async def test_one_byte_changed_is_refused(connector: Connector) -> None:
    """Of the body where it is signed; of the key, the token or the password where that is the proof."""
    app, writer = gateway_of(connector)
    good = sample(connector)
    webhook = connector.webhook
    if webhook is not None and isinstance(webhook.scheme, Hmac):
        bad = replace(good, body=good.body[:-2] + b" " + good.body[-1:])
    elif webhook is not None and isinstance(webhook.scheme, QueryToken):
        bad = replace(good, query=good.query[:-1] + ("A" if good.query[-1] != "A" else "B"))
    else:
        told = good.headers["authorization"]
        other = told[:-3] + ("A" if told[-3] != "A" else "B") + told[-2:]
        bad = replace(good, headers={**good.headers, "authorization": other})
    assert (await sent(app, bad)).status_code == 401
    assert writer.items == []
    assert (await sent(app, good)).status_code == 200


WEBHOOKS = [connector for connector in CONNECTORS.values() if connector.webhook is not None]


@pytest.mark.parametrize("connector", WEBHOOKS, ids=lambda connector: connector.name)
async def test_a_webhook_reaches_the_source_its_path_names(connector: Connector) -> None:
    app, writer = gateway_of(connector)
    other = sample_of(connector, Sender("another", SECRET, BASE), NOW)
    assert (await sent(app, other)).status_code == 404 and writer.items == []


BARE = [
    (connector, method)
    for connector in WEBHOOKS
    if connector.webhook
    for shake in connector.webhook.handshakes
    if not (shake.signed or shake.when or shake.token)
    for method in shake.methods
]


@pytest.mark.parametrize(("connector", "method"), BARE, ids=[f"{one.name} {method}" for one, method in BARE])
async def test_a_handshake_told_by_its_method_is_answered_and_nothing_is_stored(
    connector: Connector, method: str
) -> None:
    app, writer = gateway_of(connector)
    answer = await sent(app, Outgoing(method, sample(connector).path, "", {}, b""))
    assert (answer.status_code, writer.items) == (200, [])


@EACH
@settings(max_examples=60, deadline=None)
@given(body=st.binary(max_size=200) | st.sampled_from([b"[]", b"{}", b'{"a":1e400}', b'"\\ud800"', b"\xff", b"\0" * 9]))
async def test_no_bytes_of_a_known_sender_break_the_gateway(connector: Connector, body: bytes) -> None:
    app, writer = gateway_of(connector)
    request = _proved(connector, body)
    answer = await sent(app, request)
    assert answer.status_code in (200, 400), answer.text
    for item in writer.items:
        connector.read(item)


def _proved(connector: Connector, body: bytes) -> Outgoing:
    good = replace(sample(connector), body=body)
    webhook = connector.webhook
    if webhook is None or not isinstance(webhook.scheme, Hmac):
        return good
    url = f"{BASE}{good.path}".encode()
    proof = prove(webhook.scheme, SECRET, Signed(good.method.encode(), (url,), {}, body), NOW)
    return replace(good, headers={**good.headers, **{name.decode(): value.decode() for name, value in proof.items()}})


# --- what a connector says of itself is so ------------------------------------------------------------


def touchpoints(connector: Connector) -> list[CleanTouchpoint]:
    """All that its examples come to."""
    found: list[CleanTouchpoint] = []
    for path in sorted((FIXTURES / connector.name).glob("*.json")):
        example = json.loads(path.read_text())
        told = "" if example["body"] is None else example["body"]
        body = told if isinstance(told, str) else json.dumps(told)
        request = RawRequest(
            request_id="r", source="web", vendor=connector.name, received_at=NOW,
            path=example["path"], query=example["query"], body=body, headers=example.get("headers", {}),
        )  # fmt: skip
        found += [result.touchpoint for result in connector.read(request) if isinstance(result, Mapped)]
    return found


TELLS: dict[Capability, Callable[[CleanTouchpoint], Any]] = {
    "page_view": lambda one: one.action == "page_view",
    "click": lambda one: one.action == "click",
    "form": lambda one: one.action.startswith("form_"),
    "client_error": lambda one: one.action == "client_error",
    "product_event": lambda one: one.action == "custom",
    "event": lambda one: one.action == "custom",
    "survey": lambda one: one.score is not None,
    "words": lambda one: one.text,
    "ticket": lambda one: one.action == "ticket_created",
    "ticket_status": lambda one: one.action == "ticket_status",
    "ticket_reply": lambda one: one.action.startswith("ticket_replied"),
    "ticket_answer": lambda one: one.action == "ticket_replied_by_agent",
    "deal": lambda one: one.action.startswith("deal_"),
    "lifecycle": lambda one: one.action == "lifecycle_changed",
    "person": lambda one: one.person_traits,
    "organisation": lambda one: one.account_refs and one.account_traits,
    "erasure": lambda one: one.vendor_type in (CONNECTORS[one.vendor].erasures or Erasures(())).types,
}


@EACH
def test_what_it_says_to_feed_its_examples_show(connector: Connector) -> None:
    """Those that share a mapping share its examples."""
    family = [one for one in CONNECTORS.values() if one.map is connector.map]
    shown = [found for one in family for found in touchpoints(one)]
    assert [word for word in connector.feeds if not any(TELLS[word](one) for one in shown)] == []


def test_the_check_of_capabilities_can_fail() -> None:
    """Known bad: a connector of tickets does not tell deals."""
    shown = touchpoints(CONNECTORS["zendesk"])
    assert shown and not any(TELLS["deal"](one) for one in shown)


@EACH
def test_it_speaks_the_ids_it_names_and_no_others(connector: Connector) -> None:
    for one in touchpoints(connector):
        kinds = {alias.partition(":")[0] for alias in one.aliases}
        assert kinds <= GLOBAL | {*connector.ids.people, *connector.ids.records}, one.aliases
        assert {ref.partition(":")[0] for ref in one.account_refs} <= set(connector.ids.accounts), one.account_refs


def test_every_capability_is_explained_and_told_by_somebody() -> None:
    assert set(TELLS) == set(CAPABILITIES) == fed_by(CONNECTORS)
    assert all(feeders(word) for word in CAPABILITIES)


@EACH
def test_its_sample_is_another_event_each_time_and_safe_to_show(connector: Connector) -> None:
    one, other = (connector.sample(at).body for at in (NOW, NOW.replace(year=2027)))
    assert one != other
    assert "example" in one or "sample" in one


def test_paths_that_connectors_share_mean_one_thing() -> None:
    Routes(CONNECTORS.values())
    segment = CONNECTORS["segment"]
    assert segment.keyed is not None
    changed = replace(segment.keyed, calls=tuple(replace(call, cors=False) for call in segment.keyed.calls))
    with pytest.raises(ValueError, match="`/v1/track` is used by connectors in different ways"):
        Routes([segment, replace(segment, name="other", ways_in=(changed,))])


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"name": "Zen-Desk"}, "lower_snake_case"),
        ({"keep_headers": ("Authorization",)}, "no secret"),
        ({"keep_headers": ("cookie",)}, "no secret"),
        ({"keep_headers": ("x-api-key",)}, "no secret"),
        ({"keep_headers": ("X-Topic",)}, "lower case"),
        ({"keep_headers": ("x-zendesk-webhook-signature-timestamp",)}, "no secret"),
        ({"keep_headers": tuple(f"x-{n}" for n in range(9))}, "at most 8"),
    ],
)
def test_a_connector_that_cannot_be_is_refused_where_it_is_made(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        replace(CONNECTORS["zendesk"], **changes)
