"""Golden tests: events in, signals out; they live beside the rules and run with `touchline validate`."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from datetime import timedelta
from functools import lru_cache

from schemas.base import EPOCH
from schemas.calendars import Calendar
from schemas.friction_rules import GoldenTest, Rule
from schemas.touchpoints import AttributedTouchpoint, Attribution, CleanTouchpoint
from streams.friction.compiled import Targets
from streams.friction.episodes import Signal
from streams.friction.rule_book import RuleBook
from streams.friction.working_time import WorkingTime
from streams.journey.compiled import CompiledBlueprint
from streams.journey.fold import Journey, fold
from streams.matching.recognition import UNMAPPED

START = EPOCH + timedelta(days=20_000)


def run(blueprint: CompiledBlueprint, rule: Rule, test: GoldenTest) -> str:
    """Empty when the test holds; otherwise what differs."""
    stage = with_targets(blueprint, tuple(sorted(test.targets.items())))
    if test.calendar is not None:
        stage = with_rules(blueprint, blueprint.source.rules, test.targets, test.calendar)
    return judge(stage, rule, test)


def judge(stage: CompiledBlueprint, rule: Rule, test: GoldenTest) -> str:
    """`run` on a blueprint that has the test's targets already."""
    items = events_of(test)
    journey = fold(items, stage, START + timedelta(seconds=test.as_of_s))
    found = [signal for signal in journey.signals.values() if signal.rule == rule.id]
    found.sort(key=lambda signal: (signal.opened_at, signal.signal_id))
    differs = [_difference("signals", len(found), test.signals)]
    if found:
        first = found[0]
        differs += [
            _difference("severity", first.severity, test.severity),
            _difference("evidence", first.evidence_count, test.count),
            _difference("open", first.closed_at is None, test.is_open),
            _difference("adopted", _parts_of(first, journey), test.adopted),
        ]
        if test.says not in first.explanation:
            differs.append(f"says `{first.explanation}`, `{test.says}` expected")
    told = ", ".join(difference for difference in differs if difference)
    return f"{rule.id}: {test.name}: {told}" if told else ""


@lru_cache(maxsize=16)
def with_targets(blueprint: CompiledBlueprint, targets: tuple[tuple[str, float], ...]) -> CompiledBlueprint:
    """The blueprint, its types with exactly these targets: a test must not depend on what a company promises."""
    return with_rules(blueprint, blueprint.source.rules, dict(targets))


def with_rules(
    blueprint: CompiledBlueprint, rules: Sequence[Rule], targets: Targets, calendar: Calendar | None = None
) -> CompiledBlueprint:
    """The blueprint with other rules, and with these targets, and this calendar if any, on every type."""
    known = blueprint.rulebook
    stage = copy(blueprint)
    types = [kind.id for kind in (*blueprint.source.types, UNMAPPED)]
    hours = dict.fromkeys(types, WorkingTime(calendar)) if calendar else {}
    every = dict.fromkeys(types, targets)
    stage.rulebook = RuleBook(rules, roles=known.roles, targets=every, phases=known.phases, hours=hours)
    return stage


def _parts_of(case: Signal, journey: Journey) -> int:
    return sum(signal.case_id == case.signal_id for signal in journey.signals.values())


def _difference(what: str, found: float, expected: float | None) -> str:
    if expected is None or abs(found - expected) <= 1e-9:
        return ""
    return f"{what} {found}, {expected} expected"


def run_all(blueprint: CompiledBlueprint) -> tuple[int, list[str]]:
    """How many golden tests the blueprint holds, and what fails."""
    results = [run(blueprint, rule, test) for rule in blueprint.source.rules for test in rule.tests]
    return len(results), [failure for failure in results if failure]


def events_of(test: GoldenTest) -> list[AttributedTouchpoint]:
    """The test's events as touchpoints of one account; `person` names who they are of."""
    return [_item(index, step.at_s, dict(step.event)) for index, step in enumerate(test.steps())]


def _item(index: int, at_s: float, event: dict[str, object]) -> AttributedTouchpoint:
    at = START + timedelta(seconds=at_s)
    person = str(event.pop("person", "p"))
    fields: dict[str, object] = {
        "event_id": f"golden-{index:03}",
        "source": "golden",
        "vendor": "golden",
        "vendor_type": f"{event.get('action', '')}:{event.pop('name', '')}",
        "occurred_at": at,
        "received_at": at,
    }
    touchpoint = CleanTouchpoint.of(fields | event)
    return AttributedTouchpoint(
        touchpoint=touchpoint,
        attribution=Attribution(person_id=person, account_id="crm:golden", method="explicit", confidence=1.0),
    )
