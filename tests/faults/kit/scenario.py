"""The load: seeded visitors of invented companies who become known people, and the requests that tell of them.

Everything lies in the past, so that every silence has already run out when it is told: what is true does not
depend on when the test looks.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

PLACES = {"web": "/v1/batch", "product": "/v1/batch", "support": "/zendesk/support", "noisy": "/v1/batch"}
VENDORS = {"web": "segment", "product": "rudderstack", "support": "zendesk", "noisy": "segment"}
PAGES = ("/blog/why", "/pricing", "/demo", "/quote", "/docs/start", "/app/home", "/settings/sso", "/renew")
TITLES = ("CFO", "Support Engineer", "Head of Operations", "Procurement Specialist", "CTO", "")
TRACKS = (
    "Contract Signed", "Onboarding Completed", "Subscription Cancelled", "Referral Given", "Feature Used",
    "Security Review Started", "Sales Call Held", "Something Else",
)  # fmt: skip
REQUEST_MESSAGES = 6


@dataclass(frozen=True, slots=True)
class Call:
    """One request: to which source, where, and its body."""

    source: str
    path: str
    body: str
    events: int = 1


@dataclass(frozen=True, slots=True)
class Scenario:
    """Requests in the order in which they are sent, with repetitions; `name` is part of every id in them."""

    name: str
    seed: int
    calls: tuple[Call, ...]

    @property
    def events(self) -> int:
        """Messages in all requests, repetitions counted."""
        return sum(call.events for call in self.calls)


@dataclass(frozen=True, slots=True)
class _Message:
    source: str
    at: datetime
    body: dict[str, Any]


def scenario(name: str, seed: int, *, people: int, companies: int = 4, hot: bool = False) -> Scenario:
    """About 25 messages a person, out of order, a tenth of them sent twice, most of them in batches.

    `hot`: every second person is of one and the same company.
    """
    rng, start = random.Random(f"{name}/{seed}"), _start()
    told: list[_Message] = []
    for number in range(people):
        company = 0 if hot and number % 2 else number % companies
        told += _Person(name, number, company, start, rng).tell()
    return Scenario(name, seed, tuple(_calls(_disordered(told, rng), rng)))


def crowd(name: str, seed: int, *, events: int, request_messages: int = 50) -> Scenario:
    """Visitors of the website only, unknown to the end, in large requests: many events for little work."""
    rng, start, told = random.Random(f"{name}/{seed}"), _start(), list[_Message]()
    while len(told) < events:
        told += _Person(name, len(told), 0, start, rng).looks_around()
    told.sort(key=lambda message: message.at)
    bodies = [message.body for message in told[:events]]
    cuts = range(0, len(bodies), request_messages)
    return Scenario(name, seed, tuple(_batch("web", bodies[at : at + request_messages]) for at in cuts))


def _start() -> datetime:
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=3)


def _disordered(told: list[_Message], rng: random.Random) -> list[_Message]:
    """By time, then shaken: some a little out of place, few by far, a tenth repeated later."""
    span = len(told)

    def place(index: int) -> float:
        chance = rng.random()
        if chance < 0.02:
            return rng.uniform(0, span)
        return index + rng.uniform(-30, 30) if chance < 0.2 else index

    ordered = sorted(told, key=lambda message: message.at)
    placed = [(place(index), message) for index, message in enumerate(ordered)]
    placed += [(rng.uniform(at, span + 50), message) for at, message in placed if rng.random() < 0.1]
    return [message for _, message in sorted(placed, key=lambda pair: pair[0])]


def _calls(told: list[_Message], rng: random.Random) -> Iterator[Call]:
    """Neighbours of one source share a request; the helpdesk sends one event at a time."""
    waiting: dict[str, list[dict[str, Any]]] = {"web": [], "product": []}
    for message in told:
        if message.source == "support":
            yield Call("support", PLACES["support"], json.dumps(message.body))
            continue
        batch = waiting[message.source]
        batch.append(message.body)
        if len(batch) >= rng.randint(1, REQUEST_MESSAGES):
            yield _batch(message.source, batch)
            waiting[message.source] = []
    for source, batch in waiting.items():
        if batch:
            yield _batch(source, batch)


def _batch(source: str, messages: list[dict[str, Any]]) -> Call:
    return Call(source, PLACES[source], json.dumps({"batch": messages}), len(messages))


class _Person:
    """One visitor: first without a name, then with one, then in trouble."""

    def __init__(self, scenario_name: str, number: int, company: int, start: datetime, rng: random.Random) -> None:
        self._rng, self._name = rng, f"{scenario_name}-p{number}"
        self._company = f"{scenario_name}-c{company}"
        self._at = start + timedelta(seconds=rng.randint(0, 40_000))
        self._count = 0

    def looks_around(self) -> Iterator[_Message]:
        yield from self._visits(self._rng.randint(3, 7))

    def tell(self) -> Iterator[_Message]:
        yield from self._visits(self._rng.randint(3, 7))
        if self._rng.random() < 0.85:
            yield from self._becomes_known()
            yield from self._visits(self._rng.randint(2, 5), known=self._rng.random() < 0.5)
            yield from self._uses_the_product()
            if self._rng.random() < 0.5:
                yield from self._asks_for_help()

    # -- the three kinds of senders

    def _web(self, kind: str, after_s: float, *, known: bool = False, **fields: Any) -> _Message:
        fields["anonymousId"] = f"{self._name}-browser"
        fields["context"] = {"sessionId": f"{self._name}-s", **fields.get("context", {})}
        if known:
            fields["userId"] = self._name
        return self._dialect("web", kind, after_s, fields)

    def _product(self, kind: str, after_s: float, **fields: Any) -> _Message:
        return self._dialect("product", kind, after_s, {"userId": self._name, **fields})

    def _support(self, kind: str, after_s: float, detail: dict[str, Any], event: dict[str, Any]) -> _Message:
        at = self._later(after_s)
        body = {"id": self._id(), "type": f"zen:event-type:{kind}", "time": at.isoformat(), "detail": detail}
        return _Message("support", at, {**body, "event": event})

    def _dialect(self, source: str, kind: str, after_s: float, fields: dict[str, Any]) -> _Message:
        at = self._later(after_s)
        return _Message(source, at, {"type": kind, "messageId": self._id(), "timestamp": at.isoformat(), **fields})

    def _later(self, after_s: float) -> datetime:
        self._at += timedelta(milliseconds=round(after_s * 1000))
        return self._at

    def _id(self) -> str:
        self._count += 1
        return f"{self._name}-m{self._count}"

    # -- what happens

    def _visits(self, steps: int, *, known: bool = False) -> Iterator[_Message]:
        for _ in range(steps):
            page = {"page": {"path": self._rng.choice(PAGES)}}
            yield self._web("page", self._rng.uniform(5, 900), known=known, context=page)
            yield from self._trouble(page, known=known)

    def _trouble(self, page: dict[str, Any], *, known: bool) -> Iterator[_Message]:
        chance, common = self._rng.random(), {"context": page}
        if chance < 0.2:
            for _ in range(self._rng.randint(3, 5)):
                yield self._web(
                    "track", 0.4, event="Element Clicked", properties={"element": "save"}, known=known, **common
                )
        elif chance < 0.35:
            form = {"form": "demo"}
            yield self._web("track", 3, event="Form Started", properties=form, known=known, **common)
            if self._rng.random() < 0.5:
                yield self._web("track", 60, event="Form Submitted", properties=form, known=known, **common)
        elif chance < 0.45:
            yield self._web(
                "track", 2, event="Error Shown", properties={"error_type": "Timeout"}, known=known, **common
            )

    def _becomes_known(self) -> Iterator[_Message]:
        traits = {"email": f"{self._name}@{self._company}.nl", "title": self._rng.choice(TITLES)}
        yield self._web("identify", 20, known=True, traits=traits)
        if self._rng.random() < 0.6:
            company = {"name": self._company.title(), "domain": f"{self._company}.nl"}
            company["employees"] = str(self._rng.choice((20, 400)))
            yield self._web("group", 5, known=True, groupId=self._company, traits=company)

    def _uses_the_product(self) -> Iterator[_Message]:
        for _ in range(self._rng.randint(2, 5)):
            named = {"crm_account_id": self._company} if self._rng.random() < 0.1 else {}
            yield self._product("track", self._rng.uniform(60, 4000), event=self._rng.choice(TRACKS), properties=named)
        if self._rng.random() < 0.5:
            yield self._product("track", 300, event="NPS Answered", properties={"score": self._rng.randint(0, 10)})

    def _asks_for_help(self) -> Iterator[_Message]:
        person, ticket = f"{self._name}-h", f"{self._name}-t"
        detail = {"id": ticket, "subject": "It does not work", "requester_id": person}
        who = {"id": person, "email": f"{self._name}@{self._company}.nl", "name": "Somebody"}
        yield self._support("user.created", 100, who, {})
        yield self._support("ticket.created", 10, detail, {})
        staff = {"comment": {"is_public": True, "author": {"id": "a1", "is_staff": True}, "body": "We look"}}
        if self._rng.random() < 0.7:
            yield self._support("ticket.comment_added", self._rng.choice((600, 20_000)), detail, staff)
            yield self._support("ticket.status_changed", 60, detail, {"previous": "open", "current": "solved"})
        if self._rng.random() < 0.4:
            yield self._support("ticket.status_changed", 4000, detail, {"previous": "solved", "current": "open"})
