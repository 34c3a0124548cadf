"""The demo's story and its senders: the same for the same seed, in order, and understood by those it is sent to."""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
import io
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from pathlib import Path

import httpx
import orjson
import pytest

from schemas.config import SecretRef, SourceConfig
from schemas.errors import ConfigurationError
from schemas.touchpoints import CleanTouchpoint, RawRequest
from services.demo.arrivals import arrived
from services.demo.care import care
from services.demo.cast import COMPANIES, cast
from services.demo.feed import HISTORY_PER_S, RAMP_S, due_s
from services.demo.live import as_told, live, steady
from services.demo.memory import recall, remember
from services.demo.progress import Terminal, history_line
from services.demo.script import Message, Moment, Sender
from services.demo.senders import Refused, Senders, accounts
from services.demo.story import Story, story, truth
from services.demo.wire import BATCH, Account, Outgoing, requests
from services.gateway.signatures import Signed, verify
from streams.connectors.registry import CONNECTORS
from streams.connectors.results import Mapped, Result
from streams.connectors.results import Refused as NotUnderstood
from streams.identity.domains import company_domain
from streams.identity.free_mail import is_free_mail
from streams.journey.blueprints import load

END = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
URL = "http://127.0.0.1:8080"
ACCOUNTS: dict[Sender, Account] = {
    "web": Account("web", b"web-key", URL),
    "product": Account("product", b"product-key", URL),
    "crm": Account("crm", b"crm-secret", URL),
    "support": Account("support", b"support-secret", URL),
}
VENDOR_OF = {"web": "segment", "product": "rudderstack", "crm": "hubspot", "support": "zendesk"}


@pytest.fixture(scope="module")
def told() -> Story:
    return story(7, END, 60)


def mapped(sender: str, outgoing: Outgoing) -> list[Result]:
    """What the normaliser makes of a request."""
    body = gzip.decompress(outgoing.body) if sender == "product" else outgoing.body
    request = RawRequest(
        request_id="r", source=sender, vendor=VENDOR_OF[sender], received_at=END, path=outgoing.path, body=body.decode()
    )
    return CONNECTORS[VENDOR_OF[sender]].read(request)


def outcomes(moments: tuple[Moment, ...]) -> list[Result]:
    return [
        result
        for sender, account in ACCOUNTS.items()
        for outgoing in requests(moments, {sender: account})
        for result in mapped(sender, outgoing)
    ]


def test_a_seed_tells_one_story(told: Story) -> None:
    assert story(7, END, 60) == told
    assert story(8, END, 60).moments != told.moments


def test_it_is_told_in_order_and_within_its_days(told: Story) -> None:
    times = [moment.occurred_at for moment in told.moments]
    assert times == sorted(times)
    assert END - timedelta(days=60) <= times[0]
    assert times[-1] < END
    assert 15_000 <= len(times) <= 25_000


def test_every_message_is_understood_but_the_poison(told: Story) -> None:
    found = Counter(type(result) for result in outcomes(told.moments))
    facts = truth(told)
    assert found == {Mapped: facts.touchpoints, NotUnderstood: facts.poison}
    assert facts.poison >= 10
    assert facts.strangers < facts.companies / 2
    broken = (dataclasses.replace(told.moments[0], message={"type": "nothing"}),)
    assert [type(result) for result in outcomes(broken)] == [NotUnderstood]


def test_ids_are_distinct_and_carry_the_time_of_the_moment(told: Story) -> None:
    touchpoints = [result.touchpoint for result in outcomes(told.moments) if isinstance(result, Mapped)]
    assert len({touchpoint.event_id for touchpoint in touchpoints}) == len(touchpoints)
    stamps = Counter(moment.occurred_at for moment in told.moments if not moment.poison)
    assert Counter(touchpoint.occurred_at for touchpoint in touchpoints) == stamps


def test_the_blueprint_has_a_place_for_everything(told: Story) -> None:
    blueprint = load()
    types = Counter(blueprint.type_of(r.touchpoint).id for r in outcomes(told.moments) if isinstance(r, Mapped))
    assert types["unmapped"] == 0
    assert set(types) <= {t.id for t in blueprint.source.types} and len(types) > 58


def test_the_crm_says_tier_revenue_and_owner_of_every_account_it_has(told: Story) -> None:
    read = [result.touchpoint for result in outcomes(told.moments) if isinstance(result, Mapped)]
    read = [one for one in read if one.source == "crm" and one.account_traits]
    tiers = {one.account_refs: one.account_traits["tier"] for one in read if "tier" in one.account_traits}
    assert set(tiers.values()) == {"A", "B", "C"}
    named = {one.account_refs for one in read if "name" in one.account_traits}
    assert tiers.keys() == named
    for trait in ("annual_revenue", "owner_id"):
        values = {one.account_refs: one.account_traits[trait] for one in read if trait in one.account_traits}
        assert values.keys() == named and all(value.isdigit() for value in values.values()), trait


def visits(told: Story) -> dict[str, list[CleanTouchpoint]]:
    """Session → its touchpoints, oldest first."""
    found: dict[str, list[CleanTouchpoint]] = defaultdict(list)
    for result in outcomes(told.moments):
        if isinstance(result, Mapped) and result.touchpoint.session_id:
            found[result.touchpoint.session_id].append(result.touchpoint)
    return {session: sorted(kept, key=lambda one: one.occurred_at) for session, kept in found.items()}


def test_a_visit_is_of_one_person_on_one_device_and_begins_once(told: Story) -> None:
    found = visits(told)
    assert len(found) > 1_000
    for kept in found.values():
        assert len({one.aliases for one in kept if one.action == "page_view"}) <= 1
        assert len({one.device for one in kept}) == 1 and kept[0].device in ("desktop", "mobile")
        came = [one for one in kept if {"utm_campaign", "referrer_host"} & one.visit.keys()]
        pages = [one for one in kept if one.action == "page_view"]
        assert came in ([], pages[:1])


def test_visits_begin_in_several_ways_and_phones_are_where_it_hurts(told: Story) -> None:
    found = visits(told).values()
    ways = Counter(
        (one.visit.get("utm_campaign", ""), one.visit.get("referrer_host", "")) for kept in found for one in kept
    )
    assert {way for way, _ in ways} == {"", "quote-to-cash", "journey-benchmark", "monthly-letter"}
    assert {host for _, host in ways} == {"", "www.google.com", "www.linkedin.com", "www.capterra.com"}
    left = {
        device: [
            any(one.vendor_type == "track:Form Error" for one in kept) for kept in found if kept[0].device == device
        ]
        for device in ("desktop", "mobile")
    }
    assert sum(left["mobile"]) / len(left["mobile"]) > 3 * sum(left["desktop"]) / len(left["desktop"]) > 0


def test_how_people_arrive_changes_nothing_of_the_story(told: Story) -> None:
    def bare(moment: Moment) -> Moment:
        context = {k: v for k, v in moment.message.get("context", {}).items() if k in ("library", "sessionId", "page")}
        if "page" in context:
            context["page"] = {name: value for name, value in context["page"].items() if name != "referrer"}
        return dataclasses.replace(moment, message=moment.message | ({"context": context} if context else {}))

    plain = tuple(map(bare, told.moments))
    assert plain != told.moments
    assert arrived(plain, told.companies) == told.moments


def test_customers_talk_about_more_and_have_not_decided(told: Story) -> None:
    growing = {company.expansion_id: company for company in told.companies}
    words = [m.message for m in told.moments if m.message.get("objectId") in growing]
    deals = {
        each["objectId"]: growing[each["objectId"]] for each in words if each["subscriptionType"] == "deal.creation"
    }
    assert len(deals) > 10 and {company.arc for company in deals.values()} == {"customer", "delighted"}
    assert {each["propertyValue"] for each in words if each.get("propertyName") == "deal_currency_code"} == {
        "EUR", "GBP", "USD",
    }  # fmt: skip
    stages = {each["propertyValue"] for each in words if each.get("propertyName") == "dealstage"}
    assert stages and not {stage for stage in stages if stage.startswith("closed")}


@pytest.mark.parametrize(
    ("sender", "about", "expected"),
    [
        ("web", "webinar", "webinar"),
        ("web", "demo", "demo_request"),
        ("web", "quote", "quote_request"),
        ("web", "contract", "contract"),
        ("web", "onboarding", "onboarding"),
        ("web", "renewal", "renewal"),
        ("web", "product", "satisfaction_survey"),
        ("support", "", "support_ticket"),
    ],
)
def test_an_answer_counts_for_what_it_is_about(told: Story, sender: Sender, about: str, expected: str) -> None:
    found = next(m for m in told.moments if m.message.get("type") == "zen:event-type:ticket.csat_received")
    rated: Message = {"type": "track", "messageId": "m", "anonymousId": "a", "timestamp": END.isoformat()}
    rated |= {"event": "CSAT Answered", "properties": {"score": 2, "about": about}}
    moment = found if sender == "support" else dataclasses.replace(found, sender=sender, message=rated)
    (result,) = outcomes((moment,))
    assert isinstance(result, Mapped)
    assert result.touchpoint.score is not None
    assert load().type_of(result.touchpoint).id == expected


def test_companies_are_told_apart_by_their_domains() -> None:
    domains = [company.domain for company in cast(7)]
    assert [company_domain(domain) for domain in domains] == domains
    assert len(set(domains)) == len(COMPANIES) == 40
    assert not any(map(is_free_mail, domains))
    people = [person for company in cast(7) for person in company.people]
    for ids in ("email", "anonymous_id", "user_id", "contact_id", "support_id"):
        assert len({getattr(person, ids) for person in people}) == len(people)


@pytest.mark.parametrize("sender", ["crm", "support"])
def test_the_gateway_accepts_the_signatures(told: Story, sender: Sender) -> None:
    outgoing = requests(told.moments[:4_000], {sender: ACCOUNTS[sender]})[0]
    headers = {name.encode(): value.encode() for name, value in outgoing.headers(END).items()}
    signed = Signed(b"POST", (f"{URL}{outgoing.path}".encode(),), headers, outgoing.body)
    webhook, secret = CONNECTORS[VENDOR_OF[sender]].webhook, ACCOUNTS[sender].secret
    assert webhook is not None
    assert verify(webhook.scheme, [secret], signed, END) is None
    assert verify(webhook.scheme, [secret], signed, END + timedelta(minutes=6)) is not None
    assert verify(webhook.scheme, [b"another"], signed, END) is not None
    assert verify(webhook.scheme, [secret], dataclasses.replace(signed, body=signed.body + b" "), END) is not None


def test_requests_keep_order_and_size(told: Story) -> None:
    for sender, account in ACCOUNTS.items():
        sent = [m for o in requests(told.moments, {sender: account}) for m in messages_of(sender, o)]
        assert sent == [moment.message for moment in told.moments if moment.sender == sender]
        assert max(o.messages for o in requests(told.moments, {sender: account})) == BATCH[sender]


def messages_of(sender: str, outgoing: Outgoing) -> list[object]:
    body = orjson.loads(gzip.decompress(outgoing.body) if sender == "product" else outgoing.body)
    if isinstance(body, list):
        return body
    return list(body["batch"]) if "batch" in body else [body]


def deliver(moments: tuple[Moment, ...], answer: Callable[[httpx.Request], httpx.Response]) -> Senders:
    async def run() -> Senders:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            senders = Senders(URL, ACCOUNTS, client)
            assert await senders.send(moments) == len(moments)
            return senders

    return asyncio.run(run())


def test_a_busy_gateway_is_asked_again_after_the_time_it_names(told: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("services.demo.senders.asyncio.sleep", sleep)
    answers: list[httpx.Response | Exception] = [
        httpx.Response(503, headers={"retry-after": "3"}),
        httpx.ReadError("gone"),
        httpx.Response(200),
    ]

    def answer(request: httpx.Request) -> httpx.Response:
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    assert deliver(told.moments[:1], answer).retries == 2
    assert slept == [3.0, 0.4]


def test_a_refusal_ends_the_feed(told: Story) -> None:
    with pytest.raises(Refused, match="401"):
        deliver(told.moments[:1], lambda request: httpx.Response(401, text="invalid write key"))


def test_a_connector_without_a_source_is_named(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k")
    (tmp_path / "key").chmod(0o600)
    secret = (SecretRef(file=str(tmp_path / "key"), env=None),)
    sources = [SourceConfig(name=name, vendor=vendor, secrets=secret) for name, vendor in VENDOR_OF.items()]
    assert accounts(sources, URL)["crm"] == Account("crm", b"k", URL)
    with pytest.raises(ConfigurationError, match="zendesk"):
        accounts(sources[:3], URL)


def test_live_goes_on_at_its_rate_and_is_understood(told: Story) -> None:
    moments = tuple(islice(live(told, 7, END, steady(2.0)), 1_500))
    assert moments == tuple(islice(live(told, 7, END, steady(2.0)), 1_500))
    times = [moment.occurred_at for moment in moments]
    assert times == sorted(times)
    rate = len(times) / (times[-1] - times[0]).total_seconds()
    assert 1.4 < rate < 2.8
    refused = [result for result in outcomes(moments) if isinstance(result, NotUnderstood)]
    assert len(refused) == sum(moment.poison for moment in moments) > 0
    later = tuple(islice(live(told, 7, END + timedelta(days=1), steady(2.0)), 1_500))
    assert not ids(moments) & ids(later)


def test_a_page_left_open_does_not_look_worse_than_the_history(told: Story) -> None:
    """After 25 minutes, and after a day, what came live is no more than a day of the story has."""
    a_day = len(told.moments) / 60
    first_day = live(told, 7, END, as_told(told, 60))
    times = [one.occurred_at for one in takewhile(lambda one: one.occurred_at < END + timedelta(days=1), first_day)]
    assert 20 < sum(at < END + timedelta(minutes=25) for at in times) < 0.5 * a_day
    assert 0.8 * a_day < len(times) < 1.5 * a_day


def test_some_of_what_hurt_is_done_some_in_hands_and_some_nobody_has_seen(told: Story) -> None:
    actions = care(told, "web", END)
    assert actions == care(told, "web", END), "told again, it is the same, ids too"
    known = {result.touchpoint.event_id for result in outcomes(told.moments) if isinstance(result, Mapped)}
    assert {event for action in actions for event in action.events} <= known
    assert all(action.at < END for action in actions)
    verbs = Counter(action.verb for action in actions)
    assert 0 < verbs["done"] < verbs["take"]
    assert len({action.action_id for action in actions}) == len(actions)


def ids(moments: tuple[Moment, ...]) -> set[str]:
    return {result.touchpoint.event_id for result in outcomes(moments) if isinstance(result, Mapped)}


def test_a_folder_remembers_its_story(tmp_path: Path) -> None:
    first = recall(tmp_path, None, None, END)
    remember(tmp_path, first)
    assert recall(tmp_path, None, None, END + timedelta(days=3)) == first
    with pytest.raises(ConfigurationError, match="--seed 7"):
        recall(tmp_path, 8, None, END)
    with pytest.raises(ConfigurationError, match="--days 60"):
        recall(tmp_path, 7, 5, END)


def test_real_data_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "touchline.yaml").write_text("sources: []\n")
    with pytest.raises(ConfigurationError, match="not a demo's"):
        recall(tmp_path, None, None, END)


def test_the_history_begins_slowly_and_then_keeps_its_rate() -> None:
    times = [due_s(sent) for sent in range(0, 20_000, 100)]
    assert times == sorted(times)
    assert due_s(0) == 0.0
    assert due_s(int(HISTORY_PER_S * RAMP_S / 2)) == pytest.approx(RAMP_S)
    assert due_s(300) > 300 / HISTORY_PER_S
    assert due_s(20_000) - due_s(18_500) == pytest.approx(1.0)


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_stays_below_the_lines_of_a_terminal() -> None:
    screen = Screen()
    terminal = Terminal(screen)
    terminal.progress("1 of 2", 2.0)
    terminal.say("kafka ready")
    terminal.done("2 of 2")
    assert screen.getvalue() == "\r\x1b[K1 of 2\r\x1b[Kkafka ready\n1 of 2\r\x1b[K2 of 2\n"


def test_progress_is_sparse_lines_elsewhere() -> None:
    now = [0.0]
    out = io.StringIO()
    terminal = Terminal(out, lambda: now[0])
    for now[0] in (0.0, 1.0, 2.5):
        terminal.progress(f"at {now[0]}", 2.0)
    assert out.getvalue() == "at 0.0\nat 2.5\n"
    assert history_line(1_200, 15_670, 1.0) == "history     1,200 of 15,670 events sent · 1,200/s · 12 s left"
    assert history_line(0, 10, 0.0) == "history     0 of 10 events sent · 0/s"


@pytest.mark.parametrize("days", [5, 14, 60])
def test_nobody_and_no_deal_appears_before_it_is_known(days: int) -> None:
    good = [moment.message for moment in story(7, END, days).moments if not moment.poison]
    signed_up = {m["userId"] for m in good if m.get("type") == "identify" and "userId" in m}
    assert {m["userId"] for m in good if "userId" in m} == signed_up
    deals = {m["objectId"] for m in good if m.get("subscriptionType") == "deal.creation"}
    assert {m["objectId"] for m in good if m.get("subscriptionType") == "deal.propertyChange"} <= deals
    requesters = {m["detail"]["requester_id"] for m in good if "requester_id" in m.get("detail", {})}
    assert requesters <= {m["detail"]["id"] for m in good if m.get("type") == "zen:event-type:user.created"}
