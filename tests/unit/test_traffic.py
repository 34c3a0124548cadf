"""Programs, our own people, tests and who declined: judged from what is stored, kept, and left out where asked."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.config import AttributionConfig
from schemas.touchpoints import AttributedTouchpoint, CleanTouchpoint
from schemas.traffic import Traffic, TrafficRules
from streams.connectors.agents import agent_of
from streams.identity.networks import Networks
from streams.journey.blueprints import load
from streams.journey.compiled import CompiledBlueprint
from streams.journey.fold import fold
from streams.matching.traffic import TrafficBook
from tests.convergence import Batches, comparable, last_event, live, visible
from tests.journeys import AS_OF, attributed, histories, touchpoint
from tests.unit.test_ordinary_events import read

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
)
HEADLESS = CHROME.replace("Chrome/", "HeadlessChrome/")
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
EVERYTHING = load()


def blueprint_with(**rules: Any) -> CompiledBlueprint:
    return CompiledBlueprint(EVERYTHING.source.model_copy(update={"traffic": TrafficRules(**rules)}))


CUSTOMERS = blueprint_with(count=("customer",), own_domains=("ours.example",))


@pytest.mark.parametrize(
    ("said", "kind", "device"),
    [
        (CHROME, "browser", "desktop"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5) Version/17.5 Mobile/15E148 Safari/604.1", "browser", "mobile"),
        ("Mozilla/5.0 (Linux; Android 10; CUBOT X30) Chrome/100.0 Mobile Safari/537.36", "browser", "mobile"),
        ("Mozilla/5.0 (iPad; CPU OS 16_0 like Mac OS X) Version/16.0 Safari/604.1", "browser", "tablet"),
        (HEADLESS, "bot", ""),
        (GOOGLEBOT, "bot", ""),
        ("Mozilla/5.0 (KHTML, like Gecko; compatible; GPTBot/1.1; +https://openai.com/gptbot)", "bot", ""),
        ("Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)", "bot", ""),
        ("Mozilla/5.0 (linux) AppleWebKit/537.36 (KHTML, like Gecko) jsdom/22.1.0", "bot", ""),
        ("curl/8.5.0", "library", ""),
        ("python-requests/2.32.3", "library", ""),
        ("analytics-python/2.3.2", "library", ""),
        ("", "", ""),
        ("MyApp/1 CFNetwork/1408 Darwin/22.5.0", "", ""),
    ],
)  # fmt: skip
def test_what_an_agent_is(said: str, kind: str, device: str) -> None:
    found = agent_of(said)
    assert (found.kind, found.device) == (kind, device)


def viewed(url: str = "https://www.acme.example/pricing", agent: str = CHROME, **context: Any) -> CleanTouchpoint:
    page = {"path": "/pricing", "url": url}
    return read(
        {"type": "page", "properties": {"path": "/pricing"}, "context": {"page": page, "userAgent": agent} | context}
    )


def judged(found: CleanTouchpoint, book: TrafficBook = CUSTOMERS.traffic, account_id: str = "crm:1") -> Traffic:
    return book.of(attributed("e", 0, account_id=account_id).changed(touchpoint=found))


DECLINED: dict[str, Any] = {"consent": {"categoryPreferences": {"Advertising": False, "Analytics": False}}}
PARTLY: dict[str, Any] = {"consent": {"categoryPreferences": {"Advertising": False, "Analytics": True}}}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (viewed(), "customer"),
        (viewed(agent=HEADLESS), "bot"),
        (viewed(agent=GOOGLEBOT), "bot"),
        (viewed(agent="curl/8.5.0"), "bot"),
        (read({"type": "track", "event": "Order Completed", "context": {"userAgent": "axios/1.6.0"}}), "customer"),
        (viewed("http://localhost:3000/pricing"), "internal"),
        (viewed("http://user:pw@192.168.1.7:8080/pricing"), "internal"),
        (viewed("http://[::1]:3000/pricing"), "internal"),
        (viewed("https://172.31.0.4/"), "internal"),
        (viewed("https://172.32.0.4/"), "customer"),
        (viewed("https://staging.acme.example/pricing"), "internal"),
        (viewed("https://shop-staging.acme.example/pricing"), "internal"),
        (viewed("https://testing.acme.example/pricing"), "customer"),
        (viewed(test=True), "test"),
        (viewed(agent=GOOGLEBOT, test=True), "test"),
        (viewed(**DECLINED), "declined"),
        (viewed(**PARTLY), "customer"),
        (viewed(traits={"email": "jo@ours.example"}), "internal"),
        (viewed(traits={"email": "jo@mail.ours.example"}), "internal"),
        (viewed(traits={"email": "jo@notours.example"}), "customer"),
        (touchpoint("e", 0, "page_view", flags=("prefetch",)), "bot"),
        (touchpoint("e", 0, "ticket_replied_by_agent", aliases=("email:jo@ours.example",)), "customer"),
        (touchpoint("e", 0, "deal_created", flags=("test",)), "test"),
    ],
)
def test_what_kind_of_traffic_it_is(found: CleanTouchpoint, expected: Traffic) -> None:
    assert judged(found) == expected


def test_whoever_is_known_to_be_ours_is_internal_without_an_address_of_their_own() -> None:
    """A browser that once was signed in as one of us belongs to our own account from then on, and so do its visits."""
    assert judged(viewed(), account_id="domain:ours.example") == "internal"
    assert judged(viewed(), account_id="domain:acme.example") == "customer"


def test_our_own_networks_are_told_where_the_address_is_still_known() -> None:
    networks = Networks(AttributionConfig(own_networks=("192.0.2.0/24", "2001:db8::/48")))
    assert judged(networks.located(viewed(), "192.0.2.9")) == "internal"
    assert judged(networks.located(viewed(), "2001:db8::1")) == "internal"
    assert judged(networks.located(viewed(), "198.51.100.1")) == "customer"
    with pytest.raises(ValidationError, match="no address range"):
        AttributionConfig(own_networks=("office",))


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({"own_domains": ("https://ours.example",)}, "no domain"),
        ({"internal_hosts": ("staging/",)}, "no host"),
        ({"count": ("customers",)}, "customer"),
    ],
)
def test_settings_that_mean_nothing_are_refused(rules: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        TrafficRules(**rules)


NOISE: list[dict[str, Any]] = [
    {"agent_kind": "bot", "agent": "Googlebot"},
    {"url_host": "localhost"},
    {"flags": ("test",)},
    {"flags": ("declined",)},
    {"aliases": ("email:jo@ours.example",)},
]


@st.composite
def noisy(draw: st.DrawFn) -> tuple[list[AttributedTouchpoint], list[AttributedTouchpoint]]:
    """(everything, customers' alone): some of a history is of others."""
    everything, customers = [], []
    for item in draw(histories(max_size=24)):
        noise = draw(st.sampled_from([None, None, *NOISE]))
        one = item.changed(touchpoint=item.touchpoint.changed(**noise)) if noise else item
        everything.append(one)
        if CUSTOMERS.traffic.of(one) == "customer":
            customers.append(one)
    return everything, customers


@settings(max_examples=100, deadline=None)
@given(case=noisy())
def test_what_is_left_out_changes_nothing_for_customers(
    case: tuple[list[AttributedTouchpoint], list[AttributedTouchpoint]],
) -> None:
    """Map, signals, phase and people are those of the customers' touchpoints alone; the rest is kept."""
    everything, customers = case
    found, alone = fold(everything, CUSTOMERS, AS_OF), fold(customers, CUSTOMERS, AS_OF)
    shown = {event_id: placed for event_id, placed in found.placed.items() if placed.traffic == "customer"}
    assert shown == alone.placed
    assert found.signals == alone.signals
    assert found.placed.keys() == {item.event_id for item in everything}
    assert not any(placed.on_map for placed in found.placed.values() if placed.traffic != "customer")
    ours, theirs = found.state, alone.state
    assert (ours.phase, ours.transitions, ours.people) == (theirs.phase, theirs.transitions, theirs.people)
    assert (ours.on_map_touchpoints, ours.last_seen_at) == (theirs.on_map_touchpoints, theirs.last_seen_at)
    assert found.profile.account_traits() == alone.profile.account_traits()


@settings(max_examples=60, deadline=None)
@given(case=noisy(), data=st.data(), size=st.integers(1, 8))
def test_any_order_converges_with_others_among_them(
    case: tuple[list[AttributedTouchpoint], list[AttributedTouchpoint]], data: st.DataObject, size: int
) -> None:
    everything = case[0]
    order = data.draw(st.permutations(everything))
    batches: Batches = [order[i : i + size] for i in range(0, len(order), size)]
    told, state = live(batches, CUSTOMERS, last_event)
    assert (told.placed, told.signals, comparable(state)) == visible(fold(everything, CUSTOMERS, AS_OF))


def crawl() -> list[AttributedTouchpoint]:
    """A crawler that clicks as no customer would."""
    seen = {"page": "/a", "element": "save", "session_id": "s", "agent_kind": "bot"}
    return [attributed(f"e{n}", n * 0.1, "click", **seen) for n in range(5)]


def test_without_leaving_out_a_crawler_is_a_customer_in_a_rage() -> None:
    """Known bad, and what is done until you say otherwise: judged and shown, and counted."""
    counted, left_out = fold(crawl(), EVERYTHING, AS_OF), fold(crawl(), CUSTOMERS, AS_OF)
    assert [signal.rule for signal in counted.signals.values()] == ["rage_click"]
    assert {placed.traffic for placed in counted.placed.values()} == {"bot"}
    assert counted.state.on_map_touchpoints == 5
    assert not left_out.signals
    assert left_out.state.on_map_touchpoints == 0
    assert len(left_out.placed) == 5


def test_other_settings_judge_what_is_stored_anew() -> None:
    """The inputs of the judgement are in the touchpoint, so a remap needs no request again; any change is noticed."""
    stored = [
        AttributedTouchpoint.decoded(
            attributed("e", 0).changed(touchpoint=viewed("https://acc.acme.example/")).encoded()
        )
    ]
    before, after = blueprint_with(), blueprint_with(internal_hosts=("acc.*",))

    def traffic(blueprint: CompiledBlueprint, as_of: datetime = AS_OF) -> list[Traffic]:
        return [placed.traffic for placed in fold(stored, blueprint, as_of).placed.values()]

    assert (traffic(before), traffic(after)) == (["customer"], ["internal"])
    assert before.digest != after.digest
