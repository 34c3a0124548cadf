"""All rules of a blueprint, indexed by what they watch: an event is shown only to rules that can match it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from schemas.friction_rules import Rule
from schemas.matching import Match
from schemas.touchpoints import CleanTouchpoint
from streams.friction.compiled import CompiledRule, Targets, compile_rules
from streams.friction.working_time import WorkingTime
from streams.matching.conditions import (
    Predicate,
    always,
    any_of,
    compile_kind,
    compile_pageless,
    compile_properties,
    never,
)

KINDS_REMEMBERED: Final = 20_000
_LISTS: Final = (
    "when", "unless", "suffices", "opens", "closes", "closes_session", "settles", "pauses", "resumes", "breaks",
)  # fmt: skip
_ASKING: Final = frozenset({"each", "burst", "window", "regress"})
"""Patterns to which an event means nothing when it does not count: it is not `when`, or crosses no boundary."""
_NO_HOURS: Final[Mapping[str, WorkingTime]] = {}
_Kind = tuple[str, ...]
_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class _Clause:
    """One `Match`: what it asks of the kind of event, and what of the event itself.

    `asks`: a property without which no event meets it; none where it does not ask for any.
    """

    pageless: Predicate
    kind: Predicate
    properties: Predicate
    asks_page: bool
    asks: frozenset[str]


@dataclass(frozen=True, slots=True)
class Watch:
    """A rule's conditions for one kind of event: only what the kind leaves open is asked.

    `plain`: every event of the kind counts. `asks`: what of an event (see `told_by`) it must have one of to matter at
    all, if any is named. `sure_steps`: steps that every event of the kind is, as bits;
    `other_steps`: those that need asking, each with its bit.
    """

    rule: CompiledRule
    pattern: str
    when: Predicate
    unless: Predicate
    suffices: Predicate
    opens: Predicate
    closes: Predicate
    closes_session: Predicate
    settles: Predicate
    pauses: Predicate
    resumes: Predicate
    breaks: Predicate
    steps: tuple[Predicate, ...]
    plain: bool
    asks: frozenset[str]
    sure_steps: int
    other_steps: tuple[tuple[int, Predicate], ...]

    def can_match(self) -> bool:
        """Whether any event of this kind can matter to the rule."""
        if self.pattern in _ASKING:
            return self.when is not never or self.suffices is not never
        return any(getattr(self, name) is not never for name in _LISTS if name != "unless") or any(
            step is not never for step in self.steps
        )


class _Entry:
    """A way of a rule with its clauses, per list of conditions."""

    def __init__(self, way: CompiledRule) -> None:
        self.way = way
        self.lists = {name: _clauses(getattr(way.rule, name)) for name in _LISTS}
        self.steps = [_clauses(step) for step in way.rule.steps]

    def asks_page(self, touchpoint: CleanTouchpoint) -> bool:
        """Whether, for this kind of event, the page decides."""
        every = [*self.lists.values(), *self.steps]
        return any(clause.asks_page and clause.pageless(touchpoint) for clauses in every for clause in clauses)

    def watch(self, touchpoint: CleanTouchpoint) -> Watch:
        """The conditions that remain for events of this kind."""
        remaining = {name: _remaining(clauses, touchpoint) for name, clauses in self.lists.items()}
        steps = tuple(_remaining(step, touchpoint) for step in self.steps)
        rule = self.way.rule
        return Watch(
            rule=self.way,
            pattern=rule.pattern,
            steps=steps,
            plain=remaining["when"] is always and remaining["unless"] is never and not (rule.where or rule.needs),
            asks=self._asks(touchpoint) if rule.pattern in _ASKING and remaining["suffices"] is never else frozenset(),
            sure_steps=sum(1 << at for at, step in enumerate(steps) if step is always),
            other_steps=tuple((1 << at, s) for at, s in enumerate(steps) if s is not always and s is not never),
            **remaining,
        )

    def _asks(self, touchpoint: CleanTouchpoint) -> frozenset[str]:
        """What an event of this kind must have one of to count; none where it may count without."""
        if self.way.boundaries:
            return self.way.boundaries
        asked = [clause.asks for clause in self.lists["when"] if clause.kind(touchpoint)]
        return frozenset[str]().union(*asked) if all(asked) else frozenset()


def told_by(touchpoint: CleanTouchpoint) -> Collection[str]:
    """What of an event rules may ask for: its properties, and the score and the feeling that it has."""
    if touchpoint.score is None and touchpoint.sentiment is None:  # nearly all
        return touchpoint.properties
    felt = [name for name in ("score", "sentiment") if getattr(touchpoint, name) is not None]
    return frozenset((*touchpoint.properties, *felt))


class RuleBook:
    """The rules, and what they ask of the rest of the blueprint. Immutable but for what it remembers of kinds.

    roles: persona → buying role. targets: touchpoint type → its targets. phases: phase → its place in the order.
    hours: touchpoint type → when its owner works, where that is known.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        *,
        roles: Mapping[str, str],
        targets: Mapping[str, Targets],
        phases: Mapping[str, int],
        hours: Mapping[str, WorkingTime] = _NO_HOURS,
    ) -> None:
        ways = compile_rules(rules)
        self.roles, self.phases = roles, phases
        self.compounds = tuple(way for way in ways if way.rule.pattern == "compound")
        self.advances = tuple(way for way in ways if way.rule.pattern == "advance")
        self._hours = dict(hours)
        self._ways = {way.key: way for way in ways}
        self._rules = {rule.id: rule for rule in rules}
        self._targets = {name: stated for name, stated in targets.items() if stated}
        self._entries = [_Entry(way) for way in ways if way.rule.pattern not in ("compound", "advance")]
        self._by_kind: dict[_Kind, tuple[Watch, ...] | None] = {}
        self._by_page: dict[_Kind, tuple[Watch, ...]] = {}

    def way(self, key: str) -> CompiledRule:
        """The way with this key."""
        return self._ways[key]

    def rule(self, rule_id: str) -> Rule:
        """The rule with this id."""
        return self._rules[rule_id]

    def targets(self, touchpoint_type: str) -> Targets:
        """The targets of a touchpoint type."""
        return self._targets.get(touchpoint_type, {})

    def hours(self, way: CompiledRule, touchpoint_type: str) -> WorkingTime | None:
        """The hours in which the clock of this way runs for a touchpoint of this type; None: at any hour."""
        return self._hours.get(touchpoint_type) if way.rule.working_time and self._hours else None

    def watches(self, touchpoint: CleanTouchpoint) -> tuple[Watch, ...]:
        """The rules that this event can matter to, in catalogue order; remembered, for kinds repeat."""
        kind = (touchpoint.action, touchpoint.vendor, touchpoint.vendor_type, touchpoint.channel)
        try:
            found = self._by_kind[kind]
        except KeyError:
            asks_page = any(entry.asks_page(touchpoint) for entry in self._entries)
            found = None if asks_page else self._find(touchpoint)
            _remember(self._by_kind, kind, found)
        if found is not None:
            return found
        page = (*kind, touchpoint.page)
        paged = self._by_page.get(page)
        if paged is None:
            paged = self._find(touchpoint)
            _remember(self._by_page, page, paged)
        return paged

    def _find(self, touchpoint: CleanTouchpoint) -> tuple[Watch, ...]:
        watches = [entry.watch(touchpoint) for entry in self._entries]
        return tuple(watch for watch in watches if watch.can_match())


def _remember(known: dict[_Kind, _Found], kind: _Kind, found: _Found) -> None:
    if len(known) >= KINDS_REMEMBERED:
        known.clear()
    known[kind] = found


def _clauses(matches: Sequence[Match]) -> list[_Clause]:
    return [
        _Clause(
            pageless=compile_pageless(match),
            kind=compile_kind(match),
            properties=compile_properties(match),
            asks_page=bool(match.page),
            asks=frozenset(list(match.properties)[:1]),
        )
        for match in matches
    ]


def _remaining(clauses: Sequence[_Clause], touchpoint: CleanTouchpoint) -> Predicate:
    return any_of([clause.properties for clause in clauses if clause.kind(touchpoint)])
