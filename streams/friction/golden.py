"""Golden tests: events in, signals out; they live beside the rules and run with `touchline validate`."""

from __future__ import annotations

from datetime import timedelta

from schemas.base import EPOCH
from schemas.rules import GoldenTest, Rule
from schemas.touchpoints import AttributedTouchpoint, Attribution, CleanTouchpoint
from streams.journey.compiled import CompiledBlueprint
from streams.journey.fold import fold

START = EPOCH + timedelta(days=20_000)


def run(blueprint: CompiledBlueprint, rule: Rule, test: GoldenTest) -> str:
    """Empty when the test holds; otherwise what differs."""
    items = [_item(index, step.at_s, step.event) for index, step in enumerate(test.events)]
    journey = fold(items, blueprint, START + timedelta(seconds=test.as_of_s))
    found = [signal for signal in journey.signals.values() if signal.rule == rule.id]
    if len(found) != test.signals:
        return f"{rule.id}: {test.name}: {len(found)} signals, {test.signals} expected"
    if test.severity is not None and found and abs(found[0].severity - test.severity) > 1e-9:
        return f"{rule.id}: {test.name}: severity {found[0].severity}, {test.severity} expected"
    return ""


def run_all(blueprint: CompiledBlueprint) -> tuple[int, list[str]]:
    """How many golden tests the blueprint holds, and what fails."""
    results = [run(blueprint, rule, test) for rule in blueprint.source.rules for test in rule.tests]
    return len(results), [failure for failure in results if failure]


def _item(index: int, at_s: float, event: dict[str, object]) -> AttributedTouchpoint:
    at = START + timedelta(seconds=at_s)
    fields: dict[str, object] = {
        "event_id": f"golden-{index:03}",
        "source": "golden",
        "vendor": "golden",
        "vendor_type": str(event.get("action", "")),
        "occurred_at": at,
        "received_at": at,
    }
    touchpoint = CleanTouchpoint.model_validate(fields | event)
    return AttributedTouchpoint(
        touchpoint=touchpoint,
        attribution=Attribution(person_id="p", account_id="crm:golden", method="explicit", confidence=1.0),
    )
