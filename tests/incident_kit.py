"""Parts, desks and facts for the tests of incidents and alerts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from schemas.base import EPOCH
from schemas.blueprint import Blueprint
from schemas.facts import SignalFact
from schemas.incidents import IncidentAction, Message, Part
from streams.incidents.intake import Lens
from streams.incidents.judging import Watch
from streams.incidents.threads import View
from streams.journey.blueprints import load

NOW = EPOCH + timedelta(days=20_000, hours=12)
COMPILED = load()
BLUEPRINT: Blueprint = COMPILED.source
LENS = Lens(BLUEPRINT)


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def part(part_id: str, *events: str, minutes: float = 0.0, **fields: Any) -> Part:
    """A signal `minutes` before NOW."""
    at = ago(minutes=minutes)
    base: dict[str, Any] = {
        "part_id": part_id,
        "kind": "signal",
        "what": "client_error",
        "severity": 0.5,
        "touchpoint_type": "app_error",
        "phase": "enablement",
        "person_id": "p1",
        "opened_at": at,
        "closed_at": at,
        "event_id": events[0],
        "events": events,
        "words": "an error was shown",
    }
    return Part(**(base | fields))


def signal(signal_id: str, rule: str, *events: str, minutes: float = 1.0, **fields: Any) -> SignalFact:
    """A friction signal of `crm:1`, as the journey tells it."""
    at = ago(minutes=minutes)
    base: dict[str, Any] = {
        "signal_id": signal_id,
        "account_id": "crm:1",
        "revision": 1,
        "rule": rule,
        "rule_version": 1,
        "polarity": "friction",
        "severity": 0.7,
        "event_id": events[0],
        "person_id": "p1",
        "touchpoint_type": "support_ticket",
        "phase": "enablement",
        "opened_at": at,
        "closed_at": at,
        "evidence": events,
        "evidence_count": len(events),
        "explanation": f"{rule} happened",
    }
    return SignalFact(**(base | fields))


def view(now: datetime = NOW, **fields: Any) -> View:
    """A look at a desk; every message goes to the channel `team`."""

    def everything_to_the_team(message: Message) -> tuple[str, ...]:
        return ("team",)

    base: dict[str, Any] = {"watch": Watch(EPOCH), "route": everything_to_the_team, "heard": {"support": now}}
    return View(LENS, now, **(base | fields))


def action(action_id: str, verb: str, *events: str, minutes: float = 0.0, **fields: Any) -> IncidentAction:
    lacking: dict[str, dict[str, Any]] = {"assign": {"to": "Bo"}, "silence": {"until": NOW}, "note": {"text": "look"}}
    needed = lacking.get(verb, {})
    base: dict[str, Any] = {"action_id": action_id, "at": ago(minutes=minutes), "by": "Ann", "verb": verb}
    return IncidentAction(**(base | needed | {"events": events} | fields))


@st.composite
def some_parts(draw: st.DrawFn) -> list[Part]:
    """Parts that share evidence and links now and then; some are derived."""
    count = draw(st.integers(1, 9))
    made = []
    for number in range(count):
        events = draw(st.lists(st.sampled_from([f"e{n}" for n in range(10)]), min_size=1, max_size=3, unique=True))
        links = draw(st.lists(st.sampled_from([f"s{n}" for n in range(count)]), max_size=2))
        made.append(
            part(
                f"s{number}",
                *events,
                minutes=draw(st.integers(0, 90)),
                links=tuple(links),
                derived=draw(st.booleans()),
                severity=draw(st.sampled_from([0.2, 0.5, 0.9])),
            )
        )
    return made
