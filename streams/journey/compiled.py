"""A blueprint made ready to run: indexes instead of lists, predicates instead of conditions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from schemas.actions import ACTIONS
from schemas.blueprint import Blueprint, Decisive, PersonaRule, SegmentRule, TouchpointType
from schemas.errors import ConfigurationError
from schemas.touchpoints import CleanTouchpoint
from streams.friction.compiled import CompiledRule, compile_rules
from streams.journey.matching import (
    Predicate,
    compile_kind,
    compile_match,
    compile_properties,
    kind_key,
    specificity,
)

UNMAPPED = TouchpointType(id="unmapped", name="Unmapped", phase="unmapped", importance=1, risk=1)
UNKNOWN_PERSONA = "unknown"


KINDS_REMEMBERED = 50_000


@dataclass(frozen=True, slots=True)
class _Candidate:
    order: tuple[int, ...]
    kind: Predicate
    properties: Predicate
    type: TouchpointType


class CompiledBlueprint:
    """Answers the fold's questions about one blueprint version. Immutable after construction."""

    def __init__(self, blueprint: Blueprint) -> None:
        self.source = blueprint
        self.version = blueprint.version
        self.initial_phase = blueprint.initial_phase
        self.order = {phase.id: index for index, phase in enumerate(blueprint.phases)}
        self.exits = frozenset(phase.id for phase in blueprint.phases if phase.kind == "exit")
        self.indicative = dict(blueprint.indicative)
        self.rules: tuple[CompiledRule, ...] = compile_rules(blueprint.rules)
        self._rules = {rule.id: rule for rule in self.rules}
        self._rules_by_action = _index_rules(self.rules)
        self._edges = _edges(blueprint)
        self._decisive = _index_decisive(blueprint)
        self._types = _index_types(blueprint)
        self._kinds: dict[tuple[str, ...], tuple[_Candidate, ...]] = {}
        _check_references(blueprint, self.order)
        self.path = lru_cache(maxsize=256)(self._path)

    def type_of(self, touchpoint: CleanTouchpoint) -> TouchpointType:
        """The most specific type whose conditions hold, or `unmapped`."""
        for candidate in self._candidates(touchpoint):
            if candidate.properties(touchpoint):
                return candidate.type
        return UNMAPPED

    def rule(self, rule_id: str) -> CompiledRule:
        """The rule with this id."""
        return self._rules[rule_id]

    def rules_for(self, action: str) -> tuple[CompiledRule, ...]:
        """The rules that an event with this action can touch."""
        return self._rules_by_action.get(action, self._rules_by_action[""])

    def decisive_phase(self, touchpoint: CleanTouchpoint, phase: str) -> Decisive | None:
        """The first decisive evidence the touchpoint is, given the phase the account is in."""
        for holds, decisive in self._decisive.get(touchpoint.action, ()):
            if (not decisive.only_from or phase in decisive.only_from) and holds(touchpoint):
                return decisive
        return None

    def persona_of(self, traits: Mapping[str, str]) -> str:
        """The persona the first matching rule names; `unknown` otherwise."""
        words = frozenset(re.findall(r"\w+", traits.get("title", "").casefold()))
        for rule in self.source.persona_rules:
            if _persona_holds(rule, words, traits):
                return rule.persona
        return UNKNOWN_PERSONA

    def segment_of(self, traits: Mapping[str, str]) -> str:
        """The segment the first matching rule names; empty otherwise."""
        return next((rule.segment for rule in self.source.segments if _segment_holds(rule, traits)), "")

    def _candidates(self, touchpoint: CleanTouchpoint) -> tuple[_Candidate, ...]:
        """Types whose conditions on the kind hold, most specific first; remembered, for kinds repeat."""
        key = kind_key(touchpoint)
        found = self._kinds.get(key)
        if found is None:
            if len(self._kinds) >= KINDS_REMEMBERED:
                self._kinds.clear()
            found = tuple(c for c in self._types.get(touchpoint.action, ()) if c.kind(touchpoint))
            self._kinds[key] = found
        return found

    def _path(self, current: str, target: str) -> tuple[str, ...]:
        """The allowed way from `current` to `target`, without `current`; empty when there is none.

        One allowed move, or one allowed move followed by forward moves: decisive evidence of a
        later phase walks an account through the phases between.
        """
        if target in self._edges.get(current, ()):
            return (target,)
        for first in sorted(self._edges.get(current, ()), key=lambda phase: self.order[phase]):
            if first not in self.exits and self.order[first] < self.order[target]:
                forward = self._forward(first, target)
                if forward:
                    return (first, *forward)
        return ()

    def _forward(self, current: str, target: str) -> tuple[str, ...]:
        for following in self._edges.get(current, ()):
            if self.order[current] < self.order[following] <= self.order[target] and following not in self.exits:
                rest = self._forward(following, target) if following != target else ()
                if following == target or rest:
                    return (following, *rest)
        return ()


def _edges(blueprint: Blueprint) -> dict[str, tuple[str, ...]]:
    edges: dict[str, list[str]] = {phase.id: [] for phase in blueprint.phases}
    for transition in blueprint.transitions:
        sources = list(edges) if transition.source == "*" else [transition.source]
        for source in sources:
            if source in edges and source != transition.target and transition.target not in edges[source]:
                edges[source].append(transition.target)
    return {source: tuple(targets) for source, targets in edges.items()}


def _index_types(blueprint: Blueprint) -> dict[str, tuple[_Candidate, ...]]:
    """Action → candidates, most specific first; a match without an action stands under every action."""
    index: dict[str, list[_Candidate]] = {action: [] for action in ACTIONS}
    for touchpoint_type in blueprint.types:
        for match in touchpoint_type.match:
            candidate = _Candidate(specificity(match), compile_kind(match), compile_properties(match), touchpoint_type)
            for action in [match.action] if match.action else index:
                index[action].append(candidate)
    return {
        action: tuple(sorted(found, key=lambda c: (c.order, c.type.id), reverse=True))
        for action, found in index.items()
    }


def _index_decisive(blueprint: Blueprint) -> dict[str, list[tuple[Predicate, Decisive]]]:
    """Action → decisive evidence in its order; evidence without an action stands under every action."""
    compiled = [(compile_match(decisive.match), decisive) for decisive in blueprint.decisive]
    return {action: [pair for pair in compiled if pair[1].match.action in ("", action)] for action in ACTIONS}


def _index_rules(rules: tuple[CompiledRule, ...]) -> dict[str, tuple[CompiledRule, ...]]:
    everywhere = tuple(rule for rule in rules if "" in rule.actions)
    actions = {action for rule in rules for action in rule.actions}
    return {"": everywhere} | {
        action: tuple(rule for rule in rules if action in rule.actions or "" in rule.actions)
        for action in actions
        if action
    }


def _persona_holds(rule: PersonaRule, words: frozenset[str], traits: Mapping[str, str]) -> bool:
    if any(all(part in words for part in wanted.casefold().split()) for wanted in rule.title_words):
        return True
    if traits.get("department", "").strip().casefold() in {d.casefold() for d in rule.department}:
        return bool(rule.department)
    return traits.get("role", "").strip().casefold() in {r.casefold() for r in rule.role} and bool(rule.role)


def _segment_holds(rule: SegmentRule, traits: Mapping[str, str]) -> bool:
    value = traits.get(rule.trait, "")
    if rule.equals:
        return value.casefold() in {wanted.casefold() for wanted in rule.equals}
    try:
        return bool(value) and rule.at_least is not None and float(value) >= rule.at_least
    except ValueError:
        return False


def _check_references(blueprint: Blueprint, phases: Mapping[str, int]) -> None:
    """Refuse what the models cannot see: unknown phases, double ids, ambiguous matches."""
    named = [("initial_phase", blueprint.initial_phase)]
    named += [(f"transitions: {t.source}→{t.target}", p) for t in blueprint.transitions for p in (t.source, t.target)]
    named += [(f"decisive evidence for `{d.phase}`", p) for d in blueprint.decisive for p in (d.phase, *d.only_from)]
    named += [(f"indicative `{a}`", p) for a, b in blueprint.indicative.items() for p in (a, b)]
    named += [(f"type `{t.id}`", t.phase) for t in blueprint.types]
    for where, phase in named:
        if phase not in phases and phase != "*":
            raise ConfigurationError(f"{where}: unknown phase `{phase}`; phases are {', '.join(phases)}")
    personas = {persona.id for persona in blueprint.personas}
    for rule in blueprint.persona_rules:
        if rule.persona not in personas:
            raise ConfigurationError(f"persona_rules: unknown persona `{rule.persona}`; known: {', '.join(personas)}")
    _check_unique("types", [t.id for t in blueprint.types])
    _check_unique("rules", [r.id for r in blueprint.rules])
    _check_unambiguous(blueprint)


def _check_unique(where: str, ids: list[str]) -> None:
    doubles = sorted({name for name in ids if ids.count(name) > 1})
    if doubles:
        raise ConfigurationError(f"{where}: `{doubles[0]}` stands twice; ids must be unique")


def _check_unambiguous(blueprint: Blueprint) -> None:
    """Two types may not claim the same condition."""
    seen: dict[str, str] = {}
    for touchpoint_type in blueprint.types:
        for match in touchpoint_type.match:
            other = seen.setdefault(match.model_dump_json(), touchpoint_type.id)
            if other != touchpoint_type.id:
                raise ConfigurationError(
                    f"types `{other}` and `{touchpoint_type.id}` have the same match "
                    f"{match.model_dump(exclude_defaults=True)}; add a condition to one of them"
                )
