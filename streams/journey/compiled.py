"""A blueprint made ready to run: indexes instead of lists, predicates instead of conditions."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.actions import ACTIONS
from schemas.blueprint import Blueprint, Decisive, SegmentRule
from schemas.touchpoints import CleanTouchpoint
from streams.friction.book import RuleBook
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
        self.rulebook = RuleBook(
            blueprint.rules,
            roles=self._roles,
            targets={kind.id: kind.targets for kind in blueprint.types},
            phases=self.transitions.order,
        )
        self._decisive = _index_decisive(blueprint)
        self.type_of = Recognition(blueprint.types).type_of

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


def _segment_holds(rule: SegmentRule, traits: Mapping[str, str]) -> bool:
    value = traits.get(rule.trait, "")
    if rule.equals:
        return value.casefold() in {wanted.casefold() for wanted in rule.equals}
    try:
        return bool(value) and rule.at_least is not None and float(value) >= rule.at_least
    except ValueError:
        return False
