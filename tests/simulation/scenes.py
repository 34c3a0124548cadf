"""The scenes of the simulation: one for each rule about events, and decoys that look alike and are none."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.simulation.world import START, Scene, Story

#: From a first look at prices to a contract or an order until here is fast.
_SOON = START + timedelta(days=21)


def rage_click(s: Story, at: datetime) -> None:
    """An angry hand: clicks about a third of a second apart, now and then slower than a second."""
    person, page, events, began = s.someone(), s.page(), [], at
    for _ in range(s.rng.randint(3, 8)):
        events.append(s.tell(at, "click", person, page=page, element="save"))
        at += timedelta(seconds=round(min(s.rng.lognormvariate(-1.2, 0.5), 3), 3))
    s.knows("rage_click", began, events, person, 0.6)


def two_clicks(s: Story, at: datetime) -> None:
    person, page = s.someone(), s.page()
    s.tell(at, "click", person, page=page, element="save")
    s.tell(at + timedelta(seconds=0.3), "click", person, page=page, element="save")


def error_click(s: Story, at: datetime) -> None:
    person, page = s.someone(), s.page()
    click = s.tell(at, "click", person, page=page, element="export")
    error = s.tell(s.after(at, 0.1, 0.9), "client_error", person, page=page, properties={"error_type": "TypeError"})
    s.knows("error_click", at, [click, error], person, 0.7)
    s.knows("client_error", at, [error], person, 0.5)


def page_loop(s: Story, at: datetime) -> None:
    person, page, events, began = s.someone(), s.page(), [], at
    for _ in range(s.rng.randint(3, 5)):
        events.append(s.tell(at, "page_view", person, page=page))
        at = s.after(at, 1, 6)
    s.knows("page_loop", began, events, person, 0.4)


def u_turn(s: Story, at: datetime) -> None:
    person, there = s.someone(), s.after(at, 20, 60)
    back = s.after(there, 2, 8)
    events = [
        s.tell(at, "page_view", person, page="/pricing"),
        s.tell(there, "page_view", person, page="/customers", properties={"navigation": "link"}),
        s.tell(back, "page_view", person, page="/pricing"),
    ]
    s.knows("u_turn", at, events, person, 0.2)


def slow_return(s: Story, at: datetime) -> None:
    person, there = s.someone(), s.after(at, 20, 60)
    s.tell(at, "page_view", person, page="/pricing")
    s.tell(there, "page_view", person, page="/customers", properties={"navigation": "link"})
    s.tell(s.after(there, 15, 90), "page_view", person, page="/pricing")


def form_abandoned(s: Story, at: datetime) -> None:
    person = s.someone()
    fields = s.rng.sample(["company", "phone", "size", "budget"], s.rng.randint(1, 4))
    events = [
        s.tell(at + timedelta(seconds=5 * n), "form_touched", person, page="/demo", subject="form:demo", element=name)
        for n, name in enumerate(fields)
    ]
    s.knows("form_abandoned", at, events, person, 0.5)


def form_sent(s: Story, at: datetime) -> None:
    person = s.someone()
    s.tell(at, "form_touched", person, page="/demo", subject="form:demo", element="company")
    s.tell(s.after(at, 60, 1500), "form_submitted", person, page="/demo", subject="form:demo")


def form_retry(s: Story, at: datetime) -> None:
    person, events, began = s.someone(), [], at
    for _ in range(s.rng.randint(3, 5)):
        events.append(s.tell(at, "form_failed", person, page="/demo", subject="form:demo"))
        at = s.after(at, 10, 120)
    s.knows("form_retry", began, events, person, 0.6)


def login_failed(s: Story, at: datetime) -> None:
    person, events, began = s.someone(), [], at
    for _ in range(s.rng.randint(3, 5)):
        events.append(s.custom(at, "Login Failed", person))
        at = s.after(at, 10, 200)
    s.knows("login_failed", began, events, person, 0.6)


def mistyped(s: Story, at: datetime) -> None:
    person = s.someone()
    for n in range(2):
        s.custom(at + timedelta(seconds=20 * n), "Login Failed", person)


def abandoned(rule: str, began: str, placed: str, hours: tuple[float, float]) -> tuple[Scene, Scene]:
    def left(s: Story, at: datetime) -> None:
        person = s.someone()
        s.knows(rule, at, [s.custom(at, began, person, properties={"order_id": f"{at:%j%H}"})], person, 0.5)

    def went_on(s: Story, at: datetime) -> None:
        person, ref = s.someone(), {"order_id": f"{at:%j%H}"}
        s.custom(at, began, person, properties=ref)
        done = s.after(at, hours[0] * 3600, hours[1] * 3600)
        event = s.custom(done, placed, s.someone(), properties=ref)
        if placed == "Order Completed" and done < _SOON:
            s.knows("fast_lane", done, [event], "")

    return left, went_on


def once(rule: str, hurt: float, action: str, *variants: dict[str, Any]) -> Scene:
    """A single event, told in one of several ways."""

    def scene(s: Story, at: datetime) -> None:
        person = s.someone()
        fields = {"page": s.page()} | s.rng.choice(variants)
        s.knows(rule, at, [s.tell(at, action, person, **fields)], person, hurt)

    return scene


def quietly(action: str, *variants: dict[str, Any]) -> Scene:
    """A single event that is no pain."""
    return lambda s, at: None if not s.tell(at, action, s.someone(), **s.rng.choice(variants)) else None


class Ticket:
    """A ticket's life, well handled unless told otherwise."""

    def __init__(self, s: Story, at: datetime, title: str = "") -> None:
        s.tickets += 1
        self.s, self.at, self.person = s, at, s.someone()
        self.fields = {"subject": f"ticket:{s.account_id}-{s.tickets}", "title": title or f"{_word(s)} {_word(s)}"}
        self.fields |= {"channel": "support", "vendor": "zendesk"}
        self.created = self._tell("ticket_created")

    def _tell(self, action: str, **more: Any) -> str:
        return self.s.tell(self.at, action, self.person, **(self.fields | more))

    def answered(self, low_h: float = 0.2, high_h: float = 3.5) -> str:
        self.at = self.s.after(self.at, low_h * 3600, high_h * 3600)
        return self._tell("ticket_replied_by_agent")

    def replied(self) -> str:
        self.at = self.s.after(self.at, 600, 7200)
        return self._tell("ticket_replied_by_customer")

    def turned(self, before: str, after: str, low_h: float = 0.5, high_h: float = 20) -> str:
        self.at = self.s.after(self.at, low_h * 3600, high_h * 3600)
        return self._tell("ticket_status", properties={"previous": before, "current": after})

    def knows(self, rule: str, hurt: float, *events: str) -> None:
        self.s.knows(rule, self.at, [self.created, *events], self.person, hurt)


def _word(s: Story) -> str:
    return "".join(s.rng.choice("bdfgklmnprst") + s.rng.choice("aeiou") for _ in range(4))


def good_ticket(s: Story, at: datetime) -> None:
    """Also the decoy of most ticket pains: two answers, solved in time."""
    ticket = Ticket(s, at)
    ticket.answered()
    ticket.answered()
    ticket.turned("open", "solved")


def first_contact_solve(s: Story, at: datetime) -> None:
    ticket = Ticket(s, at)
    ticket.answered()
    ticket.knows("first_contact_solve", 0, ticket.turned("open", "solved"))


def first_response_breach(s: Story, at: datetime) -> None:
    ticket = Ticket(s, at)
    ticket.answered(4.5, 30)
    ticket.knows("first_response_breach", 0.6)
    ticket.answered()
    ticket.turned("open", "solved")


def resolution_breach(s: Story, at: datetime) -> None:
    ticket = Ticket(s, at)
    ticket.answered()
    ticket.answered()
    ticket.turned("open", "solved", 24 * 6, 24 * 8)
    ticket.knows("resolution_breach", 0.6)


def ticket_reopened(s: Story, at: datetime) -> None:
    ticket = Ticket(s, at)
    ticket.answered()
    ticket.answered()
    ticket.turned("open", "solved")
    ticket.knows("ticket_reopened", 0.6, ticket.turned("solved", "open", 2, 6))
    ticket.turned("open", "solved", 1, 6)


def ping_pong(s: Story, at: datetime) -> None:
    ticket = Ticket(s, at)
    events = [event for _ in range(s.rng.randint(4, 6)) for event in (ticket.answered(0.2, 1.5), ticket.replied())]
    ticket.knows("ping_pong", 0.5, *events)
    ticket.turned("open", "solved", 0.2, 2)


def repeat_contact(s: Story, at: datetime) -> None:
    title = f"{_word(s)} {_word(s)}"
    created = []
    for n in range(2):
        ticket = Ticket(s, at + timedelta(days=n * s.rng.uniform(1, 6)), title)
        created.append(ticket.created)
        ticket.answered()
        ticket.answered()
        ticket.turned("open", "solved", 0.5, 8)
    s.knows("repeat_contact", at, created, ticket.person, 0.5)


def channel_hop(s: Story, at: datetime) -> None:
    person, topic = s.someone(), {"properties": {"topic": _word(s)}}
    names = (("Chat Started", "chat"), ("Email Received", "email"), ("Phone Call", "phone"))
    events = []
    for name, channel in names:
        events.append(s.custom(at, name, person, channel=channel, **topic))
        at = s.after(at, 1800, 60_000)
    s.knows("channel_hop", at, events, person, 0.6)


def one_chat(s: Story, at: datetime) -> None:
    s.custom(at, "Chat Started", s.someone(), channel="chat", properties={"topic": _word(s)})


def waiting(low_d: float, high_d: float, *, painful: bool) -> Scene:
    def scene(s: Story, at: datetime) -> None:
        person, ref = s.someone(), {"quote_id": f"{at:%j%H}"}
        asked = s.custom(at, "Quote Requested", person, properties=ref)
        s.custom(s.after(at, low_d * 86_400, high_d * 86_400), "Quote Sent", "", properties=ref)
        if painful:
            s.knows("waiting_on_us", at, [asked], person, 0.6)

    return scene


def stalled(s: Story, at: datetime) -> None:
    deal = {"subject": "deal:1", "channel": "crm", "vendor": "hubspot"}
    opened = s.tell(at, "deal_stage_changed", "", properties={"value": "contractsent"}, **deal)
    seen_at = s.after(at, 16 * 86_400, 40 * 86_400)
    seen = s.tell(seen_at, "page_view", "p0", page="/pricing")
    if at + timedelta(days=41) - seen_at > timedelta(days=15):  # and then it was as quiet again
        s.knows("stalled", seen_at, [seen], "p0", 0.4)
    s.tell(at + timedelta(days=41), "deal_stage_changed", "", properties={"value": "closedlost"}, **deal)
    s.knows("stalled", at, [opened], "", 0.4)


def moving(s: Story, at: datetime) -> None:
    deal = {"subject": "deal:1", "channel": "crm", "vendor": "hubspot"}
    s.tell(at, "deal_stage_changed", "", properties={"value": "contractsent"}, **deal)
    for day in range(3, 40, 6):
        s.tell(at + timedelta(days=day), "page_view", "p0", page="/pricing")
    s.tell(at + timedelta(days=41), "deal_stage_changed", "", properties={"value": "closedlost"}, **deal)


def deal_regressed(s: Story, at: datetime) -> None:
    deal = {"subject": f"deal:{at:%j}", "channel": "crm", "vendor": "hubspot"}
    first = s.tell(at, "deal_stage_changed", "", properties={"value": "contractsent"}, **deal)
    if at < _SOON:
        s.knows("fast_lane", at, [first], "")
    back = s.tell(s.after(at, 3600, 90_000), "deal_stage_changed", "", properties={"value": "qualifiedtobuy"}, **deal)
    s.tell(at + timedelta(days=2), "deal_stage_changed", "", properties={"value": "closedlost"}, **deal)
    s.knows("deal_regressed", at, [back], "", 0.4)


def fast_lane(s: Story, at: datetime) -> None:
    s.tell(at, "lifecycle_changed", "", properties={"value": "lead"})
    soon = s.after(at, 4 * 86_400, 18 * 86_400)
    s.knows("fast_lane", soon, [s.tell(soon, "lifecycle_changed", "", properties={"value": "opportunity"})], "")


def slow_lane(s: Story, at: datetime) -> None:
    s.tell(at, "lifecycle_changed", "", properties={"value": "lead"})
    s.tell(s.after(at, 30 * 86_400, 60 * 86_400), "lifecycle_changed", "", properties={"value": "opportunity"})


def words(rule: str, sign: int) -> Scene:
    """A strong feeling, read with some error."""

    def scene(s: Story, at: datetime) -> None:
        person, felt = s.someone(), sign * min(max(s.rng.gauss(0.75, 0.12), 0), 1)
        event = s.tell(at, "survey_answered", person, score_kind="rating", score=None, sentiment=round(felt, 2))
        s.knows(rule, at, [event], person, 0.4 if sign < 0 else 0)

    return scene


def self_served(s: Story, at: datetime) -> None:
    person = s.rng.choice(["q1", "q2"])
    s.knows("self_served", at, [s.tell(at, "page_view", person, page=f"/help/{_word(s)}")], person)


def read_and_asked(s: Story, at: datetime) -> None:
    ticket = Ticket(s, at + timedelta(hours=2))
    s.tell(at, "page_view", ticket.person, page=f"/help/{_word(s)}")
    ticket.answered()
    ticket.answered()
    ticket.turned("open", "solved")


def adopted(s: Story, at: datetime) -> None:
    person = s.someone()
    used = s.custom(at, "Key Feature Used", person, properties={"feature": _word(s)})
    s.knows("adopted", at, [used], person)


def struggle(s: Story, at: datetime) -> None:
    """Two troubles of one page within the hour."""
    person, page = s.someone(), s.page()
    error = s.tell(at, "client_error", person, page=page, properties={"error_type": "E"})
    gone = s.tell(s.after(at, 60, 3600), "page_view", person, page=page, properties={"status": 404})
    s.knows("client_error", at, [error], person, 0.5)
    s.knows("not_found", at, [gone], person, 0.4)
    s.knows("struggle", at, [error, gone], person, 0.5)


def misaligned(s: Story, at: datetime) -> None:
    """Trouble, and praise by the same person some days later."""
    person, page = s.someone(), s.page()
    error = s.tell(at, "client_error", person, page=page, properties={"error_type": "E"})
    praise = s.tell(s.after(at, 3600, 4 * 86_400), "survey_answered", person, score_kind="nps", score=10)
    s.knows("client_error", at, [error], person, 0.5)
    s.knows("promoter", at, [praise], person)
    s.knows("misaligned", at, [error, praise], person)


_CART, _ORDER = abandoned("cart_abandoned", "Checkout Started", "Order Completed", (0.2, 20))
_QUOTE, _WENT_ON = abandoned("quote_abandoned", "Quote Started", "Quote Accepted", (0.2, 140))

SCENES: dict[str, Scene] = {
    "rage_click": rage_click,
    "dead_click": once("dead_click", 0.4, "click", {"element": "logo", "properties": {"dead": True}}),
    "error_click": error_click,
    "client_error": once("client_error", 0.5, "client_error", {"properties": {"error_type": "E"}}),
    "not_found": once("not_found", 0.4, "page_view", {"properties": {"status": 404}}, {"properties": {"status": 410}}),
    "server_error": once(
        "server_error", 0.8, "page_view", {"properties": {"status": 500}}, {"properties": {"status": 503}}
    ),
    "page_loop": page_loop,
    "u_turn": u_turn,
    "slow_page": once(
        "slow_page", 0.3, "page_view", {"properties": {"lcp_ms": 4300}}, {"properties": {"lcp_ms": 9000}}
    ),
    "form_abandoned": form_abandoned,
    "form_retry": form_retry,
    "search_no_result": once(
        "search_no_result", 0.3, "custom", {"name": "Search Performed", "properties": {"results": 0}}
    ),
    "cart_abandoned": _CART,
    "quote_abandoned": _QUOTE,
    "login_failed": login_failed,
    "first_response_breach": first_response_breach,
    "resolution_breach": resolution_breach,
    "ticket_reopened": ticket_reopened,
    "ping_pong": ping_pong,
    "repeat_contact": repeat_contact,
    "escalated": once("escalated", 0.8, "custom", {"name": "Complaint Escalated"}, {"name": "ticket_escalated"}),
    "channel_hop": channel_hop,
    "waiting_on_us": waiting(6, 8, painful=True),
    "deal_regressed": deal_regressed,
    "payment_failed": once("payment_failed", 0.6, "custom", {"name": "Payment Failed"}, {"name": "charge_failed"}),
    "invoice_disputed": once("invoice_disputed", 0.6, "custom", {"name": "Invoice Disputed"}),
    "bounced": once("bounced", 0.3, "custom", {"name": "Email Bounced"}, {"name": "Email Marked as Spam"}),
    "meeting_missed": once("meeting_missed", 0.3, "custom", {"name": "Meeting Missed"}, {"name": "No Show"}),
    "low_score": once(
        "low_score", 0.5, "survey_answered", {"score": 3, "score_kind": "nps"}, {"score": 1, "score_kind": "csat"}
    ),
    "negative_words": words("negative_words", -1),
    "first_contact_solve": first_contact_solve,
    "promoter": once("promoter", 0, "survey_answered", {"score": 9, "score_kind": "nps"}),
    "fast_lane": fast_lane,
    "self_served": self_served,
    "adopted": adopted,
    "referral": once("referral", 0, "custom", {"name": "Referral Given"}),
    "review_left": once("review_left", 0, "custom", {"name": "Review Left", "properties": {"rating": 5}}),
    "positive_words": words("positive_words", 1),
    "struggle": struggle,
    "misaligned": misaligned,
}
DECOYS: dict[str, Scene] = {
    "rage_click": two_clicks,
    "u_turn": slow_return,
    "form_abandoned": form_sent,
    "cart_abandoned": _ORDER,
    "quote_abandoned": _WENT_ON,
    "login_failed": mistyped,
    "first_response_breach": good_ticket,
    "resolution_breach": good_ticket,
    "ticket_reopened": good_ticket,
    "ping_pong": good_ticket,
    "repeat_contact": good_ticket,
    "channel_hop": one_chat,
    "waiting_on_us": waiting(0.1, 0.9, painful=False),
    "bounced": quietly("custom", {"name": "Email Bounced", "properties": {"bounce_type": "soft"}}),
    "low_score": quietly("survey_answered", {"score": 7, "score_kind": "nps"}),
    "promoter": quietly("survey_answered", {"score": 8, "score_kind": "nps"}),
    "slow_page": quietly("page_view", {"page": "/pricing", "properties": {"lcp_ms": 3600}}),
    "search_no_result": quietly("custom", {"name": "Search Performed", "properties": {"results": 4}}),
    "review_left": quietly("custom", {"name": "Review Left", "properties": {"rating": 3}}),
    "self_served": read_and_asked,
}
SILENT: dict[str, tuple[Scene, Scene]] = {"stalled": (stalled, moving), "fast_lane": (fast_lane, slow_lane)}
