"""The story: a seed and a period → every message the vendors' tools would have sent, in order of time. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from services.demo import asides
from services.demo.arcs import ARCS, Author
from services.demo.arrivals import arrived
from services.demo.calendar import Calendar
from services.demo.cast import Company, cast
from services.demo.crm import change, expansion, tier
from services.demo.script import Message, Moment, Script, iso
from services.demo.web import compare, read

POISON_EVERY_DAYS = 4
STRANGERS = 12


@dataclass(frozen=True, slots=True)
class Story:
    """Who plays and what happened, oldest first."""

    companies: tuple[Company, ...]
    moments: tuple[Moment, ...]


@dataclass(frozen=True, slots=True)
class Truth:
    """What a map of the story must show."""

    touchpoints: int
    poison: int
    companies: int
    strangers: int
    reopened_tickets: int
    detractors: int
    promoters: int
    contracts_signed: int


def story(seed: int, end: datetime, days: int, companies: int = 40) -> Story:
    """The same arguments tell the same story, ids included. Everything happens in the `days` before `end`."""
    players = cast(seed, companies)
    calendar = Calendar(end, days)
    key = f"{seed}:{iso(end)}:{days}"
    moments: list[Moment] = []
    for index, company in enumerate(players):
        script = Script(f"{key}:{company.crm_id}", Random(f"{seed}:{company.crm_id}"), first_case=10_000 + index * 500)
        author = Author(script, calendar, company)
        ARCS[company.arc](author)
        asides.tell(script)
        tier(script, company)
        expansion(script, calendar, company)
        moments += script.moments
    moments += _others(Script(f"{key}:others", Random(f"{seed}:others")), calendar, STRANGERS * companies // 40)
    told = [moment for moment in moments if calendar.begin <= moment.occurred_at < end]
    return Story(players, arrived(sorted(told, key=lambda moment: moment.occurred_at), players))


def _others(script: Script, calendar: Calendar, strangers: int) -> list[Moment]:
    """Visitors who never say who they are, and now and then a message that nobody can read."""
    for number in range(strangers):
        visitor = f"anon-stranger-{script.key}-{number}"
        for _ in range(script.rng.randint(1, 4)):
            scene = read if script.chance(0.7) else compare
            scene(script, visitor, calendar.at(script.rng.random(), script.rng))
    for number in range(max(calendar.days // POISON_EVERY_DAYS, 2)):
        tell_poison(script, calendar.at(script.rng.random(), script.rng), number)
    return script.moments


def tell_poison(script: Script, at: datetime, number: int) -> None:
    """A message that parses and can never be a touchpoint: real integrations send these after a careless release."""
    if number % 3 == 0:
        script.tell("web", at, {"type": "track", "messageId": script.id(), "anonymousId": "release-4711",
                                "timestamp": iso(at), "properties": {"step": 2}}, poison=True)  # fmt: skip
    elif number % 3 == 1:
        what = {"propertyName": "dealstage", "propertyValue": "closedwon"}
        change(script, at, "deal.stageMoved", what | {"objectId": 1})
        script.moments[-1] = Moment(at, "crm", script.moments[-1].message, poison=True)
    else:
        broken = {"type": "page", "messageId": script.id(), "anonymousId": "x", "timestamp": "yesterday"}
        script.tell("web", at, broken, poison=True)


def truth(told: Story) -> Truth:
    """What the messages themselves say, counted without Touchline's code."""
    good = [moment.message for moment in told.moments if not moment.poison]
    reopened = {m["detail"]["id"] for m in good if _reopens(m)}
    scores = Counter(_verdict(m) for m in good)
    return Truth(
        touchpoints=len(good),
        poison=len(told.moments) - len(good),
        companies=len(told.companies),
        strangers=len(_visitors(good) - _visitors(m for m in good if m.get("type") == "identify")),
        reopened_tickets=len(reopened),
        detractors=scores["low"],
        promoters=scores["high"],
        contracts_signed=sum(m.get("event") == "Contract Signed" for m in good),
    )


def _visitors(messages: Iterable[Message]) -> set[str]:
    return {message["anonymousId"] for message in messages if "anonymousId" in message}


def _reopens(message: Message) -> bool:
    return message.get("event") == {"current": "OPEN", "previous": "SOLVED"}


def _verdict(message: Message) -> str:
    """`low`, `high` or empty: NPS to 6 and from 9, other scores to 2 and from 5."""
    if message.get("event") == "NPS Answered":
        score, low, high = message["properties"]["score"], 6, 9
    elif message.get("event") == "CSAT Answered":
        score, low, high = message["properties"]["score"], 2, 5
    elif message.get("type") == "zen:event-type:ticket.csat_received":
        score, low, high = message["event"]["rating"], 2, 5
    else:
        return ""
    return "low" if score <= low else "high" if score >= high else ""


def history_end(now: datetime) -> datetime:
    """Where a story told now ends: the last full minute, so that live events follow it."""
    return now.replace(second=0, microsecond=0) - timedelta(minutes=1)
