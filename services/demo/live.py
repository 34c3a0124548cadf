"""After the history: small scenes at the accounts of the story, one after another, without end. Pure.

At the speed of the history, so that a page does not look worse because it was left open; only the first minutes are
faster, for who has just started it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import count
from math import exp
from random import Random

from services.demo import crm, product, support, web
from services.demo.arrivals import arrived
from services.demo.cast import Company, Person
from services.demo.script import Moment, Script, epoch_ms
from services.demo.story import Story, tell_poison
from services.demo.support import SUBJECTS, Handling, Subject

#: Pauses of the history are those of people at work; here they are short enough to watch.
PACE, TICKET_PACE = 0.12, 0.004
_BUYING = ("pipeline", "prospect", "lost")
_STRANGERS = 5
_RAMP_SCENES = 6
EXTRA_PER_S, EXTRA_FOR_S = 0.2, 300.0
"""What the first minutes have on top, and how fast that fades: 60 events in all, a quarter of a day of the story."""

Rate = Callable[[float], float]
"""Seconds since the live part began → events per second."""


def as_told(told: Story, days: int) -> Rate:
    """The rate of the history, and at first a little more."""
    usual_per_s = len(told.moments) / (days * 86_400)
    return lambda since_s: usual_per_s + EXTRA_PER_S * exp(-since_s / EXTRA_FOR_S)


def steady(events_per_s: float) -> Rate:
    """One rate for ever."""
    return lambda _: events_per_s


class Stage:
    """The companies as the history left them, and what can happen there now, to people who are known there."""

    def __init__(self, told: Story, script: Script) -> None:
        self.script = script
        deals = {m.message["objectId"] for m in told.moments if m.message.get("subscriptionType") == "deal.creation"}
        users = {m.message.get("userId") for m in told.moments if m.message.get("type") == "identify"}
        self.buyers = [company for company in told.companies if company.arc in _BUYING]
        self.deciding = [company for company in self.buyers if company.deal_id in deals]
        self.customers = [
            company
            for company in told.companies
            if company.arc not in (*_BUYING, "churned") and users.issuperset(user.user_id for user in company.users)
        ]
        self._scenes: tuple[tuple[int, Callable[[datetime], object]], ...] = (
            (40, self._work),
            (8, self._stumble),
            (12, self._read),
            (10, self._compare),
            (6, self._form),
            (6, self._quote),
            (7, self._ticket),
            (6, self._survey),
            (3, self._success),
            (2, self._stranger),
            (1, self._poison),
        )

    def play(self, at: datetime) -> list[Moment]:
        """One scene that begins at `at`."""
        weights = [weight for weight, _ in self._scenes]
        scene = self.script.rng.choices([scene for _, scene in self._scenes], weights)[0]
        self.script.moments.clear()
        self.script.pace = PACE
        scene(at)
        return list(self.script.moments)

    def _one(self, companies: Sequence[Company]) -> Company:
        return self.script.rng.choice(companies)

    def _user(self) -> Person:
        return self.script.rng.choice(self._one(self.customers).users)

    def _work(self, at: datetime) -> None:
        product.work(self.script, self._user(), at)

    def _stumble(self, at: datetime) -> None:
        path = self.script.rng.choice(product.PAGES)
        product.stumble(self.script, self._user(), at, path, "Export timed out")

    def _read(self, at: datetime) -> None:
        web.read(self.script, self._one([*self.buyers, *self.customers]).engineer.anonymous_id, at)

    def _compare(self, at: datetime) -> None:
        web.compare(self.script, self._one(self.buyers).engineer.anonymous_id, at)

    def _form(self, at: datetime) -> None:
        sent = self.script.chance(0.4)
        web.form(self.script, self._one(self.buyers).engineer, at, "demo", sent=sent)

    def _quote(self, at: datetime) -> None:
        if not self.deciding:
            self._work(at)
            return
        company = self._one(self.deciding)
        at, _ = web.form(self.script, company.buyer, at, "quote", sent=True)
        web.sales(self.script, company.buyer, at, "Quote Requested", "web")
        at = self.script.later(at, 100, 250)
        web.sales(self.script, company.buyer, at, "Quote Sent", "email")
        web.csat(self.script, company.buyer, self.script.later(at, 30, 90), "quote", self.script.rng.randint(1, 5))
        crm.deal_stage(self.script, company, self.script.later(at, 20, 60), "presentationscheduled")

    def _ticket(self, at: datetime) -> None:
        company = self._one(self.customers)
        self.script.pace = TICKET_PACE
        score = self.script.rng.choice((None, 1, 3, 4, 5))
        handling = Handling(self.script.rng.uniform(8, 40), self.script.chance(0.25), score, self._subject())
        support.ticket(self.script, company, self.script.rng.choice(company.users), at, handling)

    def _subject(self) -> Subject:
        return self.script.rng.choice(SUBJECTS)

    def _survey(self, at: datetime) -> None:
        company = self._one(self.customers)
        happy = company.arc == "delighted"
        score = self.script.rng.choice((9, 9, 10) if happy else (3, 6, 7, 8, 8, 9))
        product.nps(self.script, self.script.rng.choice(company.users), at, score)

    def _success(self, at: datetime) -> None:
        company = self._one(self.customers)
        event = self.script.rng.choice(("Business Review Held", "Renewal Offered", "Invoice Sent"))
        web.sales(self.script, company.buyer, at, event, "meeting" if "Review" in event else "email")

    def _stranger(self, at: datetime) -> None:
        web.read(self.script, f"anon-passer-by-{self.script.rng.randrange(_STRANGERS)}", at)

    def _poison(self, at: datetime) -> None:
        tell_poison(self.script, at, self.script.number())


def live(told: Story, seed: int, start: datetime, rate: Rate) -> Iterator[Moment]:
    """Moments from `start` on, oldest first, at this rate on average; equal arguments, equal moments."""
    script = Script(f"live:{seed}:{epoch_ms(start)}", Random(f"live:{seed}"), first_case=epoch_ms(start) // 100)
    stage = Stage(told, script)
    waiting: list[tuple[datetime, int, Moment]] = []
    at = start
    for scene in count(1):
        for moment in (played := arrived(stage.play(at), told.companies)):
            heapq.heappush(waiting, (moment.occurred_at, script.number(), moment))
        ramp = min(scene / _RAMP_SCENES, 1.0)  # the first scenes begin together, so that something happens at once
        pause_s = len(played) / rate((at - start).total_seconds())
        at += timedelta(seconds=pause_s * script.rng.uniform(0.5, 1.5) * ramp)
        while waiting and waiting[0][0] <= at:
            yield heapq.heappop(waiting)[2]
