"""What is known of an account's people and of the account itself: for each trait the latest value by sort key.

A profile does not depend on the order in which it learned: it is a maximum.
"""

from __future__ import annotations

from collections.abc import Iterable

from schemas.touchpoints import AttributedTouchpoint
from streams.journey.compiled import UNKNOWN_PERSONA, CompiledBlueprint
from streams.journey.state import SortKey

_Traits = dict[str, tuple[SortKey, str]]


class Profile:
    """Traits, and the personas and the segment that follow from them."""

    def __init__(self, blueprint: CompiledBlueprint) -> None:
        self._blueprint = blueprint
        self._people: dict[str, _Traits] = {}
        self._account: _Traits = {}
        self._personas: dict[str, str] = {}
        self.segment = blueprint.segment_of({})

    def learn(self, items: Iterable[AttributedTouchpoint]) -> set[str]:
        """Take in traits; returns the people whose persona changed, and `""` when the segment did."""
        changed: set[str] = set()
        for item in items:
            touchpoint, person_id = item.touchpoint, item.attribution.person_id
            if touchpoint.person_traits and person_id and self._learn_person(item):
                changed.add(person_id)
            if touchpoint.account_traits and _merge(self._account, touchpoint.account_traits, item.sort_key):
                segment = self._blueprint.segment_of(self.account_traits())
                if segment != self.segment:
                    self.segment = segment
                    changed.add("")
        return changed

    def persona(self, person_id: str) -> str:
        """The person's persona; `unknown` without a matching trait."""
        return self._personas.get(person_id, UNKNOWN_PERSONA)

    def account_traits(self) -> dict[str, str]:
        """The account's traits, latest value each, by name."""
        return {name: value for name, (_, value) in sorted(self._account.items())}

    def _learn_person(self, item: AttributedTouchpoint) -> bool:
        person_id = item.attribution.person_id
        traits = self._people.setdefault(person_id, {})
        if not _merge(traits, item.touchpoint.person_traits, item.sort_key):
            return False
        persona = self._blueprint.persona_of({name: value for name, (_, value) in traits.items()})
        if persona == self.persona(person_id):
            return False
        self._personas[person_id] = persona
        return True


def _merge(known: _Traits, traits: dict[str, str], key: SortKey) -> bool:
    changed = False
    for name, value in traits.items():
        before = known.get(name)
        if before is None or key >= before[0]:
            known[name] = (key, value)
            changed = changed or before is None or before[1] != value
    return changed
