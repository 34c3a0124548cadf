"""Programs, our own people, tests and who declined: judged from what is stored, kept, and left out where asked."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.config import AttributionConfig
from schemas.touchpoints import AttributedTouchpoint, CleanTouchpoint
from schemas.traffic import Traffic, TrafficRules
from services.dashboard.pages import PAGES
from streams.connectors.agents import agent_of
from streams.identity.networks import Networks
from streams.journey.blueprints import load
from streams.journey.compiled import CompiledBlueprint
from streams.journey.fold import fold
from streams.matching.traffic import RECORDS, TrafficBook
from tests.convergence import Batches, comparable, last_event, live, visible
from tests.dashboard_fakes import BLUEPRINT, NOW, FakeStore, browser_of
from tests.dashboard_seed import world
from tests.journeys import AS_OF, attributed, histories, touchpoint
from tests.unit.test_dashboard_app import app_on
from tests.unit.test_ordinary_events import read

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
)
HEADLESS = CHROME.replace("Chrome/", "HeadlessChrome/")
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
EVERYTHING = load()


def blueprint_with(**rules: Any) -> CompiledBlueprint:
    return CompiledBlueprint(EVERYTHING.source.model_copy(update={"traffic": TrafficRules(**rules)}))


ALL_COUNTED = blueprint_with(count=get_args(Traffic))
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
    {"flags": ("consented",)},
    {"aliases": ("email:jo@ours.example",)},
]


def customers_of(everything: list[AttributedTouchpoint]) -> list[AttributedTouchpoint]:
    """The customers' touchpoints of a history, judged one after the other: who declined is none until they agree."""
    found, declined = [], set[str]()
    for item in sorted(everything, key=lambda one: one.sort_key):
        own, flags, person = CUSTOMERS.traffic.of(item), item.touchpoint.flags, item.attribution.person_id
        if own in ("customer", "declined"):
            declined |= {person} if "declined" in flags and person else set()
            declined -= {person} if "consented" in flags else set()
        if own == "customer" and (person not in declined or item.touchpoint.action in RECORDS):
            found.append(item)
    return found


@st.composite
def noisy(draw: st.DrawFn) -> tuple[list[AttributedTouchpoint], list[AttributedTouchpoint]]:
    """(everything, customers' alone): some of a history is of others."""
    everything = []
    for item in draw(histories(max_size=24)):
        noise = draw(st.sampled_from([None, None, *NOISE]))
        everything.append(item.changed(touchpoint=item.touchpoint.changed(**noise)) if noise else item)
    return everything, customers_of(everything)


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
    """Known bad, for whoever counts them all; what ships counts customers."""
    counted, left_out = fold(crawl(), ALL_COUNTED, AS_OF), fold(crawl(), EVERYTHING, AS_OF)
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


SENT: dict[str, tuple[int, CleanTouchpoint]] = {
    "headless agent": (500, viewed(agent=HEADLESS)),
    "localhost": (40, viewed("http://localhost:3000/pricing")),
    "staging host": (30, viewed("https://staging.acme.example/pricing")),
    "own people": (20, viewed(traits={"email": "jo@ours.example"})),
    "helpdesk agent": (10, touchpoint("e", 0, "ticket_replied_by_agent", aliases=("email:jo@ours.example",))),
    "declined consent": (25, viewed(**DECLINED)),
    "customers": (60, viewed()),
}
LEFT_OUT = {"bot": 500, "internal": 90, "declined": 25}


def everyone() -> list[AttributedTouchpoint]:
    kinds = [(name, found) for name, (count, found) in SENT.items() for _ in range(count)]
    return [
        attributed(f"e{n}", n * 60.0).changed(
            touchpoint=found.changed(event_id=f"e{n}", occurred_at=AS_OF - timedelta(minutes=1 + n))
        )
        for n, (_, found) in enumerate(kinds)
    ]


async def test_sent_kept_left_out_and_shown() -> None:
    """What ships, with our own domain said: all is kept, customers are on the map, the page counts the rest."""
    found = fold(everyone(), blueprint_with(own_domains=("ours.example",)), AS_OF)
    sent = sum(count for count, _ in SENT.values())
    assert len(found.placed) == sent == 685
    off = Counter(placed.traffic for placed in found.placed.values() if placed.traffic != "customer")
    assert off == LEFT_OUT and not any(p.on_map for p in found.placed.values() if p.traffic != "customer")
    assert found.state.on_map_touchpoints == 70, "customers, and what an agent answered them"

    pattern = world(BLUEPRINT, NOW, touchpoints=1, days=1).touchpoints[0]
    made = world(BLUEPRINT, NOW, touchpoints=0, days=1)
    for number, placed in enumerate(found.placed.values()):
        touched = placed.item.touchpoint
        row = pattern | {"event_id": f"e{number}", "occurred_at": NOW, "minute": NOW.replace(second=0), "pain": 0.0}
        kind = "" if placed.traffic == "customer" else placed.traffic
        told = {"traffic": kind, "on_map": int(not kind), "url_host": touched.url_host, "agent": touched.agent}
        made.touchpoints.append(row | told | {"friction": 0, "friction_rules": []})
    client = browser_of(app_on(FakeStore(made)))
    shown = (await client.get("/api/map?window=24h")).json()
    assert shown["totals"]["touchpoints"] == 70
    assert {one["traffic"]: one["touchpoints"] for one in shown["left_out"]} == LEFT_OUT
    everything = (await client.get("/api/map?window=24h&traffic=all")).json()
    assert everything["totals"]["touchpoints"] == sent and not everything["left_out"]
    for page in (one for one in PAGES if one.about_customers and not one.is_about_one):
        text = (await client.get(f"{page.path}?window=24h")).text
        assert "500</span>" in text or re.search(r"500 of programs.*?90 of your own people", text, re.DOTALL), page.id
        assert re.search(r'href="[^"]*traffic=all">Count them', text), page.id
        assert "Count them" not in (await client.get(f"{page.path}?window=24h&traffic=all")).text


async def test_a_newcomer_who_tries_it_on_localhost_is_told_where_it_is_and_sees_it_with_one_click() -> None:
    made = world(BLUEPRINT, NOW, touchpoints=1, days=1)
    made.touchpoints[0] |= {"traffic": "internal", "on_map": 0, "url_host": "localhost", "occurred_at": NOW}
    made.touchpoints[0]["minute"] = NOW.replace(second=0)
    client = browser_of(app_on(FakeStore(made)))
    text = (await client.get("/map?window=24h")).text
    notice = re.search(r'<section id="notice".*?</section>', text, re.DOTALL)
    assert notice and "1 touchpoint came that is left out" in notice[0] and "<code>localhost</code>" in notice[0]
    assert "No event has arrived yet" not in text
    link = re.search(r'href="([^"]*traffic=all)">Count them here', text)
    assert link
    assert (await client.get("/api/map?window=24h&traffic=all")).json()["totals"]["touchpoints"] == 1
    assert "Left out" not in (await client.get(link[1].replace("&amp;", "&"))).text
