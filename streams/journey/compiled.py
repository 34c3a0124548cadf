"""A blueprint made ready to run: indexes instead of lists, predicates instead of conditions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from schemas.blueprint import Blueprint, Decisive, SegmentRule
from schemas.facts import Seat
from schemas.touchpoints import CleanTouchpoint
from streams.friction.rule_book import RuleBook
from streams.friction.working_time import WorkingTime
from streams.journey.amended import Amended, AmendmentRules, Counts
from streams.journey.checks import RefusedBlueprint, problems
from streams.journey.consent import Consents
from streams.journey.digests import digest_of
from streams.journey.evidence import EvidenceBook
from streams.journey.opportunities import Deals
from streams.journey.personas import PersonaRules
from streams.journey.transitions import Transitions
from streams.matching.recognition import Recognition
from streams.matching.traffic import TrafficBook


class CompiledBlueprint:
    """Answers the fold's questions about one blueprint version. Immutable after construction.

    Raises RefusedBlueprint for what cannot be run, see `checks`; who has checked it already says so.
    """

    def __init__(self, blueprint: Blueprint, *, is_checked: bool = False) -> None:
        found = [] if is_checked else problems(blueprint)
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
        self.seats = lru_cache(maxsize=4_096)(self._seats)
        self._roles = {persona.id: persona.buying_role for persona in blueprint.personas}
        self.rulebook = RuleBook(
            blueprint.rules,
            roles=self._roles,
            targets={kind.id: kind.targets for kind in blueprint.types},
            phases=self.transitions.order,
            hours=_hours_of(blueprint),
        )
        self._decisive = EvidenceBook(blueprint.decisive)
        self.type_of = Recognition(blueprint.types, blueprint.words).type_of
        self.traffic = TrafficBook(blueprint.traffic)
        self.first_segment = self.segment_of({})
        self._amendments = AmendmentRules(blueprint.amendments, self.deals)

    def evidence(self, touchpoint: CleanTouchpoint, phase: str) -> tuple[Decisive, bool] | None:
        """The decisive evidence a touchpoint is, and whether it counts in the phase the account is in."""
        return self._decisive.find(touchpoint, phase)

    def amended(self, counts: Counts) -> Amended:
        """A fresh memory of what senders take back, for one account; `counts` as in `Amended`."""
        return Amended(self._amendments, counts)

    def consents(self) -> Consents:
        """A fresh memory of who declined to be followed, for one account."""
        return Consents(self.traffic)

    def role_of(self, persona: str) -> str:
        """The persona's role in buying; empty when it has none."""
        return self._roles.get(persona, "")

    def _seats(self, known: tuple[int, ...]) -> tuple[Seat, ...]:
        """The seats of a committee, in its order, of which so many are known."""
        asked = zip(self.committee.items(), known, strict=True)
        return tuple(Seat(role=role, known=number, required=required) for (role, required), number in asked)

    def segment_of(self, traits: Mapping[str, str]) -> str:
        """The segment the first matching rule names; empty otherwise."""
        return next((rule.segment for rule in self.source.segments if _segment_holds(rule, traits)), "")


def _hours_of(blueprint: Blueprint) -> dict[str, WorkingTime]:
    """Touchpoint type → when its owner works, where that is said."""
    known = {name: WorkingTime(calendar) for name, calendar in blueprint.calendars.items()}
    return {kind.id: known[kind.owner.calendar] for kind in blueprint.types if kind.owner and kind.owner.calendar}


def _segment_holds(rule: SegmentRule, traits: Mapping[str, str]) -> bool:
    value = traits.get(rule.trait, "")
    if rule.equals:
        return value.casefold() in {wanted.casefold() for wanted in rule.equals}
    try:
        return bool(value) and rule.at_least is not None and float(value) >= rule.at_least
    except ValueError:
        return False
