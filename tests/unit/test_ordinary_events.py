"""Ordinary websites are understood: of the names and pages in public specs nearly all have a type of the catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import orjson
import pytest
import yaml

from schemas.touchpoints import CleanTouchpoint, RawRequest
from streams.connectors.registry import CONNECTORS
from streams.connectors.results import Mapped
from streams.connectors.web import circumstances, traits
from streams.journey.blueprints import load, parse
from streams.journey.compiled import CompiledBlueprint

FOLDER = Path(__file__).parents[1] / "data" / "ordinary"
LISTS = sorted(path.stem for path in FOLDER.glob("*.yaml"))
BLUEPRINT = load()
AT = datetime(2026, 2, 1, 9, tzinfo=UTC)
LEAST = 0.95
GENERIC = frozenset({"unmapped", "website_visit"})
"""What a page has that nothing names."""


def read(message: dict[str, Any]) -> CleanTouchpoint:
    """The touchpoint of one message to Segment's protocol."""
    stamped = {"messageId": "m", "anonymousId": "a", "timestamp": AT.isoformat(), **message}
    request = RawRequest(
        request_id="r", source="web", vendor="segment", received_at=AT, path="/v1/batch",
        body=orjson.dumps({"batch": [stamped]}).decode(),
    )  # fmt: skip
    result = next(iter(CONNECTORS["segment"].read(request)))
    assert isinstance(result, Mapped)
    return result.touchpoint


def listed(name: str) -> Iterator[tuple[str, str, CleanTouchpoint]]:
    """(what is sent, the type it should have, its touchpoint) of one list."""
    told = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    assert told["source"]
    for kind, names in told.get("events", {}).items():
        for sent in names:
            yield sent, kind, read({"type": "track", "event": sent, "properties": {}})
    for kind, pages in told.get("pages", {}).items():
        for sent in pages:
            yield sent, kind, read({"type": "page", "properties": {"path": sent}})


def missed(name: str, blueprint: CompiledBlueprint = BLUEPRINT) -> list[tuple[str, str, str]]:
    """(sent, what it should be, what it is) of those in a list that have another type."""
    found = ((sent, kind, blueprint.type_of(touchpoint).id) for sent, kind, touchpoint in listed(name))
    return [one for one in found if one[1] != one[2]]


@pytest.mark.parametrize("name", LISTS)
def test_nearly_all_of_a_list_has_its_type(name: str) -> None:
    wrong, total = missed(name), len(list(listed(name)))
    assert total >= 4
    assert 1 - len(wrong) / total >= LEAST, wrong
    assert not [sent for sent, _, found in wrong if found == "unmapped"]


@pytest.mark.parametrize(
    ("page", "masked", "kind"),
    [
        ("/quote/jan%40acme.com/accept", "/quote/[email]/accept", "quote_page"),
        ("/offerte/aanvragen/jan@acme.nl", "/offerte/aanvragen/[email]", "quote_page"),
        ("/demo/request/jan@acme.com", "/demo/request/[email]", "demo_page"),
        ("/nl/contact/bedankt/jan@acme.nl", "/nl/contact/bedankt/[email]", "thanks_page"),
        ("/webinar/register/jan@acme.com", "/webinar/register/[email]", "webinar"),
        ("/survey/nps/Zk39xPq81LmN02vB7yRw", "/survey/nps/[token-d906]", "satisfaction_survey"),
        ("/login/magic/AbCdEf0123456789AbCdEf01", "/login/magic/[token-b1f5]", "account_page"),
    ],
)
def test_a_masked_part_of_a_page_hides_no_type(page: str, masked: str, kind: str) -> None:
    """Words before and behind the mask tell it, as they do without."""
    assert read(viewed(page)).page == masked
    assert type_of(viewed(page)) == kind == type_of(viewed(masked.rpartition("/[")[0]))


def test_two_words_around_a_mask_are_told_from_an_event() -> None:
    named = {"type": "track", "event": "Quote jan@acme.com requested", "properties": {}}
    assert (read(named).vendor_type, type_of(named)) == ("track:Quote [email] requested", "quote")


def type_of(message: dict[str, Any], blueprint: CompiledBlueprint = BLUEPRINT) -> str:
    return blueprint.type_of(read(message)).id


def viewed(path: str) -> dict[str, Any]:
    return {"type": "page", "properties": {"path": path}}


def sent(event: str, path: str = "") -> dict[str, Any]:
    return {"type": "track", "event": event, "properties": {}, "context": {"page": {"path": path}}}


@pytest.mark.parametrize(
    "path", ["/demo", "/en/demo", "/quote", "/offerte", "/signup", "/cancel", "/renew", "/checkout", "/contact"]
)
def test_a_view_of_a_forms_page_is_no_moment_of_truth(path: str) -> None:
    """Who looks at a form has not sent it."""
    assert not BLUEPRINT.type_of(read(viewed(path))).moment_of_truth


@pytest.mark.parametrize(
    ("path", "kind"), [("/demo", "demo_request"), ("/quote", "quote_request"), ("/offerte", "quote_request")]
)
@pytest.mark.parametrize("event", ["Form Started", "Form Submitted", "form_error"])
def test_what_is_done_in_the_form_is_the_request(path: str, kind: str, event: str) -> None:
    assert type_of(sent(event, path)) == kind


@pytest.mark.parametrize("event", ["Form Submit", "formSubmitted", "Contact Form Submitted", "contact-form-sent"])
def test_a_sent_form_is_sent_in_every_spelling(event: str) -> None:
    """So that it ends the wait which the first field began."""
    found = read(sent(event))
    assert found.action == "form_submitted"
    assert found.subject == ("form:contact" if "contact" in event.lower() else "")


def test_a_word_that_ends_in_form_is_no_form() -> None:
    assert read(sent("Platform Started")).action == "custom"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/nl/prijzen", "pricing_page"),
        ("/en-us/pricing", "pricing_page"),
        ("/be/nl/prijzen/groot", "pricing_page"),
        ("/EN/Pricing", "pricing_page"),
        ("/nl", "website_visit"),
        ("/enterprise", "website_visit"),
        ("/nlpricing", "website_visit"),
    ],
)
def test_a_language_before_the_path_is_looked_through(path: str, kind: str) -> None:
    assert type_of(viewed(path)) == kind


OWN = """
version: 1
phases: [{id: early, name: Early}, {id: late, name: Late, kind: customer}]
initial_phase: early
transitions: [{source: early, target: late}]
decisive: [{match: {action: custom, name: [bought]}, phase: late}]
types:
  - {id: dutch, name: Dutch site, phase: early, match: [{action: page_view, page: "/nl/*"}]}
  - {id: prices, name: Prices, phase: early, match: [{action: page_view, page: "/pricing-and-packages*"}]}
  - {id: sold, name: Sold, phase: late, match: [{vendor_type: "track:Purchase"}]}
"""


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (viewed("/nl/pricing-and-packages"), "dutch"),
        (viewed("/de/pricing-and-packages"), "prices"),
        (sent("Purchase"), "sold"),
        (sent("Form Submitted"), "unmapped"),
    ],
)
def test_a_blueprint_of_ones_own_has_the_last_word(message: dict[str, Any], kind: str) -> None:
    """Its page with the language goes before a longer one without; nothing of the default stands behind it."""
    assert type_of(message, parse(OWN)) == kind


@pytest.mark.parametrize("name", sorted(traits._OF_PERSONS))
def test_a_trait_of_a_person_is_found_by_each_of_its_names_alone(name: str) -> None:
    """Most events have none, which is asked first."""
    for place in ({"traits": {name: "X"}}, {"context": {"traits": {name: "X"}}}):
        assert set(read({"type": "identify", **place}).person_traits.values()) == {"X"}


@pytest.mark.parametrize("name", sorted(circumstances._EITHER))
def test_so_is_what_a_sender_says_of_programs_and_tests(name: str) -> None:
    for place in ("context", "properties"):
        assert read({"type": "track", "event": "A", place: {name: True}}).flags in (("bot",), ("test",))


@pytest.mark.parametrize("asked", [(traits, "_OF_PERSONS"), (circumstances, "_EITHER")], ids=["persons", "senders"])
def test_what_is_not_asked_first_is_not_found(asked: tuple[Any, str]) -> None:
    """Known bad: a name that is missing among those."""
    with patch.object(*asked, frozenset()):
        found = read({"type": "identify", "traits": {"role": "X"}, "context": {"is_bot": True}})
    assert not found.person_traits or not found.flags


def test_a_page_without_an_address_came_by_no_link() -> None:
    here = "https://a.com/x"
    for url, referrer, told in ((here, "https://a.com/y", "link"), (here, "https://b.com/y", None), (here, "", None)):
        page = read({"type": "page", "properties": {"url": url, "referrer": referrer}})
        assert page.properties.get("navigation") == told
    assert "navigation" not in read({"type": "page", "properties": {"referrer": here}}).properties
