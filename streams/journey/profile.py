"""What is known of an account's people and of the account itself: for each trait the latest value by sort key.

Of the account its own record's comes first: a helpdesk's name of an organisation never replaces the CRM's.

A profile does not depend on the order in which it learned: traits are a maximum, behaviour is a sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from schemas.facts import Seat
from schemas.touchpoints import AttributedTouchpoint
from streams.journey.compiled import CompiledBlueprint
from streams.journey.personas import UNKNOWN_PERSONA
from streams.journey.state import SortKey

ProfileChanges = dict[str, tuple[str, str]]
"""Whose persona changed, from what to what; `""` stands for the account's segment."""
_Key = tuple[int, SortKey]
_Traits = dict[str, tuple[_Key, str]]


@dataclass(slots=True)
class _Person:
    """`by_traits` and `by_behaviour` are the first persona rules they meet; `counts` stand beside the behaviours."""

    by_traits: int
    by_behaviour: int
    counts: list[int]
    moments: int = 0
    traits: _Traits = field(default_factory=dict)


class Profile:
    """Traits and behaviour, the personas and the segment that follow from them, and who declined to be followed."""

    def __init__(self, blueprint: CompiledBlueprint) -> None:
        self._blueprint = blueprint
        self._rules = blueprint.personas
        self.consents = blueprint.consents()
        self._people: dict[str, _Person] = {}
        self._account: _Traits = {}
        self._personas: dict[str, str] = {}
        self.segment = blueprint.first_segment

    def learn(self, items: Sequence[AttributedTouchpoint]) -> ProfileChanges:
        """Take in touchpoints, sorted, each only once; what changed by that. Whoever declined is not learned about."""
        before: dict[str, str] = {}
        behaviours, consents = bool(self._rules.behaviours), self.consents
        consents.learn(items)
        for item in items:
            traffic = consents.traffic(item)
            if traffic == "declined" or not self._blueprint.traffic.counts(traffic):
                continue
            touchpoint, person_id = item.touchpoint, item.attribution.person_id
            says_who = person_id and (behaviours or touchpoint.person_traits)
            if says_who and self._learn_person(self._person(person_id), item):
                before.setdefault(person_id, self.persona(person_id))
                self._judge(person_id)
            if touchpoint.account_traits and _merge(self._account, touchpoint.account_traits, _account_key(item)):
                before.setdefault("", self.segment)
                self.segment = self._blueprint.segment_of(self.account_traits())
        if not before:
            return {}
        now = {who: self.persona(who) if who else self.segment for who in before}
        return {who: (before[who], now[who]) for who in before if before[who] != now[who]}

    def persona(self, person_id: str) -> str:
        """The person's persona; `unknown` when no rule holds."""
        return self._personas.get(person_id, UNKNOWN_PERSONA)

    def role(self, person_id: str) -> str:
        """The role in buying of the person's persona."""
        return self._blueprint.role_of(self.persona(person_id))

    def account_traits(self) -> dict[str, str]:
        """The account's traits, latest value each, by name."""
        return {name: value for name, (_, value) in sorted(self._account.items())}

    def committee(self, people: Iterable[str]) -> tuple[Seat, ...]:
        """The seats the blueprint asks for, in its order, with how many of `people` have that role."""
        if not self._blueprint.committee:
            return ()
        roles = [self.role(person_id) for person_id in people]
        return self._blueprint.seats(tuple(roles.count(role) for role in self._blueprint.committee))

    def _person(self, person_id: str) -> _Person:
        person = self._people.get(person_id)
        if person is None:
            none = len(self._rules)
            person = self._people[person_id] = _Person(none, none, [0] * len(self._rules.behaviours))
        return person

    def _learn_person(self, person: _Person, item: AttributedTouchpoint) -> bool:
        """Take in one touchpoint; whether another rule may decide now."""
        touchpoint, rules = item.touchpoint, self._rules
        decided = (person.by_traits, person.by_behaviour)
        if touchpoint.person_traits and _merge(person.traits, touchpoint.person_traits, (0, item.sort_key)):
            person.by_traits = rules.by_traits({name: value for name, (_, value) in person.traits.items()})
        if rules.behaviours:
            kind = self._blueprint.type_of(touchpoint)
            if kind.on_map:
                person.moments += 1
                places = rules.counts_for(kind.id, touchpoint.action)
                for place in places:
                    person.counts[place] += 1
                if places or person.by_behaviour < len(rules):  # else none holds, and this one makes none hold
                    person.by_behaviour = rules.by_behaviour(person.moments, person.counts)
        return decided != (person.by_traits, person.by_behaviour)

    def _judge(self, person_id: str) -> None:
        person = self._people[person_id]
        self._personas[person_id] = self._rules.persona(min(person.by_traits, person.by_behaviour))


def completeness(committee: Iterable[Seat]) -> float | None:
    """Mean over the roles of min(known / required, 1); None when nobody is asked for."""
    shares = [min(seat.known / seat.required, 1.0) for seat in committee]
    return round(sum(shares) / len(shares), 6) if shares else None


def _account_key(item: AttributedTouchpoint) -> _Key:
    """What the account's own record says comes before a CRM's other one, and that before what others call it."""
    ref = next(iter(item.touchpoint.account_refs), "")
    return (2 if ref == item.account_id else int(ref.startswith("crm:")), item.sort_key)


def _merge(known: _Traits, traits: dict[str, str], key: _Key) -> bool:
    changed = False
    for name, value in traits.items():
        before = known.get(name)
        if before is None or key >= before[0]:
            known[name] = (key, value)
            changed = changed or before is None or before[1] != value
    return changed
