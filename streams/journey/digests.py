"""What a blueprint means, as a number: two blueprints that make the same rows have the same digest."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final

import orjson

from schemas.blueprint import Blueprint

_WORDS_FOR_PEOPLE: Final = {
    "rules": {"tests", "fed_by", "effort", "explanations"},
    "phases": {"name", "names", "goal", "questions"},
    "personas": {"name", "names", "title", "department", "motivation", "frustration", "goal"},
    "types": {
        *("name", "names", "owner", "goal", "excellent", "terrible", "if_it_fails", "effort"),
        *("channel", "contact", "setting", "started_by", "desired_emotion", "risk"),
    },
}
"""Per list of a blueprint, the fields that no row depends on. A field that is not named here counts."""


_NOTIFYING: Final = {"policies", "tiers"}
"""Who is notified of what hurts changes nothing about what happened."""


def digest_of(blueprint: Blueprint) -> int:
    """64 bits of all that rows depend on, the version among it."""
    meaning = blueprint.model_dump(mode="json", exclude=_NOTIFYING)
    for name, value in meaning.items():
        if name in _WORDS_FOR_PEOPLE:
            meaning[name] = [_without(entry, name) for entry in value]
    # of an owner only their hours matter
    meaning["owners"] = {kind.id: kind.owner.calendar for kind in blueprint.types if kind.owner and kind.owner.calendar}
    text = orjson.dumps(meaning, option=orjson.OPT_SORT_KEYS)
    return int.from_bytes(blake2b(text, digest_size=8).digest())


def _without(entry: dict[str, Any], where: str) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name not in _WORDS_FOR_PEOPLE[where]}
