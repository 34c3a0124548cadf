"""The blueprint as the page needs it: names, columns and which types belong to them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from schemas.blueprint import Blueprint, Phase, TouchpointType
from schemas.capabilities import Capability
from schemas.matching import Match
from services.dashboard.store import Question
from services.dashboard.views import Term
from services.dashboard.words import named
from streams.friction.feeds import is_fed
from streams.matching.conditions import plain


class Catalogue:
    """Look-ups over a blueprint. Ids it does not know are shown in words, never dropped."""

    def __init__(self, blueprint: Blueprint) -> None:
        self.version = blueprint.version
        self.phases: dict[str, Phase] = {phase.id: phase for phase in blueprint.phases}
        self.types: dict[str, TouchpointType] = {kind.id: kind for kind in blueprint.types}
        self.personas = {persona.id: persona.name for persona in blueprint.personas}
        self.segments = tuple(dict.fromkeys(rule.segment for rule in blueprint.segments))
        self.rule_efforts: dict[str, Term] = {rule.id: rule.effort for rule in blueprint.rules}
        self.derived_rules = tuple(rule.id for rule in blueprint.rules if rule.pattern == "compound")
        self.case_rules = tuple(rule.id for rule in blueprint.rules if rule.adopts)
        self.questions = tuple(_questions(blueprint))
        self._fed = tuple(rule for rule in blueprint.rules if rule.fed_by)
        self._phase_names = {phase.id: phase.name for phase in blueprint.phases}
        self._type_names = {kind.id: kind.name for kind in blueprint.types}

    def phase_name(self, phase: str) -> str:
        return named(self._phase_names, phase)

    def type_name(self, kind: str) -> str:
        return named(self._type_names, kind)

    def persona_name(self, persona: str) -> str:
        return "persona not known" if persona in ("", "unknown") else named(self.personas, persona)

    def unfed_rules(self, told: Collection[Capability]) -> tuple[str, ...]:
        """Rules that nothing told can feed: their silence means nothing. None where no source is known."""
        return tuple(rule.id for rule in self._fed if told and not is_fed(rule, told))

    def home_types(self, phase: str) -> list[TouchpointType]:
        """The types shown in a phase even when nothing happened, in the blueprint's order."""
        return [kind for kind in self.types.values() if kind.phase == phase and kind.on_map]


def _questions(blueprint: Blueprint) -> Iterator[Question]:
    """What customers wait for, by the rules that judge the target `answer_s`."""
    for rule in blueprint.rules:
        for way in rule.ways() if rule.target == "answer_s" else ():
            yield Question(_names(way.opens), _names(way.closes))


def _names(matches: Iterable[Match]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(plain(name) for match in matches for name in match.name))
