"""Which rules the connected sources can feed, and what the vendors' mappings tell them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from schemas.touchpoints import CleanTouchpoint, RawRequest
from streams.connectors.registry import CONNECTORS, fed_by, feeders
from streams.connectors.results import Mapped
from streams.friction.feeds import feedable, unfed
from streams.journey.blueprints import load

BLUEPRINT = load().source


def test_everything_a_rule_asks_for_is_told_by_some_connector() -> None:
    assert {word for rule in BLUEPRINT.rules for word in rule.fed_by} <= fed_by(CONNECTORS)


def test_with_every_source_every_rule_is_fed() -> None:
    assert all(feedable(BLUEPRINT, fed_by(CONNECTORS)).values())
    assert unfed(BLUEPRINT, fed_by(CONNECTORS), feeders) == []


def test_without_a_helpdesk_what_it_feeds_is_said() -> None:
    found = feedable(BLUEPRINT, fed_by(["segment"]))
    assert not found["ticket_reopened"] and not found["deal_regressed"]
    assert found["rage_click"] and found["struggle"] and found["misaligned"]
    said = unfed(BLUEPRINT, fed_by(["segment"]), feeders)
    helpdesks = ", ".join(feeders("ticket_status"))
    assert f"rule `ticket_reopened` finds nothing: no configured source feeds it ({helpdesks})" in said


def test_compound_rules_need_what_they_are_made_of() -> None:
    found = feedable(BLUEPRINT, fed_by(["hubspot"]))
    assert found["struggle"], "several rules are fed by it"
    assert not found["misaligned"], "nobody states anything there"
    assert not any(can for rule, can in feedable(BLUEPRINT, set()).items())


def segment(**message: Any) -> CleanTouchpoint:
    told = {"type": "page", "anonymousId": "a", "messageId": "m", "timestamp": "2026-03-02T09:00:00Z"} | message
    return mapped("segment", told)


def mapped(vendor: str, message: dict[str, Any]) -> CleanTouchpoint:
    request = RawRequest(
        request_id="r", source="s", vendor=vendor, received_at=datetime(2026, 3, 2, 9, tzinfo=UTC),
        body=orjson.dumps(message).decode(),
    )  # fmt: skip
    (result,) = CONNECTORS[vendor].read(request)
    assert isinstance(result, Mapped), result
    return result.touchpoint


@pytest.mark.parametrize(
    ("referrer", "navigation"),
    [
        ("https://shop.example/a", "link"),
        ("https://search.example/", None),
        ("", None),
    ],
)
def test_a_page_reached_by_a_link_of_the_site(referrer: str, navigation: str | None) -> None:
    page = {"url": "https://shop.example/b?x=1", "path": "/b", "referrer": referrer}
    assert segment(context={"page": page}).properties.get("navigation") == navigation


def test_the_senders_own_word_on_navigation_counts() -> None:
    page = {"url": "https://shop.example/b", "referrer": "https://shop.example/a"}
    assert segment(context={"page": page}, properties={"navigation": "back"}).properties["navigation"] == "back"


@pytest.mark.parametrize("context", [{"userAgentData": {"mobile": True}}, {"device": {"type": "ios"}}])
def test_phones_are_known(context: dict[str, Any]) -> None:
    assert segment(context=context).properties["device"] == "mobile"
    assert "device" not in segment(context={"userAgentData": {"mobile": False}, "device": []}).properties


@pytest.mark.parametrize(("name", "action"), [("$dead_click", "click"), ("$rageclick", "click")])
def test_the_senders_own_verdicts_are_clicks(name: str, action: str) -> None:
    assert segment(type="track", event=name).action == action


def test_a_ticket_that_gets_the_tag_is_escalated() -> None:
    message = {
        "id": "e1", "time": "2026-03-02T09:00:00Z", "type": "zen:event-type:ticket.tags_changed",
        "detail": {"id": "12", "requester_id": "7"}, "event": {"tags_added": ["vip", "Escalated"]},
    }  # fmt: skip
    assert mapped("zendesk", message).properties["escalated"] is True
    other = message | {"event": {"tags_added": ["vip"]}}
    assert "escalated" not in mapped("zendesk", other).properties
