"""Who takes care of what: people of the demo's own company take incidents, write notes and close them. Pure.

Actions name events, as every action does, so they find the incidents that Touchline makes of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from schemas.incidents import MAX_EVENTS, IncidentAction, Verb
from services.demo.cast import Person
from services.demo.script import Moment
from services.demo.story import Story
from services.demo.support import AGENTS
from streams.connectors.reading import event_id

TROUBLE = ("Form Started", "Element Clicked", "CSAT Answered", "Quote Requested")
"""What somebody can be in pain with before they have a contract; what hurts users is over by itself in this story."""
SAME_MATTER = timedelta(days=4)
_OLD, _FRESH = timedelta(days=20), timedelta(days=2)
_NOTES = (
    "Called them; they send us the form by mail.",
    "Quote goes out today, with the second location in it.",
    "They want to talk to somebody who knows their ERP.",
    "Apologised. The form has been mended since.",
)


def care(told: Story, source: str, now: datetime) -> tuple[IncidentAction, ...]:
    """What was done about the troubles of the story up to `now`; `source`: what the website's events are sent as.

    Most of the old ones are done, some are in hands, and some nobody has seen yet.
    """
    return tuple(
        action
        for index, matter in enumerate(_matters(told))
        for action in _done_about(matter, source, index, now)
        if action.at < now
    )


def _matters(told: Story) -> Iterator[list[Moment]]:
    """Troubles of one company, those together that lie close to one another, oldest first."""
    company_of = {key: one.crm_id for one in told.companies for who in one.people for key in _ids(who)}
    open_ones: dict[int, list[Moment]] = {}
    found: list[list[Moment]] = []
    for moment in told.moments:
        company = company_of.get(moment.message.get("userId") or moment.message.get("anonymousId", ""))
        if company is None or moment.sender != "web" or moment.message.get("event") not in TROUBLE:
            continue
        matter = open_ones.get(company)
        if matter is None or moment.occurred_at - matter[-1].occurred_at > SAME_MATTER:
            found.append(matter := [])
            open_ones[company] = matter
        matter.append(moment)
    yield from found


def _ids(person: Person) -> tuple[str, str]:
    return person.user_id, person.anonymous_id


def _done_about(matter: list[Moment], source: str, index: int, now: datetime) -> Iterator[IncidentAction]:
    rng, last = Random(f"care:{index}:{matter[0].message['messageId']}"), matter[-1].occurred_at
    events = tuple(event_id(source, moment.message["messageId"]) for moment in matter[-MAX_EVENTS:])
    who, age = rng.choice(AGENTS)[1], now - last

    def action(verb: Verb, after_h: float, text: str = "") -> IncidentAction:
        at = last + timedelta(hours=after_h)
        made = {"action_id": event_id("demo", f"{verb}:{events[-1]}"), "at": at, "by": who, "verb": verb}
        return IncidentAction.model_validate({**made, "events": events, "text": text})

    if age < _FRESH or rng.random() < (0.15 if age > _OLD else 0.4):
        return
    yield action("take", rng.uniform(1, 20))
    yield action("note", rng.uniform(21, 30), rng.choice(_NOTES))
    if age > _OLD and rng.random() < 0.8:
        yield action("done", rng.uniform(40, 60))
