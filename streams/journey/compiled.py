"""A blueprint made ready to run: indexes instead of lists, predicates instead of conditions."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.actions import ACTIONS
from schemas.blueprint import Blueprint, Decisive, SegmentRule
from schemas.touchpoints import CleanTouchpoint
from streams.friction.compiled import CompiledRule, compile_rules
from streams.journey.checks import RefusedBlueprint, problems
from streams.journey.digests import digest_of
from streams.journey.matching import Predicate, compile_match
from streams.journey.opportunities import Deals
from streams.journey.personas import PersonaRules
from streams.journey.recognition import Recognition
from streams.journey.transitions import Transitions


class CompiledBlueprint:
    """Answers the fold's questions about one blueprint version. Immutable after construction.

    Raises RefusedBlueprint for what cannot be run, see `checks`.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        found = problems(blueprint)
        if found:
            raise RefusedBlueprint(found)
        self.source = blueprint
        self.version = blueprint.version
        self.initial_phase = blueprint.initial_phase
        self.digest = digest_of(blueprint)
        self.transitions = Transitions(blueprint)
        self.indicative = dict(blueprint.indicative)
        self.customer_phases = frozenset(phase.id for phase in blueprint.phases if phase.kind == "customer")
        self.deals = Deals(blueprint.opportunities)
        self.personas = PersonaRules(blueprint.persona_rules)
        self.committee = {role: required for role, required in blueprint.committee.items() if required > 0}
        self._roles = {persona.id: persona.buying_role for persona in blueprint.personas}
        self.rules: tuple[CompiledRule, ...] = compile_rules(blueprint.rules)
        self._rules = {rule.id: rule for rule in self.rules}
        self._rules_by_action = _index_rules(self.rules)
        self._decisive = _index_decisive(blueprint)
        self.type_of = Recognition(blueprint.types).type_of

    def rule(self, rule_id: str) -> CompiledRule:
        """The rule with this id."""
        return self._rules[rule_id]

    def rules_for(self, action: str) -> tuple[CompiledRule, ...]:
        """The rules that an event with this action can touch."""
        return self._rules_by_action.get(action, self._rules_by_action[""])

    def evidence(self, touchpoint: CleanTouchpoint, phase: str) -> tuple[Decisive, bool] | None:
        """The decisive evidence a touchpoint is, and whether it counts in the phase the account is in."""
        refused: Decisive | None = None
        for holds, decisive in self._decisive.get(touchpoint.action, ()):
            if holds(touchpoint):
                if not decisive.only_from or phase in decisive.only_from:
                    return decisive, True
                refused = refused or decisive
        return (refused, False) if refused else None

    def role_of(self, persona: str) -> str:
        """The persona's role in buying; empty when it has none."""
        return self._roles.get(persona, "")

    def segment_of(self, traits: Mapping[str, str]) -> str:
        """The segment the first matching rule names; empty otherwise."""
        return next((rule.segment for rule in self.source.segments if _segment_holds(rule, traits)), "")


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


def _segment_holds(rule: SegmentRule, traits: Mapping[str, str]) -> bool:
    value = traits.get(rule.trait, "")
    if rule.equals:
        return value.casefold() in {wanted.casefold() for wanted in rule.equals}
    try:
        return bool(value) and rule.at_least is not None and float(value) >= rule.at_least
    except ValueError:
        return False
