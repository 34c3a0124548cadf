"""Rules made ready to run: predicates, the actions they watch, their subject and their severity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from schemas.matching import Match
from schemas.rules import Rule
from schemas.touchpoints import AttributedTouchpoint, CleanTouchpoint
from streams.journey.matching import Predicate, compile_any, crosses


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """One rule. `actions` are those it watches; the empty action stands for every one."""

    rule: Rule
    actions: frozenset[str]
    counts: Predicate
    opens: Predicate
    closes: Predicate
    ends: Predicate
    pauses: Predicate
    resumes: Predicate
    within: timedelta

    @property
    def id(self) -> str:
        return self.rule.id

    def subject(self, item: AttributedTouchpoint) -> str:
        """What an episode is about: the rule's `group_by` fields of the touchpoint."""
        return "\x1f".join(_field(item, name) for name in self.rule.group_by)

    def severity(self, touchpoint: CleanTouchpoint, count: int) -> float:
        """Severity 0…1 of the `count`-th event of an episode."""
        severity = self.rule.severity
        shares = [share for c in self.rule.where if (share := crosses(c, touchpoint)) is not None]
        worst = severity.base if severity.worst is None else severity.worst
        value = severity.base + max(shares, default=0.0) * (worst - severity.base)
        return round(min(value + severity.step * max(count - self.rule.count, 0), 1.0), 4)


def compile_rules(rules: Sequence[Rule]) -> tuple[CompiledRule, ...]:
    """Compile in catalogue order; the order of signals on a touchpoint follows it."""
    return tuple(_compile(rule) for rule in rules)


def _compile(rule: Rule) -> CompiledRule:
    when, unless = compile_any(rule.when), compile_any(rule.unless)

    def counts(touchpoint: CleanTouchpoint) -> bool:
        return (
            when(touchpoint)
            and not unless(touchpoint)
            and (not rule.where or any(crosses(compare, touchpoint) is not None for compare in rule.where))
        )

    return CompiledRule(
        rule=rule,
        actions=_actions(rule),
        counts=counts,
        opens=compile_any(rule.opens),
        closes=compile_any(rule.closes),
        ends=compile_any(rule.closes_session),
        pauses=compile_any(rule.pauses),
        resumes=compile_any(rule.resumes),
        within=timedelta(seconds=rule.within_s),
    )


def _actions(rule: Rule) -> frozenset[str]:
    groups: tuple[tuple[Match, ...], ...] = (
        rule.when, rule.opens, rule.closes, rule.closes_session, rule.pauses, rule.resumes,
    )  # fmt: skip
    return frozenset(match.action for group in groups for match in group)


def _visitor(item: AttributedTouchpoint) -> str:
    return item.touchpoint.session_id or item.attribution.person_id


_FIELDS: dict[str, Callable[[AttributedTouchpoint], str]] = {
    "visitor": _visitor,
    "person": lambda item: item.attribution.person_id,
    "session": lambda item: item.touchpoint.session_id,
    "element": lambda item: item.touchpoint.element,
    "page": lambda item: item.touchpoint.page,
    "subject": lambda item: item.touchpoint.subject,
    "event": lambda item: item.touchpoint.event_id,
}


def _field(item: AttributedTouchpoint, name: str) -> str:
    read = _FIELDS.get(name)
    return read(item) if read is not None else str(item.touchpoint.properties.get(name, ""))
