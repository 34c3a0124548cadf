"""Ninety days of a company's customers, with pains and pleasures put in on purpose; the injector knows what it did.

Nothing here asks the rules. People click as fast as angry people do, clocks jitter, some events are lost, and decoys
(a double click, an answer just in time, a form that was sent) look like pain and are none.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.touchpoints import AttributedTouchpoint, Attribution, CleanTouchpoint

START = datetime(2026, 1, 5, 8, tzinfo=UTC)
DAYS = 90
LOST = 0.01
JITTER_S = 0.03
PAGES = ("/pricing", "/product/reports", "/customers", "/blog/start", "/app/reports")
TITLES = {"p0": "CFO", "p1": "Champion of change", "p2": "Support Engineer", "p3": "Planner"}
DECIDING = ("p0", "p1")


@dataclass(frozen=True)
class Injected:
    """What really happened to a customer: `rule` should say it, on some of these events."""

    rule: str
    account_id: str
    at: datetime
    events: frozenset[str]
    person: str
    hurt: float


@dataclass
class Story:
    """One account's days as they are written."""

    account_id: str
    rng: random.Random
    items: list[AttributedTouchpoint] = field(default_factory=list)
    truth: list[Injected] = field(default_factory=list)
    tickets: int = 0

    def tell(self, at: datetime, action: str, person: str, **fields: Any) -> str:
        """One event, unless it is lost on the way; its id."""
        event_id = f"{self.account_id}/{len(self.items):06}/{self.rng.random():.9f}"
        at += timedelta(seconds=round(self.rng.gauss(0, JITTER_S), 3))
        name = fields.pop("name", action)
        base = {"event_id": event_id, "source": "sim", "vendor": "segment", "vendor_type": f"track:{name}"}
        more = {"action": action, "session_id": f"{person}/{at:%j}", "occurred_at": at, "received_at": at}
        if self.rng.random() >= LOST:
            touchpoint = CleanTouchpoint.of(base | more | fields)
            said = Attribution(person_id=person, account_id=self.account_id, method="explicit", confidence=1.0)
            self.items.append(AttributedTouchpoint(touchpoint=touchpoint, attribution=said))
        return event_id

    def knows(self, rule: str, at: datetime, events: list[str], person: str, hurt: float = 0.0) -> None:
        """Write down what was done. hurt: how much, 0…1; 0 for pleasures."""
        self.truth.append(Injected(rule, self.account_id, at, frozenset(events), person, hurt))

    def someone(self) -> str:
        return self.rng.choice(list(TITLES))

    def page(self) -> str:
        return self.rng.choice(PAGES)

    def after(self, at: datetime, low_s: float, high_s: float) -> datetime:
        return at + timedelta(seconds=round(self.rng.uniform(low_s, high_s), 3))

    def custom(self, at: datetime, name: str, person: str, **fields: Any) -> str:
        return self.tell(at, "custom", person, name=name, **fields)


Scene = Callable[[Story, datetime], None]


def account(number: int, seed: int, scenes: dict[str, Scene], decoys: dict[str, Scene]) -> Story:
    """One account: people, daily visits, and some scenes spread over the days, one a day at most."""
    story = Story(f"crm:{number}", random.Random(f"{seed}/{number}"))
    for person, title in TITLES.items():
        traits = {"title": title, "role": "champion" if person == "p1" else ""}
        story.tell(START, "identify", person, person_traits={name: value for name, value in traits.items() if value})
    visits(story)
    names = list(scenes)
    picked = [names[(number * 9 + n) % len(names)] for n in range(9)]
    told = [scenes[name] for name in picked] + [decoys[name] for name in picked if name in decoys]
    days = story.rng.sample(range(3, DAYS - 20), len(told))
    for scene, day in zip(told, days, strict=True):
        scene(story, story.after(START + timedelta(days=day), 0, 30_000))
    return story


def silent(number: int, seed: int, scene: Scene) -> Story:
    """An account in which nothing happens but this: for pains that are silence."""
    story = Story(f"crm:{number}", random.Random(f"{seed}/{number}/silent"))
    scene(story, story.after(START, 0, 600_000))
    return story


def delivered(story: Story) -> list[AttributedTouchpoint]:
    """As it arrives: in no order, some of it twice."""
    stream = [*story.items, *story.rng.choices(story.items, k=len(story.items) // 20)]
    story.rng.shuffle(stream)
    return stream


def visits(story: Story) -> None:
    """Someone looks around on most days."""
    for at in _days(story):
        _visit(story, at)


def _days(story: Story) -> Iterator[datetime]:
    for day in range(DAYS):
        if story.rng.random() < 0.6:
            yield story.after(START + timedelta(days=day), 31_000, 36_000)


def _visit(story: Story, at: datetime) -> None:
    person = story.someone()
    for _ in range(story.rng.randint(2, 6)):
        page = story.page()
        story.tell(at, "page_view", person, page=page, properties={"navigation": "link", "lcp_ms": 1500, "status": 200})
        if story.rng.random() < 0.4:
            story.tell(story.after(at, 2, 8), "click", person, page=page, element="next")
        at = story.after(at, 15, 180)
