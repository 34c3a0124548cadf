"""What a blueprint asks of an event's page, title and properties: its own words are nobody's secret, and stay."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

from pydantic import BaseModel

from schemas.blueprint import Blueprint
from schemas.friction_rules import Rule
from schemas.matching import Compare, Match
from schemas.touchpoints import Scalar
from streams.matching.conditions import folded

#: Fields of a rule that name fields of an event.
_NAMING: Final = ("group_by", "loose", "needs", "distinct", "same", "field", "before", "returns", "joins_by")


_LEAST_TELLING_CHARS: Final = 4


@dataclass(frozen=True, slots=True)
class Asked:
    """`pages`, `titles`: pieces of its globs, in lower case, longest first. `values`: property → accepted values.

    `names`: every property it asks for, whatever the value.
    """

    pages: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()
    values: frozenset[tuple[str, Scalar]] = frozenset()


def asked_by(blueprint: Blueprint) -> Asked:
    """All that its types, rules and evidence ask."""
    found = list(_within(blueprint))
    matches = [one for one in found if isinstance(one, Match)]
    rules = [way for rule in found if isinstance(rule, Rule) for way in rule.ways()]
    matches += [one for rule in rules for one in _within(rule) if isinstance(one, Match)]
    compared = {one.field for part in (*found, *rules) for one in _within(part) if isinstance(one, Compare)}
    values = {(name, folded(value)) for match in matches for name, some in match.properties.items() for value in some}
    for rule in rules:
        values |= {(name, folded(value)) for name in (rule.field, rule.before) if name for value in _ordered(rule)}
    return Asked(
        pages=_pieces(chain((match.page for match in matches), _words(blueprint))),
        titles=_pieces(match.title for match in matches),
        names=frozenset({*compared, *(name for name, _ in values), *(name for rule in rules for name in _named(rule))}),
        values=frozenset(values),
    )


def _within(value: object) -> Iterator[BaseModel]:
    """Every model in a model, itself among them."""
    if isinstance(value, BaseModel):
        yield value
        for name in type(value).model_fields:
            yield from _within(getattr(value, name))
    elif isinstance(value, (tuple, list)):
        for one in value:
            yield from _within(one)
    elif isinstance(value, dict):
        yield from _within(tuple(value.values()))


def _named(rule: Rule) -> Iterator[str]:
    for field in _NAMING:
        value = getattr(rule, field)
        yield from (value,) if isinstance(value, str) else value


def _ordered(rule: Rule) -> Iterator[str]:
    for place in rule.order:
        yield from (place,) if isinstance(place, str) else place


def _words(blueprint: Blueprint) -> Iterator[str]:
    """Words of pages that tell a type alone; shorter ones would stand in half of all paths by chance."""
    for told in blueprint.words:
        for phrase in (*told.pages, *told.forms):
            if " " not in phrase and len(phrase.strip("*")) >= _LEAST_TELLING_CHARS:
                yield phrase


def _pieces(globs: Iterator[str]) -> tuple[str, ...]:
    """What stands between stars and slashes; a lone letter says nothing."""
    found = {piece for glob in globs for piece in re.split(r"[*?/]|\[[^]]*\]", glob.lower()) if len(piece) > 1}
    return tuple(sorted(found, key=lambda piece: (-len(piece), piece)))
