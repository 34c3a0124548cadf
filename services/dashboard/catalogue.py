"""The blueprint as the page needs it: names, columns and which types belong to them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import orjson

from schemas.blueprint import Blueprint, Phase, TouchpointType
from schemas.capabilities import Capability
from schemas.matching import Match
from services.dashboard.store import Question
from services.dashboard.views.figures import Term
from services.dashboard.words import named, rule_label, sentence_part, without_ids
from streams.friction.compiled import compile_rules
from streams.friction.feeds import is_fed
from streams.friction.words import sentence
from streams.incidents.intake import Lens, pains_of
from streams.matching.conditions import plain


class Catalogue:
    """Look-ups over a blueprint. Ids it does not know are shown in words, never dropped."""

    def __init__(self, blueprint: Blueprint) -> None:
        self.version = blueprint.version
        self.lens = Lens(blueprint)
        self.phases: dict[str, Phase] = {phase.id: phase for phase in blueprint.phases}
        self.types: dict[str, TouchpointType] = {kind.id: kind for kind in blueprint.types}
        self.personas = {persona.id: persona.name for persona in blueprint.personas}
        self._roles = {persona.id: persona.buying_role for persona in blueprint.personas}
        self.segments = tuple(dict.fromkeys(rule.segment for rule in blueprint.segments))
        self.owners = _owners(blueprint.types)
        self.records = tuple(kind.id for kind in blueprint.types if not kind.on_map)
        self.verdicts = tuple(kind.id for kind in blueprint.types if _is_verdict(kind))
        self.painful_by_definition = tuple(sorted(pains_of(blueprint)))
        self.tautologies = _tautologies(blueprint)
        self.rule_efforts: dict[str, Term] = {rule.id: rule.effort for rule in blueprint.rules}
        self.derived_rules = tuple(rule.id for rule in blueprint.rules if rule.pattern == "compound")
        self.case_rules = tuple(rule.id for rule in blueprint.rules if rule.adopts)
        self.questions = tuple(_questions(blueprint))
        self._fed = tuple(rule for rule in blueprint.rules if rule.fed_by)
        self._phase_names = {phase.id: phase.name for phase in blueprint.phases}
        self._type_names = {kind.id: kind.name for kind in blueprint.types}
        self._explanations = {
            (way.key, way.rule.version): way.rule.explanation for way in compile_rules(blueprint.rules)
        }

    def phase_name(self, phase: str) -> str:
        return named(self._phase_names, phase)

    def type_name(self, kind: str) -> str:
        return named(self._type_names, kind)

    def persona_name(self, persona: str) -> str:
        return "persona not known" if persona in ("", "unknown") else named(self.personas, persona)

    def explanation(self, row: Mapping[str, Any]) -> str:
        """Why a signal is one, by its rule's sentence; as it is stored where another version of the rule found it."""
        try:
            key, parameters = orjson.loads(row.get("explanation_coded") or "[]")
            template = self._explanations[key, row["rule_version"]]
            return sentence(template, parameters, lambda rule: sentence_part(rule_label(rule)))
        except (ValueError, KeyError, TypeError):
            return without_ids(row["explanation"])

    def buying_role(self, persona: str) -> str:
        """The part a kind of person has in a decision; empty: not known."""
        return self._roles.get(persona, "")

    def unfed_rules(self, fed_by: Collection[Capability]) -> tuple[str, ...]:
        """Rules that nothing told can feed: their silence means nothing. None where no source is known."""
        return tuple(rule.id for rule in self._fed if fed_by and not is_fed(rule, fed_by))

    def home_types(self, phase: str) -> list[TouchpointType]:
        """The types shown in a phase even when nothing happened, in the blueprint's order."""
        return [kind for kind in self.types.values() if kind.phase == phase and kind.on_map]


def _owners(types: Iterable[TouchpointType]) -> dict[str, tuple[str, ...]]:
    """Department → the types it answers for."""
    found: dict[str, list[str]] = {}
    for kind in types:
        if kind.owner:
            found.setdefault(kind.owner.department, []).append(kind.id)
    return {name: tuple(found[name]) for name in sorted(found)}


def _is_verdict(kind: TouchpointType) -> bool:
    """A survey or its page: it says how something else was. A type that only takes surveys about itself is none."""
    surveys = [match for match in kind.match if match.action == "survey_answered"]
    others = {match.action for match in kind.match} - {"survey_answered", "page_view", ""}
    return not others and any(not match.properties for match in surveys)


def _tautologies(blueprint: Blueprint) -> frozenset[str]:
    """Types whose events are friction by being there: a rule fires at each of them, whatever they carry."""
    always = {
        match.action
        for rule in blueprint.rules
        if rule.pattern == "each" and rule.polarity == "friction" and not rule.where
        for match in rule.when
        if match == Match(action=match.action)
    }
    return frozenset(kind.id for kind in blueprint.types if any(m.action and m.action in always for m in kind.match))


def _questions(blueprint: Blueprint) -> Iterator[Question]:
    """What customers wait for, by the rules that judge the target `answer_s`."""
    for rule in blueprint.rules:
        for way in rule.ways() if rule.target == "answer_s" else ():
            yield Question(_names(way.opens), _names(way.closes))


def _names(matches: Iterable[Match]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(plain(name) for match in matches for name in match.name))
