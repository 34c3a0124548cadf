"""Every rule's golden tests hold, and each of its boundaries is held from both sides: moving one must fail a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.friction_rules import GoldenTest, Rule
from streams.journey import golden
from streams.journey.blueprints import load

BLUEPRINT = load()
RULES = {rule.id: rule for rule in BLUEPRINT.source.rules}
#: Smallest step of a boundary on a field; 1 where nothing else is said.
STEPS = {"sentiment": 0.01}
_WAIVED_LISTS = frozenset({"variants", "tests", "order", "of", "joins_by", "group_by", "fed_by", "where"})


def fails(mutant: Rule) -> bool:
    """Whether a golden test notices the change. Rules about signals need the others, too."""
    beside = [rule for rule in RULES.values() if rule.id != mutant.id] if mutant.pattern == "compound" else []
    return any(_differs(mutant, test, [*beside, mutant]) for test in mutant.tests)


def _differs(mutant: Rule, test: GoldenTest, rules: list[Rule]) -> bool:
    return bool(golden.judge(golden.with_rules(BLUEPRINT, rules, test.targets, test.calendar), mutant, test))


def mutants(rule: Rule) -> Iterator[tuple[str, Rule]]:
    """The rule with one boundary moved by its smallest step, either way, or one condition left out."""
    whole = rule.model_dump(mode="python", exclude_unset=True)
    for path, value in _changes(whole):
        with suppress(ValidationError):  # refused at once: noticed, too
            yield path, Rule.model_validate(value)


def _changes(whole: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from _own_changes(whole)
    for index, variant in enumerate(whole.get("variants", ())):
        for path, changed in _own_changes(variant["instead"]):
            variants = [*whole["variants"]]
            variants[index] = variant | {"instead": changed}
            yield f"{variant['id']}: {path}", whole | {"variants": variants}


def _own_changes(fields: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, value in fields.items():
        for path, changed in _moved(name, value):
            yield f"{name}{path}", fields | {name: changed}


def _moved(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    move = _MOVES.get(name)
    if move is not None:
        yield from move(value)
    elif isinstance(value, list | tuple) and name not in _WAIVED_LISTS:
        yield from ((f" without {index}", _drop(value, index)) for index in range(len(value)))
    elif value is True and name != "stated":  # a label, which the tests of `misaligned` hold
        yield " off", False


def _by(step: float) -> Callable[[Any], Iterator[tuple[str, Any]]]:
    """The value one step to either side; never below zero, which no boundary can be."""
    return lambda value: ((f" {moved}", moved) for moved in (value - step, value + step) if moved > 0)


def _moved_phases(value: dict[str, float]) -> Iterator[tuple[str, Any]]:
    for phase, seconds in value.items():  # two milliseconds: of some rules half of it counts
        yield from ((f" {phase} {s}", value | {phase: s}) for s in (seconds - 0.002, seconds + 0.002))


def _moved_where(value: Any) -> Iterator[tuple[str, Any]]:
    for index, compare in enumerate(value):
        yield from ((f" {at}", _put(value, index, changed)) for at, changed in _moved_compare(compare))


def _moved_of(value: Any) -> Iterator[tuple[str, Any]]:
    for alternative, wanted in enumerate(value):
        for kind, match in enumerate(wanted):
            for at, changed in _moved_match(match):
                yield f" {at}", _put(value, alternative, _put(wanted, kind, changed))


def _moved_severity(value: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, number in value.items():
        if name == "at_count":
            for count, severity in number.items():
                yield f" at {count}", value | {name: {count + 1: severity}}
                yield f" at {count} by", value | {name: {count: round(severity - 0.01, 4)}}
        elif name != "of_parts":
            yield f" {name}", value | {name: round(number - 0.01, 4)}
        else:
            yield " of_parts off", value | {name: False}


def _moved_compare(compare: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    step = STEPS.get(compare["field"], 1)
    for name in ("at_most", "at_least", "above", "worst_at"):
        if compare.get(name) is not None:
            for moved in (compare[name] - step, compare[name] + step):
                yield f"{compare['field']} {name} {moved}", compare | {name: moved}


def _moved_match(match: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    if match.get("at_least"):
        for moved in (match["at_least"] - 0.1, match["at_least"] + 0.1):  # severities come in tenths
            yield f"at_least {moved}", match | {"at_least": round(moved, 4)}
    for name in ("polarity", "stated", "roles", "moment_of_truth"):
        if name in match:
            yield f"any {name}", {key: kept for key, kept in match.items() if key != name}


def _put(values: Any, index: int, value: Any) -> list[Any]:
    return [value if at == index else kept for at, kept in enumerate(values)]


def _drop(values: Any, index: int) -> list[Any]:
    return [kept for at, kept in enumerate(values) if at != index]


_MOVES: dict[str, Callable[[Any], Iterator[tuple[str, Any]]]] = {
    "count": _by(1),
    "within_s": _by(0.001),
    "other_s": _by(0.001),
    "rewrites_s": _by(0.001),
    "redirects_s": _by(0.001),
    "at_least_s": _by(0.001),
    "near_px": _by(1),
    "share": _by(0.01),
    "within_by_phase": _moved_phases,
    "severity": _moved_severity,
    "where": _moved_where,
    "of": _moved_of,
}


def test_every_golden_test_of_the_default_blueprint_holds() -> None:
    count, failures = golden.run_all(BLUEPRINT)
    assert failures == []
    assert count >= 200


@pytest.mark.parametrize("rule_id", RULES)
def test_both_sides_of_every_boundary_are_held(rule_id: str) -> None:
    """Known-bad variants for free: whatever is moved or left out, some golden test of the rule notices."""
    rule = RULES[rule_id]
    unnoticed = []
    for path, mutant in mutants(rule):
        if not fails(mutant):
            unnoticed.append(path)
    assert rule.tests
    assert unnoticed == []


def test_the_check_of_boundaries_can_fail() -> None:
    """A rule whose tests stand on one side only is caught."""
    rule = RULES["rage_click"]
    lame = rule.model_copy(update={"tests": rule.tests[:1]})
    assert not all(fails(mutant) for _, mutant in mutants(lame))
